package slackfake_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"countersign/bot/slackfake"
)

// boltDir is where Slack's own SDK is installed. Naming it makes its absence an error: CI must not pass by skipping.
func boltDir(t *testing.T) string {
	t.Helper()
	dir, named := os.LookupEnv("COUNTERSIGN_BOLT_DIR")
	if !named {
		dir = filepath.Join("..", "..", ".ci", "bolt")
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "@slack", "bolt")); err != nil {
		if named {
			t.Fatalf("COUNTERSIGN_BOLT_DIR: %v; run npm ci there", err)
		}
		t.Skip("Slack's SDK is not installed: run npm ci in .ci/bolt")
	}
	return dir
}

// node runs a script of .ci/bolt against a server of its own, if there is one.
func node(t *testing.T, s *slackfake.Server, args ...string) {
	t.Helper()
	dir := boltDir(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Dir = dir
	cmd.Env = os.Environ()
	if s != nil {
		cmd.Env = append(cmd.Env, "SLACKFAKE_URL="+s.URL(), "SLACK_BOT_TOKEN="+s.BotToken(), "SLACK_APP_TOKEN="+s.AppToken(),
			"SLACK_SIGNING_SECRET="+s.SigningSecret())
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %v\n%s", args, err, out)
	}
}

func TestBolt_SocketMode(t *testing.T) {
	boltDir(t)
	s := start(t, slackfake.Options{})
	node(t, s, "socket.mjs")
}

func TestBolt_HTTP(t *testing.T) {
	boltDir(t)
	s := start(t, slackfake.Options{})
	node(t, s, "http.mjs")
}

// The schema is generated from Slack's types; editing it by hand, or forgetting to run the generator, is found here.
func TestBolt_SchemaIsCurrent(t *testing.T) {
	node(t, nil, "schema.mjs", "--check")
}
