package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/cloud"
	"github.com/piopiy/piopiyd/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// decider answers every call with one action that tells what it was asked.
type decider struct{ streamed chan string }

func (d decider) Answer(_ context.Context, c *call.Call) (call.Reply, error) {
	switch c.App {
	case "nobody":
		return call.Reply{}, fmt.Errorf("%w: %q", call.ErrNoApp, c.App)
	case "draining":
		return call.Reply{}, call.ErrDraining
	}
	return call.Reply{JSON: fmt.Appendf(nil, `[{"action":"input","action_url":%q,"stream":%q}]`, c.InputURL("tok"), c.StreamURL), Version: "v1"}, nil
}

func (d decider) Input(_ context.Context, _ *call.Call, in call.Input) (call.Reply, error) {
	if in.Token != "tok" {
		return call.Reply{}, call.ErrNoContinuation
	}
	return call.Reply{JSON: []byte(`[{"action":"speak","text":"` + in.Digits + `"}]`)}, nil
}
func (d decider) Event(context.Context, *call.Event) error { return nil }
func (d decider) CDR(context.Context, *call.CDR) error     { return nil }
func (d decider) Stream(ctx context.Context, c *call.Call, s call.Stream) error {
	text, data, err := s.Read(ctx)
	if err != nil {
		d.streamed <- c.ID + " " + err.Error()
		return nil
	}
	d.streamed <- fmt.Sprintf("%s %v %d", c.ID, text, len(data))
	_ = s.Write(ctx, true, []byte(`{"action":"break"}`))
	_, _, err = s.Read(ctx)
	d.streamed <- fmt.Sprint(err)
	return nil
}

type shelf struct{}

func (shelf) Apps() []server.App { return []server.App{{Name: "app", Version: "v2"}} }
func (shelf) Versions(app string) ([]server.Version, error) {
	if app != "app" {
		return nil, fmt.Errorf("there is no app %q: %w", app, server.ErrNotFound)
	}
	return []server.Version{{ID: "v2", Live: true}, {ID: "v1"}}, nil
}
func (shelf) Rollback(_ context.Context, _, id string) (server.Version, error) {
	if id == "gone" {
		return server.Version{}, fmt.Errorf("no version %q: %w", id, server.ErrNotFound)
	}
	return server.Version{ID: "v1", Live: true}, nil
}

type log struct{}

func (log) List(context.Context, string, int) ([]server.Call, error) {
	return []server.Call{{ID: "c1", App: "app"}}, nil
}
func (log) Show(_ context.Context, id string) (server.Call, error) {
	if id != "c1" {
		return server.Call{}, server.ErrNotFound
	}
	return server.Call{ID: "c1", App: "app"}, nil
}
func (log) Timeline(ctx context.Context, id string, follow bool) iter.Seq2[server.Entry, error] {
	return func(yield func(server.Entry, error) bool) {
		if id != "c1" {
			yield(server.Entry{}, server.ErrNotFound)
			return
		}
		if !yield(server.Entry{Seq: 1, Kind: "answer"}, nil) || !follow {
			return
		}
		if yield(server.Entry{Seq: 2, Kind: "pcmo"}, nil) {
			<-ctx.Done()
		}
	}
}
func (log) Deliveries(context.Context) ([]server.Delivery, error) { return []server.Delivery{}, nil }

type house struct {
	*httptest.Server
	decider decider
	hooks   *cloud.Hooks
}

func open(t *testing.T, change ...func(*server.Options)) *house {
	t.Helper()
	d := decider{streamed: make(chan string, 4)}
	inbox := call.NewMemoryInbox(call.InboxOptions{})
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- inbox.Deliver(ctx, d) }()
	hooks := cloud.NewHooks(cloud.Options{Handler: d, Inbox: inbox, MaxBody: 4096, Logger: slog.New(slog.DiscardHandler), Secret: func(app string) string {
		if app == "guarded" {
			return "s3cret"
		}
		return ""
	}})
	sources, err := server.ParseSources([]string{"192.0.2.0/24"})
	if err != nil {
		t.Fatal(err)
	}
	options := server.Options{
		Hooks: hooks, Apps: shelf{}, Calls: log{}, Logger: slog.New(slog.DiscardHandler),
		Access: map[string]*server.Access{
			"guarded": {Token: "s3cret"}, "password": {User: "u", Password: "p"}, "elsewhere": {Sources: sources},
		},
	}
	for _, c := range change {
		c(&options)
	}
	h := &house{Server: httptest.NewServer(server.New(options)), decider: d, hooks: hooks}
	t.Cleanup(func() {
		hooks.Close()
		h.Close()
		cancel()
		<-over
	})
	return h
}

