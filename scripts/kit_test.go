package scripts_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings"
	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	bindpcmo "github.com/piopiy/piopiyd/bindings/pcmo"
	"github.com/piopiy/piopiyd/bindings/stream"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/scripts"
	"github.com/piopiy/piopiyd/stdlib"
)

// house runs one template as piopiyd does, in virtual time, with a web server that stands in for the platform and
// for the author's own.
type house struct {
	t       *testing.T
	app     string
	clock   *sim.Clock
	live    *call.Live
	rt      *runtime.Runtime
	handler *bindcall.Handler
	journal *runtime.MemoryJournal

	down atomic.Bool // the server takes nothing
	mu   sync.Mutex
	sent []request
}

// request is what a template sent over HTTP.
type request struct {
	Path string
	Body map[string]any
}

// account is what a template needs in its env to place calls.
var account = map[string]string{"PIOPIY_APPID": "2222222", "PIOPIY_SECRET": "s3cret"}

// open loads a template with an env. A value that begins with a slash becomes a URL on the stand-in server.
func open(t *testing.T, app string, envs ...map[string]string) *house {
	t.Helper()
	h := &house{t: t, app: app, clock: sim.NewClock(sim.Epoch), live: &call.Live{}, journal: runtime.NewMemoryJournal(0)}
	server := httptest.NewServer(http.HandlerFunc(h.serve))
	t.Cleanup(server.Close)
	env := map[string]string{}
	for _, more := range envs {
		for name, value := range more {
			if value[0] == '/' {
				value = server.URL + value
			}
			env[name] = value
		}
	}
	modules, err := bindings.Standard(bindings.Options{
		Fetch:  outbound.Options{Allow: []string{"127.0.0.1"}},
		PIOPIY: bindpcmo.Options{ClassicURL: server.URL, ClassicRESTURL: server.URL, V3URL: server.URL + "/v3"},
	})
	if err != nil {
		t.Fatal(err)
	}
	modules = append(modules, bindcall.NewCalls(bindcall.CallsOptions{Live: h.live}))
	quiet := slog.New(slog.DiscardHandler)
	h.rt, err = runtime.New(runtime.Config{
		Callbacks: bindcall.Callbacks, Modules: modules, Stdlib: stdlib.Files(), Clock: h.clock, Journal: h.journal, Logger: quiet,
		Settings: map[string]runtime.Settings{app: {Env: env}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.rt.Close)
	if err := h.rt.LoadAll(t.Context(), runtime.FS(scripts.Files())); err != nil {
		t.Fatal(err)
	}
	h.handler = bindcall.NewHandler(bindcall.Options{Runtime: h.rt, Stream: stream.New, Live: h.live, Logger: quiet})
	return h
}

func (h *house) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		if r.URL.Path != "/crm/customers/14155550199" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, `{"name":"Ada"}`)
		return
	}
	if h.down.Load() {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	data, err := io.ReadAll(r.Body)
	body := map[string]any{}
	if err == nil {
		err = json.Unmarshal(data, &body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	h.sent = append(h.sent, request{r.URL.Path, body})
	h.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"data":{"status":"progress","request_id":"r1"},"status":"progress","request_id":"r1","code":200}`)
}

// requests returns what the template has sent so far.
func (h *house) requests() []request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]request(nil), h.sent...)
}

// phone picks up a virtual phone to call the template.
func (h *house) phone() *sim.Phone {
	return sim.Dial(h.t, h.handler).With(sim.Options{Clock: h.clock, Live: h.live}).App(h.app)
}

// run calls an exported function, as `piopiyd run` does, and returns its result as JSON.
func (h *house) run(function string, args ...any) (result string, err error) {
	h.t.Helper()
	app, _ := h.rt.App(h.app)
	session, err := app.NewSession(runtime.SessionConfig{ID: "run"})
	if err != nil {
		h.t.Fatal(err)
	}
	defer session.Close("run")
	h.clock.Begin()
	defer h.clock.End()
	err = session.Call(context.Background(), function, func(vm *goja.Runtime) []goja.Value {
		values := make([]goja.Value, len(args))
		for i, a := range args {
			values[i] = vm.ToValue(a)
		}
		return values
	}, func(_ *goja.Runtime, v goja.Value) error {
		data, err := json.Marshal(v.Export())
		result = string(data)
		return err
	})
	return result, err
}

// logged returns what the sessions of a call wrote to the console.
func (h *house) logged(session string) []string {
	h.t.Helper()
	var lines []string
	for _, e := range h.journal.Entries(session) {
		if e.Kind != "log" {
			continue
		}
		var line struct{ Message string }
		if err := json.Unmarshal(e.Data, &line); err != nil {
			h.t.Fatal(err)
		}
		lines = append(lines, line.Message)
	}
	return lines
}
