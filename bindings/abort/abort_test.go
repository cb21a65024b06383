package abort_test

import (
	"testing"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/abort"
	"github.com/piopiy/piopiyd/bindings/nodetest"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// watcher is a Go module that takes a signal, as fetch does.
type watcher struct{ seen []string }

func (*watcher) Name() string               { return "watcher" }
func (*watcher) Provides() runtime.Provides { return runtime.Provides{Globals: []string{"watch"}} }
func (w *watcher) Instantiate(s *runtime.Session) (runtime.Instance, error) {
	return watching{w, s}, nil
}

type watching struct {
	w *watcher
	s *runtime.Session
}

func (watching) Import(string) goja.Value { return nil }
func (i watching) Global(string) goja.Value {
	return i.s.VM().ToValue(func(c goja.FunctionCall) goja.Value {
		state, ok := abort.Signal(c.Argument(0))
		if !ok {
			i.w.seen = append(i.w.seen, "no signal")
			return goja.Undefined()
		}
		if state.Aborted() {
			i.w.seen = append(i.w.seen, "already "+state.Reason().String())
			return goja.Undefined()
		}
		cancel := state.OnAbort(func() { i.w.seen = append(i.w.seen, "aborted "+state.Reason().String()) })
		return i.s.VM().ToValue(func(goja.FunctionCall) goja.Value { cancel(); return goja.Undefined() })
	})
}

func TestSignalsInGo(t *testing.T) {
	w := &watcher{}
	kit := runtimetest.New(t, abort.New(), w)
	kit.Eval(`
		watch({}); watch(undefined)
		watch(AbortSignal.abort('before'))
		const c = new AbortController(); watch(c.signal); const stop = watch(c.signal); stop(); c.abort('now')
		const d = new AbortController(); watch(AbortSignal.any([d.signal])); d.abort('through any')`)
	want := []string{"no signal", "no signal", "already before", "aborted now", "aborted through any"}
	if len(w.seen) != len(want) {
		t.Fatalf("saw %q", w.seen)
	}
	for i := range want {
		if w.seen[i] != want[i] {
			t.Errorf("saw %q, want %q", w.seen[i], want[i])
		}
	}
}

// What a listener throws has nobody to go to: the other listeners are still called, then the session ends.
func TestListenerExceptionsEndTheSession(t *testing.T) {
	for name, listener := range map[string]string{
		"function":    `() => { throw new RangeError('in a listener') }`,
		"handleEvent": `{ handleEvent() { throw new RangeError('in a listener') } }`,
		"getter":      `{ get handleEvent() { throw new RangeError('in a listener') } }`,
	} {
		t.Run(name, func(t *testing.T) {
			kit := runtimetest.New(t, abort.New())
			kit.Config.Clock = nodetest.NewClock()
			s := kit.Session(map[string]string{"main.js": `exports.main = () => {
				const t = new EventTarget(); let n = 0
				t.addEventListener('x', ` + listener + `); t.addEventListener('x', () => n++)
				return [t.dispatchEvent(new Event('x')), n].join() }`})
			got, err := runtimetest.Call(t.Context(), s, "main")
			if err != nil || got != "true,1" {
				t.Fatal(got, err)
			}
			<-s.Done()
			if f := s.Fault(); f == nil || f.Message != "in a listener" {
				t.Errorf("the fault is %v", f)
			}
		})
	}
}

func TestListenersAreBounded(t *testing.T) {
	f := runtimetest.New(t, abort.New()).Fault(`const t = new EventTarget(); for (let i = 0; i < 1001; i++) t.addEventListener('x', () => 1)`)
	if f.Name != "RangeError" {
		t.Error(f)
	}
}
