package runtime_test

import (
	"log/slog"
	"testing"
	"testing/fstest"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

// What sessions cost by themselves: no modules, a script of one line, a journal that keeps nothing. The cost with a
// call script and the standard modules is measured in bindings/call.

type forgetful struct{}

func (forgetful) Append(string, string, []runtime.Entry) error { return nil }

func benchApp(b *testing.B, isolation runtime.Isolation) *runtime.App {
	b.Helper()
	rt, err := runtime.New(runtime.Config{
		Journal: forgetful{}, Logger: slog.New(slog.DiscardHandler), Settings: map[string]runtime.Settings{"app": {Isolation: isolation}},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(rt.Close)
	files := fstest.MapFS{"app.js": {Data: []byte("exports.main = n => n + 1")}}
	app, err := rt.Load(b.Context(), "app", runtime.FS(files), "app.js")
	if err != nil {
		b.Fatal(err)
	}
	return app
}

func turn(b *testing.B, s *runtime.Session) {
	err := s.Call(b.Context(), "main", func(vm *goja.Runtime) []goja.Value { return []goja.Value{vm.ToValue(1)} }, nil)
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSession is a session's whole life: birth, one turn, end.
func BenchmarkSession(b *testing.B) {
	for _, isolation := range []runtime.Isolation{runtime.Newborn, runtime.Frozen} {
		b.Run(string(isolation), func(b *testing.B) {
			app := benchApp(b, isolation)
			b.ReportAllocs()
			for b.Loop() {
				s, err := app.NewSession(runtime.SessionConfig{ID: "one"})
				if err != nil {
					b.Fatal(err)
				}
				turn(b, s)
				s.Close("over")
				<-s.Done()
			}
		})
	}
}

// BenchmarkTurn is one callback in a session that lives on: mailbox, watchdog, journal, and a function of one line.
func BenchmarkTurn(b *testing.B) {
	s, err := benchApp(b, runtime.Newborn).NewSession(runtime.SessionConfig{ID: "one"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close("over")
	b.ReportAllocs()
	for b.Loop() {
		turn(b, s)
	}
}
