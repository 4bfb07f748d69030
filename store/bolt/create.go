package bolt

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

// create makes a new database under a name of its own, and gives it the right one only when it is whole and on disk: a
// crash at any moment leaves either no database or an empty, sound one. A file that has meanwhile appeared is kept.
func create(path string) (err error) {
	dir, base := filepath.Split(path)
	f, err := os.CreateTemp(dir, "."+base+".new-*")
	if err != nil {
		return err
	}
	temp := f.Name()
	defer os.Remove(temp) //nolint:errcheck // gone if all went well
	if err := f.Close(); err != nil {
		return err
	}
	if err := initialise(temp, pageSize); err != nil {
		return fmt.Errorf("new database: %w", err)
	}
	// A link, unlike a rename, never replaces the file of a process that was faster.
	if err := os.Link(temp, path); err != nil && !errors.Is(err, os.ErrExist) {
		if err := os.Rename(temp, path); err != nil {
			return err
		}
	}
	return syncDir(filepath.Dir(path))
}

func initialise(path string, pageSize int) error {
	db, err := bbolt.Open(path, fileMode, &bbolt.Options{PageSize: pageSize, Timeout: time.Second})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket(identityBucket)
		if err != nil {
			return err
		}
		if err := identify(b); err != nil {
			return err
		}
		if err := b.Put(formatName, binary.BigEndian.AppendUint64(nil, formatPlain)); err != nil {
			return err
		}
		_, err = tx.CreateBucket(kvBucket)
		return err
	})
	return errors.Join(err, db.Sync(), db.Close())
}

// identify puts a new identity into the bucket that says what the file is.
func identify(b *bbolt.Bucket) error {
	id := make([]byte, idSize)
	rand.Read(id) // never fails
	return b.Put(idName, id)
}

// syncDir makes a new name in a directory durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
