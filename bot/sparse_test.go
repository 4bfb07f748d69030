package bot

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

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

func TestDelivery_OfAFormWithoutAnID(t *testing.T) {
	if got := (view{}).delivery(); got != "" {
		t.Errorf("%q: two forms would be taken for one", got)
	}
	if got := (view{ID: "V1"}).delivery(); got != "view V1" {
		t.Errorf("%q, want view V1", got)
	}
}
