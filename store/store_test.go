package store_test

import (
	"testing"

	"countersign/store/storetest"
)

func TestMemory_Contract(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Engine {
		m := &storetest.Memory{}
		return storetest.Engine{Open: m.Open, Shared: true}
	})
}
