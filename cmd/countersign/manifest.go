package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"strings"
)

// scopes are what the bot's token needs, and why.
var scopes = []string{
	"commands",         // the slash command
	"chat:write",       // cards, threads, direct messages
	"users:read",       // who clicks: guests, bots and deactivated users are refused
	"usergroups:read",  // approvers by user group
	"channels:history", // a card whose post was not recorded is found again instead of posted twice
	"groups:history",   // the same in private channels
	"im:history",       // the same for direct messages
	"im:write",
}

// manifest prints the Slack app manifest (https://docs.slack.dev/reference/app-manifest).
func manifest(_ context.Context, io streams, args []string) error {
	fs := flag.NewFlagSet("countersign manifest", flag.ContinueOnError)
	fs.SetOutput(io.err)
	mode := fs.String("mode", "socket", "socket or http")
	base := fs.String("url", "", "in http mode, where Slack reaches this server: https://`host`")
	name := fs.String("command", "/access", "the slash command")
	if err := parseNone(fs, args); err != nil {
		return err
	}
	if *mode != "socket" && *mode != "http" {
		return usageError{fmt.Errorf("--mode: %q is neither socket nor http", *mode)}
	}
	if !strings.HasPrefix(*name, "/") || len(*name) < 2 || len(*name) > 32 || strings.ContainsAny(*name, " \t") {
		return usageError{fmt.Errorf("--command: %q is no command name", *name)}
	}
	u, err := url.Parse(*base)
	if *mode == "http" && (err != nil || u.Scheme != "https" || u.Host == "") {
		return usageError{errors.New("--url: http mode needs the https address at which Slack reaches this server")}
	}
	return printJSON(io.out, appManifest(*mode == "http", strings.TrimSuffix(*base, "/"), *name))
}

func appManifest(overHTTP bool, base, name string) map[string]any {
	slash := map[string]any{
		"command": name, "description": "Ask for a membership change, or look at requests",
		"usage_hint": "help | mine | pending | show 42 | invite 50002 to gpu-lab/1001", "should_escape": true,
	}
	interactivity := map[string]any{"is_enabled": true}
	if overHTTP {
		slash["url"] = base + "/slack/commands"
		interactivity["request_url"] = base + "/slack/interactions"
		interactivity["message_menu_options_url"] = base + "/slack/options"
	}
	return map[string]any{
		"display_information": map[string]any{
			"name": "Countersign", "description": "Membership changes on cloud systems, signed off by a second person",
			"background_color": "#1f3a5f",
		},
		"features": map[string]any{
			"bot_user":       map[string]any{"display_name": "Countersign", "always_online": true},
			"slash_commands": []any{slash},
		},
		"oauth_config": map[string]any{"scopes": map[string]any{"bot": scopes}},
		"settings": map[string]any{
			"interactivity": interactivity, "org_deploy_enabled": false,
			"socket_mode_enabled": !overHTTP, "token_rotation_enabled": false,
		},
	}
}
