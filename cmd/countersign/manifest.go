package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"countersign/bot"
	"countersign/cmd/internal/app"
)

// manifest prints the Slack app manifest (https://docs.slack.dev/reference/app-manifest).
func manifest(_ context.Context, io streams, args []string) error {
	fs := newFlags("manifest")
	mode := fs.String("mode", "socket", "socket or http")
	base := fs.String("url", "", "in http mode, where Slack reaches this server: https://`host`")
	name := fs.String("command", "/access", "the slash command")
	if err := parseNone(fs, args); err != nil {
		return err
	}
	if *mode != "socket" && *mode != "http" {
		return usageError{fmt.Errorf("--mode: %q is neither socket nor http", *mode)}
	}
	if !app.IsCommandName(*name) {
		return usageError{fmt.Errorf("--command: %q is no command name: a slash and up to 31 of a-z, 0-9, _ and -", *name)}
	}
	u, err := url.Parse(*base)
	if *mode == "http" && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "") {
		return usageError{errors.New("--url: http mode needs the https address at which Slack reaches this server, as in https://bot.example.com")}
	}
	m := appManifest(*mode == "http", strings.TrimSuffix(*base, "/"), *name)
	if err := printJSON(io.out, m); err != nil {
		return err
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	fmt.Fprintf(io.err, "This link opens Slack's page with the manifest filled in:\n\nhttps://api.slack.com/apps?new_app=1&manifest_json=%s\n",
		strings.ReplaceAll(url.QueryEscape(string(text)), "+", "%20"))
	return nil
}

func appManifest(overHTTP bool, base, name string) map[string]any {
	slash := map[string]any{
		"command": name, "description": "Ask for a membership change, or look at requests",
		"usage_hint": "help | mine | pending | show 42 | invite 50002 to gpu-lab/1001", "should_escape": true,
	}
	interactivity := map[string]any{"is_enabled": true}
	events := map[string]any{"bot_events": []string{"app_home_opened"}}
	if overHTTP {
		slash["url"] = base + "/slack/commands"
		interactivity["request_url"] = base + "/slack/interactions"
		interactivity["message_menu_options_url"] = base + "/slack/options"
		events["request_url"] = base + "/slack/events"
	}
	var scopes []string
	for _, s := range bot.Scopes() {
		scopes = append(scopes, s.Name)
	}
	return map[string]any{
		"display_information": map[string]any{
			"name": "Countersign", "description": "Membership changes on cloud systems, signed off by a second person",
			"background_color": "#1f3a5f",
		},
		"features": map[string]any{
			"app_home": map[string]any{
				"home_tab_enabled": true, "messages_tab_enabled": true, "messages_tab_read_only_enabled": true,
			},
			"bot_user": map[string]any{"display_name": "countersign", "always_online": true},
			"shortcuts": []any{map[string]any{
				"type": "global", "callback_id": "request", "name": "Ask for membership",
				"description": "Opens the form of " + name,
			}},
			"slash_commands": []any{slash},
		},
		"oauth_config": map[string]any{"scopes": map[string]any{"bot": scopes}},
		"settings": map[string]any{
			"event_subscriptions": events, "interactivity": interactivity, "org_deploy_enabled": false,
			"socket_mode_enabled": !overHTTP, "token_rotation_enabled": false,
		},
	}
}
