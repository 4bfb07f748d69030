package postgres_test

import (
	"os"
	"testing"

	"countersign/store"
	"countersign/store/postgres"
	"countersign/store/postgres/pgtest"
	"countersign/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func TestDB_Contract(t *testing.T) {
	server := pgtest.Shared(t)
	storetest.Run(t, func(t *testing.T) storetest.Engine {
		dsn := server.DSN(t)
		return storetest.Engine{Shared: true, Open: func() (store.KV, error) {
			return postgres.Open(t.Context(), dsn, postgres.Options{})
		}}
	})
}
