package runtime_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// A script can hurt only its own call: each of these ends its session with a fault, in bounded time, and a
// session beside it never notices.
func TestAttacksEndOnlyTheirOwnSession(t *testing.T) {
	for _, attack := range []struct {
		name string
		code string
		kind runtime.FaultKind
		says string
	}{
		{"an endless loop", `while (true);`, runtime.FaultTimeout, "one turn"},
		{"an endless loop that catches", `for (;;) try { for (;;); } catch {} finally { for (;;); }`, runtime.FaultTimeout, "one turn"},
		{"an endless chain of promises", `const again = () => Promise.resolve().then(again); await again()`, runtime.FaultTimeout, "one turn"},
		{"a regular expression that backtracks without end", `/^(?=(a+)+$)b/.test('a'.repeat(40) + '!'); while (true);`, runtime.FaultTimeout, ""},
		{"a string of a gigabyte", `'x'.repeat(2 ** 30)`, runtime.FaultException, "16777216"},
		{"a string of a terabyte", `'x'.repeat(2 ** 40)`, runtime.FaultException, "16777216"},
		{"padding", `'x'.padEnd(2 ** 40, 'y')`, runtime.FaultException, "16777216"},
		{"a buffer of 32 TB", `new ArrayBuffer(2 ** 45)`, runtime.FaultException, "limit"},
		{"a typed array of a terabyte", `new Float64Array(2 ** 37)`, runtime.FaultException, ""},
		{"a filled array of four billion", `new Array(2 ** 32 - 1).fill(0)`, runtime.FaultException, "limit"},
		{"a sparse array walked", `const a = []; a[4e9] = 1; a.forEach(() => {}); a.length = 2 ** 32 - 1; a.indexOf(3)`, runtime.FaultException, "limit"},
		{"deep recursion", `const f = () => f() + 1; f()`, runtime.FaultLimit, "nested deeper"},
		{"deep recursion through natives", `const f = () => [1].map(f); f()`, runtime.FaultLimit, ""},
		{"deep JSON", `JSON.parse('['.repeat(1e6))`, runtime.FaultException, ""},
		{"JSON that explodes", `let a = [1]; for (let i = 0; i < 40; i++) a = [a, a]; JSON.stringify(a)`, runtime.FaultTimeout, ""},
		{"eval", `eval('1')`, runtime.FaultException, "eval"},
		{"code from text", `(async () => {}).constructor('return 1')`, runtime.FaultException, ""},
		{"a promise that never settles", `await new Promise(() => {})`, runtime.FaultUnsettled, "never settles"},
		{"a thrown object whose properties throw", `throw { get message() { throw 1 }, get name() { for (;;); } }`, runtime.FaultException, "properties throw"},
		{"nothing thrown", `throw undefined`, runtime.FaultException, "not an Error"},
		{"a BigInt", `BigInt(2)`, runtime.FaultException, "BigInt"},
	} {
		t.Run(attack.name, func(t *testing.T) {
			kit := runtimetest.New(t)
			if attack.kind == runtime.FaultTimeout {
				kit.Config.Limits.Turn = 150 * time.Millisecond
			}
			bystander := kit.Session(map[string]string{"main.js": `let n = 0; exports.main = () => ++n`})
			_, _ = runtimetest.Call(t.Context(), bystander, "main")

			began := time.Now()
			fault := kit.Fault(attack.code)
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("took %s", took)
			}
			if fault.Kind != attack.kind || !strings.Contains(fault.Error(), attack.says) {
				t.Errorf("got %s fault %q, want %s fault that says %q", fault.Kind, fault, attack.kind, attack.says)
			}
			if n, err := runtimetest.Call(t.Context(), bystander, "main"); n != int64(2) || err != nil {
				t.Errorf("the session beside it returned %v, %v", n, err)
			}
			if !journalHas(kit.Journal.Entries(t.Name()), "fault") {
				t.Error("the journal does not show the fault")
			}
		})
	}
}

func journalHas(entries []runtime.Entry, kind string) bool {
	for _, e := range entries {
		if e.Kind == kind {
			return true
		}
	}
	return false
}

func TestASessionThatGrowsWithoutEndIsStopped(t *testing.T) {
	for name, code := range map[string]string{
		"arrays":  `const a = []; for (;;) a.push([1, 2, 3, {}])`,
		"maps":    `const m = new Map(); for (let i = 0; ; i++) m.set(i, { i })`,
		"strings": `let s = 'x'; const all = []; for (;;) { s += s.length < 1e6 ? s : 'x'; all.push(s + all.length) }`,
	} {
		t.Run(name, func(t *testing.T) {
			kit := runtimetest.New(t)
			kit.Config.Limits.Turn = 20 * time.Second
			kit.Config.MemoryLimit = 300 << 20
			fault := kit.Fault(code)
			if fault.Kind != runtime.FaultMemory {
				t.Errorf("got %s fault %q, want a memory fault", fault.Kind, fault)
			}
		})
	}
}

