package webapp_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/webapp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seen is a request as a web server met it.
type seen struct {
	path, body string
	header     http.Header
}

// site is somebody's web server.
type site struct {
	*httptest.Server
	mu   sync.Mutex
	seen []seen
}

// serve starts a site that answers the n-th request, from 0, with reply.
func serve(t *testing.T, reply func(n int, w http.ResponseWriter, r *http.Request)) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read the request: %v", err)
		}
		s.mu.Lock()
		n := len(s.seen)
		s.seen = append(s.seen, seen{r.URL.RequestURI(), string(body), r.Header})
		s.mu.Unlock()
		reply(n, w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// saying starts a site that answers everything alike.
func saying(t *testing.T, status int, body string) *site {
	return serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func (s *site) requests() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]seen(nil), s.seen...)
}

// notes is a Journal in memory.
type notes struct {
	mu  sync.Mutex
	all []string
}

func (n *notes) Note(app, id, kind string, _ time.Time, data json.RawMessage) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !json.Valid(data) {
		kind = "INVALID " + kind
	}
	n.all = append(n.all, app+" "+id+" "+kind+" "+string(data))
}

// of returns the contents of the entries of a kind.
func (n *notes) of(kind string) (list []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, line := range n.all {
		if f := strings.SplitN(line, " ", 4); f[2] == kind {
			list = append(list, f[3])
		}
	}
	return list
}

// logged is what a Handler's logger wrote.
type logged struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

// house is a Handler with all that it leaves behind.
type house struct {
	*webapp.Handler
	notes *notes
	log   *logged
}

var policy = call.FaultPolicy{Say: "Sorry."}

const sorry = `[{"action":"speak","text":"Sorry."},{"action":"hangup"}]`

// handler returns a Handler of the app crm, which is at base.
func handler(t *testing.T, base string, set func(*webapp.Options)) house {
	t.Helper()
	h := house{notes: &notes{}, log: &logged{}}
	o := webapp.Options{
		Apps: map[string]webapp.App{
			"crm":   {AnswerURL: base + "/answer?key=hidden", EventURL: base + "/event?key=hidden", CDRURL: base + "/cdr", Fault: policy},
			"quiet": {AnswerURL: base + "/answer"},
		},
		RetryPause: time.Millisecond, Journal: h.notes, Logger: slog.New(slog.NewTextHandler(h.log, nil)),
	}
	if set != nil {
		set(&o)
	}
	var err error
	if h.Handler, err = webapp.New(o); err != nil {
		t.Fatal(err)
	}
	return h
}

func inbound() *call.Call {
	return &call.Call{
		ID: "00000000-0000-4000-8000-000000000001", App: "crm", Driver: "sip", Direction: call.Inbound, From: "+15550001111", To: "15550002222",
		Time: time.UnixMilli(1700000000123),
	}
}

// fetching is a Doer made of a function.
type fetching func(*http.Request) (*http.Response, error)

func (f fetching) Do(r *http.Request) (*http.Response, error) { return f(r) }

func response(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}
