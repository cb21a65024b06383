// Package runtimetest runs pieces of JavaScript with modules under test, in real sessions.
//
//	kit := runtimetest.New(t, kv.New(store))
//	got := kit.Eval(`const { kv } = require('piopiy/kv'); await kv.set('a', 1); return kv.get('a')`)
package runtimetest

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/fstest"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

// Kit is a runtime for one test. Everything it starts ends with the test.
type Kit struct {
	T testing.TB
	// Config may be changed until the first script runs.
	Config  runtime.Config
	Journal *runtime.MemoryJournal
	rt      *runtime.Runtime
	apps    int
}

// New returns a kit whose scripts can use the modules.
func New(t testing.TB, modules ...runtime.Module) *Kit {
	t.Helper()
	journal := runtime.NewMemoryJournal(0)
	return &Kit{T: t, Journal: journal, Config: runtime.Config{
		Modules: modules, Journal: journal, Logger: slog.New(slog.DiscardHandler),
		Limits: runtime.Limits{Turn: 10 * time.Second}, // the machine may be busy
	}}
}

// Runtime returns the kit's runtime, made at first use.
func (k *Kit) Runtime() *runtime.Runtime {
	k.T.Helper()
	if k.rt == nil {
		rt, err := runtime.New(k.Config)
		if err != nil {
			k.T.Fatal(err)
		}
		k.rt = rt
		k.T.Cleanup(rt.Close)
	}
	return k.rt
}

// Session loads files as an app and returns a session on it. "main.ts" or "main.js" is the entry.
func (k *Kit) Session(files map[string]string) *runtime.Session {
	k.T.Helper()
	tree := fstest.MapFS{}
	entry := "main.js"
	for name, text := range files {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
		if name == "main.ts" {
			entry = name
		}
	}
	k.apps++
	app, err := k.Runtime().Load(k.T.Context(), "test", runtime.FS(tree), entry)
	if err != nil {
		k.T.Fatalf("the script does not load: %v", err)
	}
	s, err := app.NewSession(runtime.SessionConfig{ID: k.T.Name()})
	if err != nil {
		k.T.Fatal(err)
	}
	k.T.Cleanup(func() { s.Close("test over"); <-s.Done() })
	return s
}

// Eval runs statements as the body of an async function and returns what it returned, as Go values. A fault
// fails the test.
func (k *Kit) Eval(body string) any {
	k.T.Helper()
	v, err := k.Try(body)
	if err != nil {
		k.T.Fatalf("%s\n%v", body, err)
	}
	return v
}

// Try is Eval for code that may fail; the error is a *runtime.Fault.
func (k *Kit) Try(body string) (any, error) {
	k.T.Helper()
	s := k.Session(map[string]string{"main.js": "exports.main = async function () {\n" + body + "\n}"})
	defer s.Close("evaluated")
	return Call(k.T.Context(), s, "main")
}

// Fault runs statements that must fail and returns how.
func (k *Kit) Fault(body string) *runtime.Fault {
	k.T.Helper()
	v, err := k.Try(body)
	var f *runtime.Fault
	if !errors.As(err, &f) {
		k.T.Fatalf("%s\nreturned %v, error %v; a fault was expected", body, v, err)
	}
	return f
}

// Call calls an exported function without arguments and returns its result as Go values.
func Call(ctx context.Context, s *runtime.Session, export string) (any, error) {
	var out any
	err := s.Call(ctx, export, nil, func(_ *goja.Runtime, v goja.Value) error {
		out = v.Export()
		return nil
	})
	if err != nil {
		return nil, err // the script may go on, for nobody
	}
	return out, nil
}
