package call_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/bindings"
	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/bindings/stream"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is a handler with one app, "app".
type desk struct {
	t       *testing.T
	rt      *runtime.Runtime
	handler *bindcall.Handler
	journal *runtime.MemoryJournal
}

func open(t *testing.T, script string, change ...func(*runtime.Config, *bindcall.Options)) *desk {
	t.Helper()
	modules, err := bindings.Standard(bindings.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, journal: runtime.NewMemoryJournal(0)}
	config := runtime.Config{
		Callbacks: bindcall.Callbacks, Modules: modules, Journal: d.journal, Logger: slog.New(slog.DiscardHandler),
		Limits: runtime.Limits{Turn: 5 * time.Second},
	}
	options := bindcall.Options{Stream: stream.New, Logger: config.Logger}
	for _, c := range change {
		c(&config, &options)
	}
	if d.rt, err = runtime.New(config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.rt.Close)
	d.save(script)
	options.Runtime = d.rt
	d.handler = bindcall.NewHandler(options)
	return d
}

func (d *desk) save(script string) {
	d.t.Helper()
	if _, err := d.rt.Load(d.t.Context(), "app", runtime.FS(fstest.MapFS{"main.js": {Data: []byte(script)}}), "main.js"); err != nil {
		d.t.Fatal(err)
	}
}

func theCall(id string) *call.Call {
	return &call.Call{
		ID: id, App: "app", Driver: "test", Direction: call.Inbound, From: "15550001111", To: "15550002222",
		Time: time.UnixMilli(1700000000000), ExtraParams: `{"order":"A1"}`,
		InputURL: func(token string) string { return "https://me.example/hooks/app/input/" + token },
	}
}

func (d *desk) answer(id string) call.Reply {
	d.t.Helper()
	reply, err := d.handler.Answer(d.t.Context(), theCall(id))
	if err != nil {
		d.t.Fatal(err)
	}
	return reply
}

func (d *desk) press(id string, after call.Reply, digits string) call.Reply {
	d.t.Helper()
	var actions []struct {
		URL string `json:"action_url"`
	}
	if err := json.Unmarshal(after.JSON, &actions); err != nil {
		d.t.Fatal(err)
	}
	i := slices.IndexFunc(actions, func(a struct {
		URL string `json:"action_url"`
	}) bool {
		return a.URL != ""
	})
	if i < 0 {
		d.t.Fatalf("nothing waits for digits in %s", after.JSON)
	}
	c := theCall(id)
	token, ok := c.InputToken(actions[i].URL)
	if !ok {
		d.t.Fatalf("%s is not one of our addresses", actions[i].URL)
	}
	reply, err := d.handler.Input(d.t.Context(), c, call.Input{Token: token, Digits: digits})
	if err != nil {
		d.t.Fatal(err)
	}
	return reply
}

// over waits until no session is left.
func (d *desk) over() {
	d.t.Helper()
	for _, s := range d.rt.Sessions() {
		select {
		case <-s.Done():
		case <-time.After(20 * time.Second):
			d.t.Errorf("the session of call %s is left", s.ID())
		}
	}
}

