package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/piopiy/piopiyd/config"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/server"
)

// running starts a whole daemon with one app and returns a client of it.
func running(t *testing.T, script string) *client {
	t.Helper()
	cfg := config.Default()
	cfg.Data = t.TempDir()
	cfg.API.Token = "the-token-of-the-api"
	cfg.SIP.Listen = "127.0.0.1:0"
	files := fstest.MapFS{"hello.js": {Data: []byte(script)}}
	d, err := startDaemon(t.Context(), cfg, func(ctx context.Context, rt *runtime.Runtime) error {
		return rt.LoadAll(ctx, runtime.FS(files))
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- d.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-served, d.Close(context.Background())); err != nil {
			t.Error(err)
		}
	})
	c := &client{address: "http://" + l.Addr().String(), token: string(cfg.API.Token), http: &http.Client{}}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestFollow(t *testing.T) {
	c := running(t, `exports.answer = (call) => [{ action: 'hangup' }]; exports.event = (e) => console.log(e.status)`)
	post := func(hook, body string) {
		t.Helper()
		res, err := http.Post(c.address+"/hooks/hello/"+hook, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", hook, res.Status)
		}
	}
	post("answer", `{"cmiuuid":"c1"}`)
	var kinds []string
	for e, err := range c.Timeline(t.Context(), "c1", true) {
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, e.Kind)
		if e.Kind == "pcmo" {
			post("event", `{"cmiuuid":"c1","status":"in_answered"}`)
		}
		if e.Kind == "log" {
			break // came after the following began
		}
	}
	if got := strings.Join(kinds, " "); !strings.Contains(got, "pcmo") || !strings.HasSuffix(got, "log") {
		t.Errorf("followed %s", got)
	}
}

func TestClientErrors(t *testing.T) {
	c := running(t, `exports.answer = () => []`)
	if _, err := c.Versions(t.Context(), "nobody"); !errors.Is(err, errNotFound) {
		t.Errorf("unknown app: %v", err)
	}
	if _, err := c.Rollback(t.Context(), "hello", ""); err == nil {
		t.Error("a rollback without an earlier version succeeds")
	}
	wrong := &client{address: c.address, token: "wrong", http: c.http}
	if _, err := wrong.Apps(t.Context()); err == nil || !strings.Contains(err.Error(), "PIOPIYD_API_TOKEN") {
		t.Errorf("wrong token: %v", err)
	}

	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/apps":
			_, _ = fmt.Fprint(w, "<html>")
		case "/api/calls/c1/timeline":
			_, _ = fmt.Fprint(w, "id: 1\nevent: answer\ndata: {\"seq\":1,\"kind\":\"answer\"}\n\nevent: error\ndata: \"the journal is full\"\n\n")
		default:
			http.NotFound(w, r)
		}
	}))
	defer other.Close()
	stranger := &client{address: other.URL, http: other.Client()}
	if _, err := stranger.Apps(t.Context()); err == nil || !strings.Contains(err.Error(), "did not answer as a piopiyd does") {
		t.Errorf("HTML: %v", err)
	}
	if _, err := stranger.Calls(t.Context(), "", 5); err == nil || !strings.Contains(err.Error(), "is that a piopiyd?") {
		t.Errorf("404 without a reason: %v", err)
	}
	var entries []server.Entry
	var last error
	for e, err := range stranger.Timeline(t.Context(), "c1", true) {
		if last = err; err == nil {
			entries = append(entries, e)
		}
	}
	if len(entries) != 1 || last == nil || last.Error() != "the journal is full" {
		t.Errorf("entries %v, then %v", entries, last)
	}

	other.Close()
	if err := stranger.probe(t.Context()); !errors.Is(err, errNoDaemon) {
		t.Errorf("nobody there: %v", err)
	}
}

func TestReachable(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8080": "127.0.0.1:8080", ":80": "127.0.0.1:80", "0.0.0.0:80": "127.0.0.1:80", "[::]:80": "[::1]:80", "calls.internal:1": "calls.internal:1",
	} {
		if got := reachable(listen); got != want {
			t.Errorf("%s is reached at %s, want %s", listen, got, want)
		}
	}
}
