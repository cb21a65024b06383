package call_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/bindings"
	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
)

// shop is a web server that a caller does not wait for.
type shop struct {
	*httptest.Server
	came    chan string   // what was asked of it, and is to be known
	left    chan struct{} // whoever asked /wait or /part, which answer nothing or not all, has gone
	release chan struct{} // lets /late answer
}

func newShop(t *testing.T) *shop {
	s := &shop{came: make(chan string, 100), left: make(chan struct{}, 100), release: make(chan struct{})}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP does what the path says.
func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // only then the server notices who leaves
	switch r.URL.Path {
	case "/wait", "/part":
		if r.URL.Path == "/part" {
			_, _ = w.Write([]byte("part"))
			_ = http.NewResponseController(w).Flush()
		}
		if r.URL.Path == "/wait" {
			s.came <- r.URL.RawQuery
		}
		<-r.Context().Done()
		s.left <- struct{}{}
	case "/tell":
		s.came <- r.URL.RawQuery
	case "/late":
		s.came <- r.URL.RawQuery
		<-s.release
	}
	_, _ = w.Write([]byte("answered"))
}

// reachable lets the desk's scripts fetch from this machine.
func reachable(t *testing.T) func(*runtime.Config, *bindcall.Options) {
	return func(config *runtime.Config, _ *bindcall.Options) {
		modules, err := bindings.Standard(bindings.Options{Fetch: outbound.Options{Allow: []string{"127.0.0.1"}}})
		if err != nil {
			t.Fatal(err)
		}
		config.Modules = modules
	}
}

