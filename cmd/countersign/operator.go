package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"countersign/cmd/internal/app"
	"countersign/store"
	"countersign/workflow"
)

// connect loads the configuration and asks the running process, or the file where none runs.
func connect(ctx context.Context, io streams, config string) (*app.Client, error) {
	cfg, err := app.LoadConfig(config)
	if err != nil {
		return nil, err
	}
	return app.NewClient(ctx, cfg, io.env)
}

// requests lists requests, or shows one with its history.
func requests(ctx context.Context, io streams, args []string) error {
	fs, config := flags("requests")
	asJSON := fs.Bool("json", false, "print JSON")
	state := fs.String("state", "", "only requests in this `state`")
	person := fs.String("person", "", "only what this `user` ID asked for or decided")
	system := fs.String("system", "", "only requests on this `system`")
	since := fs.String("since", "", "only requests made from this `time` on: 2026-01-31, 2026-01-31T08:00:00Z or 7d")
	until := fs.String("until", "", "only requests made before this `time`")
	limit := fs.Int("limit", 100, "how many at most")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		rest = []string{"list"}
	}
	switch {
	case rest[0] == "list" && len(rest) == 1:
	case rest[0] == "show" && len(rest) == 2:
		if _, err := strconv.ParseUint(rest[1], 10, 63); err != nil {
			return usageError{fmt.Errorf("%q is no request number", rest[1])}
		}
	default:
		return usageError{errors.New("it is either list, or show with one number")}
	}
	if *limit < 1 {
		return usageError{fmt.Errorf("--limit: %d are none: at least 1 is needed", *limit)}
	}
	c, err := connect(ctx, io, *config)
	if err != nil {
		return err
	}
	defer c.Close()
	if rest[0] == "show" {
		return show(ctx, io, c, rest[1], *asJSON)
	}
	q := url.Values{
		"state": {*state}, "person": {*person}, "system": {*system}, "since": {*since}, "until": {*until}, "limit": {strconv.Itoa(*limit)},
	}
	views := []app.View{}
	if err := c.JSON(ctx, "/requests?"+q.Encode(), &views); err != nil {
		return err
	}
	if *asJSON {
		return printJSON(io.out, views)
	}
	w := tabwriter.NewWriter(io.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NUMBER\tSTATE\tACTION\tTARGET\tSUBJECT\tREQUESTER\tCREATED")
	for _, v := range views {
		fmt.Fprintf(w, "#%v\t%s\t%s\t%s/%s\t%s\t%s\t%s\n", v.Number, v.State, v.Action, v.System, v.Group, v.Subject, v.Requester, v.Created.Format(time.RFC3339))
	}
	return w.Flush()
}

