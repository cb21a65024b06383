package testrunner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/kv"
	"github.com/piopiy/piopiyd/bindings/pcmo"
	"github.com/piopiy/piopiyd/bindings/websocket"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
)

// Limits of one call of a test, in virtual time.
const (
	maxQuiet    = 10 * time.Second
	maxDuration = 2 * time.Hour // after which the platform ends a call
	maxPlaced   = 1000          // calls that the apps of a test place
)

// world is what the calls of one test live in: a clock, the apps, a kv store and stubs. Nothing in it is older than the
// test, and nothing outlives it.
type world struct {
	opts  *Options
	found *tree
	clock *sim.Clock
	store *kv.MemoryStore
	ctx   context.Context // of the calls
	stop  context.CancelFunc
	calls sync.WaitGroup
	test  *runtime.Session
	began time.Time
	bench *bench

	// Owned by the goroutine of the test's session.
	running bool
	stubs   []stub
	sockets []socketStub
	faults  []*kvStub
	faulty  atomic.Bool // there are some

	mu         sync.Mutex
	env        map[string]*string // nil takes a value away
	envs       int                // how often env was changed
	apps       *runtime.Runtime   // once an app was called
	settings   map[string]runtime.Settings
	base       map[string]runtime.Settings
	driver     *sim.Driver
	handler    call.Handler
	originator *sim.Originator
	web        *Web
	platform   http.Handler   // nil where there is none
	latest     string         // the app that was loaded last
	loaded     map[string]int // the state of env that an app was loaded with

	noting  sync.Mutex
	logged  []string
	unasked []string // what fails the test without being asked
}

func newWorld(ctx context.Context, o *Options, found *tree) *world {
	clock := sim.NewClock(time.Time{})
	w := &world{opts: o, found: found, clock: clock, store: kv.NewMemoryStore(), env: map[string]*string{}, loaded: map[string]int{}}
	w.store.Now, w.began = clock.Now, clock.Now()
	w.ctx, w.stop = context.WithCancel(ctx)
	return w
}

// close ends the calls, and all that was made for them. The caller is not at work.
func (w *world) close() {
	w.stop()
	w.calls.Wait()
	if w.originator != nil {
		w.originator.Wait()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.apps != nil {
		w.apps.Close()
	}
	if w.web != nil {
		w.web.Close()
	}
}

func (w *world) setEnv(name string, value *string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.env[name] = value
	w.envs++
}

// fail notes something that fails the test without being asked.
func (w *world) fail(format string, args ...any) {
	w.noting.Lock()
	defer w.noting.Unlock()
	w.unasked = append(w.unasked, fmt.Sprintf(format, args...))
}

// load makes an app ready to be called. The caller is at work.
func (w *world) load(ctx context.Context, app string) (*sim.Driver, call.Handler, error) {
	entry, ok := w.found.apps[app]
	if problem := w.found.problems[app]; problem != nil {
		return nil, nil, problem
	}
	isWeb := slices.Contains(w.found.web, app)
	if !ok && !isWeb {
		return nil, nil, fmt.Errorf("there is no app %q; there are: %s", app, strings.Join(slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(w.found.apps)), w.found.web...))), ", "))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.open(); err != nil {
		return nil, nil, err
	}
	w.latest = app
	if isWeb {
		return w.driver, w.handler, nil
	}
	if known, ok := w.loaded[app]; ok && known == w.envs {
		return w.driver, w.handler, nil
	}
	s := w.base[app]
	if s.Env = maps.Clone(s.Env); s.Env == nil {
		s.Env = map[string]string{}
	}
	for name, value := range w.env {
		if delete(s.Env, name); value != nil {
			s.Env[name] = *value
		}
	}
	w.settings[app] = s // which is read by Load alone
	if _, err := w.apps.Load(ctx, app, runtime.FS(w.opts.Files), entry); err != nil {
		return nil, nil, fmt.Errorf("the app %q cannot be called: %w", app, err)
	}
	w.loaded[app] = w.envs
	return w.driver, w.handler, nil
}

// open makes the runtime of the apps. It needs w.mu.
func (w *world) open() error {
	if w.apps != nil {
		return nil
	}
	live := &call.Live{}
	cfg, err := w.opts.Runtime(live, w)
	if err != nil {
		return err
	}
	w.base, w.settings = cfg.Settings, maps.Clone(cfg.Settings)
	if w.settings == nil {
		w.settings = map[string]runtime.Settings{}
	}
	cfg.Settings, cfg.Clock, cfg.Journal, cfg.Versions = w.settings, w.clock, w, nil
	cfg.Coverage = w.opts.Coverage
	cfg.Modules = slices.Clone(cfg.Modules)
	for i, m := range cfg.Modules {
		switch m.Name() {
		case "kv":
			cfg.Modules[i] = kv.New(stubbedStore{w.store, w})
		case "fetch":
			cfg.Modules[i] = stubbedFetch{m, w}
		case "piopiy":
			cfg.Modules[i] = pcmo.New(pcmo.Options{Client: doer{w, true}})
		case "websocket":
			if m, ok := m.(*websocket.Module); ok {
				cfg.Modules[i] = m.Through(w)
			}
		}
	}
	if w.apps, err = runtime.New(cfg); err != nil {
		return err
	}
	w.handler = w.opts.Handler(w.apps, live)
	if w.opts.Platform != nil {
		w.platform = w.opts.Platform(live, w)
	}
	var asker call.Asker
	if w.opts.Web != nil {
		if w.web, err = w.opts.Web(doer{w, false}); err != nil {
			return err
		}
		w.handler, asker = w.web.Handler(w.handler), w.web.Asker
	}
	w.driver = sim.New(sim.Options{Clock: w.clock, Live: live, Asker: asker, Connect: w.connect, Fault: w.opts.Fault, MaxQuiet: maxQuiet, MaxDuration: maxDuration, MaxPlaced: maxPlaced})
	w.originator = w.driver.Originator(w.ctx, w.handler, w.party)
	return nil
}

// ask has something looked at in the session of the test. The caller is at work.
func (w *world) ask(f func()) {
	_ = w.test.RunLong(w.ctx, "what the test expects", func() (goja.Value, error) {
		f()
		return goja.Undefined(), nil
	}, nil)
}

// Append implements runtime.Journal: it keeps what scripts log, for the report of a failure.
func (w *world) Append(_, _ string, entries []runtime.Entry) error {
	w.noting.Lock()
	defer w.noting.Unlock()
	for _, e := range entries {
		var line struct {
			Level   string `json:"level"`
			Message string `json:"message"`
		}
		if e.Kind == "log" && len(w.logged) < 1000 && json.Unmarshal(e.Data, &line) == nil {
			w.logged = append(w.logged, line.Message)
		}
	}
	return nil
}

// detail is an error for a person: with file, line and source where they are known.
func detail(err error) string {
	var fault *runtime.Fault
	if errors.As(err, &fault) {
		text := fault.Detail()
		if before, _, ok := strings.Cut(err.Error(), fault.Error()); ok {
			text = before + text
		}
		return text
	}
	return err.Error()
}

// explain says why a test was cut short, or returns its own error.
func (w *world) explain(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	err = context.Cause(ctx)
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	err = fmt.Errorf("%w of real time, in which %s of its own had passed", err, w.clock.Now().Sub(w.began).Round(time.Second))
	for _, p := range w.bench.phones {
		if !p.over && len(p.entries) > 0 {
			return fmt.Errorf("%w; the call from %s was under way, %s old: does anybody end it?", err, p.entries[0].From, w.clock.Now().Sub(p.start).Round(time.Second))
		}
	}
	return err
}