// A hang-up ends what the callbacks fetch that conduct the call, and nothing else.
func TestTheHangUpEndsFetches(t *testing.T) {
	const told = `catch (e) { console.log([e.name, e.by, e.cause, e instanceof Error].join()) }`
	const hangup = "HangupError,caller,NORMAL_CLEARING,true"
	const stays = `; try { await call.pause('1h') } finally { console.log(await reported) }` // until done is called
	for _, tt := range []struct {
		name, answer, others string
		want                 string
		cut                  bool // the server sees that nobody waits for it any more
	}{
		{name: "awaited", answer: `try { await fetch(S + '/wait?' + call.id) } ` + told, want: hangup, cut: true},
		{name: "not caught", answer: `console.log('before'); await fetch(S + '/wait?' + call.id)`, want: "before", cut: true},
		{name: "not awaited", answer: `console.log('before'); fetch(S + '/wait?' + call.id, { method: 'POST', body: 'x' }); await call.pause('1h')`, want: "before", cut: true},
		{name: "a body as a whole", answer: `const r = await fetch(S + '/part'), all = r.text(); fetch(S + '/tell?' + call.id); try { await all } ` + told, want: hangup, cut: true},
		{name: "a body in pieces", answer: `const r = await fetch(S + '/part'); try { for await (const piece of r.body) fetch(S + '/tell?' + call.id) } ` + told, want: hangup, cut: true},
		{name: "a clone's body", answer: `const r = await fetch(S + '/part'), all = r.clone().text(); fetch(S + '/tell?' + call.id); try { await all } ` + told, want: hangup, cut: true},
		{name: "beside a signal", answer: `const c = new AbortController(); try { await fetch(S + '/wait?' + call.id, { signal: c.signal }) } ` + told + ` console.log('aborted: ' + c.signal.aborted)`, want: "aborted: false", cut: true},
		{name: "in a timer", answer: `await new Promise(done => setTimeout(async () => { try { await fetch(S + '/wait?' + call.id) } ` + told + ` done() }, 10))`, want: hangup, cut: true},
		{name: "in a timer of an interval", answer: `await new Promise(done => { const i = setInterval(async () => { clearInterval(i); await null; try { await fetch(S + '/wait?' + call.id) } ` + told + ` done() }, 10) })`, want: hangup, cut: true},
		{name: "after a verb", answer: `await call.say('x').then(() => fetch(S + '/wait?' + call.id)).catch(e => console.log(e.name))`, want: "HangupError", cut: true},
		{name: "in a validator", answer: `try { await call.gather({ say: 'code', validate: async () => { await fetch(S + '/wait?' + call.id) } }) } ` + told, want: hangup, cut: true},
		{name: "of an iteration over events", answer: `call.answer(); for await (const e of call.events()) if (e.status === 'answered') try { await fetch(S + '/wait?' + call.id) } ` + told, want: hangup, cut: true},
		{name: "cleaning up", answer: `try { await fetch(S + '/wait?' + call.id) } finally { console.log(await (await fetch(S + '/quick')).text()) }`, want: "answered", cut: true},
		{name: "keepalive", answer: `console.log(await (await fetch(S + '/late?' + call.id, { method: 'POST', keepalive: true })).text())`, want: "answered"},
		{name: "keepalive of a request", answer: `const r = new Request(S + '/late?' + call.id, { keepalive: true }); console.log(await (await fetch(r)).text(), r.keepalive)`, want: "answered true"},
		{name: "at the top", others: `const first = fetch(S + '/late?w-1')`, answer: `console.log(await (await first).text())`, want: "answered"},
		{name: "an event's", others: `exports.event = async (e, call) => { if (e.status === 'answered') done(await (await fetch(S + '/late?' + call.id)).text()) }`,
			answer: `await call.answer()` + stays, want: "answered"},
		{name: "an event's that nobody waits for", others: `
			exports.event = (e, call) => { if (e.status === 'answered') tell(call) }
			const tell = async call => {
				await new Promise(done => setTimeout(done, 100))
				await (await fetch(S + '/quick')).text()
				done(await (await fetch(S + '/late?' + call.id)).text())
			}`,
			answer: `await call.answer()` + stays, want: "answered"},
		{name: "a listener's", answer: `call.on('answered', async () => done(await (await fetch(S + '/late?' + call.id)).text())); await call.answer()` + stays, want: "answered"},
		{name: "a record's of another leg", others: `exports.cdr = async (r, call) => { if (r.leg === 'b') done(await (await fetch(S + '/late?' + call.id)).text()) }`,
			answer: `await call.dial('14155550101')` + stays, want: "answered"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newShop(t)
			var live *call.Live
			go func() { // the caller hangs up while the server is at it; ends with the call
				id, ok := <-s.came
				if !ok {
					return
				}
				c, ok := live.Find(id)
				if !ok && id == "w-1" {
					c = live.All()[0]
				}
				_ = c.Hangup(call.Ending{By: call.SideCaller, Cause: call.CauseNormal})
				close(s.release)
			}()
			defer close(s.came)
			script := fmt.Sprintf("const S = %q; let done; const reported = new Promise(f => done = f)\nexports.answer = async call => { %s }\n%s", s.URL, tt.answer, tt.others)
			got, d := dialIn(t, script, sim.Caller{Press: []sim.Press{{Keys: "1"}}, Callee: sim.Callee{Talk: time.Second}},
				reachable(t), func(_ *runtime.Config, o *bindcall.Options) { live = o.Live })
			if got.Ending.By != call.SideCaller {
				t.Errorf("the call ended by %s: %v\n%s", got.Ending.By, got.Ending.Err, got)
			}
			d.over()
			if tt.cut {
				<-s.left
			}
			id := d.journal.Sessions()[0]
			if logged := d.logged(id); !strings.Contains(logged, tt.want) {
				t.Errorf("%q is missing in %s", tt.want, logged)
			}
			if kinds := d.kinds(id); slices.Contains(kinds, "fault") {
				t.Errorf("a hang-up is no fault: %v", kinds)
			}
		})
	}
}

const waits = `
	exports.answer = async call => {
		const asked = fetch(S + '/wait').catch(e => console.log([e.name, e.by, e.cause].join()))
		try { await call.gather({ say: 'press' }) } finally {
			await asked
			console.log('then', (await fetch(S + '/quick')).status)
		}
	}
	exports.cdr = async r => console.log('cdr', (await fetch(S + '/quick', { method: 'POST' })).status)`

