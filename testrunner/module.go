package testrunner

import (
	"fmt"
	"strings"
	"time"

	"github.com/dop251/goja"
	source "github.com/dop251/goja/file"

	"github.com/piopiy/piopiyd/runtime"
)

// Module returns the part of piopiy/test that is written in Go. It goes with [Stdlib].
func Module() runtime.Module { return nativeModule{} }

type nativeModule struct{}

const nativeName = "piopiy/test/native"

// Name implements runtime.Module.
func (nativeModule) Name() string { return "test" }

// Provides implements runtime.Module.
func (nativeModule) Provides() runtime.Provides {
	return runtime.Provides{Imports: []string{nativeName}, Exports: map[string][]string{nativeName: {
		"test", "call", "callTo", "run", "stub", "socketStub", "stubKv", "setEnv", "at", "wait", "later", "atEnd", "broken",
	}}}
}

// Instantiate implements runtime.Module.
func (nativeModule) Instantiate(s *runtime.Session) (runtime.Instance, error) {
	b, ok := s.Value(benchKey{}).(*bench)
	if !ok {
		b = &bench{} // a dry run
	}
	b.session = s
	return &native{b: b, made: map[string]goja.Value{}}, nil
}

type native struct {
	b    *bench
	made map[string]goja.Value
}

// Global implements runtime.Instance.
func (*native) Global(string) goja.Value { return goja.Undefined() }

// Import implements runtime.Instance.
func (in *native) Import(string) goja.Value {
	exports := in.b.session.VM().NewObject()
	for _, name := range (nativeModule{}).Provides().Exports[nativeName] {
		_ = exports.Set(name, in.Export("", name))
	}
	return exports
}

// Export implements runtime.Exporter.
func (in *native) Export(_, name string) goja.Value {
	if v, ok := in.made[name]; ok {
		return v
	}
	b := in.b
	function := func(name string, do func(runtime.Args) goja.Value) *goja.Object {
		return b.session.VM().ToValue(func(c goja.FunctionCall) goja.Value { return do(b.session.Args(name, c)) }).(*goja.Object)
	}
	var v goja.Value
	switch name {
	case "test":
		o := function("test", b.register(plainly))
		_ = o.Set("skip", function("test.skip", b.register(skipped)))
		_ = o.Set("only", function("test.only", b.register(alone)))
		v = o
	case "stub":
		v = function("stubFetch", b.stub)
	case "socketStub":
		v = function("stubWebSocket", b.socketStub)
	case "later":
		v = function("the option within or after", b.later)
	default:
		v = function(name, map[string]func(runtime.Args) goja.Value{
			"call": b.call, "callTo": b.callTo, "run": b.run, "setEnv": b.setEnv, "stubKv": b.stubKv, "at": b.at, "wait": b.wait,
			"atEnd": b.atEnd, "broken": b.broken,
		}[name])
	}
	in.made[name] = v
	return v
}

// benchKey finds the bench among a session's values.
type benchKey struct{}

// bench is where one test runs: the session of its file, and the world that its calls live in. Its fields belong to the
// session's goroutine.
type bench struct {
	session *runtime.Session
	app     string // that is called where no other is named
	world   *world // nil while the tests of a file are listed
	tests   []registered
	phones  []*phone
	placed  []*phone // calls that apps have placed, and no test has met
	orders  []*order
	runs    int
	atLast  []func() // what is done when the test and its calls are over
	idle    func()   // called when the last call is over
}

// registered is a test of a file.
type registered struct {
	name string
	run  goja.Callable
	at   runtime.Position
	mode mode
}

type mode int

const (
	plainly mode = iota
	skipped
	alone
)

// register returns test, test.skip or test.only.
func (b *bench) register(m mode) func(runtime.Args) goja.Value {
	return func(a runtime.Args) goja.Value {
		name := a.String(0, "the name")
		if name == "" {
			a.Throw("the name must not be empty")
		}
		b.tests = append(b.tests, registered{name: name, run: a.Function(1, "the test"), at: here(b.session), mode: m})
		return goja.Undefined()
	}
}

