// Package testrunner runs the tests of call scripts: NAME.test.ts beside them, in the simulator, on virtual time.
//
//	import { test, call, expect } from 'piopiy/test'
//
//	test('sales', async () => {
//	  const c = await call('support')
//	  await c.hears('For sales press 1')
//	  await c.press('1')
//	  await c.dials('14155550101').answers({ talk: '30s' })
//	  await c.ends()
//	  expect(c.ended).toMatch({ by: 'callee' })
//	})
//
// Each test has a session of its own, in which the top level of its file runs anew, and a world of its own: a clock, the
// apps, an empty kv store, no network. So no test can lean on another one.
package testrunner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
)

// Options say what is run, and with what.
type Options struct {
	// Files is the scripts root: the apps and, beside them, their tests.
	Files fs.FS
	// Below is the folder whose tests are run; "" is all.
	Below string
	// Only, where set, are the names of tests that are run; the file's name and " > " stand before a test's own.
	Only *regexp.Regexp
	// Timeout is how long one test may take, in real time (default 10 s).
	Timeout time.Duration
	// Runtime returns what apps run in; Clock, Journal and Versions are the tests' own, and so are what its modules kv,
	// fetch, websocket and piopiy reach. live knows the calls under way, and place places new ones; both are nil for the
	// tests themselves. Required.
	Runtime func(live *call.Live, place call.Originator) (runtime.Config, error)
	// Handler returns what decides about calls with the apps of a runtime. Required.
	Handler func(rt *runtime.Runtime, live *call.Live) call.Handler
	// WebApps names the apps that are web servers. Web, where set, makes what decides about them, and who asks the
	// action_urls of all apps, with requests that stubs answers: its error is ErrNoStub where there is none.
	WebApps []string
	Web     func(stubs Doer) (*Web, error)
	// Platform, where set, makes PIOPIY's REST API, which does what the npm SDK's classes ask for where no stub stands for
	// it: live knows the calls under way, and place places new ones, those of no app for the app that is tested.
	Platform func(live *call.Live, place call.Originator) http.Handler
	// Fault is the fault policy for what the Handler does not apply itself.
	Fault call.FaultPolicy
	// Coverage, where set, notes which lines of the apps run.
	Coverage *runtime.Coverage
	// Done, where set, is told of each test when it is over, in order.
	Done func(Result)
}

// Doer makes HTTP requests.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Web is what tests need of apps that are web servers.
type Web struct {
	// Handler returns a handler that leaves all apps but the web servers to scripts.
	Handler func(scripts call.Handler) call.Handler
	Asker   call.Asker
	Close   func()
}

// ErrNoStub says that a test has no stub for a request.
var ErrNoStub = errors.New("the test has no stub for it")

// Status is how a test ended.
type Status string

// Statuses.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Skipped Status = "skipped"
)

// Result is what became of one test.
type Result struct {
	// File is the test file below the scripts root; Line is where the test stands in it.
	File string
	Line int
	// Name is the test's name. "" stands for the file, which could not be loaded.
	Name   string
	Status Status
	// Took is how long it took in real time.
	Took time.Duration
	// Problems say why it failed, each with file, line and source where they are known.
	Problems []string
	// Calls are the transcripts of its calls, up to the failure.
	Calls []*sim.Transcript
	// Logged is what the test and its scripts logged.
	Logged []string
}

// Report is what became of all tests.
type Report struct {
	Results []Result
	Took    time.Duration
}

// Count returns how many tests ended in a way.
func (r *Report) Count(s Status) int {
	n := 0
	for _, one := range r.Results {
		if one.Status == s {
			n++
		}
	}
	return n
}

// ErrNoTests says that no test was found, or none whose name was asked for.
var ErrNoTests = errors.New("no tests were found")

// Run runs the tests one after the other. A test that fails is no error: the Report tells. The error is ErrNoTests, or
// ctx's, or says why nothing could be run.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	found, err := look(o.Files, o.Below, o.WebApps)
	if err != nil {
		return nil, err
	}
	began, report := time.Now(), &Report{}
	for _, name := range found.tests {
		f := &file{opts: &o, found: found, name: name, app: found.appOf(name)}
		f.run(ctx, func(r Result) {
			report.Results = append(report.Results, r)
			if o.Done != nil {
				o.Done(r)
			}
		})
		if ctx.Err() != nil {
			return report, context.Cause(ctx)
		}
	}
	report.Took = time.Since(began)
	if len(report.Results) == 0 {
		return report, ErrNoTests
	}
	return report, nil
}

// file is one test file under way.
type file struct {
	opts  *Options
	found *tree
	name  string
	app   string // that it stands beside, or ""
	rt    *runtime.Runtime
	built *runtime.App
	world atomic.Pointer[world] // of the test under way
}

// Append implements runtime.Journal for the sessions of tests: what they log stands with what their apps do.
func (f *file) Append(app, session string, entries []runtime.Entry) error {
	if w := f.world.Load(); w != nil {
		return w.Append(app, session, entries)
	}
	return nil
}

// lifetime is how much virtual time a test may let pass.
const lifetime = 30 * 24 * time.Hour

