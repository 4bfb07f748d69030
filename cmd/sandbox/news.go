package main

import (
	"encoding/json"
	"hash/fnv"
	"sync"
	"time"
)

// lookEvery is how often the clouds are looked at for changes, which they do not announce.
const lookEvery = 150 * time.Millisecond

// news tells every page that waits that something has changed.
type news struct {
	mu      sync.Mutex
	version int64
	next    chan struct{} // closed with the next change
}

// tell wakes everybody who waits.
func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.version++
	if n.next != nil {
		close(n.next)
		n.next = nil
	}
}

// wait returns the number of the last change, and a channel that is closed with the next.
func (n *news) wait() (int64, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next == nil {
		n.next = make(chan struct{})
	}
	return n.version, n.next
}

// watch turns what happens in the emulators into news until the world ends.
func (w *world) watch() {
	changed, stop := w.Slack.Subscribe()
	defer stop()
	var last uint64
	for {
		select {
		case <-w.ended.Done():
			return
		case <-changed:
			w.news.tell()
		case <-time.After(lookEvery):
		}
		w.disarm()
		if now := w.look(); now != last {
			last = now
			w.news.tell()
		}
	}
}

// look is a fingerprint of what changes without Slack's emulator being changed.
func (w *world) look() uint64 {
	h := fnv.New64a()
	enc := json.NewEncoder(h)
	compshare, _ := w.CompShare.Snapshot()
	_, _ = h.Write(compshare)
	_, _ = h.Write(w.DataArts.Snapshot())
	for _, v := range []any{w.CompShare.Calls(), w.DataArts.Calls(), w.status(), w.Slack.Sockets(), w.armed.labels(), w.clock.offset()} {
		_ = enc.Encode(v) // into a hash, which takes everything
	}
	return h.Sum64()
}
