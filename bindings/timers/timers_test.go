package timers_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/bindings/nodetest"
	"github.com/piopiy/piopiyd/bindings/timers"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

func newKit(t *testing.T) (*runtimetest.Kit, *nodetest.Clock) {
	kit, clock := runtimetest.New(t, timers.New()), nodetest.NewClock()
	kit.Config.Clock = clock
	return kit, clock
}

// What a callback throws has nobody to go to: it ends the session, and says where.
func TestExceptionsEndTheSession(t *testing.T) {
	for name, start := range map[string]string{
		"timeout":   `setTimeout(() => { throw new RangeError('late') }, 5)`,
		"interval":  `setInterval(() => { throw new RangeError('late') }, 5)`,
		"immediate": `setImmediate(() => { throw new RangeError('late') })`,
		"microtask": `queueMicrotask(() => { throw new RangeError('late') })`,
	} {
		t.Run(name, func(t *testing.T) {
			kit, clock := newKit(t)
			s := kit.Session(map[string]string{"main.js": "exports.main = () => {\n" + start + "\n}"})
			if _, err := runtimetest.Call(t.Context(), s, "main"); err != nil {
				t.Fatal(err)
			}
			clock.End()
			<-s.Done()
			f := s.Fault()
			if f == nil || f.Name != "RangeError" || f.Message != "late" || f.Position.File != "main.js" || f.Position.Line != 2 {
				t.Errorf("the fault is %+v", f)
			}
		})
	}
}

func TestTimersAreBounded(t *testing.T) {
	kit, _ := newKit(t)
	kit.Config.Limits.Timers = 50
	for _, start := range []string{`setTimeout(() => 1, 1000)`, `setInterval(() => 1, 1000)`, `setImmediate(() => 1)`} {
		f := kit.Fault(`for (let i = 0; i < 51; i++) ` + start)
		if f.Name != "RangeError" || !strings.Contains(f.Message, "50") {
			t.Errorf("%s: %v", start, f)
		}
	}
}

// A timer that starts itself again shares the clock with everything else; microtasks that do hold the turn.
func TestEndlessMicrotasksAreStopped(t *testing.T) {
	kit, _ := newKit(t)
	kit.Config.Limits.Turn = 50 * time.Millisecond
	f := kit.Fault(`const again = () => queueMicrotask(again); again(); await new Promise(() => {})`)
	if f.Kind != runtime.FaultTimeout {
		t.Error(f)
	}
}

func TestTimersEndWithTheSession(t *testing.T) {
	kit, _ := newKit(t)
	s := kit.Session(map[string]string{"main.js": `exports.main = () => { setInterval(() => 1, 1) }`})
	if _, err := runtimetest.Call(t.Context(), s, "main"); err != nil {
		t.Fatal(err)
	}
	s.Close("over")
	<-s.Done()
	if f := s.Fault(); f != nil {
		t.Error(f)
	}
}

func TestUnsettledIsNoticedAfterTheLastTimer(t *testing.T) {
	kit, _ := newKit(t)
	_, err := kit.Try(`setTimeout(() => 1, 1000); await new Promise(() => {})`)
	var f *runtime.Fault
	if !errors.As(err, &f) || f.Kind != runtime.FaultUnsettled {
		t.Error(err)
	}
}