func (f *file) run(ctx context.Context, done func(Result)) {
	began := time.Now()
	tests, err := f.open(ctx)
	if f.rt != nil {
		defer f.rt.Close()
	}
	if err != nil {
		done(Result{File: f.name, Status: Failed, Took: time.Since(began), Problems: []string{inATest(detail(err))}})
		return
	}
	chosen := false
	for _, t := range tests {
		chosen = chosen || t.mode == alone
	}
	for i, t := range tests {
		r := Result{File: f.name, Line: t.at.Line, Name: t.name, Status: Skipped}
		if f.opts.Only != nil && !f.opts.Only.MatchString(f.name+" > "+t.name) {
			continue
		}
		if t.mode == plainly && !chosen || t.mode == alone {
			f.test(ctx, i, &r)
		}
		if ctx.Err() != nil {
			return
		}
		done(r)
	}
}

// inATest says of a test file what is said otherwise of an app.
func inATest(problem string) string {
	return strings.Replace(problem, "export an async function and await inside it", "await inside test('…', async () => { … })", 1)
}

// open loads the file and lists its tests.
func (f *file) open(ctx context.Context) ([]registered, error) {
	cfg, err := f.opts.Runtime(nil, nil)
	if err != nil {
		return nil, err
	}
	// The file's own session: what it waits for takes as long as its calls.
	cfg.Callbacks, cfg.Versions, cfg.Journal, cfg.Observer = nil, nil, f, nil
	cfg.Limits.Lifetime, cfg.Limits.Pending, cfg.Logger = lifetime, 1000, slog.New(slog.DiscardHandler)
	cfg.Stdlib = Stdlib(cfg.Stdlib)
	cfg.Modules = append([]runtime.Module{Module()}, cfg.Modules...)
	name := f.app
	if name == "" {
		name = strings.TrimSuffix(f.name, ".test"+extension(f.name))
	}
	for i, m := range cfg.Modules {
		if m.Name() == "kv" {
			cfg.Modules[i] = sharedStore(m)
		}
	}
	if f.rt, err = runtime.New(cfg); err != nil {
		return nil, err
	}
	if f.built, err = f.rt.Load(ctx, name, runtime.FS(f.opts.Files), f.name); err != nil {
		return nil, err
	}
	b := &bench{}
	s, err := f.built.NewSession(runtime.SessionConfig{ID: "list", Values: map[any]any{benchKey{}: b}})
	if err != nil {
		return nil, err
	}
	defer func() {
		s.Close("listed")
		<-s.Done()
	}()
	err = s.Run(ctx, "the top level", func() (goja.Value, error) { return goja.Undefined(), nil }, nil)
	if err == nil && len(b.tests) == 0 {
		err = fmt.Errorf("%s holds no tests: write test('…', async () => { … })", f.name)
	}
	return b.tests, err
}

// test runs one test.
func (f *file) test(ctx context.Context, n int, r *Result) {
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, f.opts.Timeout, fmt.Errorf("%s:%d: the test took longer than %s", f.name, r.Line, f.opts.Timeout))
	defer cancel()
	w := newWorld(ctx, f.opts, f.found)
	b := &bench{app: f.app, world: w}
	w.bench = b
	f.world.Store(w)
	defer f.world.Store(nil)
	stop := w.clock.Start()
	w.clock.Begin()
	err := f.play(ctx, w, b, n)
	w.clock.End()
	if w.test != nil {
		w.test.Close("tested")
		<-w.test.Done()
	}
	w.close()
	stop()
	r.Took, r.Status = time.Since(began), Passed
	if err != nil {
		r.Problems = append(r.Problems, detail(err))
	}
	r.Problems = append(r.Problems, w.unasked...)
	for _, p := range b.phones {
		if ctx.Err() == nil { // else they were cut short
			r.Problems = append(r.Problems, p.problems()...)
		}
		r.Calls = append(r.Calls, p.sofar())
	}
	r.Logged = w.logged
	if len(r.Problems) > 0 {
		r.Status = Failed
	}
}

// play runs the test's function, and then its calls to their end. The caller is at work.
func (f *file) play(ctx context.Context, w *world, b *bench, n int) error {
	var err error
	w.test, err = f.built.NewSession(runtime.SessionConfig{ID: "test", Clock: w.clock, Values: map[any]any{benchKey{}: b, storeKey{}: w.store}})
	if err != nil {
		return err
	}
	err = w.test.RunLong(ctx, "the test", func() (goja.Value, error) {
		if n >= len(b.tests) {
			return nil, errors.New("the file has other tests each time it is loaded")
		}
		w.running = true
		return b.tests[n].run(goja.Undefined())
	}, nil)
	if err != nil {
		return w.explain(ctx, err)
	}
	err = w.test.RunLong(ctx, "the end of the calls", func() (goja.Value, error) {
		w.running = false
		promise, settle := w.test.Promise()
		b.idle = func() {
			for _, f := range b.atLast {
				f()
			}
			settle(func() (goja.Value, error) { return goja.Undefined(), nil })
		}
		b.quiet()
		return promise, nil
	}, nil)
	return w.explain(ctx, err)
}
