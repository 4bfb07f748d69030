package bot

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/slack-go/slack"

	"countersign/workflow"
)

// reply is a private answer.
type reply struct {
	Type   string        `json:"response_type"`
	Text   string        `json:"text"`
	Blocks []slack.Block `json:"blocks,omitempty"`
	// Replace puts the answer in the place of the message that was clicked; a card is never replaced so.
	Replace bool `json:"replace_original"`
}

func private(text string) *reply { return privately(text, paragraphs(text)) }

// privately is a private answer in blocks of its own, and the text for notifications.
func privately(text string, blocks []slack.Block) *reply {
	return &reply{Type: "ephemeral", Text: trim(text, maxText), Blocks: blocks}
}

// paragraphs cuts a text into sections at line ends, so that no section is longer than Slack takes.
func paragraphs(text string) []slack.Block {
	var blocks []slack.Block
	for text != "" && len(blocks) < 10 {
		runes := []rune(text)
		end := len(runes)
		if end > maxSection {
			end = maxSection
			if i := lastLine(runes[:end]); i > 0 {
				end = i
			}
		}
		blocks = append(blocks, slack.NewSectionBlock(mrkdwn(string(runes[:end])), nil, nil))
		text = string(runes[end:])
	}
	return blocks
}

func lastLine(runes []rune) int {
	for i := len(runes) - 1; i > 0; i-- {
		if runes[i] == '\n' {
			return i
		}
	}
	return 0
}

// answer tells a person privately why a click was refused: by the click's response_url, or else by an ephemeral
// message, or else, where there is no channel, by a direct one.
func (b *Bot) answer(ctx context.Context, i interaction, ref *workflow.Refusal) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	text := b.langOf(ctx, i.User.ID).sayRefusal(ref)
	err := b.respond(ctx, i.ResponseURL, private(text))
	if err == nil {
		return
	}
	channel, _ := i.place()
	opts := []slack.MsgOption{slack.MsgOptionText(text, false), slack.MsgOptionBlocks(paragraphs(text)...)}
	if channel != "" {
		if _, err2 := b.client.PostEphemeralContext(ctx, channel, i.User.ID, opts...); err2 == nil {
			return
		}
	}
	if _, _, err2 := b.client.PostMessageContext(ctx, i.User.ID, opts...); err2 != nil {
		b.o.Logger.Error("a click could not be answered", "user", i.User.ID, "error", err, "direct_error", err2)
	}
}

// respond posts to a response_url, which is a bearer secret and goes only to Slack's own hosts. See
// https://docs.slack.dev/interactivity/handling-user-interaction.
func (b *Bot) respond(ctx context.Context, to string, r *reply) error {
	u, err := url.Parse(to)
	if err != nil || !slices.Contains(b.hosts, u.Host) || u.Scheme != "https" && !Loopback(u.Hostname()) {
		return fmt.Errorf("a response_url on %q is not posted to", hostOf(u))
	}
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("answer by response_url: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := b.http.Do(req)
	if err != nil {
		return fmt.Errorf("answer by response_url on %s failed", u.Hostname())
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 4096)); err != nil {
		return fmt.Errorf("answer by response_url: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("answer by response_url: status %d", resp.StatusCode)
	}
	return nil
}

func hostOf(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.Hostname()
}

// Loopback reports whether a host is this machine, to which plain http is allowed. A name that merely begins like an
// address of it is not.
func Loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
