package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	channel = "countersign"
	// notifyPause gathers the commits of a moment into one hint.
	notifyPause = 50 * time.Millisecond
	// listenPause is how long to wait before listening again.
	listenPause = 5 * time.Second
)

// notifier tells other handles that something was committed, and hears it from them. It is apart from the commits, which
// it neither slows nor fails. A nil one does nothing.
type notifier struct {
	d     *DB
	id    string
	dirty chan struct{}
	stop  context.CancelFunc
	wg    sync.WaitGroup
}

func startNotifier(d *DB, id string) *notifier {
	if d.opts.Changed == nil {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	n := &notifier{d: d, id: id, dirty: make(chan struct{}, 1), stop: stop}
	n.wg.Go(func() { n.speak(ctx) })
	n.wg.Go(func() { n.listen(ctx) })
	return n
}

func (n *notifier) close() {
	if n != nil {
		n.stop()
		n.wg.Wait()
	}
}

// committed is told of a commit of this handle.
func (n *notifier) committed() {
	if n == nil {
		return
	}
	select {
	case n.dirty <- struct{}{}:
	default:
	}
}

// speak sends a hint some time after commits. Its transaction need not be durable.
func (n *notifier) speak(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.dirty:
		}
		sleep(ctx, notifyPause)
		err := n.d.reads.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
			tx, err := c.Begin(ctx)
			if err != nil {
				return err
			}
			defer tx.Rollback(ctx) //nolint:errcheck // after a commit it does nothing
			if _, err := tx.Exec(ctx, `set local synchronous_commit = off`); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `select pg_notify($1, $2)`, channel, n.id); err != nil {
				return err
			}
			return tx.Commit(ctx)
		})
		if err != nil && ctx.Err() == nil {
			n.d.opts.Logger.DebugContext(ctx, "other replicas could not be told of a commit; they poll", "error", n.d.hide.in(err))
			sleep(ctx, listenPause)
		}
	}
}

// listen waits for hints of other handles, on a connection of its own.
func (n *notifier) listen(ctx context.Context) {
	for ctx.Err() == nil {
		if err := n.hear(ctx); err != nil && ctx.Err() == nil {
			n.d.opts.Logger.DebugContext(ctx, "the commits of other replicas are not heard of; they are polled for", "error", n.d.hide.in(err))
			sleep(ctx, listenPause)
		}
	}
}

func (n *notifier) hear(ctx context.Context) error {
	pooled, err := n.d.reads.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	c := pooled.Hijack() // it does not count among the reads
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = c.Close(closing)
	}()
	if _, err := c.Exec(ctx, `listen `+channel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	n.d.opts.Changed() // what was said before is not heard
	for {
		got, err := c.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		if got.Payload != n.id {
			n.d.opts.Changed()
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