const request = `{"action":"inbound","from":"15550001111","to":"15550002222","time":1700000000000,"cmiuuid":"c1"}`

func (h *house) do(t *testing.T, method, path, body string, change ...func(*http.Request)) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(req)
	}
	res, err := h.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(text)), res.Header
}

func TestHooks(t *testing.T) {
	h := open(t)
	cdr := `{"status":"answered","cmiuuid":"c1","leg":"a","duration":3}`
	for _, test := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"POST", "/hooks/app/answer", request, 200, `[{"action":"input","action_url":"http://127.0.0.1`},
		{"POST", "/hooks/app/answer", `{`, 400, `not JSON`},
		{"POST", "/hooks/app/answer", `{"from":"1"}`, 400, `"field":"cmiuuid"`},
		{"POST", "/hooks/app/answer", "{\"cmiuuid\":\"\xff\"}", 400, `UTF-8`},
		{"POST", "/hooks/app/answer", `{"cmiuuid":"` + strings.Repeat("x", 5000) + `"}`, 413, `larger`},
		{"POST", "/hooks/nobody/answer", request, 404, `no_such_app`},
		{"POST", "/hooks/draining/answer", request, 503, `shutting down`},
		{"GET", "/hooks/app/answer", ``, 405, `POST`},
		{"POST", "/hooks/app/input/tok", `{"cmuuid":"c1","dtmf":"42"}`, 200, `[{"action":"speak","text":"42"}]`},
		{"POST", "/hooks/app/input/other", `{"cmuuid":"c1","dtmf":"42"}`, 404, `no_such_continuation`},
		{"POST", "/hooks/app/event", `{"status":"in_answered","cmiuuid":"c1","time":1}`, 200, `accepted`},
		{"POST", "/hooks/app/event", `{"status":"in_answered","cmiuuid":"c1","time":1}`, 200, `duplicate`},
		{"POST", "/hooks/app/cdr", cdr, 200, `accepted`},
		{"POST", "/hooks/app/cdr", cdr, 200, `duplicate`},
		{"POST", "/hooks/app/cdr", `{"status":"lost","cmiuuid":"c1"}`, 400, `"field":"status"`},
		{"GET", "/hooks/app/stream", ``, 400, `not_a_websocket`},
		{"GET", "/nothing", ``, 404, `/nothing`},
		{"GET", "/healthz", ``, 200, `ok`},
		{"GET", "/readyz", ``, 200, `ready`},
		{"GET", "/metrics", ``, 200, `piopiyd_hook_duration_seconds_count{app="app",callback="answer"}`},
		{"GET", "/api/apps", ``, 200, `"name":"app"`},
		{"GET", "/api/apps/app/versions", ``, 200, `"live":true`},
		{"GET", "/api/apps/other/versions", ``, 404, `there is no app`},
		{"POST", "/api/apps/app/rollback", `{"version":"v1"}`, 200, `"id":"v1"`},
		{"POST", "/api/apps/app/rollback", ``, 200, `"id":"v1"`},
		{"POST", "/api/apps/app/rollback", `{"verson":"v1"}`, 400, `verson`},
		{"POST", "/api/apps/app/rollback", `{"version":"gone"}`, 404, `no version`},
		{"GET", "/api/calls", ``, 200, `"id":"c1"`},
		{"GET", "/api/calls?limit=0", ``, 400, `limit`},
		{"GET", "/api/calls/c1", ``, 200, `"app":"app"`},
		{"GET", "/api/calls/c2", ``, 404, `not_found`},
		{"GET", "/api/calls/c1/timeline", ``, 200, `"kind":"answer"`},
		{"GET", "/api/calls/c2/timeline", ``, 404, `not_found`},
		{"GET", "/api/deliveries", ``, 200, `[]`},
	} {
		status, body, header := h.do(t, test.method, test.path, test.body)
		if status != test.status || !strings.Contains(body, test.says) {
			t.Errorf("%s %s: got %d %.300s, want %d and %q", test.method, test.path, status, body, test.status, test.says)
		}
		if test.path != "/metrics" && (header.Get("Content-Type") != "application/json" || !json.Valid([]byte(body))) {
			t.Errorf("%s %s: the reply is %s, not JSON", test.method, test.path, header.Get("Content-Type"))
		}
	}
}

