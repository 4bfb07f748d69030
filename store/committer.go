package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"countersign/workflow"
)

// maxTries bounds how often a batch is evaluated, which is anew because another replica was faster.
const maxTries = 16

// run is the committer: the only goroutine that writes. It never waits for a batch to fill: what has gathered while the
// disk was busy, and whoever can run and is about to commit, is the next batch.
func (s *Store) run(ctx context.Context) {
	defer close(s.drained)
	for first := range s.queue {
		runtime.Gosched()
		if ps := s.gather(first); len(ps) > 0 {
			s.commitAll(ctx, ps)
		}
	}
}

// gather takes what waits behind first, without waiting itself.
func (s *Store) gather(first *pending) []*pending {
	var ps []*pending
	if first.take() {
		ps = append(ps, first)
	}
	for len(ps) < s.opts.MaxBatch {
		select {
		case p, ok := <-s.queue:
			if !ok {
				return ps
			}
			if p.take() {
				ps = append(ps, p)
			}
		default:
			return ps
		}
	}
	return ps
}

// commitAll stores what can be stored of ps and answers every one of them.
func (s *Store) commitAll(ctx context.Context, ps []*pending) {
	for try := range maxTries {
		b, err := s.evaluate(ctx, ps, try > 0)
		if err != nil {
			s.answerAll(ps, err)
			return
		}
		rev, err := s.store(ctx, b)
		if errors.Is(err, ErrCompare) {
			// A commit goes by what is no longer stored, or another replica has committed since the head was read. Nothing of
			// b was stored; all of it is judged anew.
			if err := s.loadHead(ctx); err != nil {
				s.answerAll(ps, err)
				return
			}
			continue
		}
		s.answerBatch(b, rev, err)
		return
	}
	s.answerAll(ps, fmt.Errorf("%w: other replicas were faster %d times", workflow.ErrBusy, maxTries))
}

// store hands a batch to the engine and moves the head on. A batch of which nothing was accepted costs nothing.
func (s *Store) store(ctx context.Context, b *batch) (uint64, error) {
	if b.accepted == 0 {
		return 0, nil
	}
	txn, err := b.txn()
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	rev, err := s.kv.Commit(ctx, txn)
	if err != nil {
		return 0, err
	}
	s.opts.OnCommit(b.accepted, time.Since(begun))
	s.head, s.headRev = b.head, rev
	s.raiseNumber(uint64(b.head.Number))
	return rev, nil
}

// answerBatch tells every caller of b its own result. If the batch was not stored, that is also the result of those who
// were refused because of what it would have stored.
func (s *Store) answerBatch(b *batch, rev uint64, err error) {
	s.note(err)
	for i, p := range b.commits {
		v := b.verdicts[i]
		if err != nil && (v.err == nil || v.tentative) {
			v.err = err
		}
		p.answer(rev, v.err)
	}
}

func (s *Store) answerAll(ps []*pending, err error) {
	s.note(err)
	for _, p := range ps {
		p.answer(0, err)
	}
}

// note tells the process of an engine that has failed.
func (s *Store) note(err error) {
	if errors.Is(err, ErrFailed) {
		s.failing.Do(func() {
			s.opts.Logger.Error("the database engine has failed", "error", err)
			close(s.failed)
		})
	}
}
