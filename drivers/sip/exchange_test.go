package sip_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	runtimes "runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/bindings"
	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/bindings/stream"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/siptest"
	"github.com/piopiy/piopiyd/drivers/sip/speech"
	"github.com/piopiy/piopiyd/runtime"
)

// TestMain runs more tests at a time than there are processors: calls take their time, and little of a processor's.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(max(4, runtimes.GOMAXPROCS(0)))); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// beeps is a voice that says "hz N" as a second of N Hz, "hz N long" as 30 s, and nothing else.
type beeps struct{}

func (beeps) Name() string { return "beeps" }
func (beeps) Say(_ context.Context, r speech.Request) ([]byte, error) {
	var hz float64
	if _, err := fmt.Sscanf(r.Text, "hz %g", &hz); err != nil {
		return nil, fmt.Errorf("cannot say %q", r.Text)
	}
	length := time.Second
	if strings.HasSuffix(r.Text, " long") {
		length = 30 * time.Second
	}
	return media.EncodeWAV(media.Tone(hz, length)), nil
}

// exchange is a driver with scripts that answer, and what it reports.
type exchange struct {
	*sip.Driver
	t        testing.TB
	dir      string
	handler  call.Handler
	live     *call.Live
	stop     context.CancelCauseFunc
	served   chan struct{}
	serveErr error

	mu      siptest.Watched
	reports []string
	records []string // CDRs as they are
	steps   []string
}

// AcceptEvent implements call.Inbox.
func (x *exchange) AcceptEvent(_ context.Context, e *call.Event) (bool, error) {
	x.report(fmt.Sprintf("%s %s", e.Leg, e.WireStatus))
	return true, nil
}

// AcceptCDR implements call.Inbox.
func (x *exchange) AcceptCDR(_ context.Context, r *call.CDR) (bool, error) {
	x.mu.Lock()
	x.records = append(x.records, string(r.Raw))
	x.mu.Unlock()
	x.report(fmt.Sprintf("%s cdr %s %s", r.Leg, r.Status, field(string(r.Raw), "hangup_cause")))
	return true, nil
}

// Deliver implements call.Inbox.
func (x *exchange) Deliver(context.Context, call.Handler) error { return nil }

func field(json, key string) string {
	_, rest, _ := strings.Cut(json, `"`+key+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

func (x *exchange) report(s string) {
	x.mu.Change(func() { x.reports = append(x.reports, s) })
}

// raw are the CDRs.
func (x *exchange) raw() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return strings.Join(x.records, "\n")
}

// reportedAll are the reports so far.
func (x *exchange) reportedAll() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return strings.Join(x.reports, ", ")
}

// forget forgets what was reported.
func (x *exchange) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.reports = nil
}

// reported waits until the calls have reported something.
func (x *exchange) reported(want ...string) {
	x.t.Helper()
	var got []string
	x.mu.Until(patience, func() bool {
		got = slices.Clone(x.reports)
		return slices.Equal(got, want) || len(got) > len(want)
	})
	if !slices.Equal(got, want) {
		x.t.Fatalf("reported %q, want %q", got, want)
	}
}

// open starts an exchange for scripts, by app name.
func open(t *testing.T, scripts map[string]string, change ...func(*sip.Options)) *exchange {
	t.Helper()
	return openFor(t, scripts, change...)
}

func openFor(t testing.TB, scripts map[string]string, change ...func(*sip.Options)) *exchange {
	t.Helper()
	modules, err := bindings.Standard(bindings.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var log *slog.Logger = slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	rt, err := runtime.New(runtime.Config{
		Callbacks: bindcall.Callbacks, Modules: modules, Journal: runtime.NewMemoryJournal(0), Logger: log, Limits: runtime.Limits{Turn: 20 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rt.Close)
	for name, script := range scripts {
		if _, err := rt.Load(t.Context(), name, runtime.FS(fstest.MapFS{"main.js": {Data: []byte(script)}}), "main.js"); err != nil {
			t.Fatal(err)
		}
	}
	live := &call.Live{}
	change = append([]func(*sip.Options){func(o *sip.Options) { o.Live = live }}, change...)
	return serve(t, log, bindcall.NewHandler(bindcall.Options{Runtime: rt, Stream: stream.New, Live: live, Logger: log}), change...)
}

// serve starts an exchange for a handler.
func serve(t testing.TB, log *slog.Logger, h call.Handler, change ...func(*sip.Options)) *exchange {
	t.Helper()
	x := &exchange{t: t, dir: t.TempDir(), served: make(chan struct{}), handler: h}
	o := sip.Options{
		Listen: "127.0.0.1:0", Inbox: x, Logger: log, Voice: beeps{}, SpeechDir: filepath.Join(x.dir, "speech"),
		MediaDir: x.dir, RecordingsDir: filepath.Join(x.dir, "recordings"), DrainTimeout: patience / 2,
		Live: &call.Live{}, AllowHosts: []string{"127.0.0.1"}, Dial: (&net.Dialer{}).DialContext,
		Observe: func(_ *call.Call, s call.Step) {
			if s.Err != nil {
				x.mu.Lock()
				x.steps = append(x.steps, s.Err.Error())
				x.mu.Unlock()
			}
		},
	}
	for _, c := range change {
		c(&o)
	}
	x.live = o.Live
	var err error
	if x.Driver, err = sip.New(o); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(context.Background())
	x.stop = stop
	go func() {
		defer close(x.served)
		x.serveErr = x.Serve(ctx, x.handler)
	}()
	t.Cleanup(x.close)
	for !x.Serving() {
		runtimes.Gosched()
	}
	return x
}

func (x *exchange) close() {
	x.stop(context.Canceled)
	select {
	case <-x.served:
	case <-time.After(patience):
		x.t.Errorf("the driver does not end: %d calls", x.Calls())
	}
}

// faults are what went wrong in the calls.
func (x *exchange) faults() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return strings.Join(x.steps, "; ")
}

// read returns a file of the exchange.
func (x *exchange) read(path ...string) []byte {
	x.t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{x.dir}, path...)...))
	if err != nil {
		x.t.Fatal(err)
	}
	return data
}

// recording returns the samples of the only recording.
func (x *exchange) recording() []int16 {
	x.t.Helper()
	files, _ := filepath.Glob(filepath.Join(x.dir, "recordings", "*.wav"))
	if len(files) != 1 {
		x.t.Fatalf("%d recordings", len(files))
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		x.t.Fatal(err)
	}
	samples, err := media.DecodeWAV(data)
	if err != nil {
		x.t.Fatal(err)
	}
	return samples
}