func TestGuards(t *testing.T) {
	h := open(t, func(o *server.Options) {
		o.Token = "api"
		proxies, _ := server.ParseSources([]string{"127.0.0.1"})
		o.TrustedProxies = proxies
	})
	forwarded := func(from string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("X-Forwarded-For", from) }
	}
	for name, test := range map[string]struct {
		path   string
		change func(*http.Request)
		status int
	}{
		"without the path token":  {"/hooks/guarded/answer", nil, 404},
		"with a wrong token":      {"/hooks/guarded/answer/nope", nil, 404},
		"with the token":          {"/hooks/guarded/answer/s3cret", nil, 200},
		"a token nobody asks for": {"/hooks/app/answer/s3cret", nil, 404},
		"without a password":      {"/hooks/password/answer", nil, 401},
		"with a wrong password":   {"/hooks/password/answer", func(r *http.Request) { r.SetBasicAuth("u", "q") }, 401},
		"with the password":       {"/hooks/password/answer", func(r *http.Request) { r.SetBasicAuth("u", "p") }, 200},
		"from anywhere":           {"/hooks/elsewhere/answer", nil, 403},
		"through the proxy":       {"/hooks/elsewhere/answer", forwarded("192.0.2.7"), 200},
		"a forged first hop":      {"/hooks/elsewhere/answer", forwarded("192.0.2.7, 203.0.113.9"), 403},
		"the API without token":   {"/api/apps/app/rollback", nil, 401},
		"the API with token":      {"/api/apps/app/rollback", func(r *http.Request) { r.Header.Set("Authorization", "Bearer api") }, 200},
	} {
		changes := []func(*http.Request){}
		if test.change != nil {
			changes = append(changes, test.change)
		}
		body := request
		if strings.HasPrefix(test.path, "/api") {
			body = `{}`
		}
		if status, text, _ := h.do(t, "POST", test.path, body, changes...); status != test.status {
			t.Errorf("%s: got %d %s, want %d", name, status, text, test.status)
		}
	}
	_, body, _ := h.do(t, "POST", "/hooks/guarded/answer/s3cret", request)
	if !strings.Contains(body, "/hooks/guarded/stream/s3cret?call=c1") {
		t.Errorf("the address of the stream lacks its token: %s", body)
	}
}

func TestStreams(t *testing.T) {
	h := open(t)
	for _, test := range []struct {
		name, query string
		kind        int
		first       string
		want        string
	}{
		{"the call is in our address", "?call=c7", websocket.BinaryMessage, "\x00\x01", "c7 false 2"},
		{"a bare id comes first", "", websocket.TextMessage, "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000001 true 36"},
		{"metadata comes first", "", websocket.TextMessage, `{"event":"start","call":"c8"}`, "c8 true 29"},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(h.URL, "http")+"/hooks/app/stream"+test.query, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.WriteMessage(test.kind, []byte(test.first)); err != nil {
				t.Fatal(err)
			}
			if got := <-h.decider.streamed; got != test.want {
				t.Errorf("the handler saw %q, want %q", got, test.want)
			}
			if _, data, err := conn.ReadMessage(); err != nil || string(data) != `{"action":"break"}` {
				t.Errorf("got %s, %v", data, err)
			}
			_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(time.Second))
			if got := <-h.decider.streamed; got != "EOF" {
				t.Errorf("the end of the stream is %q", got)
			}
		})
	}
}

func TestAFollowedTimelineIsServerSentEvents(t *testing.T) {
	h := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", h.URL+"/api/calls/c1/timeline?follow=1", nil)
	res, err := h.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	var seen []string
	for lines.Scan() && len(seen) < 2 {
		if kind, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			seen = append(seen, kind)
		}
	}
	if fmt.Sprint(seen) != "[answer pcmo]" {
		t.Errorf("got %v", seen)
	}
}

// Clients that begin a request and never finish it leave nothing behind; goleak watches.
func TestHalfOpenClients(t *testing.T) {
	h := open(t)
	for _, part := range []string{"", "POST /hooks/app/answer HTTP/1.1\r\nHost: x\r\n", "POST /hooks/app/answer HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"} {
		conn, err := net.Dial("tcp", h.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, part); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
	if status, _, _ := h.do(t, "POST", "/hooks/app/answer", request); status != 200 {
		t.Errorf("the next request got %d", status)
	}
}
