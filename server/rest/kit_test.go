package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/server/rest"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	callID  = "00000000-0000-4000-8000-000000000001"
	otherID = "00000000-0000-4000-8000-000000000002"
	secret  = "0b7e1f2c-secret"
	token   = "token-of-all"
)

// platform records what it is asked for. It is the counterpart of the API, which its tests judge by that record.
type platform struct {
	mu    sync.Mutex
	calls map[string]rest.Call
	asked []string
	// fail is returned instead of doing anything but Call; failCall instead of a call.
	fail, failCall error
	// settle ends the transfers in the order they began.
	settle []func(error)
	held   bool
}

func newPlatform() *platform {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return &platform{calls: map[string]rest.Call{
		callID: {
			ID: callID, RequestID: "request-1", App: "support", Direction: call.Inbound, Status: call.StatusAnswered,
			From: "15550001111", To: "15550002222", Started: at, Answered: at.Add(2 * time.Second),
		},
		otherID: {ID: otherID, App: "sales", Direction: call.Outbound, Status: call.StatusRinging, From: "15550003333", To: "15550004444", Started: at},
	}}
}

func (p *platform) note(format string, args ...any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return p.fail
	}
	p.asked = append(p.asked, fmt.Sprintf(format, args...))
	return nil
}

// seen returns what was asked for since the last time.
func (p *platform) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.asked
	p.asked = nil
	return list
}

func (p *platform) MakeCall(_ context.Context, o rest.Order) (rest.Queued, error) {
	err := p.note("MakeCall app=%q from=%s to=%s %s extra=%q max=%v ring=%v record=%v",
		o.App, o.From, o.To, plan(o.Plan), o.ExtraParams, o.MaxDuration, o.RingTimeout, o.Record)
	return rest.Queued{RequestID: "request-2", CallID: "00000000-0000-4000-8000-000000000009"}, err
}

func plan(p rest.Plan) string {
	var set []string
	if p.Document != nil {
		set = append(set, "document="+string(p.Document.AppendJSON(nil)))
	}
	if p.Pipeline != nil {
		set = append(set, "pipeline="+string(p.Pipeline.AppendJSON(nil)))
	}
	if p.AnswerURL != "" {
		set = append(set, "url="+p.AnswerURL)
	}
	if set == nil {
		return "app decides"
	}
	return strings.Join(set, " and ")
}

func (p *platform) Call(_ context.Context, id string) (rest.Call, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.calls[id]
	if p.failCall != nil {
		return rest.Call{}, p.failCall
	}
	if !ok {
		return rest.Call{}, rest.ErrNoCall
	}
	return c, nil
}

func (p *platform) Channels(_ context.Context, app string) (int, error) {
	return 3, p.note("Channels app=%q", app)
}

func (p *platform) Hold(_ context.Context, id string, mode rest.HoldMode) (bool, error) {
	err := p.note("Hold %s %s", id, mode)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = mode == rest.Hold || mode == rest.ToggleHold && !p.held
	return p.held, err
}

func (p *platform) Hangup(_ context.Context, id string, why rest.Hangup) error {
	return p.note("Hangup %s cause=%s reason=%q", id, why.Cause, why.Reason)
}

func (p *platform) Transfer(_ context.Context, id string, to rest.Plan, done func(error)) error {
	if err := p.note("Transfer %s %s", id, plan(to)); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle = append(p.settle, done)
	return nil
}

func (p *platform) WarmTransfer(_ context.Context, id string, w rest.Warm, done func(error)) error {
	if err := p.note("WarmTransfer %s number=%s uri=%s caller=%s ring=%v confirm=%v hold=%v %q summary=%q headers=%v extra=%q", id,
		w.ToNumber, w.SIPURI, w.CallerID, w.RingTimeout, w.Confirm, w.HoldMusic, w.HoldAudio, w.Summary, w.Headers, w.ExtraParams); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle = append(p.settle, done)
	return nil
}

// settleNext ends the oldest transfer under way.
func (p *platform) settleNext(err error) {
	p.mu.Lock()
	done := p.settle[0]
	p.settle = p.settle[1:]
	p.mu.Unlock()
	done(err)
}

