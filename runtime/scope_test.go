package runtime_test

import (
	"context"
	"errors"
	"testing"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// part is a scope with a name.
type part string

func (part) Life() context.Context { return context.Background() }
func (p part) Err() error          { return errors.New(string(p)) }

// parts offers within(name, f), where() and the ways in which something is done later.
type parts struct{}

func (parts) Name() string { return "parts" }
func (parts) Provides() runtime.Provides {
	return runtime.Provides{Globals: []string{"within", "where", "timer", "task", "work", "deferred"}}
}
func (parts) Instantiate(s *runtime.Session) (runtime.Instance, error) { return partsInstance{s}, nil }

type partsInstance struct{ s *runtime.Session }

func (partsInstance) Import(string) goja.Value { return goja.Undefined() }

func (in partsInstance) Global(name string) goja.Value {
	s := in.s
	given := func(c goja.FunctionCall, i int) func() error {
		f := s.Args(name, c).Function(i, "the function")
		return func() error { _, err := f(goja.Undefined()); return err }
	}
	return s.VM().ToValue(map[string]func(goja.FunctionCall) goja.Value{
		"within": func(c goja.FunctionCall) goja.Value {
			f := s.Args(name, c).Function(1, "the function")
			v, err := s.Within(part(c.Argument(0).String()), func() (goja.Value, error) { return f(goja.Undefined()) })
			if err != nil {
				panic(err)
			}
			return v
		},
		"where": func(goja.FunctionCall) goja.Value {
			if scope := s.Scope(); scope != nil {
				return s.VM().ToValue(scope.Err().Error())
			}
			return s.VM().ToValue("session")
		},
		"timer": func(c goja.FunctionCall) goja.Value {
			s.AfterFunc(0, given(c, 0))
			return goja.Undefined()
		},
		"task": func(c goja.FunctionCall) goja.Value {
			s.Next(given(c, 0))
			return goja.Undefined()
		},
		"work": func(goja.FunctionCall) goja.Value {
			return s.Go(func(context.Context) func() (goja.Value, error) {
				return func() (goja.Value, error) { return in.Global("where").(*goja.Object), nil }
			})
		},
		"deferred": func(c goja.FunctionCall) goja.Value {
			promise, settle := s.Deferred()
			f := s.Args(name, c).Function(0, "the function")
			s.Next(func() error {
				settle(func() (goja.Value, error) { return f(goja.Undefined()) })
				return nil
			})
			return promise
		},
	}[name])
}

// What is begun belongs to the scope of what began it, however it gets there, and to no other.
func TestScope(t *testing.T) {
	for _, tt := range []struct{ name, script, want string }{
		{"none", `return where()`, "session"},
		{"at once", `return within('a', where) + where()`, "asession"},
		{"within another", `return within('a', () => where() + within('b', where) + where())`, "aba"},
		{"after an await", `return within('a', async () => { await null; await null; return where() })`, "a"},
		{"after an await of another's promise", `const b = within('b', async () => { await null; return where() }); return within('a', async () => await b + where())`, "ba"},
		{"outside after an await", `const a = within('a', async () => { await null; return where() }); await null; return await a + where()`, "asession"},
		{"in a reaction", `return within('a', () => Promise.resolve().then(where))`, "a"},
		{"in a rejection's", `return within('a', () => Promise.reject().catch(where))`, "a"},
		{"finally", `let seen; await within('a', () => Promise.resolve().finally(() => { seen = where() })); return seen`, "a"},
		{"all together", `return within('a', async () => { await Promise.all([work(), null]); return where() })`, "a"},
		{"in an async generator", `return within('a', async () => { const g = (async function* () { yield where(); await null; yield where() })(); let all = ''; for await (const x of g) all += x; return all })`, "aa"},
		{"in a timer", `return within('a', () => new Promise(done => timer(() => done(where()))))`, "a"},
		{"in a timer of a timer, after an await", `return within('a', () => new Promise(done => timer(() => timer(async () => { await null; done(where()) }))))`, "a"},
		{"after work elsewhere", `return within('a', async () => { await work(); return where() })`, "a"},
		{"in the outcome of work", `return within('a', async () => (await work())())`, "a"},
		{"in what settles a promise", `return within('a', () => deferred(where))`, "a"},
		{"in a task", `return new Promise(done => within('a', () => task(() => done(where()))))`, "session"},
		{"beside another", `let all = []; const one = name => within(name, async () => { for (let i = 0; i < 3; i++) { await work(); all.push(where() === name) } }); await Promise.all([one('a'), one('b'), one('c')]); return all.join()`, "true,true,true,true,true,true,true,true,true"},
		{"after an exception", `try { within('a', () => { throw new Error() }) } catch {} return where()`, "session"},
		{"a listener's own", `const listeners = []; within('a', () => listeners.push(where)); return within('b', () => listeners[0]())`, "b"},
	} {
		for _, isolation := range []runtime.Isolation{runtime.Newborn, runtime.Frozen} {
			t.Run(tt.name+" "+string(isolation), func(t *testing.T) {
				kit := runtimetest.New(t, parts{})
				kit.Config.Settings = map[string]runtime.Settings{"test": {Isolation: isolation}}
				for range 2 { // the second one lives where the first one did
					if got := kit.Eval(tt.script); got != tt.want {
						t.Errorf("got %v, want %s", got, tt.want)
					}
				}
			})
		}
	}
}
