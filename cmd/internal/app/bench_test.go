//go:build linux

package app_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"countersign/bot"
	"countersign/bot/slackfake"
	"countersign/cmd/internal/app"
	"countersign/cmd/internal/rig"
)

// benchWorld is a rig with the bot in it, Slack holding the bot to its rates.
func benchWorld(b *testing.B, mode bot.Mode) (*rig.Rig, *app.App, string) {
	dir := b.TempDir()
	r, err := rig.Start(rig.Options{Dir: dir, Mode: mode})
	if err != nil {
		b.Fatal(err)
	}
	r.Slack.RateTiers(true)
	cfg, err := app.LoadConfig(r.ConfigFile)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a, err := app.New(ctx, app.Options{Config: cfg, Env: r.Env, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
		_ = r.Close()
	})
	if mode == bot.HTTP {
		r.Deliver(a.SlackAddr())
	}
	for !a.Ready() {
		time.Sleep(time.Millisecond)
	}
	return r, a, dir
}

// BenchmarkCommand is the whole way of a slash command: over loopback, signed or by socket, parsed, judged, committed,
// answered. commands/raw_sync compares its rate with that of appending as many bytes to a file with fdatasync, measured
// in turns on the same disk.
func BenchmarkCommand(b *testing.B) {
	for _, mode := range []bot.Mode{bot.HTTP, bot.Socket} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/callers=%d", mode, callers), func(b *testing.B) {
				r, a, dir := benchWorld(b, mode)
				senders, message := make([]sender, callers), socketMessage
				for c := range senders {
					senders[c] = bySocket(r)
				}
				if mode == bot.HTTP {
					message = signedMessage(r, a.SlackAddr())
					for c := range senders {
						senders[c] = byHTTP(b, a.SlackAddr())
					}
				}
				raw := newRawDisk(b, dir)
				var all []time.Duration
				serial := 0
				const turns = 10
				b.ResetTimer()
				for turn := range turns {
					b.StopTimer()
					rest(r)
					raw.measure(b)
					messages := make([][]byte, b.N*(turn+1)/turns-b.N*turn/turns)
					for i := range messages {
						messages[i] = message(serial)
						serial++
					}
					b.StartTimer()
					all = append(all, sendMany(b, senders, messages)...)
				}
				b.StopTimer()
				slices.Sort(all)
				rate := float64(b.N) / b.Elapsed().Seconds()
				b.ReportMetric(rate, "commands/s")
				b.ReportMetric(raw.rate(), "raw_sync/s")
				b.ReportMetric(rate/raw.rate(), "commands/raw_sync")
				b.ReportMetric(ms(all[len(all)/2]), "p50_ms")
				b.ReportMetric(ms(all[len(all)*99/100]), "p99_ms")
			})
		}
	}
}

// rest waits until no membership is read any more for the cards of what was asked. The calls are forgotten: what the
// emulator keeps, the collector must look through.
func rest(r *rig.Rig) {
	for calls := 1; calls > 0; calls = len(r.CompShare.Calls()) {
		r.CompShare.ResetCalls()
		time.Sleep(100 * time.Millisecond)
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// sender is one caller: it sends a command and waits for its answer. What it spends, the bot lacks, so the messages are
// made before.
type sender func(message []byte) error

func sendMany(b *testing.B, senders []sender, messages [][]byte) []time.Duration {
	took := make([][]time.Duration, len(senders))
	var next atomic.Int64
	var wg sync.WaitGroup
	for c, send := range senders {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(messages)); i = next.Add(1) - 1 {
				begun := time.Now()
				if err := send(messages[i]); err != nil {
					b.Error(err)
				}
				took[c] = append(took[c], time.Since(begun))
			}
		})
	}
	wg.Wait()
	return slices.Concat(took...)
}

// socketMessage is the n-th command as Socket Mode carries it.
func socketMessage(n int) []byte {
	return fmt.Appendf(nil,
		`{"team_id":"T0HOME","user_id":"U0REQ","channel_id":"C0GENERAL","command":"/access","text":%q,"trigger_id":"%d.1.a"}`,
		commandOf(n), n)
}

func bySocket(r *rig.Rig) sender {
	return func(message []byte) error {
		answer, err := r.Slack.Deliver(context.Background(), "slash_commands", message)
		if err == nil && !bytes.Contains(answer, []byte("#")) {
			err = fmt.Errorf("answered %s", answer)
		}
		return err
	}
}

