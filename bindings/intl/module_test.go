package intl_test

import (
	"testing"

	"github.com/piopiy/piopiyd/bindings/intl"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// TestSession uses the module as scripts meet it: the built-ins repaired, Intl found on first touch, and the time
// the session's.
func TestSession(t *testing.T) {
	m, err := intl.New(intl.Options{TimeZone: "Asia/Kolkata"})
	if err != nil {
		t.Fatal(err)
	}
	for _, isolation := range []runtime.Isolation{runtime.Newborn, runtime.Frozen} {
		kit := runtimetest.New(t, m)
		kit.Config.Settings = map[string]runtime.Settings{"test": {Isolation: isolation}}
		for body, want := range map[string]any{
			"return new Date(0).toLocaleTimeString('en-GB')": "05:30:00",
			"return (1e7).toLocaleString('en-IN')":           "1,00,00,000",
			"return typeof Intl":                             "object",
			"return Intl === Intl && 'Intl' in globalThis":   true,
			"const f = new Intl.DateTimeFormat('en', { dateStyle: 'full' }); return f.format() === f.format(new Date())":      true,
			"try { new Date().toLocaleString('en', { timeZone: 'Nowhere' }); return 'no error' } catch (e) { return e.name }": "RangeError",
		} {
			if got := kit.Eval(body); got != want {
				t.Errorf("%s: %s: %v, want %v", isolation, body, got, want)
			}
		}
	}
}