func (d *desk) kinds(id string) []string {
	var kinds []string
	for _, e := range d.journal.Entries(id) {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

const menu = `
	const { PiopiyAction } = require('piopiy')
	let tries = 0
	const seen = []
	exports.answer = call => {
		const action = new PiopiyAction()
		action.playGetInput(choose, 'menu.wav', { max_digit: 1 })
		return action.PCMO()
	}
	function choose({ dtmf }, call) {
		tries++
		const action = new PiopiyAction()
		if (dtmf !== '1') action.input(choose)
		action.speak(tries + ' tries by ' + call.from + ' for ' + call.vars.order)
		return action.PCMO()
	}
	exports.event = e => { seen.push(e.status + ' ' + e.raw.extra) }
	exports.cdr = r => { console.log(seen.join(',') + ' ' + r.status + ' ' + r.duration) }
`

func TestAWholeCallLivesInOneSession(t *testing.T) {
	d := open(t, menu)
	first := d.answer("c1")
	second := d.press("c1", first, "9")
	third := d.press("c1", second, "1")
	if !strings.Contains(string(third.JSON), `"2 tries by 15550001111 for A1"`) {
		t.Errorf("the second press got %s", third.JSON)
	}
	event := &call.Event{App: "app", CallID: "c1", LegID: "c1", Leg: call.LegA, Status: call.StatusAnswered, Raw: json.RawMessage(`{"extra":7}`)}
	if err := d.handler.Event(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	if n := d.rt.SessionCount(); n != 1 {
		t.Errorf("%d sessions live during the call, want 1", n)
	}
	record := &call.CDR{App: "app", CallID: "c1", LegID: "c1", Leg: call.LegA, Status: call.StatusAnswered, Duration: 3 * time.Second, Raw: json.RawMessage(`{}`)}
	if err := d.handler.CDR(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	d.over()
	want := []string{"start", "answer", "pcmo", "input", "pcmo", "input", "pcmo", "event", "cdr", "log", "end"}
	if got := d.kinds("c1"); !slices.Equal(got, want) {
		t.Errorf("the journal holds %v, want %v", got, want)
	}
	for _, e := range d.journal.Entries("c1") {
		if e.Kind == "log" && !strings.Contains(string(e.Data), "answered 7 answered 3") {
			t.Errorf("the CDR callback logged %s", e.Data)
		}
	}
}

func TestASessionThatCanDoNothingMoreEndsWithItsAnswer(t *testing.T) {
	d := open(t, `exports.answer = () => [{ action: 'hangup' }]`)
	if reply := d.answer("c1"); string(reply.JSON) != `[{"action":"hangup"}]` {
		t.Errorf("got %s", reply.JSON)
	}
	d.over()
}

func TestWhatAnAnswerMayReturn(t *testing.T) {
	for script, want := range map[string]string{
		`exports.answer = () => {}`:                                                          `[]`,
		`exports.answer = async () => [{ action: 'speak', text: 'hi' }]`:                     `[{"action":"speak","text":"hi"}]`,
		`const { pcmo } = require('piopiy/pcmo'); exports.answer = () => pcmo().speak('hi')`: `[{"action":"speak","text":"hi"}]`,
		`const { PiopiyAction } = require('piopiy'); exports.answer = () => { const a = new PiopiyAction(); const p = a.PCMO(); a.hangup(); return p }`: `[{"action":"hangup"}]`,
	} {
		if reply := open(t, script).answer("c"); string(reply.JSON) != want || reply.Fault != nil {
			t.Errorf("%s\ngot %s, %v, want %s", script, reply.JSON, reply.Fault, want)
		}
	}
}

// Every way in which a script can fail ends in the app's fault policy, and shows in the journal.
func TestFaultsFallToThePolicy(t *testing.T) {
	policy := func(_ *runtime.Config, o *bindcall.Options) {
		o.Faults = map[string]call.FaultPolicy{"app": {Say: "Sorry.", Forward: "15559990000", Hangup: "NORMAL_TEMPORARY_FAILURE"}}
	}
	for name, test := range map[string]struct{ script, says string }{
		"an exception":                {`exports.answer = () => { throw new Error('broken') }`, "main.js:1"},
		"a rejection":                 {`exports.answer = async () => { await null; throw new Error('broken') }`, "broken"},
		"an endless loop":             {`exports.answer = () => { for (;;); }`, "one turn"},
		"a promise without end":       {`exports.answer = () => new Promise(() => {})`, "never settles"},
		"what is not PCMO":            {`exports.answer = () => 42`, "answer returned"},
		"an action that is not":       {`exports.answer = () => [{ action: 'sing' }]`, "$[0]"},
		"a field that cannot be":      {`exports.answer = () => [{ action: 'play', file_url: 'ftp//x' }]`, "$[0].file_url"},
		"a toString that throws":      {`exports.answer = () => [{ action: 'speak', text: { toString() { throw new Error('x') } } }]`, "$[0].text"},
		"a getter that throws":        {`exports.answer = () => [{ get action() { throw new Error('mine') } }]`, "mine"},
		"a string of a gigabyte":      {`exports.answer = () => [{ action: 'speak', text: 'x'.repeat(2**30) }]`, "RangeError"},
		"a million timers":            {`exports.answer = () => { for (let i = 0; i < 1e6; i++) setTimeout(() => {}, 1e6) }`, "too many timers"},
		"an unhandled rejection":      {`exports.answer = async () => { Promise.reject(new Error('floating')); await new Promise(r => setTimeout(r, 5)) }`, "floating"},
		"a throw in a timer":          {`exports.answer = async () => { setTimeout(() => { throw new Error('tick') }, 1); await new Promise(r => setTimeout(r, 50)) }`, "tick"},
		"a top level that fails late": {`if (typeof globalThis.once === 'undefined' && Math.random() > 2) throw 1; exports.answer = () => { null.x }`, "main.js"},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, test.script, policy)
			reply := d.answer("c1")
			if reply.Fault == nil || !strings.Contains(reply.Fault.Error(), test.says) {
				t.Errorf("the fault is %v, want one that says %q", reply.Fault, test.says)
			}
			if want := `[{"action":"speak","text":"Sorry."},{"action":"bridge","from":15550002222,"connect":[{"type":"pstn","number":15559990000}]},{"action":"hangup","cause":"NORMAL_TEMPORARY_FAILURE"}]`; string(reply.JSON) != want {
				t.Errorf("the policy answers %s\nwant %s", reply.JSON, want)
			}
			if kinds := d.kinds("c1"); !slices.Contains(kinds, "fault") {
				t.Errorf("the journal holds %v, no fault", kinds)
			}
			d.over()
		})
	}
}

func TestTheLastGoodVersionAnswers(t *testing.T) {
	d := open(t, `exports.answer = () => [{ action: 'input', action_url: ({ digits }) => [{ action: 'speak', text: 'good ' + digits }] }]
	exports.event = () => {}`, func(_ *runtime.Config, o *bindcall.Options) {
		o.Fault = call.FaultPolicy{LastGood: true, Say: "Sorry."}
	})
	d.save(`exports.answer = call => { if (call.from) throw new Error('new and broken') }
	exports.event = () => {}`)
	reply := d.answer("c1")
	if reply.Fault == nil || !strings.Contains(reply.Fault.Error(), "new and broken") {
		t.Errorf("got %s, fault %v", reply.JSON, reply.Fault)
	}
	// and the call goes on with it
	d.happens(call.LegA, "c1", call.StatusAnswered, time.Time{})
	if reply := d.press("c1", reply, "7"); string(reply.JSON) != `[{"action":"speak","text":"good 7"}]` {
		t.Errorf("then it got %s", reply.JSON)
	}
}

func TestAContinuationRunsOnTheVersionOfItsCall(t *testing.T) {
	d := open(t, menu)
	first := d.answer("c1")
	d.save(`exports.answer = () => [{ action: 'hangup' }]`)
	if reply := d.press("c1", first, "1"); !strings.Contains(string(reply.JSON), "1 tries") {
		t.Errorf("got %s", reply.JSON)
	}
	if reply := d.answer("c2"); string(reply.JSON) != `[{"action":"hangup"}]` {
		t.Errorf("the next call got %s", reply.JSON)
	}
}

func TestAReportWithoutASessionGetsOne(t *testing.T) {
	d := open(t, `exports.answer = () => {}; exports.cdr = r => { if (r.duration === 1) throw new Error('not now') }`)
	record := &call.CDR{App: "app", CallID: "late", LegID: "late", Leg: call.LegA, Status: call.StatusMissed, Raw: json.RawMessage(`{}`)}
	if err := d.handler.CDR(t.Context(), record); err != nil {
		t.Error(err)
	}
	record.Duration = time.Second
	err := d.handler.CDR(t.Context(), record)
	var f *runtime.Fault
	if !errors.As(err, &f) || !strings.Contains(f.Message, "not now") {
		t.Errorf("got %v, want the script's error, so that the record is delivered again", err)
	}
}

func TestAReportAfterTheEndLeavesNoSession(t *testing.T) {
	d := open(t, menu)
	d.answer("c1")
	if err := d.handler.CDR(t.Context(), &call.CDR{App: "app", CallID: "c1", LegID: "c1", Leg: call.LegA, Status: call.StatusAnswered, Raw: json.RawMessage(`{}`)}); err != nil {
		t.Fatal(err)
	}
	late := &call.Event{App: "app", CallID: "c1", LegID: "c1", Leg: call.LegA, Status: call.StatusStreamDisconnected, Raw: json.RawMessage(`{}`)}
	if err := d.handler.Event(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	d.over()
	if kinds := d.kinds("c1"); kinds[len(kinds)-2] != "event" {
		t.Errorf("the journal holds %v", kinds)
	}
}

func TestUnknownThings(t *testing.T) {
	d := open(t, `exports.event = () => {}`)
	c := theCall("c1")
	if _, err := d.handler.Answer(t.Context(), c); !errors.Is(err, call.ErrNoCallback) {
		t.Errorf("an app without answer: %v", err)
	}
	if _, err := d.handler.Input(t.Context(), c, call.Input{Token: "t"}); !errors.Is(err, call.ErrNoContinuation) {
		t.Errorf("digits for an unknown call: %v", err)
	}
	c.App = "other"
	if _, err := d.handler.Answer(t.Context(), c); !errors.Is(err, call.ErrNoApp) {
		t.Errorf("an unknown app: %v", err)
	}
}

func TestDrainWaitsForCallsThatWaitForDigits(t *testing.T) {
	d := open(t, menu)
	first := d.answer("c1")
	expired, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.handler.Drain(expired); err == nil || !strings.Contains(err.Error(), "app/c1") {
		t.Errorf("got %v, want an error that names what holds", err)
	}
	if _, err := d.handler.Answer(t.Context(), theCall("c2")); !errors.Is(err, call.ErrDraining) {
		t.Errorf("a new call while draining: %v", err)
	}
	d.press("c1", first, "1")
	if err := d.handler.CDR(t.Context(), &call.CDR{App: "app", CallID: "c1", LegID: "c1", Leg: call.LegA, Status: call.StatusAnswered, Raw: json.RawMessage(`{}`)}); err != nil {
		t.Fatal(err)
	}
	if err := d.handler.Drain(t.Context()); err != nil {
		t.Errorf("nothing is left, and yet: %v", err)
	}
}

// wire is a media WebSocket from the platform's side.
type wire struct {
	in     chan []byte
	texts  chan string
	closed chan int
}

func (w *wire) Read(ctx context.Context) (bool, []byte, error) {
	select {
	case data, ok := <-w.in:
		if !ok {
			return false, nil, io.EOF
		}
		return data[0] == '{', data, nil
	case <-ctx.Done():
		return false, nil, context.Cause(ctx)
	}
}

func (w *wire) Write(_ context.Context, text bool, data []byte) error {
	w.texts <- string(data)
	return nil
}

func (w *wire) Close(code int, _ string) error {
	select {
	case w.closed <- code:
	default:
	}
	return nil
}

// What is still reported of a call whose session failed by itself reaches the script at once.
func TestAReportAfterASessionFailed(t *testing.T) {
	d := open(t, `exports.answer = () => { setTimeout(() => { throw new Error('by itself') }, 5); return [{ action: 'speak', text: 'hi' }] }
		exports.cdr = (r, call) => console.log('the record of ' + call.id)`)
	d.answer("c1")
	for _, s := range d.rt.Sessions() {
		<-s.Done()
	}
	r := &call.CDR{App: "app", CallID: "c1", LegID: "c1", Leg: call.LegA, Status: call.StatusAnswered, Raw: json.RawMessage(`{}`)}
	if err := d.handler.CDR(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := d.logged("c1"); !strings.Contains(got, "the record of c1") {
		t.Errorf("the script says %q", got)
	}
}

// The stream is not given back before its script's last words were sent.
func TestTheLastWordsOfAStreamAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, `exports.stream = socket => { socket.perform([{ action: 'hangup' }]) }`)
		w := &wire{in: make(chan []byte), texts: make(chan string), closed: make(chan int, 1)}
		done := make(chan error, 1)
		go func() { done <- d.handler.Stream(t.Context(), theCall("c1"), w) }()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("the stream was given back first: %v", err)
		default:
		}
		if got := <-w.texts; got != `[{"action":"hangup"}]` {
			t.Errorf("got %s", got)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		close(w.in)
		d.settle()
	})
}