func show(ctx context.Context, io streams, c *app.Client, number string, asJSON bool) error {
	var v app.View
	if err := c.JSON(ctx, "/requests/"+number, &v); err != nil {
		return fmt.Errorf("request %s: %w", number, err)
	}
	if asJSON {
		return printJSON(io.out, v)
	}
	var history []workflow.Entry
	if err := c.JSON(ctx, "/requests/"+number+"/history", &history); err != nil {
		return err
	}
	fmt.Fprintf(io.out, "#%v %s\n%s %s on %s/%s", v.Number, v.State, v.Action, v.Subject, v.System, v.Group)
	for _, p := range []struct{ name, value string }{{"as", v.Role}, {"as", v.Remark}, {"because", v.Reason}} {
		if p.value != "" {
			fmt.Fprintf(io.out, " %s %q", p.name, p.value)
		}
	}
	fmt.Fprintf(io.out, "\nrequested by %s, card %s/%s\n\n", v.Requester, v.Channel, v.TS)
	w := tabwriter.NewWriter(io.out, 0, 4, 2, ' ', 0)
	for _, e := range history {
		by := e.By.User
		if by == "" {
			by = "countersign"
		}
		fmt.Fprintf(w, "%s\t%s\t%s -> %s\t%s\t%s\t%q\n", e.At.Format(time.RFC3339), e.Verb, e.From, e.To, by, e.Via, e.Detail)
	}
	return w.Flush()
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// audit exports the trail or verifies its chain.
func audit(ctx context.Context, io streams, args []string) error {
	fs, config := flags("audit")
	format := fs.String("format", "jsonl", "csv or jsonl")
	head := fs.String("head", "", "verify that the trail still holds the head `SEQ:HASH`, as posted in Slack")
	since := fs.String("since", "", "only entries from this `time` on: 2026-01-31, 2026-01-31T08:00:00Z or 7d")
	rest, err := parse(fs, args)
	switch {
	case err != nil:
		return err
	case len(rest) != 1 || rest[0] != "export" && rest[0] != "verify":
		return usageError{errors.New("it is either export or verify")}
	case *head != "" && rest[0] != "verify", *since != "" && rest[0] != "export":
		return usageError{errors.New("--head is for verify, --since for export")}
	case *format != "csv" && *format != "jsonl":
		return usageError{fmt.Errorf("--format: %q is neither csv nor jsonl", *format)}
	}
	c, err := connect(ctx, io, *config)
	if err != nil {
		return err
	}
	defer c.Close()
	if rest[0] == "verify" {
		return verify(ctx, io, c, *head)
	}
	path := "/audit?" + url.Values{"since": {*since}}.Encode()
	if *format == "jsonl" {
		return c.Copy(ctx, io.out, path)
	}
	return exportCSV(ctx, io, c, path)
}

// verify checks the chain and, where one is given, a head from elsewhere.
func verify(ctx context.Context, io streams, c *app.Client, head string) error {
	var now store.Head
	if err := c.JSON(ctx, "/audit/verify?"+url.Values{"head": {head}}.Encode(), &now); err != nil {
		return err
	}
	fmt.Fprintf(io.out, "the chain is whole: %d entries, head %d:%s\n", now.Seq, now.Seq, now.Hash)
	if head != "" {
		fmt.Fprintf(io.out, "it continues the head %s\n", head)
	}
	return nil
}

func exportCSV(ctx context.Context, std streams, c *app.Client, path string) error {
	r, w := io.Pipe()
	go func() { _ = w.CloseWithError(c.Copy(ctx, w, path)) }()
	out := csv.NewWriter(std.out)
	_ = out.Write([]string{"seq", "at", "request", "verb", "from", "to", "user", "team", "via", "detail", "prev", "hash"})
	dec := json.NewDecoder(r)
	for {
		var e workflow.Entry
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("read the trail: %w", err)
		}
		_ = out.Write([]string{
			strconv.FormatUint(e.Seq, 10), e.At.Format(time.RFC3339Nano), e.Request.String(), string(e.Verb), string(e.From),
			string(e.To), e.By.User, e.By.Team, e.Via, inert(e.Detail), e.Prev, e.Hash,
		})
	}
	out.Flush()
	return out.Error()
}

// inert keeps a spreadsheet from reading a person's text as a formula.
func inert(s string) string {
	if s != "" && (s[0] == '=' || s[0] == '+' || s[0] == '-' || s[0] == '@' || s[0] == '\t' || s[0] == '\r') {
		return "'" + s
	}
	return s
}

// backup copies the database.
func backup(ctx context.Context, io streams, args []string) error {
	fs, config := flags("backup")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usageError{errors.New("one file must be named")}
	}
	c, err := connect(ctx, io, *config)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Backup(ctx, rest[0]); err != nil {
		return fmt.Errorf("backup to %s: %w", rest[0], err)
	}
	fmt.Fprintf(io.out, "the database is copied to %s\n", rest[0])
	return nil
}

// prune removes old closed requests and their entries.
func prune(ctx context.Context, io streams, args []string) error {
	fs, config := flags("prune")
	before := fs.String("before", "", "remove what was last touched before this `time`: 2026-01-31, 2026-01-31T08:00:00Z or 365d")
	dry := fs.Bool("dry-run", false, "only count")
	if err := parseNone(fs, args); err != nil {
		return err
	}
	if *before == "" {
		return usageError{errors.New("--before is needed")}
	}
	c, err := connect(ctx, io, *config)
	if err != nil {
		return err
	}
	defer c.Close()
	q := url.Values{"before": {*before}}
	word := "removed"
	if *dry {
		q.Set("dry", "1")
		word = "would be removed"
	}
	var p store.Pruned
	if err := c.Post(ctx, "/prune?"+q.Encode(), &p); err != nil {
		return err
	}
	fmt.Fprintf(io.out, "%d closed requests and %d audit entries %s; %d older entries stay, of requests that do\n", p.Requests, p.Entries, word, p.Kept)
	if !*dry && p.Entries > 0 {
		fmt.Fprintf(io.out, "the trail is whole from entry %d on\n", p.Through.Seq+1)
	}
	return nil
}