// here is the author's line that runs now.
func here(s *runtime.Session) runtime.Position {
	var list []source.Position
	for _, frame := range s.VM().CaptureCallStack(20, nil) {
		list = append(list, frame.Position())
	}
	return authors(list)
}

// authors is the first place of a stack that is an author's.
func authors(stack []source.Position) runtime.Position {
	for _, p := range stack {
		if p.Line > 0 && p.Filename != "" && p.Filename != "(native)" {
			if name := authorsFile(p.Filename); name != "" {
				return runtime.Position{File: name, Line: p.Line, Column: p.Column + 1}
			}
		}
	}
	return runtime.Position{}
}

// before is a place as it stands before a message.
func before(at runtime.Position) string {
	if at.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d: ", at.File, at.Line, at.Column)
}

// setEnv changes the env of the apps that are called from now on.
func (b *bench) setEnv(a runtime.Args) goja.Value {
	object, ok := a.Value(0).(*goja.Object)
	if !ok {
		a.Throw("the values must be an object, not %s", runtime.Describe(a.Value(0)))
	}
	if b.world == nil {
		return goja.Undefined()
	}
	for _, name := range object.Keys() {
		switch v := object.Get(name).(type) {
		case goja.String:
			text := v.String()
			b.world.setEnv(name, &text)
		default:
			if !goja.IsUndefined(v) {
				a.Throw("%s must be a string, or undefined to take it away, not %s", name, runtime.Describe(v))
			}
			b.world.setEnv(name, nil)
		}
	}
	return goja.Undefined()
}

// at sets the clock.
func (b *bench) at(a runtime.Args) goja.Value {
	vm := b.session.VM()
	date, err := vm.New(vm.GlobalObject().Get("Date"), a.Value(0))
	if err != nil {
		a.Fail(err)
	}
	t, ok := date.Export().(time.Time)
	if millis, callable := goja.AssertFunction(date.Get("getTime")); callable {
		v, err := millis(date)
		ok = ok && err == nil && v.ToFloat() == v.ToFloat()
	}
	if !ok || !a.Has(0) {
		a.Throw(`the time must be a text such as "2026-11-23T09:00+05:30", a Date or milliseconds, not %s`, runtime.Describe(a.Value(0)))
	}
	if b.world == nil {
		return goja.Undefined()
	}
	for _, p := range b.phones {
		if !p.over {
			a.Throw("the clock cannot be set while a call is under way; let time pass with wait()")
		}
	}
	b.world.clock.Set(t)
	return goja.Undefined()
}

// wait lets time pass.
func (b *bench) wait(a runtime.Args) goja.Value {
	d := a.Duration(0, "the time")
	b.mustRun(a)
	p, resolve, _ := b.session.VM().NewPromise()
	b.session.AfterFunc(d, func() error { return resolve(goja.Undefined()) })
	return b.session.VM().ToValue(p)
}

// mustRun throws outside a test.
func (b *bench) mustRun(a runtime.Args) {
	if b.world == nil || !b.world.running {
		a.Throw("only a test can do this: put it inside test('…', async () => { … })")
	}
}

// stub answers fetches.
func (b *bench) stub(a runtime.Args) goja.Value {
	s := stub{target: b.target(a.Value(0)), answer: a.Function(1, "the answer")}
	if b.world != nil {
		b.world.stubs = append(b.world.stubs, s)
	}
	return goja.Undefined()
}

// failure is an error with the author's line: made where a step begins, and thrown when it has failed.
func (b *bench) failure() *goja.Object {
	o := b.session.NewError("Error", "").(*goja.Object)
	_ = o.DefineDataProperty("name", b.session.VM().ToValue("AssertionError"), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	return o
}

// authorsFile is the file of an author that a source map names, or "" for one of ours.
func authorsFile(name string) string {
	name = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(name, "file://"), "/"), "scripts:")
	if strings.HasPrefix(name, "piopiy:") {
		return ""
	}
	return name
}
