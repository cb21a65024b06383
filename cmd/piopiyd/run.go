package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dop251/goja"
	"github.com/google/uuid"

	"github.com/piopiy/piopiyd/bindings/kv"
	"github.com/piopiy/piopiyd/runtime"
)

type runCommand struct {
	App      string   `arg:"" help:"The app."`
	Function string   `arg:"" help:"One of its exported functions."`
	Args     []string `arg:"" optional:"" name:"json" help:"Its arguments, each as JSON: '\"14155550101\"' is a text, 5 a number."`
}

// Run calls a function of a script, such as one that places a call, in a session of its own and prints what it
// returned as JSON. What the script logs goes to the error output.
func (c runCommand) Run(ctx context.Context, t terminal, g globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	for i, text := range c.Args {
		if !json.Valid([]byte(text)) {
			return fmt.Errorf("argument %d, %s, is not JSON; a text needs quotation marks of its own: '%q'", i+1, text, text)
		}
	}
	found, err := findApps(cfg)
	if err != nil {
		return err
	}
	files, done, entries, problems, err := found.list()
	if err != nil {
		return err
	}
	defer done()
	entry, ok := entries[c.App]
	if problem := problems[c.App]; problem != nil {
		return problem
	}
	if !ok {
		return unknownApp(c.App, slices.Collect(maps.Keys(entries)), found.name())
	}
	e, err := newEngine(cfg, func(rc *runtime.Config) {
		rc.Journal = runLog{logLines{t: terminal{out: t.err, colour: t.colour}}}
		for i, m := range rc.Modules {
			if m.Name() == "kv" {
				rc.Modules[i] = kv.New(noStore{})
			}
		}
	})
	if err != nil {
		return err
	}
	defer e.close()
	app, err := e.rt.Load(ctx, c.App, runtime.FS(files), entry)
	if err != nil {
		return errors.New(found.explain(err))
	}
	if v := app.Current(); !v.HasExport(c.Function) {
		return fmt.Errorf("the app %q exports no function %q; there are: %s", c.App, c.Function, strings.Join(v.Exports(), ", "))
	}
	session, err := app.NewSession(runtime.SessionConfig{ID: "run-" + uuid.NewString()})
	if err != nil {
		return err
	}
	result, err := c.call(ctx, session)
	session.Close("run")
	<-session.Done()
	if err != nil {
		return errors.New(found.explain(err))
	}
	if result != "" {
		t.printf("%s\n", result)
	}
	return nil
}

// call calls the function and returns its result as JSON, or "" for undefined.
func (c runCommand) call(ctx context.Context, session *runtime.Session) (string, error) {
	var result string
	err := session.Call(ctx, c.Function, func(*goja.Runtime) []goja.Value {
		args := make([]goja.Value, len(c.Args))
		for i, text := range c.Args {
			args[i] = session.Guard().ParseJSON(text)
		}
		return args
	}, func(vm *goja.Runtime, v goja.Value) error {
		object := vm.GlobalObject().Get("JSON").ToObject(vm)
		stringify, _ := goja.AssertFunction(object.Get("stringify"))
		text, err := stringify(object, v, goja.Null(), vm.ToValue(2))
		if err == nil && !goja.IsUndefined(text) {
			result = text.String()
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return result, nil
}

// runLog shows what a function logs; how it failed is the command's own error.
type runLog struct{ logLines }

// Append implements runtime.Journal.
func (l runLog) Append(app, session string, entries []runtime.Entry) error {
	return l.logLines.Append(app, session, slices.DeleteFunc(entries, func(e runtime.Entry) bool { return e.Kind == "fault" }))
}

// noStore says that kv is out of reach: the daemon holds the store, and an empty one in its place would be a lie.
type noStore struct{}

var errNoStore = errors.New("kv is the daemon's; piopiyd run cannot reach it")

func (noStore) Get(context.Context, string, string) ([]byte, uint64, error) {
	return nil, 0, errNoStore
}
func (noStore) Set(context.Context, string, string, []byte, time.Duration) (uint64, error) {
	return 0, errNoStore
}
func (noStore) CompareAndSet(context.Context, string, string, []byte, uint64, time.Duration) (uint64, error) {
	return 0, errNoStore
}
func (noStore) Delete(context.Context, string, string) (bool, error) { return false, errNoStore }
func (noStore) Increment(context.Context, string, string, float64) (float64, error) {
	return 0, errNoStore
}
func (noStore) List(context.Context, string, string, string, int) ([]string, error) {
	return nil, errNoStore
}
