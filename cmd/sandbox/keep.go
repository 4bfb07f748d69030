package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// saveEvery is how much of the emulators a killed sandbox loses at most. What the bot itself knows is in its own
// database, and is lost never.
const saveEvery = time.Second

// keptState is what the emulators know, as it is written to the data directory.
type keptState struct {
	Ahead     time.Duration   `json:"ahead"`
	Slack     json.RawMessage `json:"slack"`
	CompShare json.RawMessage `json:"compshare"`
	DataArts  json.RawMessage `json:"dataarts"`
}

func (w *world) keptFile() string { return filepath.Join(w.dir, "emulators.json") }

// restore gives the emulators back what the last life of the sandbox left.
func (w *world) restore() error {
	raw, err := os.ReadFile(w.keptFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	var k keptState
	if err := json.Unmarshal(raw, &k); err != nil {
		return fmt.Errorf("%s is damaged: %w; remove it and countersign.db beside it to begin anew", w.keptFile(), err)
	}
	w.clock.set(k.Ahead)
	if err := errors.Join(w.Slack.Restore(k.Slack), w.CompShare.Restore(k.CompShare), w.DataArts.Restore(k.DataArts)); err != nil {
		return fmt.Errorf("%s: %w", w.keptFile(), err)
	}
	return nil
}

// save writes what the emulators know, whole or not at all.
func (w *world) save() error {
	slack, err := w.Slack.Snapshot()
	if err != nil {
		return err
	}
	compshare, err := w.CompShare.Snapshot()
	if err != nil {
		return err
	}
	raw, err := json.Marshal(keptState{w.clock.offset(), slack, compshare, w.DataArts.Snapshot()})
	if err != nil {
		return err
	}
	temp := w.keptFile() + ".new"
	if err := os.WriteFile(temp, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, w.keptFile())
}

// keepSaving saves soon after each change, so that little is lost when the sandbox is killed.
func (w *world) keepSaving() {
	saved := int64(0)
	for {
		select {
		case <-w.ended.Done():
			return
		case <-time.After(saveEvery):
		}
		now, _ := w.news.wait()
		if now == saved {
			continue
		}
		if err := w.save(); err != nil {
			w.o.Logger.Error("the sandbox could not be saved", "error", err)
			continue
		}
		saved = now
	}
}