func TestAStreamEchoes(t *testing.T) {
	d := open(t, `
		exports.stream = async (socket, call) => {
			socket.on('text', text => socket.send('heard ' + JSON.parse(text).event))
			let frames = 0
			for await (const frame of socket) {
				frames++
				if (frame[0] === -2) socket.play(frame, { rate: 8000 })
				else socket.clear()
			}
			console.log(frames + ' frames for ' + call.id)
		}`)
	w := &wire{in: make(chan []byte), texts: make(chan string, 10), closed: make(chan int, 1)}
	done := make(chan error, 1)
	go func() { done <- d.handler.Stream(t.Context(), theCall("c1"), w) }()
	w.in <- []byte(`{"event":"start"}`)
	if got := <-w.texts; got != "heard start" {
		t.Errorf("got %s", got)
	}
	w.in <- []byte{0xfe, 0xff, 1, 0}
	if got := <-w.texts; got != `{"type":"streamAudio","data":{"audioDataType":"raw","sampleRate":8000,"audioData":"/v8BAA=="}}` {
		t.Errorf("got %s", got)
	}
	w.in <- []byte{0, 0}
	if got := <-w.texts; got != `{"action":"break"}` {
		t.Errorf("got %s", got)
	}
	close(w.in)
	if err := <-done; err != nil {
		t.Error(err)
	}
	entries := d.journal.Entries("c1")
	if !slices.ContainsFunc(entries, func(e runtime.Entry) bool { return strings.Contains(string(e.Data), "2 frames for c1") }) {
		t.Errorf("the journal holds %v", slices.Collect(maps.Values(map[string]any{"entries": entries})))
	}
}
