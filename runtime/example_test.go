package runtime_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing/fstest"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings"
	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// crm is a module of one's own, written in Go: scripts import it as 'acme/crm'. It is shared by all sessions.
type crm struct{ names map[string]string }

func (*crm) Name() string { return "acme/crm" }

func (*crm) Provides() runtime.Provides {
	return runtime.Provides{Imports: []string{"acme/crm"}}
}

func (c *crm) Instantiate(s *runtime.Session) (runtime.Instance, error) {
	return crmSession{c, s}, nil
}

// crmSession is the module in one session.
type crmSession struct {
	crm *crm
	s   *runtime.Session
}

func (crmSession) Global(string) goja.Value { return nil }

func (c crmSession) Import(string) goja.Value {
	vm := c.s.VM()
	exports := vm.NewObject()
	_ = exports.Set("nameOf", func(call goja.FunctionCall) goja.Value {
		number := c.s.Args("nameOf", call).String(0, "the number")
		// Go does the work on a goroutine of its own; what it returns makes the value on the session's.
		return c.s.Go(func(context.Context) func() (goja.Value, error) {
			name, known := c.crm.names[number]
			return func() (goja.Value, error) {
				if !known {
					return nil, &runtime.ScriptError{Name: "Error", Message: "nobody has the number " + number}
				}
				return vm.ToValue(name), nil
			}
		})
	})
	return exports
}

// desk is a driver of one's own: it brings a list of calls and prints what is to be done with them.
type desk struct{ calls []*call.Call }

func (*desk) Name() string { return "desk" }

func (d *desk) Serve(ctx context.Context, h call.Handler) error {
	for _, c := range d.calls {
		reply, err := h.Answer(ctx, c)
		if err != nil {
			return err
		}
		fmt.Println(string(reply.JSON))
	}
	return nil
}

// files are the scripts: here in memory, usually runtime.Dir("scripts") or what Runtime.Watch follows.
func files(greeting string) runtime.Source {
	return runtime.FS(fstest.MapFS{"greeter/main.ts": {Data: []byte(`
		import { pcmo } from 'piopiy/pcmo'
		import { nameOf } from 'acme/crm'
		export async function answer(call: Call) {
			return pcmo().speak('` + greeting + ` ' + await nameOf(call.from)).hangup()
		}`)}})
}

// A Go program answers calls with scripts: its own driver brings the calls, its own module serves the scripts, and
// an edit replaces a script between two calls.
func Example() {
	modules, err := bindings.Standard(bindings.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	rt, err := runtime.New(runtime.Config{
		Callbacks: bindcall.Callbacks,
		Modules:   append(modules, &crm{names: map[string]string{"15550001111": "Ada"}}),
		Logger:    slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rt.Close()
	handler := bindcall.NewHandler(bindcall.Options{Runtime: rt, Fault: call.FaultPolicy{Say: "Please call again."}})
	driver := &desk{calls: []*call.Call{{ID: "1", App: "greeter", From: "15550001111", To: "15550002222"}}}

	ctx := context.Background()
	for _, greeting := range []string{"Hello", "Good morning", "Oops'"} {
		if _, err := rt.Load(ctx, "greeter", files(greeting), "greeter/main.ts"); err != nil {
			fmt.Println("refused:", strings.SplitN(err.Error(), ":", 2)[0])
		}
		if err := driver.Serve(ctx, handler); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// [{"action":"speak","text":"Hello Ada"},{"action":"hangup"}]
	// [{"action":"speak","text":"Good morning Ada"},{"action":"hangup"}]
	// refused: greeter/main.ts
	// [{"action":"speak","text":"Good morning Ada"},{"action":"hangup"}]
}