// appNames are the apps of the tests.
var appNames = []string{"support", "sales"}

func findApp(id string) (string, bool) {
	for _, name := range appNames {
		if id == name || id == rest.AppID(name) {
			return name, true
		}
	}
	if id == "2222" || id == "app-1" {
		return "support", true
	}
	return "", false
}

// accounts: the app support has an appid and a token of its own, and one token opens everything.
func accounts() *rest.Accounts {
	return rest.NewAccounts([]rest.Account{
		{AppID: "2222", Secret: secret, Grant: rest.Grant{App: "support"}},
		{Token: "token-of-support", Grant: rest.Grant{App: "support"}},
		{Token: token, Grant: rest.Grant{All: true}},
	})
}

// kit is an API with its counterparts.
type kit struct {
	*testing.T
	platform *platform
	api      *rest.API
	log      *bytes.Buffer
}

func newKit(t *testing.T, change ...func(*rest.Options)) *kit {
	k := &kit{T: t, platform: newPlatform(), log: &bytes.Buffer{}}
	o := rest.Options{
		Platform: k.platform, Authorize: accounts().Authorize, FindApp: findApp,
		Records: records{}, Endpoints: newUsers(), Recordings: recordings{},
		Logger: slog.New(slog.NewTextHandler(k.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&o)
	}
	k.api = rest.New(o)
	return k
}

// exchange is one request of a table; body may be anything that marshals, or a string as it is.
type exchange struct {
	name, method, path string
	body               any
	token              string
	// fail is what the platform answers.
	fail error
}

func (k *kit) do(e exchange) *http.Response {
	var body io.Reader
	switch b := e.body.(type) {
	case nil:
	case string:
		body = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			k.Fatal(err)
		}
		body = bytes.NewReader(text)
	}
	method := e.method
	if method == "" {
		method = http.MethodPost
	}
	r := httptest.NewRequest(method, e.path, body)
	if e.token != "" {
		r.Header.Set("Authorization", "Bearer "+e.token)
	}
	k.platform.fail = e.fail
	w := httptest.NewRecorder()
	k.api.ServeHTTP(w, r)
	return w.Result()
}

var requestIDs = regexp.MustCompile(`[0-9A-Za-z]{43}`)

// golden compares what a table of exchanges leads to, replies and what the platform was asked, with a file.
func (k *kit) golden(table []exchange) {
	k.Helper()
	k.goldenAs(k.Name(), table)
}

func (k *kit) goldenAs(name string, table []exchange) {
	k.Helper()
	var got strings.Builder
	names := map[string]bool{}
	for _, e := range table {
		if names[e.name] {
			k.Errorf("two exchanges are called %q", e.name)
		}
		names[e.name] = true
		response := k.do(e)
		body, _ := io.ReadAll(response.Body)
		fmt.Fprintf(&got, "== %s\n%d", e.name, response.StatusCode)
		for _, header := range []string{"Allow", "Retry-After", "WWW-Authenticate"} {
			if v := response.Header.Get(header); v != "" {
				fmt.Fprintf(&got, " %s: %s", header, v)
			}
		}
		fmt.Fprintf(&got, "\n%s\n", bytes.TrimSpace(requestIDs.ReplaceAll(body, []byte("REQUEST-ID"))))
		for _, asked := range k.platform.seen() {
			fmt.Fprintf(&got, "> %s\n", asked)
		}
		if kind := response.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") || !json.Valid(body) {
			k.Errorf("%s: not JSON: %s %s", e.name, kind, body)
		}
	}
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			k.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		k.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		k.Errorf("%s (-want +got):\n%s", file, diff)
	}
	k.quiet()
}

// quiet checks that the log holds no secret and no number.
func (k *kit) quiet() {
	k.Helper()
	for _, private := range []string{secret, token, "token-of-support", "wrong-secret", "14155550101", "919876543210", "15550001111"} {
		if strings.Contains(k.log.String(), private) {
			k.Errorf("the log holds %q:\n%s", private, k.log)
		}
	}
}
