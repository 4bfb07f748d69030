package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"

	"countersign/workflow"
)

// Doctor asks Slack what an operator must know before people rely on the bot. It changes nothing and posts nothing. Its
// methods' errors are Slack's own, which Mend explains.
type Doctor struct {
	client *slack.Client
}

// NewDoctor returns a doctor. Either token may be empty; what needs it then fails with not_authed.
func NewDoctor(apiURL, botToken, appToken string) *Doctor {
	client := &http.Client{Timeout: webTimeout, CheckRedirect: refuseRedirect}
	return &Doctor{slack.New(botToken, slack.OptionHTTPClient(client), slack.OptionAPIURL(apiURL),
		slack.OptionAppLevelToken(appToken), slack.OptionRetry(3))}
}

// Identity is what Slack says of a bot token.
type Identity struct {
	Team, TeamName, User, UserName, Enterprise string
	// Scopes are those that the token was given.
	Scopes []string
	// At is Slack's clock; zero if it did not say.
	At time.Time
}

// Identity asks whose token it is (https://docs.slack.dev/reference/methods/auth.test).
func (d *Doctor) Identity(ctx context.Context) (Identity, error) {
	me, err := d.client.AuthTestContext(ctx)
	if err != nil {
		return Identity{}, err
	}
	id := Identity{Team: me.TeamID, TeamName: me.Team, User: me.UserID, UserName: me.User, Enterprise: me.EnterpriseID}
	if at, err := http.ParseTime(me.Header.Get("Date")); err == nil {
		id.At = at
	}
	for s := range strings.SplitSeq(me.Header.Get("X-OAuth-Scopes"), ",") {
		if s = strings.TrimSpace(s); s != "" {
			id.Scopes = append(id.Scopes, s)
		}
	}
	return id, nil
}

// Account is what Slack says of a person.
type Account struct {
	Name, Team string
	Standing   workflow.Standing
}

// Account looks a person up (https://docs.slack.dev/reference/methods/users.info).
func (d *Doctor) Account(ctx context.Context, user string) (Account, error) {
	u, err := d.client.GetUserInfoContext(ctx, user)
	if err != nil {
		return Account{}, err
	}
	return Account{Name: u.Name, Team: u.TeamID, Standing: standing(u)}, nil
}

// UserGroup lists the members of a user group (https://docs.slack.dev/reference/methods/usergroups.users.list).
func (d *Doctor) UserGroup(ctx context.Context, id string) ([]string, error) {
	return d.client.GetUserGroupMembersContext(ctx, id)
}

// Socket asks for a place to connect to and, if dial is set, connects there and leaves again after Slack's hello. It
// returns whether Slack accepted the app token, and how many connections the app then has. A connection takes part of what Slack delivers for as long as it
// lasts, so dial only where no bot runs.
func (d *Doctor) Socket(ctx context.Context, dial bool) (accepted bool, connections int, err error) {
	_, url, err := d.client.StartSocketModeContext(ctx)
	if err != nil || !dial {
		return err == nil, 0, err
	}
	conn, resp, err := websocket.DefaultDialer.DialContext(ctx, url, nil)
	if err != nil {
		return true, 0, errors.New("the connection that Slack offers cannot be opened") // the URL holds a ticket
	}
	defer func() { _ = conn.Close() }()
	_ = resp.Body.Close()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, raw, err := conn.ReadMessage()
	if err != nil {
		return true, 0, fmt.Errorf("no hello: %w", err)
	}
	var hello struct {
		Type        string `json:"type"`
		Reason      string `json:"reason"`
		Connections int    `json:"num_connections"`
	}
	if err := json.Unmarshal(raw, &hello); err != nil || hello.Type != "hello" {
		return true, 0, fmt.Errorf("slack answers %s %s instead of hello", hello.Type, hello.Reason)
	}
	return true, hello.Connections, nil
}

// Code is Slack's own word for an error, or empty.
func Code(err error) string {
	if e, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		return e.Err
	}
	if rateLimited(err) {
		return "ratelimited"
	}
	return ""
}

// Mend says what to do about an error of Slack that waiting does not mend; empty for any other.
func Mend(err error) string { return mends[Code(err)] }
