package call_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/piopiy/piopiyd/bindings"
	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/kv"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// past is what a process left behind that ended without a word.
type past struct {
	entries []runtime.Entry
	store   kv.Store
	away    atomic.Int32 // how often the journal cannot be read
	damage  error        // why it never can
}

// takesTheRecord brings the record of the call c1, of which the script says what it is.
func (d *desk) takesTheRecord() {
	d.t.Helper()
	r := &call.CDR{App: "app", Driver: "cloud", CallID: "c1", LegID: "c1", Leg: call.LegA, Status: call.StatusAnswered, Raw: json.RawMessage(`{}`)}
	if err := d.handler.CDR(d.t.Context(), r); err != nil {
		d.t.Fatal(err)
	}
	if got := d.logged("c1"); !strings.Contains(got, "the record answered") {
		d.t.Errorf("the script says %q", got)
	}
}

// lasting is open for calls that outlive the process: entries are what an earlier one recorded of call c1.
func lasting(t *testing.T, p *past, scripts ...string) *desk {
	t.Helper()
	if p.store == nil {
		p.store = kv.NewMemoryStore()
	}
	d := open(t, scripts[0], func(config *runtime.Config, o *bindcall.Options) {
		var err error
		if config.Modules, err = bindings.Standard(bindings.Options{KV: p.store, Fetch: outbound.Options{Allow: []string{"127.0.0.1"}}}); err != nil {
			t.Fatal(err)
		}
		config.Modules = append(config.Modules, bindcall.NewCalls(bindcall.CallsOptions{}))
		journal := config.Journal.(*runtime.MemoryJournal)
		o.RecallAnswers = time.Minute
		o.Recall = func(_ context.Context, _, id string) ([]runtime.Entry, error) {
			if p.away.Add(-1) >= 0 {
				return nil, errors.New("the journal is away")
			}
			if id != "c1" || p.damage != nil {
				return nil, p.damage
			}
			return append(append([]runtime.Entry(nil), p.entries...), journal.Entries(id)...), nil
		}
	})
	for _, s := range scripts[1:] {
		d.save(s)
	}
	return d
}

// kill ends the process: what is left is what the journal holds.
func (d *desk) kill(p *past) *past {
	return &past{entries: append(append([]runtime.Entry(nil), p.entries...), d.journal.Entries("c1")...), store: p.store}
}

