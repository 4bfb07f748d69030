package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// printed runs a command line in this process.
func printed(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if got := run(t.Context(), streams{&out, &errs, func(string) string { return "" }}, args); got != want {
		t.Fatalf("countersign %s: exit %d, want %d\n%s%s", strings.Join(args, " "), got, want, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

var manifests = map[string][]string{
	"socket": {"manifest"},
	"http":   {"manifest", "--mode", "http", "--url", "https://bot.example", "--command", "/gate"},
}

// TestManifest_FitsSlacksType holds the manifest against the type of Slack's own SDK, with nothing too much.
func TestManifest_FitsSlacksType(t *testing.T) {
	dir, named := os.LookupEnv("COUNTERSIGN_BOLT_DIR")
	if !named {
		dir = filepath.Join("..", "..", ".ci", "bolt")
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "typescript")); err != nil {
		if named {
			t.Fatalf("COUNTERSIGN_BOLT_DIR: %v; run npm ci there", err)
		}
		t.Skip("Slack's types are not installed: run npm ci in .ci/bolt")
	}
	for mode, args := range manifests {
		t.Run(mode, func(t *testing.T) {
			out, _ := printed(t, exitFine, args...)
			if text, err := fits(t, dir, out); err != nil {
				t.Errorf("%v\n%s", err, text)
			}
			if _, err := fits(t, dir, strings.Replace(out, `"commands"`, `"command"`, 1)); err == nil {
				t.Error("a scope that does not exist is not noticed")
			}
		})
	}
}

func fits(t *testing.T, dir, manifest string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "manifest.mjs")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(manifest)
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// TestManifest_KeepsSlacksLimits: the numbers are those of the reference, which the type does not hold.
func TestManifest_KeepsSlacksLimits(t *testing.T) {
	for mode, args := range manifests {
		out, errs := printed(t, exitFine, args...)
		var m struct {
			Info     struct{ Name, Description string } `json:"display_information"`
			Features struct {
				Home struct {
					On bool `json:"home_tab_enabled"`
				} `json:"app_home"`
				Bot struct {
					Name string `json:"display_name"`
				} `json:"bot_user"`
				Shortcuts []struct {
					Type, Name, Description string
					ID                      string `json:"callback_id"`
				}
				Commands []struct {
					Command, Description, URL string
					Hint                      string `json:"usage_hint"`
					Escape                    bool   `json:"should_escape"`
				} `json:"slash_commands"`
			}
			Settings struct {
				Events struct {
					URL  string   `json:"request_url"`
					Bots []string `json:"bot_events"`
				} `json:"event_subscriptions"`
				Interactivity struct {
					On      bool   `json:"is_enabled"`
					URL     string `json:"request_url"`
					Options string `json:"message_menu_options_url"`
				}
				Socket bool `json:"socket_mode_enabled"`
				Org    bool `json:"org_deploy_enabled"`
			}
		}
		if err := json.Unmarshal([]byte(out), &m); err != nil {
			t.Fatal(err)
		}
		f, s := m.Features, m.Settings
		if len(f.Commands) != 1 || len(f.Shortcuts) != 1 {
			t.Fatalf("%s: %d commands, %d shortcuts; want one each", mode, len(f.Commands), len(f.Shortcuts))
		}
		for what, l := range map[string]struct {
			text string
			max  int
		}{
			"app name": {m.Info.Name, 35}, "description": {m.Info.Description, 140}, "bot name": {f.Bot.Name, 80},
			"command": {f.Commands[0].Command, 32}, "command's description": {f.Commands[0].Description, 2000},
			"usage hint": {f.Commands[0].Hint, 1000}, "shortcut": {f.Shortcuts[0].Name, 24},
			"shortcut's description": {f.Shortcuts[0].Description, 150},
		} {
			if n := utf8.RuneCountInString(l.text); n == 0 || n > l.max {
				t.Errorf("%s: the %s has %d characters, %d are allowed", mode, what, n, l.max)
			}
		}
		if !f.Home.On || !f.Commands[0].Escape || !s.Interactivity.On || s.Org ||
			f.Shortcuts[0].ID != "request" || f.Shortcuts[0].Type != "global" || !reflect.DeepEqual(s.Events.Bots, []string{"app_home_opened"}) {
			t.Errorf("%s: %+v", mode, m)
		}
		urls := []string{f.Commands[0].URL, s.Interactivity.URL, s.Interactivity.Options, s.Events.URL}
		want := []string{"", "", "", ""}
		if mode == "http" {
			for i, path := range []string{"commands", "interactions", "options", "events"} {
				want[i] = "https://bot.example/slack/" + path
			}
		}
		if !reflect.DeepEqual(urls, want) || s.Socket == (mode == "http") {
			t.Errorf("%s: URLs %q, socket mode %v", mode, urls, s.Socket)
		}
		link(t, errs, out)
	}
}

// link demands that the link on stderr carries the manifest that is on stdout.
func link(t *testing.T, errs, out string) {
	t.Helper()
	_, at, ok := strings.Cut(errs, "https://")
	u, err := url.Parse("https://" + strings.TrimSpace(at))
	if !ok || err != nil {
		t.Fatalf("no link in %q: %v", errs, err)
	}
	var a, b any
	if err := json.Unmarshal([]byte(u.Query().Get("manifest_json")), &a); err != nil || strings.Contains(errs, "+") {
		t.Errorf("the link's manifest: %v\n%s", err, errs)
	}
	if err := json.Unmarshal([]byte(out), &b); err != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("the link carries another manifest: %v", err)
	}
}
