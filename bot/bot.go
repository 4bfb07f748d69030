package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/slack-go/slack"

	"countersign/workflow"
)

// Mode is how Slack delivers.
type Mode string

// The ways in which Slack delivers.
const (
	Socket Mode = "socket"
	HTTP   Mode = "http"
)

// answerTimeout bounds what is done before a delivery is acknowledged; Slack waits three seconds.
const answerTimeout = 2500 * time.Millisecond

// Options is what a Bot needs. Engine, Logger, APIURL, BotToken and, by mode, AppToken or SigningSecret are required.
type Options struct {
	Engine  *workflow.Engine
	Logger  *slog.Logger
	Mode    Mode
	APIURL  string // ends in a slash
	Command string // the slash command, with its slash
	Lang    Lang   // of cards, and of people whose own is not known
	People  []Person
	// BotToken, AppToken (Socket Mode) and SigningSecret (HTTP mode) appear in no log and no error.
	BotToken, AppToken, SigningSecret string
	// Transport, if set, carries the Web API calls.
	Transport http.RoundTripper
	// Refused, if set, is told of what somebody tried without the right to it; Acked of how long each delivery took from
	// its receipt to its acknowledgement. Both must be quick.
	Refused func(Attempt)
	Acked   func(kind string, took time.Duration)
}

func (o Options) validate() error {
	switch {
	case o.Engine == nil || o.Logger == nil:
		return errors.New("bot: an engine and a logger are needed")
	case o.BotToken == "":
		return errors.New("SLACK_BOT_TOKEN is not set: it is the app's Bot User OAuth Token, xoxb-…")
	case o.Mode == Socket && o.AppToken == "":
		return errors.New("SLACK_APP_TOKEN is not set: Socket Mode needs the app-level token, xapp-…, with connections:write")
	case o.Mode == HTTP && o.SigningSecret == "":
		return errors.New("SLACK_SIGNING_SECRET is not set: HTTP mode needs it to tell Slack from anybody else")
	case o.Mode != Socket && o.Mode != HTTP:
		return fmt.Errorf("bot: unknown mode %q", o.Mode)
	}
	return nil
}

// Bot is the Slack surface. Its methods may be called concurrently.
type Bot struct {
	o       Options
	client  *slack.Client
	http    *http.Client
	dir     *directory
	pace    *pacer
	gates   *gates
	shelves *shelves
	scans   *scans
	homes   homes
	hosts   []string // whose response_url is posted to
	known   atomic.Pointer[[]Person]
	ready   atomic.Bool
	life    *lifetime
}

// New returns a bot that has contacted nobody yet.
func New(o Options) (*Bot, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	api, err := url.Parse(o.APIURL)
	if err != nil || api.Host == "" {
		return nil, fmt.Errorf("slack.api_url %q is no URL", o.APIURL)
	}
	transport := o.Transport
	if transport == nil {
		transport = http.DefaultTransport.(*http.Transport).Clone()
	}
	pace := &pacer{next: lean{transport}}
	client := &http.Client{Timeout: webTimeout, Transport: pace, CheckRedirect: refuseRedirect}
	b := &Bot{
		o: o, http: client, dir: newDirectory(), pace: pace, gates: newGates(), shelves: newShelves(), scans: newScans(),
		hosts: []string{"hooks.slack.com", "hooks.slack-gov.com", api.Host},
		client: slack.New(o.BotToken, slack.OptionHTTPClient(client), slack.OptionAPIURL(o.APIURL),
			slack.OptionAppLevelToken(o.AppToken)),
	}
	b.life = newLifetime()
	b.SetPeople(o.People)
	return b, nil
}

// webTimeout bounds one Web API call.
const webTimeout = 15 * time.Second

func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// SetPeople replaces who is who for every command from now on.
func (b *Bot) SetPeople(ps []Person) {
	b.known.Store(&ps)
	b.shelves.names.forget()
}

func (b *Bot) people() []Person { return *b.known.Load() }

// Ready reports whether a command can be taken: in Socket Mode after Slack's hello, in HTTP mode once the token was
// accepted.
func (b *Bot) Ready() bool { return b.ready.Load() }

// FatalError says that Slack refuses the bot for a reason that waiting does not mend.
type FatalError struct{ Err error }

func (e *FatalError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *FatalError) Unwrap() error { return e.Err }

// mends are what to do about errors that no retry mends.
var mends = map[string]string{
	"not_authed":              "no token was sent: set SLACK_BOT_TOKEN and SLACK_APP_TOKEN",
	"invalid_auth":            "a token is not accepted: copy SLACK_BOT_TOKEN and SLACK_APP_TOKEN from the app's pages again",
	"account_inactive":        "the app's account is deactivated: install the app again",
	"token_revoked":           "a token was revoked: install the app again and set the new token",
	"token_expired":           "a token has expired: issue a new one",
	"missing_scope":           "a scope is missing: compare the app with `countersign manifest` and install it again",
	"not_allowed_token_type":  "a token is of the wrong kind: SLACK_BOT_TOKEN begins xoxb-, SLACK_APP_TOKEN begins xapp-",
	"forbidden_team":          "the workspace is not allowed: install the app in the right one",
	"team_access_not_granted": "the app is not granted in this workspace: install it there",
}

// fatal returns a FatalError, with the mend, if err is one that no retry mends.
func fatal(err error) error {
	if e, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		if mend, ok := mends[e.Err]; ok {
			return &FatalError{fmt.Errorf("slack refuses the bot: %s: %s", e.Err, mend)}
		}
	}
	return nil
}

// Connect asks Slack who the bot is, again and again until there is an answer, and returns the bot's own workspace. Its
// error is a *FatalError, or that of ctx.
func (b *Bot) Connect(ctx context.Context) (teamID string, err error) {
	if !strings.HasPrefix(b.o.BotToken, "xoxb-") {
		return "", &FatalError{errors.New("SLACK_BOT_TOKEN is not a bot token: it begins xoxb-")}
	}
	if b.o.Mode == Socket && !strings.HasPrefix(b.o.AppToken, "xapp-") {
		return "", &FatalError{errors.New("SLACK_APP_TOKEN is not an app-level token: it begins xapp-")}
	}
	wait := time.Second
	for {
		me, err := b.client.AuthTestContext(ctx)
		if err == nil {
			b.o.Logger.Info("slack knows the bot", "team_id", me.TeamID, "bot_user", me.UserID)
			return me.TeamID, nil
		}
		if f := fatal(err); f != nil {
			return "", f
		}
		b.o.Logger.Warn("slack cannot be reached; it is tried again", "wait", wait, "error", err)
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, 30*time.Second)
	}
}

// guard runs a part of the handling of one delivery. A panic is logged, ends only that, and is an error to tell the
// person of.
func (b *Bot) guard(what string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			b.o.Logger.Error("the handling of a delivery panicked", "delivery", what, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = workflow.Refuse(workflow.Mishap)
		}
	}()
	return f()
}

// aside does something for a delivery that its acknowledgement does not wait for; a stop does.
func (b *Bot) aside(what string, f func()) {
	b.life.work.Go(func() { _ = b.guard(what, func() error { f(); return nil }) })
}
