package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"countersign/store"
)

// ParseStore reads where requests are kept, as operators type it: bolt:FILE, postgres, or postgres:NAME of the variable
// that holds the connection string.
func ParseStore(s string) (StoreConfig, error) {
	engine, rest, named := strings.Cut(s, ":")
	switch {
	case engine == "bolt" && rest != "":
		return StoreConfig{Bolt: rest}, nil
	case engine == "postgres" && !named:
		return StoreConfig{DSNEnv: DatabaseEnv}, nil
	case engine == "postgres" && envName.MatchString(rest):
		return StoreConfig{DSNEnv: rest}, nil
	default:
		return StoreConfig{}, errors.New("write bolt:FILE, postgres, or postgres:NAME of the environment variable that holds the connection string")
	}
}

// Migrate moves a database from one engine to another; see store.Move.
func Migrate(ctx context.Context, from, to StoreConfig, env func(string) string, tell func(keys int)) (store.Moved, error) {
	log := slog.New(slog.DiscardHandler)
	source, err := openKV(ctx, from, env, log, true, nil)
	if err != nil {
		return store.Moved{}, err
	}
	target, err := openKV(ctx, to, env, log, false, nil)
	if err != nil {
		return store.Moved{}, errors.Join(err, source.Close())
	}
	moved, err := store.Move(ctx, source, target, tell)
	return moved, errors.Join(err, target.Close(), source.Close())
}
