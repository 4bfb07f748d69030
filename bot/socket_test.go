package bot

import (
	"crypto/tls"
	"io"
	"log" //nolint:depguard // slack-go takes no other logger
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"countersign/bot/internal/gather"
	"countersign/bot/slackfake"
)

func is[T any](v any) bool {
	_, ok := v.(T)
	return ok
}

// TestSocketDialer_TLS: Slack's own sockets are encrypted, those of the emulator are not.
func TestSocketDialer_TLS(t *testing.T) {
	const frames = 200
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		for {
			kind, text, err := conn.ReadMessage()
			if err != nil {
				return
			}
			if err := conn.WriteMessage(kind, text); err != nil {
				t.Error(err)
			}
		}
	}))
	defer s.Close()
	d := socketDialer()
	d.TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	d.TLSClientConfig.NextProtos = nil
	conn, resp, err := d.DialContext(t.Context(), "wss"+strings.TrimPrefix(s.URL, "https"), nil)
	if err != nil {
		t.Fatalf("%v, %v", err, resp)
	}
	defer func() { _ = conn.Close() }()
	if under := conn.NetConn().(*tls.Conn).NetConn(); !is[*gather.Conn](under) {
		t.Errorf("TLS runs over a %T", under)
	}
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	for n := range frames {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(strconv.Itoa(n))); err != nil {
			t.Fatal(err)
		}
	}
	for n := range frames {
		if _, text, err := conn.ReadMessage(); err != nil || string(text) != strconv.Itoa(n) {
			t.Fatalf("frame %d came back as %q, %v", n, text, err)
		}
	}
}

// TestAck_LongerThanSlackTakesIsCut: the person reads the beginning, not that the app failed.
func TestAck_LongerThanSlackTakesIsCut(t *testing.T) {
	s, err := slackfake.Start(slackfake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	client := slack.New(s.BotToken(), slack.OptionAPIURL(s.APIURL()), slack.OptionAppLevelToken(s.AppToken()))
	smc := socketmode.New(client, socketmode.OptionLog(log.New(io.Discard, "", 0)), socketmode.OptionDialer(socketDialer()))
	go func() { _ = smc.RunContext(t.Context()) }()
	r := &receiver{b: wording(t), smc: smc}
	asked := false
	answer := make(chan slackfake.Ack, 1)
	for {
		select {
		case evt := <-smc.Events:
			switch {
			case evt.Type == socketmode.EventTypeHello && !asked:
				asked = true
				go func() {
					ack, err := s.Slash(t.Context(), slackfake.SlashInput{User: "U0REQ", Channel: "C0GENERAL", Command: "/access", Text: "help"})
					if err != nil {
						t.Error(err)
					}
					answer <- ack
				}()
			case evt.Type == socketmode.EventTypeSlashCommand:
				r.ack(t.Context(), evt.Request.EnvelopeID, private(strings.Repeat("很长的一行。\n", 1500)))
			}
		case ack := <-answer:
			if !ack.OK() || !strings.HasPrefix(ack.Text, "很长的一行。") {
				t.Errorf("answered %.100q %s", ack.Text, ack.Err)
			}
			return
		case <-time.After(20 * time.Second):
			t.Fatal("nothing is answered")
		}
	}
}