func TestAnUnhandledRejectionEndsTheSession(t *testing.T) {
	kit := runtimetest.New(t)
	s := kit.Session(map[string]string{"main.js": "exports.main = () => {\n  Promise.reject(new TypeError('lost'))\n  return 1\n}"})
	_, _ = runtimetest.Call(t.Context(), s, "main")
	<-s.Done()
	if f := s.Fault(); f == nil || !strings.Contains(f.Error(), "main.js:2") || !strings.Contains(f.Error(), "unhandled promise rejection: lost") {
		t.Errorf("got fault %v", f)
	}
}

func TestARejectionThatIsHandledLaterInTheTurnIsNone(t *testing.T) {
	kit := runtimetest.New(t)
	if v := kit.Eval(`const p = Promise.reject(new Error('x')); return p.catch(e => e.message)`); v != "x" {
		t.Errorf("got %v", v)
	}
}

func TestASessionCannotReachAnother(t *testing.T) {
	kit := runtimetest.New(t)
	kit.Eval(`Array.prototype.leak = 1; Object.prototype.leak = 2; globalThis.leak = 3; Math.random = () => 4; return 0`)
	got := kit.Eval(`return JSON.stringify([typeof [].leak, typeof leak, Math.random() === 4])`)
	if got != `["undefined","undefined",false]` {
		t.Errorf("a later session sees %v", got)
	}
}

func TestAnAbandonedTurnAnswersInTime(t *testing.T) {
	release := make(stuck)
	defer close(release)
	kit := runtimetest.New(t, release)
	kit.Config.Limits.Turn = 50 * time.Millisecond
	began := time.Now()
	fault := kit.Fault(`hang()`)
	if took := time.Since(began); fault.Kind != runtime.FaultTimeout || took > 2*time.Second {
		t.Errorf("got %v after %s", fault, took)
	}
}

func TestAVersionThatCannotBeStoppedIsQuarantined(t *testing.T) {
	release := make(stuck)
	defer close(release)
	kit := runtimetest.New(t, release)
	kit.Config.Limits.Turn = 20 * time.Millisecond
	s := kit.Session(map[string]string{"main.js": `exports.main = () => hang()`})
	app, _ := kit.Runtime().App("test")
	_, _ = runtimetest.Call(t.Context(), s, "main")
	for range 2 {
		s, err := app.NewSession(runtime.SessionConfig{ID: "x"})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = runtimetest.Call(t.Context(), s, "main")
	}
	_, err := app.NewSession(runtime.SessionConfig{ID: "x"})
	var f *runtime.Fault
	if !errors.As(err, &f) || !strings.Contains(f.Message, "quarantine") {
		t.Errorf("got %v, want a refusal that speaks of quarantine", err)
	}
}

func TestTheJournalOfASessionIsBounded(t *testing.T) {
	kit := runtimetest.New(t, noter{})
	kit.Config.Limits.JournalSize = 1000
	kit.Eval(`for (let i = 0; i < 1000; i++) note('0123456789'); return 0`)
	size := 0
	entries := kit.Journal.Entries(t.Name())
	for i, e := range entries {
		size += len(e.Data)
		if e.Seq != uint64(i+1) {
			t.Fatalf("entry %d has number %d", i, e.Seq)
		}
	}
	if size > 1500 || !journalHas(entries, "journal_full") {
		data, _ := json.Marshal(entries[len(entries)-1])
		t.Errorf("%d bytes, the last entry is %s", size, data)
	}
}

// What was stopped from outside names the line at which it was: that is where the loop is.
func TestAStoppedTurnNamesItsLine(t *testing.T) {
	for name, code := range map[string]string{
		"a loop":              "exports.main = () => {\n  let n = 0\n  for (;;) n++\n}",
		"a loop in a promise": "exports.main = async () => {\n  let n = await 0\n  for (;;) n++\n}",
		"a built-in":          "exports.main = () => {\n  const list = [1]\n  list.map(n => { for (;;) n++ })\n}",
	} {
		t.Run(name, func(t *testing.T) {
			kit := runtimetest.New(t)
			kit.Config.Limits.Turn = 50 * time.Millisecond
			_, err := runtimetest.Call(t.Context(), kit.Session(map[string]string{"main.js": code}), "main")
			var fault *runtime.Fault
			if !errors.As(err, &fault) || fault.Kind != runtime.FaultTimeout {
				t.Fatalf("got %v, want a timeout", err)
			}
			if p := fault.Position; !strings.HasSuffix(p.File, "main.js") || p.Line != 3 || p.Source != strings.Split(code, "\n")[2] {
				t.Errorf("the fault is at %+v, want line 3 of main.js", p)
			}
		})
	}
}
