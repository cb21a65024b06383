package call_test

import (
	"log/slog"
	"os"
	goruntime "runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings"
	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// The scripts are those that make bench measures over HTTP: one of 74 lines, and what answers with it at once.
var benchScripts = os.DirFS("../../bench/scripts")

type nowhere struct{}

func (nowhere) Append(string, string, []runtime.Entry) error { return nil }

func benchRuntime(b *testing.B) *runtime.Runtime {
	b.Helper()
	modules, err := bindings.Standard(bindings.Options{})
	if err != nil {
		b.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	rt, err := runtime.New(runtime.Config{
		Callbacks: bindcall.Callbacks, Modules: modules, Journal: nowhere{}, Logger: log,
		Settings: map[string]runtime.Settings{"frozen": {Isolation: runtime.Frozen}},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(rt.Close)
	if err := rt.LoadAll(b.Context(), runtime.FS(benchScripts)); err != nil {
		b.Fatal(err)
	}
	return rt
}

// reportCPU measures the processor time of an operation, collections included: the machine may be busy with other work.
func reportCPU(b *testing.B) (end func()) {
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

var isolations = []struct{ name, app string }{{"newborn", "straight"}, {"frozen", "frozen"}}

// BenchmarkBirth makes a session, runs the script's top level, and ends it.
func BenchmarkBirth(b *testing.B) {
	rt := benchRuntime(b)
	for _, isolation := range isolations {
		b.Run(isolation.name, func(b *testing.B) {
			app, _ := rt.App(isolation.app)
			b.ReportAllocs()
			defer reportCPU(b)()
			for b.Loop() {
				s, err := app.NewSession(runtime.SessionConfig{ID: "birth"})
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Run(b.Context(), "birth", func() (goja.Value, error) { return goja.Undefined(), nil }, nil); err != nil {
					b.Fatal(err)
				}
				s.Close("over")
				<-s.Done()
			}
		})
	}
}

// callNumbered is the n-th call of a benchmark.
func callNumbered(app string, n int) *call.Call {
	return &call.Call{
		ID: "call-" + strconv.Itoa(n), App: app, Driver: "cloud", Direction: call.Inbound, From: "919812345678", To: "914446316000",
		Time: time.UnixMilli(1753425000000), InputURL: func(token string) string { return "http://127.0.0.1/hooks/" + app + "/input/" + token },
	}
}

// BenchmarkAnswer is a call of one answer: birth, callback, document, end.
func BenchmarkAnswer(b *testing.B) {
	rt := benchRuntime(b)
	for _, isolation := range isolations {
		b.Run(isolation.name, func(b *testing.B) {
			handler := bindcall.NewHandler(bindcall.Options{Runtime: rt, Logger: slog.New(slog.DiscardHandler)})
			b.ReportAllocs()
			defer reportCPU(b)()
			for n := 0; b.Loop(); n++ {
				reply, err := handler.Answer(b.Context(), callNumbered(isolation.app, n))
				if err != nil || reply.Fault != nil {
					b.Fatal(err, reply.Fault)
				}
			}
		})
	}
}

// BenchmarkCall is a whole call of four callbacks.
func BenchmarkCall(b *testing.B) {
	rt := benchRuntime(b)
	handler := bindcall.NewHandler(bindcall.Options{Runtime: rt, Logger: slog.New(slog.DiscardHandler)})
	b.ReportAllocs()
	defer reportCPU(b)()
	for n := 0; b.Loop(); n++ {
		c := callNumbered("desk", n)
		c.ExtraParams = `{"language":"ta","at":1753425000000}`
		reply, err := handler.Answer(b.Context(), c)
		if err != nil || reply.Fault != nil {
			b.Fatal(err, reply.Fault)
		}
		_, rest, _ := strings.Cut(string(reply.JSON), "/input/")
		token, _, _ := strings.Cut(rest, `"`)
		if reply, err = handler.Input(b.Context(), c, call.Input{Token: token, Digits: "2"}); err != nil || reply.Fault != nil {
			b.Fatal(err, reply.Fault)
		}
		err = handler.Event(b.Context(), &call.Event{App: c.App, CallID: c.ID, LegID: c.ID, Leg: call.LegA, Status: call.StatusHangup, Time: c.Time, From: c.From, Raw: []byte("{}")})
		if err != nil {
			b.Fatal(err)
		}
		err = handler.CDR(b.Context(), &call.CDR{App: c.App, CallID: c.ID, LegID: c.ID, Leg: call.LegA, Status: call.StatusAnswered, Duration: time.Minute, Raw: []byte("{}")})
		if err != nil {
			b.Fatal(err)
		}
	}
	if left := rt.SessionCount(); left != 0 {
		b.Fatalf("%d sessions outlived their calls", left)
	}
}

// hostedHandler has one app.
func hostedHandler(b *testing.B, script string) (*bindcall.Handler, *runtime.Runtime) {
	b.Helper()
	modules, err := bindings.Standard(bindings.Options{})
	if err != nil {
		b.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	rt, err := runtime.New(runtime.Config{Callbacks: bindcall.Callbacks, Modules: modules, Journal: nowhere{}, Logger: log})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(rt.Close)
	if _, err := rt.Load(b.Context(), "app", runtime.FS(fstest.MapFS{"main.js": {Data: []byte(script)}}), "main.js"); err != nil {
		b.Fatal(err)
	}
	return bindcall.NewHandler(bindcall.Options{Runtime: rt, Logger: log}), rt
}

func tokenOf(b *testing.B, reply call.Reply, err error) string {
	b.Helper()
	_, rest, found := strings.Cut(string(reply.JSON), "/input/")
	if err != nil || reply.Fault != nil || !found {
		b.Fatal(err, reply.Fault, string(reply.JSON))
	}
	token, _, _ := strings.Cut(rest, `"`)
	return token
}

// BenchmarkHostedVerbs is one round of a call on the platform: it brings digits, and gets a say and the next gather.
func BenchmarkHostedVerbs(b *testing.B) {
	handler, _ := hostedHandler(b, `exports.answer = async call => { for (;;) { const { digits } = await call.gather({ maxDigits: 1 }); await call.say(digits) } }`)
	c := callNumbered("app", 1)
	reply, err := handler.Answer(b.Context(), c)
	b.ReportAllocs()
	defer reportCPU(b)()
	rounds := 0
	for b.Loop() {
		if rounds++; rounds%5000 == 0 { // a session may journal so much and no more
			c = callNumbered("app", rounds)
			reply, err = handler.Answer(b.Context(), c)
		}
		reply, err = handler.Input(b.Context(), c, call.Input{Token: tokenOf(b, reply, err), Digits: "1"})
	}
	tokenOf(b, reply, err)
}

// BenchmarkResting is a call that rests in gather; it reports what memory one takes.
func BenchmarkResting(b *testing.B) {
	handler, rt := hostedHandler(b, `exports.answer = async call => { const { digits } = await call.gather({ maxDigits: 1 }); await call.say(digits) }`)
	heap := func() uint64 {
		goruntime.GC()
		var m goruntime.MemStats
		goruntime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := heap()
	n := 0
	for b.Loop() {
		reply, err := handler.Answer(b.Context(), callNumbered("app", n))
		tokenOf(b, reply, err)
		n++
	}
	b.ReportMetric(float64(heap()-before)/float64(n), "B/resting")
	if rt.SessionCount() != n {
		b.Fatalf("%d of %d sessions rest", rt.SessionCount(), n)
	}
}
