package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log" //nolint:depguard // slack-go takes no other logger; what it says is told by its events.
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

const (
	// maxHandling bounds the deliveries that are handled at once; the rest wait in the socket.
	maxHandling = 128
	// ackTimeout bounds the wait for a place in the socket's queue of acknowledgements, which blocks for ever while
	// there is no connection.
	ackTimeout = 2500 * time.Millisecond
	// maxAck is how long an acknowledgement may be; Slack drops longer ones without a word.
	maxAck = 19_000
	// ackFlush is how long the last acknowledgements may take to leave before the socket is closed.
	ackFlush = 250 * time.Millisecond
	// silentConnects is how many connections in a row without a hello are worth an alarm.
	silentConnects = 5
)

// RunSocket receives by Socket Mode until ctx ends, then handles what it has received. Its error is a *FatalError, after
// which trying again is of no use. See https://docs.slack.dev/apis/events-api/using-socket-mode.
func (b *Bot) RunSocket(ctx context.Context) error {
	socket, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	smc := socketmode.New(b.client, socketmode.OptionLog(log.New(io.Discard, "", 0)))
	ended := make(chan error, 1)
	go func() { ended <- smc.RunContext(socket) }()
	r := &receiver{b: b, smc: smc, slots: make(chan struct{}, maxHandling)}
	for {
		select {
		case <-ctx.Done():
			b.ready.Store(false)
			b.life.finish()
			time.Sleep(ackFlush)
			return nil
		case err := <-ended:
			b.ready.Store(false)
			if f := fatal(err); f != nil {
				return f
			}
			return &FatalError{fmt.Errorf("socket mode ended: %w", err)}
		case evt := <-smc.Events:
			if err := r.receive(ctx, evt); err != nil {
				return err
			}
		}
	}
}

// receiver reads the socket's events. It never handles one itself: a reader that stalls stops answering Slack's pings.
type receiver struct {
	b      *Bot
	smc    *socketmode.Client
	slots  chan struct{}
	silent int
}

func (r *receiver) receive(ctx context.Context, evt socketmode.Event) error {
	b := r.b
	switch evt.Type {
	case socketmode.EventTypeHello:
		r.silent = 0
		b.pace.hello()
		b.ready.Store(true)
		b.o.Logger.Info("slack is connected")
	case socketmode.EventTypeConnecting:
		b.ready.Store(false)
		if r.silent++; r.silent == silentConnects {
			b.o.Logger.Error("slack answers connections without a hello: is Socket Mode on, and are there more than ten connections?", "connects", r.silent)
		}
	case socketmode.EventTypeConnectionError:
		b.ready.Store(false)
		if e, ok := evt.Data.(*slack.ConnectionErrorEvent); ok {
			if f := fatal(e.ErrorObj); f != nil {
				return f
			}
			b.o.Logger.Warn("slack cannot be connected; it is tried again", "attempt", e.Attempt, "wait", e.Backoff, "error", e.ErrorObj)
		}
	case socketmode.EventTypeIncomingError, socketmode.EventTypeDisconnect:
		b.ready.Store(false)
		b.o.Logger.Info("slack has closed the connection; it is opened anew")
	case socketmode.EventTypeErrorBadMessage:
		if bad, ok := evt.Data.(*socketmode.ErrorBadMessage); ok {
			r.handleRaw(ctx, bad)
		}
	case socketmode.EventTypeSlashCommand, socketmode.EventTypeInteractive, socketmode.EventTypeEventsAPI:
		if evt.Request != nil {
			r.handle(ctx, *evt.Request)
		}
	default:
	}
	return nil
}

// handleRaw takes a delivery that slack-go's types refuse, for something in it that the bot does not even look at.
func (r *receiver) handleRaw(ctx context.Context, bad *socketmode.ErrorBadMessage) {
	var req struct {
		Type       string          `json:"type"`
		EnvelopeID string          `json:"envelope_id"`
		Payload    json.RawMessage `json:"payload"`
	}
	if err := json.Unmarshal(bad.Message, &req); err != nil || req.EnvelopeID == "" {
		r.b.o.Logger.Warn("a delivery could not be read", "error", bad.Cause)
		return
	}
	r.handle(ctx, socketmode.Request{Type: req.Type, EnvelopeID: req.EnvelopeID, Payload: req.Payload})
}

// handle passes one delivery to a goroutine of its own, waiting for a free one.
func (r *receiver) handle(ctx context.Context, req socketmode.Request) {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return // not taken, not acknowledged: Slack shows the person that it failed
	}
	received := time.Now()
	r.b.life.work.Go(func() {
		defer func() { <-r.slots }()
		work := context.WithoutCancel(ctx)
		var body any
		if err := r.b.guard(req.Type, func() error { body = r.b.deliver(work, req.Type, req.Payload); return nil }); err != nil {
			return // Slack shows the person that it failed
		}
		r.ack(work, req.EnvelopeID, body)
		r.b.acked(req.Type, received)
	})
}

// deliver is where both transports meet: it handles one payload and returns the body of its acknowledgement.
func (b *Bot) deliver(ctx context.Context, kind string, payload []byte) any {
	switch kind {
	case socketmode.RequestTypeSlashCommands:
		p, err := parseSlash(payload)
		if err != nil {
			b.o.Logger.Warn("a slash command could not be read", "error", err)
			return nil
		}
		if r := b.command(ctx, p); r != nil {
			return r
		}
		return nil
	case socketmode.RequestTypeInteractive:
		i, err := parseInteraction(payload)
		if err != nil {
			b.o.Logger.Warn("an interaction could not be read", "error", err)
			return nil
		}
		return b.interact(ctx, i)
	case socketmode.RequestTypeEventsAPI:
		b.happened(ctx, payload)
		return nil
	default:
		return nil
	}
}

func (r *receiver) ack(ctx context.Context, envelope string, body any) {
	if rep, ok := body.(*reply); ok && size(rep) > maxAck {
		rep.Blocks, rep.Text = nil, cut(rep.Text, 3000)
	}
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	if err := r.smc.AckCtx(ctx, envelope, body); err != nil && !errors.Is(err, context.Canceled) {
		r.b.o.Logger.Error("a delivery could not be acknowledged", "error", err)
	}
}