// signedMessage makes the n-th command as HTTP carries it.
func signedMessage(r *rig.Rig, addr string) func(n int) []byte {
	return func(n int) []byte {
		body := fmt.Sprintf("team_id=T0HOME&user_id=U0REQ&channel_id=C0GENERAL&command=%%2Faccess&text=%s&trigger_id=%d.1.a",
			url.QueryEscape(commandOf(n)), n)
		ts := strconv.FormatInt(time.Now().Unix(), 10)
		return fmt.Appendf(nil, "POST /slack/commands HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n"+
			"X-Slack-Request-Timestamp: %s\r\nX-Slack-Signature: %s\r\n\r\n%s",
			addr, slackfake.FormContent, len(body), ts, r.Slack.Sign(ts, []byte(body)), body)
	}
}

// byHTTP keeps a connection of its own.
func byHTTP(b *testing.B, addr string) sender {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	answers := bufio.NewReader(conn)
	return func(message []byte) error {
		if _, err := conn.Write(message); err != nil {
			return err
		}
		status, text, err := readAnswer(answers)
		if err == nil && (status != "HTTP/1.1 200 OK" || !bytes.Contains(text, []byte("#"))) {
			err = fmt.Errorf("answered %s %s", status, text)
		}
		return err
	}
}

// readAnswer reads a response's status line and its body.
func readAnswer(r *bufio.Reader) (status string, body []byte, err error) {
	length := -1
	for n := 0; ; n++ {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return "", nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if n == 0 {
			status = string(line)
		}
		if len(line) == 0 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return "", nil, err
			}
		}
	}
	if length < 0 {
		return status, nil, errors.New("the answer has no length")
	}
	body = make([]byte, length)
	_, err = io.ReadFull(r, body)
	return status, body, err
}

func commandOf(n int) string {
	return fmt.Sprintf("invite %d to gpu-lab/1001 as 张三 because training run", 100000+n)
}

// BenchmarkClick is from an approver's click to what the cloud gets: read is the first request, with which the
// membership is read once more, one commit after the click; call is the change itself, after two reads and two commits.
func BenchmarkClick(b *testing.B) {
	r, _, dir := benchWorld(b, bot.Socket)
	r.Slack.RateTiers(false)
	raw := newRawDisk(b, dir)
	raw.measure(b)
	send := bySocket(r)
	var all, first []time.Duration
	for n := range b.N {
		b.StopTimer()
		if err := send(socketMessage(n)); err != nil {
			b.Fatal(err)
		}
		var channel, ts string
		for ts == "" {
			rs := r.Slack.Messages(rig.Channel)
			if len(rs) == n+1 {
				channel, ts = rs[n].Channel, rs[n].TS
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(20 * time.Millisecond)
		b.StartTimer()
		begun := time.Now()
		if _, err := r.Slack.Click(b.Context(), slackfake.ClickInput{User: "U0LEAD", Channel: channel, TS: ts, ActionID: "approve"}); err != nil {
			b.Fatal(err)
		}
		for len(r.CompShare.Mutations()) == n {
			time.Sleep(100 * time.Microsecond)
		}
		b.StopTimer()
		for _, c := range r.CompShare.Calls() {
			if c.Time.After(begun) {
				first = append(first, c.Time.Sub(begun))
				break
			}
		}
		calls := r.CompShare.Mutations()
		all = append(all, calls[len(calls)-1].Time.Sub(begun))
		b.StartTimer()
	}
	b.StopTimer()
	slices.Sort(all)
	slices.Sort(first)
	commit := time.Duration(float64(time.Second) * 2 / raw.rate())
	b.ReportMetric(ms(first[len(first)/2]), "read_p50_ms")
	b.ReportMetric(ms(all[len(all)/2]), "call_p50_ms")
	b.ReportMetric(ms(commit), "commit_ms")
}

// rawDisk measures how often in a second the disk appends a submission's bytes durably.
type rawDisk struct {
	file  *os.File
	syncs int
	spent time.Duration
}

func newRawDisk(b *testing.B, dir string) *rawDisk {
	f, err := os.Create(filepath.Join(dir, "raw"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	return &rawDisk{file: f}
}

func (r *rawDisk) measure(b *testing.B) {
	const rounds = 100
	block := make([]byte, 2048)
	begun := time.Now()
	for range rounds {
		if _, err := r.file.Write(block); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(r.file.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	r.syncs += rounds
	r.spent += time.Since(begun)
}

func (r *rawDisk) rate() float64 { return float64(r.syncs) / r.spent.Seconds() }
