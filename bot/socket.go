package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log" //nolint:depguard // slack-go takes no other logger; what it says is told by its events.
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"countersign/bot/internal/gather"
)

const (
	// maxHandling bounds the deliveries that are handled at once; the rest wait in the socket.
	maxHandling = 128
	// handlerIdle is how long a goroutine that has handled one waits for the next: its stack has grown to what that takes.
	handlerIdle = 10 * time.Second
	// ackTimeout bounds the wait for a place in the socket's queue of acknowledgements, which blocks for ever while
	// there is no connection.
	ackTimeout = 2500 * time.Millisecond
	// ackFlush is how long the last acknowledgements may take to leave before the socket is closed.
	ackFlush = 250 * time.Millisecond
	// silentConnects is how many connections in a row without a hello are worth an alarm.
	silentConnects = 5
	// dialTimeout bounds the handshakes of a new connection.
	dialTimeout = 45 * time.Second
	// socketBuffer holds any acknowledgement, for Slack takes none in several frames, and many deliveries.
	socketBuffer = 32 << 10
)

// RunSocket receives by Socket Mode until ctx ends, then handles what it has received. Its error is a *FatalError, after
// which trying again is of no use. See https://docs.slack.dev/apis/events-api/using-socket-mode.
func (b *Bot) RunSocket(ctx context.Context) error {
	socket, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	smc := socketmode.New(b.client, socketmode.OptionLog(log.New(io.Discard, "", 0)), socketmode.OptionDialer(socketDialer()))
	ended := make(chan error, 1)
	go func() { ended <- smc.RunContext(socket) }()
	r := &receiver{b: b, smc: smc, slots: make(chan struct{}, maxHandling), next: make(chan delivery)}
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

// socketDialer is slack-go's own dialer, but acknowledgements that are ready at once leave together.
func socketDialer() *websocket.Dialer {
	return &websocket.Dialer{
		Proxy: http.ProxyFromEnvironment, HandshakeTimeout: dialTimeout,
		ReadBufferSize: socketBuffer, WriteBufferSize: socketBuffer,
		NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return gather.New(conn), nil
		},
	}
}

// receiver reads the socket's events. It never handles one itself: a reader that stalls stops answering Slack's pings.
type receiver struct {
	b      *Bot
	smc    *socketmode.Client
	slots  chan struct{} // one for each handler
	next   chan delivery // to a handler that is idle
	silent int
}

// delivery is one that was received.
type delivery struct {
	req      socketmode.Request
	slash    *slashPayload // of a slash command that slack-go has read
	received time.Time
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
			d := delivery{req: *evt.Request, received: time.Now()}
			if c, ok := evt.Data.(slack.SlashCommand); ok {
				d.slash = &slashPayload{
					TeamID: c.TeamID, UserID: c.UserID, ChannelID: c.ChannelID, Command: c.Command, Text: c.Text,
					TriggerID: c.TriggerID, ResponseURL: c.ResponseURL,
				}
			}
			r.handle(ctx, d)
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
	r.handle(ctx, delivery{
		req: socketmode.Request{Type: req.Type, EnvelopeID: req.EnvelopeID, Payload: req.Payload}, received: time.Now(),
	})
}

// handle passes one delivery to a handler, waiting for a free one.
func (r *receiver) handle(ctx context.Context, d delivery) {
	select {
	case r.next <- d:
		return
	default:
	}
	select {
	case r.next <- d:
	case r.slots <- struct{}{}:
		r.b.life.work.Go(func() { r.handler(ctx, d) })
	case <-ctx.Done(): // not taken, not acknowledged: Slack shows the person that it failed
	}
}

// handler handles one delivery after the other until there is none for a while, or ctx ends.
func (r *receiver) handler(ctx context.Context, d delivery) {
	defer func() { <-r.slots }()
	idle := time.NewTimer(handlerIdle)
	defer idle.Stop()
	for {
		r.handleOne(context.WithoutCancel(ctx), d)
		idle.Reset(handlerIdle)
		select {
		case d = <-r.next:
		case <-idle.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (r *receiver) handleOne(ctx context.Context, d delivery) {
	var body any
	if err := r.b.guard(d.req.Type, func() error {
		if d.slash != nil {
			body = r.b.slash(ctx, *d.slash)
		} else {
			body = r.b.deliver(ctx, d.req.Type, d.req.Payload)
		}
		return nil
	}); err != nil {
		return // Slack shows the person that it failed
	}
	r.ack(ctx, d.req.EnvelopeID, body)
	r.b.acked(d.req.Type, d.received)
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
		return b.slash(ctx, p)
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

// slash is the body of the answer to a slash command.
func (b *Bot) slash(ctx context.Context, p slashPayload) any {
	if r := b.command(ctx, p); r != nil {
		return r
	}
	return nil
}

func (r *receiver) ack(ctx context.Context, envelope string, body any) {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	err := r.smc.AckCtx(ctx, envelope, body)
	if rep, ok := body.(*reply); ok && err != nil && ctx.Err() == nil { // it is longer than Slack takes
		rep.Blocks, rep.Text = nil, cut(rep.Text, 3000)
		err = r.smc.AckCtx(ctx, envelope, rep)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		r.b.o.Logger.Error("a delivery could not be acknowledged", "error", err)
	}
}
