package console_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/bindings/console"
	"github.com/piopiy/piopiyd/bindings/nodetest"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// still is a clock that moves only when told.
type still struct{ now time.Time }

func (c *still) Now() time.Time { return c.now }
func (c *still) AfterFunc(time.Duration, func()) runtime.Timer {
	return stopped{}
}

type stopped struct{}

func (stopped) Stop() bool { return true }

// printed runs a script and returns what its console wrote to the journal, as "level message".
func printed(t *testing.T, kit *runtimetest.Kit, body string) []string {
	t.Helper()
	kit.Journal = runtime.NewMemoryJournal(0)
	kit.Config.Journal = kit.Journal
	kit.Eval(body)
	return lines(t, kit)
}

func lines(t *testing.T, kit *runtimetest.Kit) []string {
	t.Helper()
	var out []string
	for _, e := range kit.Journal.Entries(kit.T.Name()) {
		if e.Kind != "log" {
			continue
		}
		var line struct{ Level, Message string }
		if err := json.Unmarshal(e.Data, &line); err != nil {
			t.Fatal(err)
		}
		out = append(out, line.Level+" "+line.Message)
	}
	return out
}

// TestFormatAsNode compares with util.formatWithOptions, recorded in testdata.
func TestFormatAsNode(t *testing.T) {
	for _, c := range nodetest.Read(t, "testdata/node.json") {
		t.Run(c.Name, func(t *testing.T) {
			kit := runtimetest.New(t, console.New())
			body := "const print = console.log\n" + c.Body
			want := c.Want().([]any)
			got := printed(t, kit, body)
			if len(got) != len(want) {
				t.Fatalf("%d lines, want %d: %q", len(got), len(want), got)
			}
			for i := range got {
				if diff := cmp.Diff(want[i], strings.TrimPrefix(got[i], "info ")); diff != "" {
					t.Errorf("%s\n-want +got:\n%s", c.Body, diff)
				}
			}
		})
	}
}

func TestMethods(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       []string
	}{
		{"levels", `console.debug('a'); console.log('b'); console.info('c'); console.warn('d'); console.error('e')`, []string{"debug a", "info b", "info c", "warn d", "error e"}},
		{"nothing", `console.log()`, []string{"info "}},
		{"assert", `console.assert(true, 'no'); console.assert(false); console.assert(0, 'that %d', 1); console.assert(0, { a: 1 })`,
			[]string{"error Assertion failed", "error Assertion failed: that 1", "error Assertion failed { a: 1 }"}},
		{"count", `console.count(); console.count(); console.count('x'); console.countReset(); console.count(); console.countReset('y')`,
			[]string{"info default: 1", "info default: 2", "info x: 1", "info default: 1", "warn Count for 'y' does not exist"}},
		{"group", `console.group('g'); console.log('a\nb'); console.group(); console.log('c'); console.groupEnd(); console.groupEnd(); console.groupEnd(); console.log('d')`,
			[]string{"info g", "info   a\n  b", "info     c", "info d"}},
		{"time", `console.time(); console.timeLog('default', 1); console.timeEnd(); console.timeEnd(); console.time('x'); console.time('x')`,
			[]string{"info default: 0ms 1", "info default: 0ms", "warn No such label 'default' for console.timeEnd()", "warn Label 'x' already exists for console.time()"}},
		{"dir", `console.dir('%s', 1); console.dir({ a: 1 })`, []string{"info '%s'", "info { a: 1 }"}},
		{"table", `console.table([{ a: 1, b: 'x' }, { a: 2, c: true }]); console.table([1, 'z']); console.table('no'); console.table([{ a: 1, b: 2 }], ['b'])`, []string{
			"info (index) | a | b   | c\n--------+---+-----+-----\n0       | 1 | 'x' | \n1       | 2 |     | true",
			"info (index) | Values\n--------+-------\n0       | 1\n1       | 'z'", "info no", "info (index) | b\n--------+--\n0       | 2"}},
		{"circle", `const a = { x: 1 }; a.self = a; a.list = [a]; console.log(a)`, []string{"info { x: 1, self: [Circular], list: [ [Circular] ] }"}},
		{"proxy is left alone", `console.log(new Proxy({}, { get() { throw 1 }, ownKeys() { throw 2 } }), new Proxy(() => 1, { get() { throw 1 } }))`, []string{"info [Proxy] [Proxy of a function]"}},
		{"toString and inspect are not called", `console.log({ toString() { throw 1 }, [Symbol.toPrimitive]() { throw 1 } }, '%s')`, []string{"info { toString: [Function: toString], [Symbol(Symbol.toPrimitive)]: [Function: [Symbol.toPrimitive]] } %s"}},
		{"trace", `console.trace('here')`, []string{"debug Trace: here\n    at main.js:2:14"}},
		{"replaced and copied", `const keep = { ...console }; console.log = (x) => keep.log('own', x); console.log(1); delete console.log; keep.warn(typeof console.log, Object.keys(console).length, String(console))`,
			[]string{"info own 1", "warn undefined 16 [object console]"}},
		{"unbound", `const { log } = console; [1].forEach(log)`, []string{"info 1 0 [ 1 ]"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			kit := runtimetest.New(t, console.New())
			kit.Config.Clock = &still{now: time.Unix(1e9, 0)}
			if diff := cmp.Diff(test.want, printed(t, kit, test.body)); diff != "" {
				t.Errorf("%s\n-want +got:\n%s", test.body, diff)
			}
		})
	}
}

