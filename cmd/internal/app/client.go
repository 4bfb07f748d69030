package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"countersign/store"
)

// QuestionError says that what was asked makes no sense: a value on the command line is wrong.
type QuestionError struct{ error }

// Client asks for what Control answers: of the running process, or, where none runs, of the database itself.
type Client struct {
	http http.Client
	stop func()
}

// NewClient returns a client for a configuration; env looks up the connection string where one is needed. Close it when
// done.
func NewClient(ctx context.Context, cfg *Config, env func(string) string) (*Client, error) {
	if conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", cfg.Ops.Socket); err == nil {
		_ = conn.Close()
		return clientOf(cfg.Ops.Socket, func() {}), nil
	}
	_, s, err := openStore(ctx, cfg.Store, env, true, nil, store.Options{})
	if errors.Is(err, errNoDatabase) {
		return nil, fmt.Errorf("countersign does not run on %s, and %w", cfg.Ops.Socket, err)
	}
	if err != nil {
		return nil, err
	}
	c, err := serveFile(ctx, s)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return c, nil
}

// runningClient is a client of the running process, if one runs.
func runningClient(ctx context.Context, cfg *Config) (*Client, bool) {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", cfg.Ops.Socket)
	if err != nil {
		return nil, false
	}
	_ = conn.Close()
	return clientOf(cfg.Ops.Socket, func() {}), true
}

// serveFile answers from an open store on a socket that only this process knows, so that there is one way to ask.
func serveFile(ctx context.Context, s *store.Store) (*Client, error) {
	dir, err := os.MkdirTemp("", "countersign")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "sock")
	l, err := listenUnix(ctx, path)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	live, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = (&server{name: "file", l: l, h: Control(s)}).serve(live)
	}()
	return clientOf(path, func() {
		stop()
		<-done
		_ = s.Close()
		_ = os.RemoveAll(dir)
	}), nil
}

func clientOf(path string, stop func()) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
	return &Client{http: http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}, stop: stop}
}

// Close lets go of the process or the file.
func (c *Client) Close() { c.stop() }

// Get asks for a path and returns the answer's body. A refusal's text is the error.
func (c *Client) get(ctx context.Context, path string) (*http.Response, error) {
	return c.do(ctx, http.MethodGet, path)
}

func (c *Client) do(ctx context.Context, method, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://countersign"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask countersign: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	err = errors.New(strings.TrimSpace(string(text)))
	if resp.StatusCode == http.StatusBadRequest {
		return nil, &QuestionError{err}
	}
	return nil, err
}

// JSON asks for a path and decodes the answer into v.
func (c *Client) JSON(ctx context.Context, path string, v any) error {
	return c.ask(ctx, http.MethodGet, path, v)
}

// Post asks for an act and decodes the answer into v.
func (c *Client) Post(ctx context.Context, path string, v any) error {
	return c.ask(ctx, http.MethodPost, path, v)
}

func (c *Client) ask(ctx context.Context, method, path string, v any) error {
	resp, err := c.do(ctx, method, path)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// Copy streams the answer for a path to w.
func (c *Client) Copy(ctx context.Context, w io.Writer, path string) error {
	resp, err := c.get(ctx, path)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("the answer was cut off: %w", err)
	}
	return nil
}

// Backup writes a consistent copy of the database to a new file: whole, or not at all.
func (c *Client) Backup(ctx context.Context, path string) (err error) {
	tmp := path + ".part"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(tmp)
		}
	}()
	resp, err := c.get(ctx, "/backup")
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(f, resp.Body); err != nil {
		return fmt.Errorf("the copy was cut off: %w", err)
	}
	if resp.Trailer.Get(backupDone) != "yes" {
		return errors.New("the copy was cut off")
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp, path); err != nil { // unlike a rename, never over an older backup
		return err
	}
	return os.Remove(tmp)
}