// record brings the record of leg a.
func (d *desk) record() error {
	return d.handler.CDR(d.t.Context(), &call.CDR{App: "app", CallID: "c1", LegID: "c1", Leg: call.LegA, Status: call.StatusAnswered, Raw: json.RawMessage(`{}`)})
}

// follows checks that the script logged some lines, in order.
func (d *desk) follows(rest string, wanted ...string) {
	d.t.Helper()
	all := rest
	for _, want := range wanted {
		_, after, found := strings.Cut(rest, want)
		if !found {
			d.t.Errorf("%q is missing or too early in %s", want, all)
		}
		rest = after
	}
}

// On the platform the hang-up is an event, or a record.
func TestTheHangUpEndsFetchesOnTheCloud(t *testing.T) {
	for _, by := range []string{"event", "record"} {
		t.Run(by, func(t *testing.T) {
			s := newShop(t)
			d := lasting(t, &past{}, fmt.Sprintf("const S = %q\n", s.URL)+waits)
			d.begin()
			<-s.came
			if by == "event" {
				d.hangsUp()
				<-s.left
			}
			if err := d.record(); err != nil {
				t.Fatal(err)
			}
			d.over()
			d.follows(d.logged("c1"), "HangupError,caller,NORMAL_CLEARING", "then 200", "cdr 200")
			if kinds := d.kinds("c1"); slices.Contains(kinds, "fault") {
				t.Errorf("a hang-up is no fault: %v", kinds)
			}
		})
	}
}

// What a validator fetches is the gather's, also where the platform brought the digits.
func TestTheHangUpEndsAValidatorsFetchOnTheCloud(t *testing.T) {
	s := newShop(t)
	d := lasting(t, &past{}, fmt.Sprintf(`exports.answer = async call => {
		try { await call.gather({ say: 'code', validate: () => fetch(%q) }) } catch (e) { console.log(e.name) }
	}
	exports.cdr = () => {}`, s.URL+"/wait"))
	asks := token(t, d.begin())
	back := make(chan error, 1)
	go func() {
		_, err := d.back(asks, "1")
		back <- err
	}()
	<-s.came
	d.hangsUp()
	<-s.left
	if err := <-back; err != nil {
		t.Fatal(err)
	}
	if err := d.record(); err != nil {
		t.Fatal(err)
	}
	d.over()
	d.follows(d.logged("c1"), "HangupError")
}

// Where nothing but reports tell of a call they tell of its end, too.
func TestAnEventOfTheHangUpEndsFetches(t *testing.T) {
	s := newShop(t)
	d := open(t, fmt.Sprintf("const S = %q\n", s.URL)+`
		exports.answer = async call => {
			try { await fetch(S + '/wait') } catch (e) { console.log([e.name, e.by, e.cause].join()) }
			console.log('then', (await fetch(S + '/quick')).status)
		}
		exports.cdr = () => {}`, reachable(t))
	answered := make(chan error, 1)
	go func() {
		_, err := d.handler.Answer(t.Context(), theCall("c1"))
		answered <- err
	}()
	<-s.came
	d.happens(call.LegB, "c1-b", call.StatusHangup, time.Time{})
	select {
	case <-s.left:
		t.Error("the other party's hang-up has ended the fetch")
	default:
	}
	d.hangsUp()
	<-s.left
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	if err := d.record(); err != nil {
		t.Fatal(err)
	}
	d.follows(d.logged("c1"), "HangupError,caller,NORMAL_CLEARING", "then 200")
}

