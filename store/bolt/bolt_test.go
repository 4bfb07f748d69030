package bolt_test

import (
	"path/filepath"
	"testing"

	"countersign/store"
	"countersign/store/bolt"
	"countersign/store/storetest"
)

func TestDB_Contract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Engine {
		path := filepath.Join(t.TempDir(), "c.db")
		return storetest.Engine{Open: func() (store.KV, error) {
			return bolt.Open(t.Context(), path, bolt.Options{NoSync: true})
		}}
	})
}