// counter is a web server that counts its requests.
func counter(t *testing.T) (url string, hits *atomic.Int32) {
	hits = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"hits":%d}`, hits.Add(1))
	}))
	t.Cleanup(server.Close)
	return server.URL, hits
}

const survivor = `
	let heard = []
	const born = Math.random()
	exports.answer = async call => {
		const { hits } = await (await fetch(URL)).json()
		const n = await kv.increment('calls')
		const first = await call.gather({ say: 'hits ' + hits + ' calls ' + n, maxDigits: 1 })
		heard.push(first.digits)
		const at = Date.now(), r = Math.random()
		const second = await call.gather({ say: 'you pressed ' + heard, maxDigits: 2 })
		heard.push(second.digits)
		await kv.set('heard', heard)
		await call.say(JSON.stringify({ heard, hits, n, same: at < Date.now() || at === Date.now(), born: born !== r }))
	}
	exports.event = (e, call) => { heard.push(e.status) }
	exports.cdr = () => {}`

func TestACallGoesOnAfterTheProcessWasKilled(t *testing.T) {
	url, hits := counter(t)
	script := strings.ReplaceAll(survivor, "URL", "'"+url+"'")
	before := &past{}
	d := lasting(t, before, script)
	first := d.begin()
	wrote(t, first, `[{"action":"speak","text":"hits 1 calls 1"},{"action":"input","action_url":"URL","max_digit":1,"timeout":5}]`)
	d.happens(call.LegA, "c1", call.StatusAnswered, time.Time{})

	// The new process has another version of the script; the call stays with its own.
	after := d.kill(before)
	d = lasting(t, after, script, `exports.answer = () => []`)
	second := d.goOn(first, "7")
	wrote(t, second, `[{"action":"speak","text":"you pressed answered,7"},{"action":"input","action_url":"URL","max_digit":2,"timeout":5}]`)

	after = d.kill(after)
	d = lasting(t, after, script)
	third := d.goOn(second, "42")
	wrote(t, third, `[{"action":"speak","text":"{\"heard\":[\"answered\",\"7\",\"42\"],\"hits\":1,\"n\":1,\"same\":true,\"born\":true}"},{"action":"hangup"}]`)
	if hits.Load() != 1 {
		t.Errorf("the script's request was made %d times", hits.Load())
	}

	// What was asked before is answered as it was.
	again := d.goOn(second, "42")
	if string(again.JSON) != string(third.JSON) {
		t.Errorf("asked again it says %s", again.JSON)
	}
}

// Wherever the process ends, the call ends up where it would have without that, and nothing is done twice.
func TestKilledAnywhere(t *testing.T) {
	scripts := map[string]string{
		"verbs": survivor,
		"documents": `
			let n = 0
			exports.answer = async () => { const { hits } = await (await fetch(URL)).json(); return [{ action: 'speak', text: 'hits ' + hits }, { action: 'input', action_url: one, max_digit: 1 }] }
			async function one({ digits }) { n += await kv.increment('n'); return [{ action: 'speak', text: digits + n }, { action: 'input', action_url: two, max_digit: 1 }] }
			async function two({ digits }) { await kv.update('u', u => (u ?? 0) + n); return [{ action: 'speak', text: digits + await kv.get('u') }] }
			exports.cdr = () => {}`,
		"timers": `
			let ticks = 0
			exports.answer = async call => {
				const from = Date.now(), timer = setInterval(() => { ticks++; if (ticks === 3) { clearInterval(timer); kv.set('ticks', Date.now() - from) } }, 5)
				await (await fetch(URL)).text()
				const { digits } = await call.gather({ say: 'one' })
				await new Promise(done => setTimeout(done, 5))
				const more = await call.gather({ say: digits })
				await call.say(more.digits + ' ' + ticks + ' ' + crypto.randomUUID().length)
			}
			exports.cdr = () => {}`,
		"at once": `
			exports.answer = async call => {
				const [a, b, c] = await Promise.all([call.gather({ say: 'one' }), kv.increment('k'), (async () => { const r = await fetch(URL); let n = 0; for await (const piece of r.body) n += piece.length; return n })()])
				call.say(a.digits + b + c)
				const { digits } = await call.gather({ say: 'two' })
				await call.say(digits)
			}
			exports.cdr = () => {}`,
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			url, hits := counter(t)
			script = strings.ReplaceAll(script, "URL", "'"+url+"'")
			whole := &past{}
			d := lasting(t, whole, script)
			first := d.begin()
			second := d.goOn(first, "1")
			third := d.goOn(second, "2")
			entries := d.journal.Entries("c1")
			for cut := 1; cut < len(entries); cut++ {
				kinds := kindsOf(entries[:cut])
				wanted := hits.Load() // and one more, unless it is known what that brought
				if slices.Contains(kinds, "answer") && !slices.Contains(kinds, "fetch") {
					wanted++
				}
				if unsafe(entries[:cut]) {
					continue // the script is told; see TestInterrupted
				}
				d := lasting(t, &past{entries: entries[:cut]}, script)
				_, err := d.back(token(t, first), "1")
				for hits.Load() < wanted {
					goruntime.Gosched()
				}
				if err != nil { // it was killed before the first reply
					if !errors.Is(err, call.ErrNoContinuation) {
						t.Fatalf("killed after entry %d of %v: %v", cut, kindsOf(entries), err)
					}
					continue
				}
				got, err := d.back(token(t, second), "2")
				if err != nil || got.Fault != nil {
					t.Fatalf("killed after entry %d (%s): %v, fault %v", cut, entries[cut-1].Kind, err, got.Fault)
				}
				// Values that a lost store would have given are not the point here.
				if plain := digitless(string(got.JSON)); plain != digitless(string(third.JSON)) {
					t.Errorf("killed after entry %d (%s) it ends with %s, else with %s", cut, entries[cut-1].Kind, got.JSON, third.JSON)
				}
				if n := hits.Load(); n != wanted {
					t.Errorf("killed after entry %d (%s): %d requests instead of %d", cut, entries[cut-1].Kind, n, wanted)
				}
			}
		})
	}
}

// unsafe reports whether something that must not be done twice was under way.
func unsafe(entries []runtime.Entry) bool {
	under := map[uint64]bool{}
	for _, e := range entries {
		if e.Op != 0 {
			under[e.Op] = !under[e.Op] && !strings.Contains(string(e.Data), `"GET"`) && !strings.Contains(string(e.Data), `"op":"get"`) && !strings.Contains(string(e.Data), `"step":"read"`)
		}
	}
	for _, is := range under {
		if is {
			return true
		}
	}
	return false
}

func kindsOf(entries []runtime.Entry) (kinds []string) {
	for _, e := range entries {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func digitless(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, text)
}

// What was under way when the process ended may have happened: it is not done again, and the script is told.
func TestInterrupted(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	var hits atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if hits.Add(1) == 1 {
			close(entered)
		}
		<-leave
	}))
	defer server.Close()
	defer close(leave)
	script := `exports.answer = async call => {
		const { digits } = await call.gather({ say: 'press' })
		try { await fetch('` + server.URL + `', { method: 'POST' }) } catch (e) { await call.say(digits + ' ' + e.name) }
	}
	exports.cdr = () => {}`
	before := &past{}
	d := lasting(t, before, script)
	first := d.begin()
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := d.handler.Input(ctx, cloudCall("c1"), call.Input{Token: token(t, first), Digits: "5"})
		gone <- err
	}()
	<-entered
	after := d.kill(before)
	cancel()
	if err := <-gone; err == nil {
		t.Error("the request cannot have been answered")
	}

	d = lasting(t, after, script)
	wrote(t, d.goOn(first, "5"), `[{"action":"speak","text":"5 InterruptedError"},{"action":"hangup"}]`)
	if hits.Load() != 1 {
		t.Errorf("%d requests", hits.Load())
	}
}

// A journal that does not fit stops the call at the first step that differs, and the caller meets the fault policy.
func TestADivergenceIsNeverAGuess(t *testing.T) {
	script := `exports.answer = async call => { await kv.increment('n'); await call.gather({ say: 'press' }); await call.say('bye') }
	exports.cdr = () => {}`
	before := &past{}
	d := lasting(t, before, script)
	first := d.begin()
	good := d.kill(before).entries
	for name, tt := range map[string]struct {
		change func([]runtime.Entry) []runtime.Entry
		want   string
	}{
		"another word": {func(e []runtime.Entry) []runtime.Entry {
			for i := range e {
				e[i].Data = json.RawMessage(strings.ReplaceAll(string(e[i].Data), `[{"say":"press"}]`, `[{"say":"speak"}]`))
			}
			return e
		}, `differs at step 5: recorded was verb {"verb":"gather","with":[{"say":"speak"}]}, now there is verb {"verb":"gather","with":[{"say":"press"}]}`},
		"a gap": {func(e []runtime.Entry) []runtime.Entry {
			e[3] = runtime.Entry{Seq: 4, Time: e[3].Time, Kind: "gap", Data: json.RawMessage(`{"missing":1}`)}
			return e
		}, "cannot go on at step 4: entries are missing"},
		"something that did not happen": {func(e []runtime.Entry) []runtime.Entry {
			return append(e, runtime.Entry{Seq: uint64(len(e) + 1), Time: e[len(e)-1].Time, Kind: "log", Data: json.RawMessage(`{}`)})
		}, "recorded was log {}, now there is nothing"},
		"a question that had been asked": {func(e []runtime.Entry) []runtime.Entry {
			twice := e[slices.IndexFunc(e, func(e runtime.Entry) bool { return e.Kind == "answer" })]
			twice.Seq = uint64(len(e) + 1)
			return append(e, twice)
		}, `differs at step 7: recorded was answer`},
		"an outcome cut short": {func(e []runtime.Entry) []runtime.Entry {
			for i := range e {
				if e[i].Kind == "kv" {
					e[i].Outcome = e[i].Outcome[:4]
				}
			}
			return e
		}, `cannot go on at step 4: the outcome of kv {"op":"increment","key":"n"} cannot be read: unexpected end of JSON input`},
		"a version that is gone": {func(e []runtime.Entry) []runtime.Entry {
			e[0].Data = json.RawMessage(strings.Replace(string(e[0].Data), `"version":"`, `"version":"0`, 1))
			return e
		}, "no such version"},
	} {
		t.Run(name, func(t *testing.T) {
			d := lasting(t, &past{entries: tt.change(append([]runtime.Entry(nil), good...))}, script)
			reply, err := d.back(token(t, first), "1")
			if err != nil {
				t.Fatal(err)
			}
			if reply.Fault == nil || !strings.Contains(reply.Fault.Error(), tt.want) {
				t.Errorf("the fault is %v, want %q", reply.Fault, tt.want)
			}
			if n := d.rt.SessionCount(); n != 0 {
				t.Errorf("%d sessions are left", n)
			}
		})
	}
}

// The records of a call that cannot be rebuilt reach the script all the same.
func TestACallThatCannotBeRebuiltHasItsRecords(t *testing.T) {
	script := `exports.answer = () => [{ action: 'stream', ws_url: 'wss://me.example' }]
	exports.stream = async socket => { for await (const frame of socket); }
	exports.cdr = (r, call) => console.log('the record', r.status)`
	before := &past{}
	d := lasting(t, before, script)
	d.begin()
	w := &wire{in: make(chan []byte), texts: make(chan string, 10), closed: make(chan int, 1)}
	ctx, hangUp := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.handler.Stream(ctx, cloudCall("c1"), w) }()
	w.in <- []byte{1, 0}
	w.in <- []byte{1, 0} // the first has been read: the stream is in the journal
	d2 := lasting(t, d.kill(before), script)
	hangUp()
	<-done
	d2.takesTheRecord()
}

// An event that was being delivered when the process ended is delivered once more: the script hears of it once.
func TestAReportThatTheJournalHasIsNotToldAgain(t *testing.T) {
	script := `let n = 0
	exports.answer = async call => { await call.gather({ say: 'press' }); await call.say('events ' + n) }
	exports.event = () => { n++ }
	exports.cdr = () => {}`
	before := &past{}
	d := lasting(t, before, script)
	first := d.begin()
	d.happens(call.LegA, "c1", call.StatusAnswered, time.Time{})
	d = lasting(t, d.kill(before), script)
	d.happens(call.LegA, "c1", call.StatusAnswered, time.Time{})
	wrote(t, d.goOn(first, "1"), `[{"action":"speak","text":"events 1"},{"action":"hangup"}]`)
}

// What is still reported of a call that ended with its process is told to the version that the call ran, while it can be
// had.
func TestTheAftermathOfACall(t *testing.T) {
	script := func(version string) string {
		return `let n = 0
		exports.answer = () => { n++; return [{ action: 'speak', text: 'hi' }] }
		exports.event = e => console.log('` + version + ` hears', e.status, n)
		exports.cdr = (r, call) => console.log('` + version + ` hears the record', r.status, call.from, n)`
	}
	before := &past{}
	d := lasting(t, before, script("the first"))
	c := *cloudCall("c1")
	c.Driver = "sip"
	if _, err := d.handler.Answer(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	after := d.kill(before)
	for name, tt := range map[string]struct {
		scripts []string
		want    string
	}{
		"the version is there": {[]string{script("the first"), script("the second")}, "the first"},
		"it is gone":           {[]string{script("the second")}, "the second"},
	} {
		t.Run(name, func(t *testing.T) {
			d := lasting(t, after, tt.scripts...)
			d.happens(call.LegA, "c1", call.StatusHangup, time.Time{})
			r := &call.CDR{App: "app", CallID: "c1", LegID: "c1", Leg: call.LegA, Status: call.StatusAnswered, From: c.From, Raw: json.RawMessage(`{}`)}
			if err := d.handler.CDR(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			got := d.logged("c1")
			for _, want := range []string{tt.want + ` hears hangup 0"`, tt.want + " hears the record answered " + c.From + ` 0"`} {
				if strings.Count(got, want) != 1 {
					t.Errorf("logged is %s, want %s", got, want)
				}
			}
			d.over()
		})
	}
}

// A callback that took too long has failed in the rebuilt call as well, at the same time, and the call goes on. The event is
// told again when it comes again, as it would have been.
func TestACallbackThatTookTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := `let heard = []
		exports.answer = async call => { await call.gather({ say: 'press' }); await call.say('heard ' + heard) }
		exports.event = async e => {
			heard.push(e.status)
			if (heard.length < 3) await new Promise(done => setTimeout(done, 60_000))
			heard.push('done')
		}
		exports.cdr = () => {}`
		before := &past{}
		d := lasting(t, before, script)
		first := d.begin()
		e := &call.Event{App: "app", Driver: "cloud", CallID: "c1", LegID: "c1", Leg: call.LegA, Status: call.StatusAnswered, Raw: json.RawMessage(`{}`)}
		tooSlow := func(d *desk) {
			t.Helper()
			if err := d.handler.Event(t.Context(), e); err == nil || !strings.Contains(err.Error(), "event did not finish within 10s") {
				t.Fatalf("the event: %v", err)
			}
		}
		tooSlow(d)
		time.Sleep(time.Second)
		after := d.kill(before)
		d.settle()

		d = lasting(t, after, script)
		tooSlow(d) // told again, and too slow again
		after = d.kill(after)
		d.settle()

		d = lasting(t, after, script)
		if err := d.handler.Event(t.Context(), e); err != nil {
			t.Error(err)
		}
		wrote(t, d.goOn(first, "1"), `[{"action":"speak","text":"heard answered,answered,answered,done"},{"action":"hangup"}]`)
		d.settle()
	})
}

// While the journal cannot be read a call cannot go on; it is not lost for that, and nothing begins anew in its place.
func TestAJournalThatIsAwayLosesNoCall(t *testing.T) {
	script := `let n = 0
	exports.answer = async call => { await call.gather({ say: 'press' }); await call.say('events ' + n) }
	exports.event = () => { n++ }
	exports.cdr = () => {}`
	before := &past{}
	d := lasting(t, before, script)
	first := d.begin()
	after := d.kill(before)
	d = lasting(t, after, script)
	after.away.Store(2)
	e := &call.Event{App: "app", Driver: "cloud", CallID: "c1", LegID: "c1", Leg: call.LegA, Status: call.StatusAnswered, Raw: json.RawMessage(`{}`)}
	if err := d.handler.Event(t.Context(), e); err == nil || !strings.Contains(err.Error(), "away") {
		t.Errorf("the event is taken: %v", err)
	}
	if reply := d.goOn(first, "1"); reply.Fault == nil || !strings.Contains(reply.Fault.Error(), "away") {
		t.Errorf("the reply is %s, fault %v", reply.JSON, reply.Fault)
	}
	if err := d.handler.Event(t.Context(), e); err != nil {
		t.Error(err)
	}
	wrote(t, d.goOn(first, "1"), `[{"action":"speak","text":"events 1"},{"action":"hangup"}]`)
}

// A journal that never can be read keeps no report from the script.
func TestADamagedJournal(t *testing.T) {
	d := lasting(t, &past{damage: fmt.Errorf("%w: it is cut", runtime.ErrNoRecording)}, `exports.answer = () => {}
	exports.cdr = r => console.log('the record', r.status)`)
	d.takesTheRecord()
}

// Whatever callbacks of a call come first, and at once, its journal has one beginning: a replay finds the call by it.
func TestOneBeginning(t *testing.T) {
	for range 200 {
		d := lasting(t, &past{}, `exports.answer = async call => { await call.gather({ say: 'press' }) }
		exports.event = () => {}
		exports.cdr = () => {}`)
		var both sync.WaitGroup
		both.Go(func() { _, _ = d.handler.Answer(t.Context(), cloudCall("c1")) })
		both.Go(func() { d.happens(call.LegA, "c1", call.StatusAnswered, time.Time{}) })
		both.Wait()
		if kinds := d.kinds("c1"); strings.Count(strings.Join(kinds, " "), "start") != 1 {
			t.Fatalf("the journal holds %v", kinds)
		}
		d.rt.Close()
	}
}
