package sip_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	runtimes "runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/bindings"
	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/bindings/stream"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/sdp"
	"github.com/piopiy/piopiyd/drivers/sip/speech"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
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

	mu      sync.Mutex
	reports []string
	records []string // CDRs as they are
	changed chan struct{}
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
	x.mu.Lock()
	defer x.mu.Unlock()
	x.reports = append(x.reports, s)
	close(x.changed)
	x.changed = make(chan struct{})
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
	deadline := time.After(patience)
	for {
		x.mu.Lock()
		got, changed := slices.Clone(x.reports), x.changed
		x.mu.Unlock()
		if slices.Equal(got, want) {
			return
		}
		if len(got) > len(want) {
			x.t.Fatalf("reported %q, want %q", got, want)
		}
		select {
		case <-changed:
		case <-deadline:
			x.t.Fatalf("reported %q, want %q", got, want)
		}
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
		Callbacks: bindcall.Callbacks, Modules: modules, Journal: runtime.NewMemoryJournal(0), Logger: log, Limits: runtime.Limits{Turn: 2 * time.Second},
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
	x := &exchange{t: t, dir: t.TempDir(), changed: make(chan struct{}), served: make(chan struct{}), handler: h}
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

// phone is a telephone: it calls, or is called.
type phone struct {
	t       *testing.T
	agent   *ua.Agent
	session *media.Session
	talk    *media.Conversation
	pacer   media.Pacer
	ticking sync.Mutex // guards untick: a phone may be called twice
	untick  func()
	dialog  *ua.Dialog
	over    chan ua.End

	mu      sync.Mutex
	heard   []int16
	digits  []byte
	offered string // the direction of the last offer within the call
	changed chan struct{}

	stubborn bool // it takes no offer within the call
	// ring, where set, decides about calls to the phone.
	ring func(*phone, *ua.Invitation)
}

func newPhone(t *testing.T, ring func(*phone, *ua.Invitation)) *phone {
	t.Helper()
	p := &phone{t: t, ring: ring, over: make(chan ua.End, 8), changed: make(chan struct{})}
	ports, err := media.NewPorts(netip.MustParseAddr("127.0.0.1"), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := ports.Open()
	if err != nil {
		t.Fatal(err)
	}
	p.session = media.NewSession(conn, media.SessionOptions{OnDigit: func(d byte) {
		p.note(func() { p.digits = append(p.digits, d) })
	}})
	p.talk = media.NewConversation(p.session)
	p.talk.AddTap(p)
	p.agent, err = ua.Open(ua.Options{Listen: "127.0.0.1:0", Invite: func(i *ua.Invitation) {
		if p.ring == nil {
			i.Reject(486, "Busy Here", "")
			return
		}
		p.ring(p, i)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

func (p *phone) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = p.agent.Close(ctx) // and nobody picks up any more
	p.ticking.Lock()
	defer p.ticking.Unlock()
	if p.untick != nil {
		p.untick()
	}
	p.session.Close()
}

func (p *phone) note(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

// Tap implements media.Tap.
func (p *phone) Tap(caller, _ media.Frame) {
	p.note(func() { p.heard = append(p.heard, caller[:]...) })
}

func (p *phone) local() sdp.Local {
	return sdp.Local{Addr: netip.MustParseAddr("127.0.0.1"), Port: p.session.Port(), ID: 1, Version: 1}
}

func (p *phone) handlers() ua.Handlers {
	h := ua.Handlers{Ended: func(e ua.End) { p.over <- e }, Digit: func(d byte) {
		p.note(func() { p.digits = append(p.digits, d) })
	}}
	if !p.stubborn {
		h.Offer = p.reoffered
	}
	return h
}

// reoffered answers an offer within the call.
func (p *phone) reoffered(offer []byte) ([]byte, error) {
	d, err := sdp.Parse(offer)
	if err != nil {
		return nil, err
	}
	p.session.Start(d.Format())
	p.note(func() { p.offered = string(d.Direction) })
	return p.local().Answer(d), nil
}

// direction is that of the last offer within the call.
func (p *phone) direction() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.offered
}

func (p *phone) start(description []byte) error {
	d, err := sdp.Parse(description)
	if err != nil {
		return err
	}
	p.session.Start(d.Format())
	p.ticking.Lock()
	defer p.ticking.Unlock()
	if p.untick != nil { // of its last call
		p.untick()
	}
	p.untick = p.pacer.Add(p.talk)
	return nil
}

// progress lets the caller of an invitation hear the phone, which is not answered.
func (p *phone) progress(i *ua.Invitation) {
	d, err := sdp.Parse(i.Offer)
	if err == nil {
		err = i.Progress(p.local().Answer(d), p.handlers())
	}
	if err == nil {
		err = p.start(i.Offer)
	}
	if err != nil {
		p.t.Error(err)
	}
}

// call calls user at an exchange.
func (p *phone) call(ctx context.Context, x *exchange, user string) error {
	return p.invite(ctx, ua.Outgoing{URI: fmt.Sprintf("sip:%s@127.0.0.1:%d", user, x.Port()), From: "+15550001111"})
}

func (p *phone) invite(ctx context.Context, o ua.Outgoing) error {
	if o.Offer == nil {
		o.Offer = p.local().Offer()
	}
	o.Handlers = p.handlers()
	dialog, answer, err := p.agent.Invite(ctx, o)
	if err != nil {
		return err
	}
	p.note(func() { p.dialog = dialog })
	return p.start(answer)
}

// pickUp answers a call.
func (p *phone) pickUp(i *ua.Invitation) {
	d, err := sdp.Parse(i.Offer)
	if err != nil {
		p.t.Error(err)
		return
	}
	dialog, err := i.Accept(p.local().Answer(d), p.handlers())
	if errors.Is(err, ua.ErrCancelled) {
		return
	}
	if err != nil {
		p.t.Error(err)
		return
	}
	p.note(func() { p.dialog = dialog })
	if err := p.start(i.Offer); err != nil {
		p.t.Error(err)
	}
}

// pickUpMute answers a call and sends no sound.
func (p *phone) pickUpMute(i *ua.Invitation) {
	d, err := sdp.Parse(i.Offer)
	if err == nil {
		_, err = i.Accept(p.local().Answer(d), p.handlers())
	}
	if err != nil {
		p.t.Error(err)
	}
}

// until waits until ok, which is called with p.mu held, is.
func (p *phone) until(what string, ok func() bool) {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		p.mu.Lock()
		done, changed := ok(), p.changed
		p.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			p.t.Fatalf("the phone does not hear %s", what)
		}
	}
}

// hears waits until 100 ms of a tone were heard.
func (p *phone) hears(hz float64) {
	p.t.Helper()
	p.until(fmt.Sprintf("%g Hz", hz), func() bool {
		n := len(p.heard)
		if n < 800 {
			return false
		}
		if audio.Level(p.heard[n-800:], hz, media.Rate) < 2500 {
			return false
		}
		p.heard = nil
		return true
	})
}

// ends waits until the other side hangs up.
func (p *phone) ends() ua.End {
	p.t.Helper()
	select {
	case e := <-p.over:
		return e
	case <-time.After(patience):
		p.t.Fatal("nobody hangs up")
		return ua.End{}
	}
}

// inCall is the phone's dialog, once it has one.
func (p *phone) inCall() (d *ua.Dialog) {
	p.t.Helper()
	p.until("the call", func() bool {
		d = p.dialog
		return d != nil
	})
	return d
}

func (p *phone) hangUp() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p.inCall().Bye(ctx, "")
}

// tone is a tone to be played.
func tone(hz float64, length time.Duration) media.Sound {
	return media.Sound{Samples: media.Tone(hz, length), Rate: media.Rate}
}
