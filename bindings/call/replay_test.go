package call_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
)

// again replays what a desk recorded of a call with a script.
func again(t *testing.T, entries []runtime.Entry, script string) *bindcall.Replayed {
	t.Helper()
	d := lasting(t, &past{}, script)
	got, err := d.handler.Replay(t.Context(), entries)
	if err != nil {
		t.Fatal(err)
	}
	if n := d.rt.SessionCount(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	return got
}

const recordedScript = `
	exports.answer = async call => {
		const id = Math.random(), seen = await kv.increment('calls')
		console.log('call', id)
		await call.say('Welcome')
		const { digits } = await call.gather({ say: 'Sales, press 1', maxDigits: 1, retries: 1 })
		await new Promise(done => setTimeout(done, 50))
		if (digits === '1') {
			const leg = await call.dial('14155550101', { timeout: '20s' })
			await call.say(leg.status)
		}
		await call.say('Bye ' + seen)
	}
	exports.event = e => console.log(e.status)
	exports.cdr = r => console.log(r.status)`

// The replay says what the caller would have met, on every driver.
func TestReplay(t *testing.T) {
	recordings := map[string][]runtime.Entry{}
	_, d := dialIn(t, recordedScript, sim.Caller{Press: []sim.Press{{}, {Keys: "1"}}})
	recordings["on the line"] = d.journal.Entries(d.journal.Sessions()[0])
	_, d = hostedCall(t, recordedScript, sim.Caller{Press: []sim.Press{{}, {Keys: "1"}}})
	recordings["on the cloud"] = d.journal.Entries(d.journal.Sessions()[0])
	for _, tt := range []struct {
		name, old, new string
		recorded, now  string // of the first difference; none: the same
		reason         string
	}{
		{name: "nothing"},
		{name: "what no caller hears", old: "console.log('call', id)", new: "console.log('a new call', id, seen)"},
		{name: "code around it", old: "if (digits === '1')", new: "const sales = digits === '1'; if (sales)"},
		{name: "a pause of the script's own", old: "setTimeout(done, 50)", new: "setTimeout(done, 60)"},
		{name: "another greeting", old: "'Welcome'", new: "'Good day'", recorded: "Welcome", now: "Good day"},
		{name: "another prompt", old: "Sales, press 1", new: "Press 1", recorded: "Sales, press 1", now: "Press 1"},
		{name: "another branch", old: "digits === '1'", new: "digits === '2'", recorded: "14155550101", now: "Bye 1"},
		{name: "another way to dial", old: "timeout: '20s'", new: "timeout: '25s'", recorded: "20", now: "25"},
		{name: "an end too early", old: "await call.say('Bye ' + seen)", new: "", recorded: "Bye 1", now: "pcmo"},
		{name: "a failure", old: "'Bye ' + seen", new: "seen.missing.name", recorded: "Bye 1", now: "policy"},
		{name: "a question to the store that was not asked", old: "'Bye ' + seen", new: "'Bye ' + await kv.get('name')", reason: "asks for what the recorded call did not"},
	} {
		for driver, entries := range recordings {
			t.Run(tt.name+" "+driver, func(t *testing.T) {
				got := again(t, entries, strings.Replace(recordedScript, tt.old, tt.new, 1))
				d := got.Difference
				switch {
				case tt.reason != "":
					if !got.Open() || !strings.Contains(d.Reason, tt.reason) {
						t.Errorf("got %v", d)
					}
				case tt.recorded+tt.now == "":
					if d != nil {
						t.Errorf("it differs: %v", d)
					}
				case d == nil || !holds(d.Recorded, tt.recorded) || !holds(d.Replayed, tt.now):
					t.Errorf("got %v", d)
				}
				if got.Lasted < 20*time.Second {
					t.Errorf("the call lasted %s", got.Lasted)
				}
			})
		}
	}
}

// However a call ends, its replay ends so too.
func TestReplayOfCallsThatTheCallerEnds(t *testing.T) {
	for verb, script := range map[string]string{
		"say": `call.say('A long story. '.repeat(50))`, "gather": `call.gather({ say: 'press', timeout: '1h' })`, "pause": `call.pause('1h')`,
		"dial": `call.dial('14155550101', { timeout: '60s' })`, "record": `call.record({ say: 'speak', maxLength: '1h' })`,
		"two":          `Promise.all([call.gather({ say: 'press', timeout: '1h' }), call.announce('hello')])`,
		"its own wait": `new Promise(() => setInterval(() => {}, 1000))`,
		"cleaning up":  `call.gather({ say: 'press', timeout: '1h' }).catch(async e => { await new Promise(done => setTimeout(done, 100)); console.log(e.name, e.by); throw e })`,
		"caught":       `call.gather({ say: 'press', timeout: '1h' }).catch(e => call.say('hello?')).catch(e => console.log(e.name))`,
	} {
		t.Run(verb, func(t *testing.T) {
			script := `exports.answer = async call => { await call.say('Welcome'); await ` + script + ` }
				exports.event = e => console.log(e.status)
				exports.cdr = r => console.log(r.status)`
			_, d := dialIn(t, script, sim.Caller{HangupAfter: 12 * time.Second})
			if got := again(t, d.journal.Entries(d.journal.Sessions()[0]), script); got.Difference != nil {
				t.Errorf("it differs: %v", got.Difference)
			}
		})
	}
}

// What a script does once it knows that the call is over is met by nobody.
func TestReplayEndsWithTheCall(t *testing.T) {
	script := `exports.answer = async call => {
		await call.say('Welcome')
		try { await call.gather({ say: 'press', timeout: '1h' }) } catch (e) {
			if (e.name !== 'HangupError') await call.say('sorry')
			await kv.set('left', e.by)
		}
	}
	exports.cdr = async r => { await kv.set('cdr', r.status) }`
	_, d := dialIn(t, script, sim.Caller{HangupAfter: 12 * time.Second})
	entries := d.journal.Entries(d.journal.Sessions()[0])
	for name, tt := range map[string]struct{ old, new, recorded, now string }{
		"nothing":            {},
		"another word":       {old: "kv.set('left', e.by)", new: "call.say('You have gone')"},
		"another place":      {old: "'cdr'", new: "'cdr:a'"},
		"a question in time": {old: "'press', timeout", new: "'press 1', timeout", recorded: `"press"`, now: "press 1"},
		"a word in time":     {old: "try {", new: "setTimeout(() => call.announce('Hello?'), 6000); try {", now: "Hello?"},
		"none of it":         {old: "await call.gather(", new: "(", recorded: "gather"},
	} {
		t.Run(name, func(t *testing.T) {
			got := again(t, entries, strings.Replace(script, tt.old, tt.new, 1))
			switch d := got.Difference; {
			case tt.recorded+tt.now == "":
				if d != nil {
					t.Errorf("it differs: %v", d)
				}
			case d == nil || !holds(d.Recorded, tt.recorded) || !holds(d.Replayed, tt.now):
				t.Errorf("got %v", d)
			}
		})
	}
}

// A verb that comes when the call is over already is in the journal, too.
func TestReplayOfACallThatEndedBeforeItsFirstVerb(t *testing.T) {
	script := `exports.answer = async call => {
		await new Promise(done => setTimeout(done, 3000))
		await call.say('Are you there?').catch(e => console.log(e.name))
		await call.gather({ say: 'Press 1' })
	}`
	_, d := dialIn(t, script, sim.Caller{HangupAfter: time.Second})
	entries := d.journal.Entries(d.journal.Sessions()[0])
	if got := again(t, entries, script); got.Difference != nil {
		t.Errorf("it differs: %v", got.Difference)
	}
	if kinds := strings.Join(kindsOf(entries), " "); !strings.Contains(kinds, "verb verb_end") {
		t.Errorf("the journal holds %s", kinds)
	}
}

// A call whose script failed is what its author wants to see again, whatever was reported of it afterwards.
func TestReplayOfACallThatFailed(t *testing.T) {
	script := `exports.answer = async call => { await call.say('Welcome'); await call.say(call.customer.name) }
	exports.event = e => console.log(e.status)
	exports.cdr = r => console.log(r.status)`
	_, d := dialIn(t, script, sim.Caller{})
	entries := d.journal.Entries(d.journal.Sessions()[0])
	if n := strings.Count(strings.Join(kindsOf(entries), " "), "start"); n < 2 {
		t.Fatalf("%d sessions of the call", n)
	}
	if got := again(t, entries, script); got.Difference != nil {
		t.Errorf("it differs: %v", got.Difference)
	}
	got := again(t, entries, strings.Replace(script, "call.customer.name", "'Good to hear from you'", 1)).Difference
	if got == nil || !holds(got.Recorded, "policy") || !holds(got.Replayed, "Good to hear") {
		t.Errorf("got %v", got)
	}
}

func holds(e *runtime.Entry, text string) bool {
	if e == nil {
		return text == ""
	}
	return text != "" && strings.Contains(e.Kind+string(e.Data), text)
}

// A replay has no effect, and needs nobody.
func TestReplayTouchesNothing(t *testing.T) {
	url, hits := counter(t)
	script := `exports.answer = async call => {
		const { hits } = await (await fetch('` + url + `')).json()
		await kv.set('hits', hits)
		await call.gather({ say: 'hits ' + hits })
	}
	exports.cdr = () => {}`
	p := &past{}
	d := lasting(t, p, script)
	d.goOn(d.begin(), "1")
	before, err := p.store.List(t.Context(), "app", "", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	if got := again(t, d.journal.Entries("c1"), script); got.Difference != nil {
		t.Errorf("it differs: %v", got.Difference)
	}
	if hits.Load() != 1 || len(before) != 1 {
		t.Errorf("%d requests", hits.Load())
	}
}

// What hangs on sounds, sockets or other calls cannot be run again, and says so.
func TestWhatCannotBeReplayed(t *testing.T) {
	for name, tt := range map[string]struct{ script, reason string }{
		"a socket":    {`const s = new WebSocket('ws://127.0.0.1:1'); s.onerror = () => {}; await call.say('x')`, "speaks over a WebSocket"},
		"other calls": {`const { calls } = require('piopiy/calls'); calls.list(); await call.say('x')`, "looks at other calls"},
	} {
		t.Run(name, func(t *testing.T) {
			script := `exports.answer = async call => { await call.gather({ say: 'press' }); ` + tt.script + ` }
				exports.cdr = () => {}`
			d := lasting(t, &past{}, script)
			d.goOn(d.begin(), "1")
			got := again(t, d.journal.Entries("c1"), script)
			if !got.Open() || !strings.Contains(got.Difference.Reason, tt.reason) {
				t.Errorf("got %v", got.Difference)
			}
		})
	}
	d := lasting(t, &past{}, recordedScript)
	if _, err := d.handler.Replay(t.Context(), nil); !errors.Is(err, runtime.ErrNoRecording) {
		t.Errorf("got %v", err)
	}
}