func TestErrorsShowTheAuthorsLines(t *testing.T) {
	kit := runtimetest.New(t, console.New())
	got := printed(t, kit, "function f() { return new TypeError('m', { cause: 'c' }) }\nconsole.log(f(), [Object.assign(new Error('n'), { code: 7 })])")
	want := []string{"info TypeError: m\n    at f (main.js:2:22)\n    at main.js:3:14 { [cause]: 'c' } [ Error: n\n    at main.js:3:32 { code: 7 } ]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOutputIsBounded(t *testing.T) {
	for _, body := range []string{
		`console.log('x'.repeat(1e6))`,
		`console.log({ a: 'x'.repeat(1e6) })`,
		`console.log('%s', 'x'.repeat(1e6))`,
		`console.log(Array.from({ length: 200 }, () => 'y'.repeat(1000)))`,
		`console.log(...Array.from({ length: 1000 }, () => 'y'.repeat(1000)))`,
		`console.log(Object.fromEntries(Array.from({ length: 5000 }, (_, i) => ['key' + i, i])))`,
		`console.log(new Map(Array.from({ length: 5000 }, (_, i) => [i, i])))`,
		`console.log(new Error('x'.repeat(1e6)))`,
		`console.log(Symbol('x'.repeat(1e6)), Object.defineProperty(() => 1, 'name', { value: 'x'.repeat(1e6) }))`,
		`console.table(Array.from({ length: 150 }, (_, i) => ({ ['c' + i]: 'x'.repeat(10000) })))`,
		`console.count('x'.repeat(1e6))`,
	} {
		kit := runtimetest.New(t, console.New())
		got := printed(t, kit, body)
		if len(got) != 1 || len(got[0]) > 17<<10 || len(got[0]) < 20 {
			t.Errorf("%s: %d lines, the first of %d bytes", body, len(got), len(strings.Join(got, "")))
		}
	}
}

func TestFloodIsCut(t *testing.T) {
	kit := runtimetest.New(t, console.New())
	clock := &still{now: time.Unix(1e9, 0)}
	kit.Config.Clock = clock
	got := printed(t, kit, `for (let i = 0; i < 5000; i++) console.log(i)`)
	if len(got) != 101 || !strings.HasPrefix(got[100], "warn console: more than 100 messages within a second") {
		t.Fatalf("%d lines, the last is %q", len(got), got[len(got)-1])
	}
}

// TestLog checks what reaches the process's log: one line a message, no control characters.
func TestLog(t *testing.T) {
	var out bytes.Buffer
	kit := runtimetest.New(t, console.New())
	kit.Config.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "version" {
			return slog.Attr{}
		}
		return a
	}}))
	kit.Runtime()
	kit.Eval(`console.log('a\nlevel=ERROR msg=forged\x1b[31m'); console.debug('hidden'); console.warn('w')`)
	want := fmt.Sprintf("level=INFO msg=\"a⏎level=ERROR msg=forged�[31m\" app=test call=%s\nlevel=WARN msg=w app=test call=%[1]s\n", t.Name())
	_, text, _ := strings.Cut(out.String(), "\n") // after the runtime's own line
	if diff := cmp.Diff(want, text); diff != "" {
		t.Error(diff)
	}
}