// Wherever the process ends, what the hang-up has ended stays so, and the rest is done.
func TestKilledWhileFetchesEnd(t *testing.T) {
	s := newShop(t)
	script := fmt.Sprintf("const S = %q\n", s.URL) + waits
	d := lasting(t, &past{}, script)
	first := d.begin()
	<-s.came
	d.hangsUp()
	if err := d.record(); err != nil {
		t.Fatal(err)
	}
	d.over()
	entries := d.journal.Entries("c1")
	entries = entries[:slices.IndexFunc(entries, func(e runtime.Entry) bool { return e.Kind == "end" })]
	begun := slices.IndexFunc(entries, func(e runtime.Entry) bool { return e.Kind == "pcmo" })
	if begun < 0 || token(t, first) == "" {
		t.Fatalf("there is no reply in %v", kindsOf(entries))
	}
	for cut := begun + 1; cut <= len(entries); cut++ {
		if unsafe(entries[:cut]) {
			continue // the script is told
		}
		d := lasting(t, &past{entries: entries[:cut]}, script)
		d.hangsUp() // told again
		if err := d.record(); err != nil {
			t.Fatalf("killed after entry %d (%s): %v", cut, entries[cut-1].Kind, err)
		}
		d.over()
		var all strings.Builder
		for _, e := range entries[:cut] {
			if e.Kind == "log" {
				all.Write(e.Data)
			}
		}
		d.follows(all.String()+d.logged("c1"), "HangupError,caller,NORMAL_CLEARING", "then 200", "cdr 200")
		if n := strings.Count(all.String()+d.logged("c1"), "then 200"); n != 1 {
			t.Errorf("killed after entry %d (%s): it cleaned up %d times", cut, entries[cut-1].Kind, n)
		}
	}
}

// A replay meets the same hang-up in the same place.
func TestReplayOfAFetchThatTheHangUpEnded(t *testing.T) {
	s := newShop(t)
	var live *call.Live
	go func() {
		c, _ := live.Find(<-s.came)
		_ = c.Hangup(call.Ending{By: call.SideCaller, Cause: call.CauseNormal})
	}()
	script := fmt.Sprintf(`exports.answer = async call => {
		await call.say('one moment')
		try { await fetch(%q + call.id) } catch { await call.say('nobody hears this') }
	}`, s.URL+"/wait?")
	_, d := dialIn(t, script, sim.Caller{}, reachable(t), func(_ *runtime.Config, o *bindcall.Options) { live = o.Live })
	d.over()
	entries := d.journal.Entries(d.journal.Sessions()[0])
	if got := again(t, entries, script); got.Difference != nil {
		t.Errorf("it differs: %v", got.Difference)
	}
	if got := again(t, entries, strings.Replace(script, "one moment", "hello", 1)); got.Difference == nil {
		t.Error("nothing differs")
	}
}

// On the platform a stream ends before the hang-up is told: what its callback does then is cleaning up.
func TestWhatFollowsAStreamIsNotCut(t *testing.T) {
	s := newShop(t)
	d := lasting(t, &past{}, fmt.Sprintf(`const S = %q
		exports.answer = call => [{ action: 'stream', ws_url: 'wss://me.example' }]
		exports.stream = async socket => {
			const asked = fetch(S + '/wait?during').catch(e => console.log('during', e.name))
			for await (const frame of socket);
			const after = await fetch(S + '/late?after', { method: 'POST' })
			await asked
			console.log('after', after.status)
		}
		exports.cdr = () => {}`, s.URL))
	d.begin()
	w := &wire{in: make(chan []byte), texts: make(chan string, 10), closed: make(chan int, 1)}
	done := make(chan error, 1)
	go func() { done <- d.handler.Stream(t.Context(), cloudCall("c1"), w) }()
	if asked := <-s.came; asked != "during" {
		t.Fatalf("%s was asked first", asked)
	}
	close(w.in)
	if asked := <-s.came; asked != "after" {
		t.Fatalf("%s was asked then", asked)
	}
	d.hangsUp()
	<-s.left
	close(s.release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := d.record(); err != nil {
		t.Fatal(err)
	}
	d.over()
	d.follows(d.logged("c1"), "during HangupError", "after 200")
}
