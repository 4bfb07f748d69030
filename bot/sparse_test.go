package bot

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"

	"countersign/workflow"
)

// A message is posted although earlier ones cannot be read, and only then.
func TestUnreadable_PostsWhereNothingCanBeLookedUp(t *testing.T) {
	b := wording(t)
	for name, c := range map[string]struct {
		status int
		body   string
		passes bool
	}{
		"no scope":          {200, `{"ok":false,"error":"missing_scope"}`, true},
		"no such method":    {200, `{"ok":false,"error":"unknown_method"}`, true},
		"not for this kind": {200, `{"ok":false,"error":"method_not_supported_for_channel_type"}`, true},
		"404":               {404, "not found", true},
		"405":               {405, "", true},
		"501":               {501, "", true},
		"500":               {500, "<html>", false},
		"429":               {429, "", false},
		"internal_error":    {200, `{"ok":false,"error":"internal_error"}`, false},
		"no JSON":           {200, "<html>", false},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		client := slack.New("xoxb-1", slack.OptionAPIURL(srv.URL+"/"))
		_, err := client.GetConversationHistoryContext(t.Context(), &slack.GetConversationHistoryParameters{ChannelID: "C1"})
		srv.Close()
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		if got := b.unreadable(err) == nil; got != c.passes {
			t.Errorf("%s (%v): passes %v, want %v", name, err, got, c.passes)
		}
	}
}

func TestClicked_OnTheHomeWithoutContainer(t *testing.T) {
	b := wording(t)
	i := interaction{View: &view{Type: "home"}}
	n, err := b.clicked(t.Context(), i, blockAction{ActionID: actApprove, BlockID: "request:42:act", Value: "42"})
	if n != 42 || err != nil {
		t.Errorf("%v, %v; want 42", n, err)
	}
	i.View.Type = "modal"
	_, err = b.clicked(t.Context(), i, blockAction{ActionID: actApprove, BlockID: "request:41:act", Value: "42"})
	if ref, ok := errors.AsType[*workflow.Refusal](err); !ok || ref.Kind != workflow.NotHere {
		t.Errorf("in another block: %v, want %s", err, workflow.NotHere)
	}
}

// A click counts on the card only, so where the card is must be known.
func TestShow_WhereSlackDoesNotSayTheChannel(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"ok":true,"ts":"1.000002"}`)
	}))
	defer srv.Close()
	b := wording(t)
	b.client = slack.New("xoxb-1", slack.OptionAPIURL(srv.URL+"/"))
	r := aRequest(workflow.Pending, nil)
	r.Card = workflow.Card{}
	card, err := b.Show(t.Context(), r, false)
	if err != nil || card.Channel != r.Rule.Channel || card.TS != "1.000002" {
		t.Errorf("%+v, %v; want it in %s", card, err, r.Rule.Channel)
	}
}

// What was posted is known to be posted, whatever Slack repeats of it.
func TestShow_WhereTheEchoCannotBeRead(t *testing.T) {
	for _, echo := range []string{
		`{"blocks":[{"type":"actions","elements":[{"type":"brand_new"}]}]}`, `{"blocks":"[]"}`, `{"metadata":"{}"}`, `"x"`, `null`,
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"ok":true,"channel":"C1","ts":"1.000002","message":`+echo+`}`)
		}))
		b := wording(t)
		b.client = slack.New("xoxb-1", slack.OptionAPIURL(srv.URL+"/"), slack.OptionHTTPClient(b.http))
		r := aRequest(workflow.Pending, nil)
		r.Card = workflow.Card{}
		for _, what := range []string{"post", "edit"} {
			card, err := b.Show(t.Context(), r, false)
			if err != nil || card.TS != "1.000002" {
				t.Errorf("%s, echo %s: %+v, %v", what, echo, card, err)
			}
			r.Card = card
		}
		srv.Close()
	}
}

func TestDelivery_OfAFormWithoutAnID(t *testing.T) {
	if got := (view{}).delivery(); got != "" {
		t.Errorf("%q: two forms would be taken for one", got)
	}
	if got := (view{ID: "V1"}).delivery(); got != "view V1" {
		t.Errorf("%q, want view V1", got)
	}
}

// No delivery goes unanswered for something in it that slack-go's types refuse and the bot does not look at.
func TestSocket_TakesWhatSlackGoCannotRead(t *testing.T) {
	const empty = `"user":{"id":"U1","team_id":"T1"},"type":"view_submission","view":{"callback_id":"deny","private_metadata":"1"}`
	deliveries := []string{
		`{"type":"interactive","payload":{` + empty + `},`,
		`{"type":"interactive","payload":{` + empty + `,"is_enterprise_install":"false"},`,
		`{"type":"interactive","payload":{` + empty + `,"message":{"blocks":[{"type":"actions","elements":[{"type":"brand_new"}]}]}},`,
		`{"type":"interactive","payload":{` + empty + `,"token":1},`,
		`{"type":"brand_new","payload":{},`,
	}
	acks := make(chan string, 1)
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	defer srv.Close()
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/apps.connections.open") {
			_, _ = io.WriteString(w, `{"ok":true,"url":"ws`+strings.TrimPrefix(srv.URL, "http")+`/socket"}`)
			return
		}
		_, _ = io.WriteString(w, `{"ok":false,"error":"unknown_method"}`)
	})
	mux.HandleFunc("/socket", func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.WriteMessage(websocket.TextMessage, []byte(`{"type":"hello"}`))
		for i, d := range deliveries {
			_ = c.WriteMessage(websocket.TextMessage, []byte(d+`"envelope_id":"e`+itoa(i)+`"}`))
			_, ack, err := c.ReadMessage()
			if err != nil {
				return
			}
			acks <- string(ack)
		}
		_, _, _ = c.ReadMessage()
	})
	b := wording(t)
	b.client = slack.New("xoxb-1", slack.OptionAPIURL(srv.URL+"/api/"), slack.OptionAppLevelToken("xapp-1"))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.RunSocket(ctx) }()
	for i, d := range deliveries {
		select {
		case ack := <-acks:
			if !strings.Contains(ack, `"e`+itoa(i)+`"`) || strings.Contains(d, "view_submission") && !strings.Contains(ack, `"response_action":"errors"`) {
				t.Errorf("%s\nis answered %s", d, ack)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("%s\nis not answered", d)
			cancel()
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
