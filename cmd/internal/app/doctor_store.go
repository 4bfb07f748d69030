package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"countersign/store"
	"countersign/store/postgres"
)

const (
	mib = 1 << 20
	// tooLittle is the room without which the database will soon be full, little that which is worth a word.
	tooLittle = 64 * mib
	little    = 512 * mib
)

// database checks the file: rights, room, format and the audit chain.
func (d *doctor) database(ctx context.Context) {
	if d.cfg.Store.Bolt == "" {
		d.chain(ctx, "")
		return
	}
	path := d.cfg.Store.Bolt
	dir := filepath.Dir(path)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if why := unwritable(dir); why != nil {
			d.fail("store", fmt.Sprintf("there is no database yet, and %s may not be written: %v", dir, why), "make the directory, and give it to the user that serve runs as")
			return
		}
		d.ok("store", "there is no database yet; serve will make %s", path)
		d.space(dir, 0)
		return
	case err != nil:
		d.fail("store", err.Error(), "let the user that serve runs as read "+path)
		return
	}
	if why := errors.Join(unwritable(path), unwritable(dir)); why != nil {
		d.fail("store", fmt.Sprintf("%s may not be written: %v", path, why), "give the file and its directory to the user that serve runs as")
		return
	}
	if info.Mode().Perm()&0o077 != 0 {
		d.warn("store", fmt.Sprintf("%s may be read by others (mode %04o): it holds who asked for what, and why", path, info.Mode().Perm()), "chmod 600 "+path)
	}
	d.space(dir, info.Size())
	d.chain(ctx, fmt.Sprintf(", %d MiB", info.Size()/mib))
}

func (d *doctor) space(dir string, size int64) {
	free, ok := freeSpace(dir)
	what := fmt.Sprintf("%d MiB are free in %s; the database has %d MiB", free/mib, dir, size/mib)
	const mend = "make room: a full disk refuses every request, and a backup needs as much room as the database"
	switch {
	case !ok:
		d.warn("space", "how much room is left cannot be told on this system", "watch it by other means")
	case free < tooLittle:
		d.fail("space", what, mend)
	case free < little || free < uint64(size):
		d.warn("space", what, mend)
	default:
		d.ok("space", "%s", what)
	}
}

// chain opens the database, or asks the process that has it open, and verifies the audit trail.
func (d *doctor) chain(ctx context.Context, size string) {
	c, err := NewClient(ctx, d.cfg, d.o.Env)
	server := d.cfg.Store.Bolt == ""
	switch {
	case errors.Is(err, postgres.ErrEmpty):
		d.ok("store", "%s answers and is empty; serve will make its table", d.cfg.Store)
		return
	case err != nil && server:
		d.fail("store", fmt.Sprintf("%s cannot be opened: %v", d.cfg.Store, err), "start the server, or correct the connection string; nothing was changed")
		return
	case err != nil:
		d.fail("store", "cannot be opened: "+err.Error(), "see the README on restoring a backup; nothing was changed")
		return
	}
	defer c.Close()
	var one []View
	if err := c.JSON(ctx, "/requests?limit=1", &one); err != nil && server {
		d.fail("store", fmt.Sprintf("%s does not answer: %v", d.cfg.Store, err), "start the server; service resumes by itself")
		return
	}
	d.ok("store", "%s can be read and written%s, format %d", d.cfg.Store, size, store.Format)
	var head store.Head
	if err := c.JSON(ctx, "/audit/verify", &head); err != nil {
		d.fail("chain", err.Error(), "the trail was changed or is damaged: keep the file, and compare it with a backup and the heads posted in Slack")
		return
	}
	d.ok("chain", "the audit trail is whole: %d entries, head %d:%s", head.Seq, head.Seq, head.Hash)
}
