package app

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"runtime/debug"
)

// Status is what a running process says of itself.
type Status struct {
	PID     int    `json:"pid"`
	Version string `json:"version"`
	Ready   bool   `json:"ready"`
	// Policy is the hash of the policy and people in force.
	Policy string `json:"policy"`
}

func (a *App) status() Status {
	return Status{PID: os.Getpid(), Version: Version(), Ready: a.Ready(), Policy: a.inForce.Load().PolicyHash()}
}

// controlHandler is Control with what only the running process knows.
func (a *App) controlHandler() http.Handler {
	mux := controlMux(&control{a.store, a.log})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { answer(w, a.status()) })
	return mux
}

// PolicyHash identifies the policy and the people of a configuration: what a reload may change.
func (c *Config) PolicyHash() string {
	b, err := json.Marshal(struct{ Rules, People any }{c.Rules, c.People})
	if err != nil { // they hold strings and numbers only
		panic(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// commit is set by the linker where the program is built without its repository, as an image is:
// -ldflags "-X countersign/cmd/internal/app.commit=$(git rev-parse HEAD)".
var commit string

// Version is the commit that the program was built from.
func Version() string {
	if commit != "" {
		return commit
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	rev, dirty := "unknown", ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			rev = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				dirty = "+changes"
			}
		}
	}
	return rev + dirty
}
