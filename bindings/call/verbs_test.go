package call_test

import (
	"context"
	"strings"
	"testing"
	"time"

	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
)

// dialIn has a virtual caller meet a script that holds the call in its hand.
func dialIn(t *testing.T, script string, who sim.Caller, change ...func(*runtime.Config, *bindcall.Options)) (*sim.Transcript, *desk) {
	t.Helper()
	clock, live := sim.NewClock(time.Time{}), &call.Live{}
	inTime := func(c *runtime.Config, o *bindcall.Options) { c.Clock, o.Live = clock, live }
	d := open(t, script, append([]func(*runtime.Config, *bindcall.Options){inTime}, change...)...)
	who.App = "app"
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got, err := sim.New(sim.Options{Clock: clock, Live: live}).Call(ctx, d.handler, who)
	if err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	return got, d
}

// wants compares what happened with lines such as "hears one", in order, others between them.
func wants(t *testing.T, got *sim.Transcript, lines ...string) {
	t.Helper()
	text := got.String()
	rest := strings.Join(strings.Fields(text), " ")
	for _, line := range lines {
		_, after, found := strings.Cut(rest, line)
		if !found {
			t.Fatalf("there is no %q, or not in this order:\n%s", line, text)
		}
		rest = after
	}
}

func TestAScriptHoldsTheCall(t *testing.T) {
	got, _ := dialIn(t, `
		exports.answer = async call => {
			await call.say('Welcome')
			const { digits } = await call.gather({ say: 'Sales, press 1', maxDigits: 1, timeout: '3s', retries: 1 })
			await call.say('You pressed ' + digits)
			const leg = await call.dial('14155550101', { timeout: '20s', record: true })
			await call.say(leg.status + ' for ' + leg.duration + ' s, ' + leg.cause + ' by ' + leg.by)
			await call.pause('2s')
			await call.hangup('USER_BUSY')
		}`, sim.Caller{Press: []sim.Press{{}, {Keys: "1"}}})
	wants(t, got,
		"answered", "Welcome", "Sales, press 1", "silent", "Sales, press 1", "presses 1", "You pressed 1",
		"dials 14155550101 as 15550002222", "records", "answered for 20 s, NORMAL_CLEARING by callee")
	if got.Ending.By != call.SideApp || got.Ending.Cause != "USER_BUSY" {
		t.Errorf("%+v", got.Ending)
	}
}

func TestGather(t *testing.T) {
	for _, tt := range []struct {
		name, gather string
		press        []sim.Press
		want         string
	}{
		{"a validator asks again", `{ say: 'code', maxDigits: 2, retries: 2, invalid: 'wrong', validate: d => d === '42' }`, []sim.Press{{Keys: "11"}, {Keys: "42"}}, `{"digits":"42","speech":"","valid":true,"attempts":2}`},
		{"an async validator", `{ say: 'code', maxDigits: 1, retries: 1, validate: async d => { await call.say('checking'); return d === '4' } }`, []sim.Press{{Keys: "1"}, {Keys: "4"}}, `{"digits":"4","speech":"","valid":true,"attempts":2}`},
		{"never valid", `{ say: 'code', maxDigits: 1, retries: 1, validate: () => false }`, []sim.Press{{Keys: "1"}, {Keys: "2"}}, `{"digits":"2","speech":"","valid":false,"attempts":2}`},
		{"nothing", `{ say: 'code', timeout: 100 }`, nil, `{"digits":"","speech":"","valid":false,"attempts":1}`},
		{"too few", `{ say: 'code', minDigits: 3, maxDigits: 5, timeout: '1s' }`, []sim.Press{{Keys: "12"}}, `{"digits":"12","speech":"","valid":false,"attempts":1}`},
		{"a finish key", `{ say: 'code', maxDigits: 9, finishOnKey: '#' }`, []sim.Press{{Keys: "123#"}}, `{"digits":"123","speech":"","valid":true,"attempts":1}`},
		{"words", `{ say: 'city?', speech: true, digits: false }`, []sim.Press{{Say: "Chennai"}}, `{"digits":"","speech":"Chennai","valid":true,"attempts":1}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := dialIn(t, `exports.answer = async call => { await call.say('got ' + JSON.stringify(await call.gather(`+tt.gather+`))) }`, sim.Caller{Press: tt.press})
			wants(t, got, "got "+tt.want)
		})
	}
}

func TestVerbsThatFail(t *testing.T) {
	for _, tt := range []struct{ name, script, want string }{
		{"a bad option names the options", `call.gather({ maxDigit: 1 })`, `call.gather: unknown option "maxDigit"; the options are`},
		{"no text", `call.say()`, "the text must be a string"},
		{"no such party", `call.mute({ party: 'me' })`, `must be "caller", "callee" or "both"`},
		{"digits that are none", `call.sendDigits('12x')`, "1 to 100 of 0-9"},
		{"an empty list", `call.dial([])`, "1 to 50 are allowed"},
		{"a validator that throws", `call.gather({ say: 'x', validate: () => { throw new RangeError('no') } })`, "RangeError: no"},
		{"an action that is none", `call.perform([{ action: 'dance' }])`, "dance"},
		{"a cause that is none", `call.hangup('not a cause')`, "the cause must be a word"},
		{"a failed transfer", `call.transfer('14155550199', { warm: true, timeout: '5s' })`, "TransferError: the transfer failed: busy (USER_BUSY)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := dialIn(t, `exports.answer = async call => {
				try { await `+tt.script+`; await call.say('it passed') } catch (e) { await call.say('failed: ' + e) }
			}`, sim.Caller{Press: []sim.Press{{Keys: "1"}}, Callee: sim.Callee{Outcome: sim.Busy}})
			wants(t, got, tt.want)
		})
	}
}

func TestVerbsBeginInTheOrderTheyWereCalledIn(t *testing.T) {
	for range 10 { // goroutines would come in any order
		got, _ := dialIn(t, `exports.answer = async call => {
			const asked = call.gather({ say: 'two', maxDigits: 1, retries: 1, timeout: '1s' })
			await Promise.all([call.say('one'), asked, call.pause('1s'), call.say('three'), call.dial('14155550101'), call.say('four')])
		}`, sim.Caller{})
		wants(t, got, "two", "two", "one", "three", "dials", "four")
	}
	got, _ := dialIn(t, `exports.answer = async call => {
		call.on('bridged', () => { call.pause('1s'); call.say('over it'); call.play('sound.wav') })
		await call.dial('14155550101')
		await call.say('after it')
	}`, sim.Caller{})
	wants(t, got, "talks", "sound.wav", "talked", "after it")
	wants(t, got, "bridged", "over it", "sound.wav")
	if text := got.String(); strings.Count(text, " over it (") != 2 {
		t.Error(text)
	}
}

func TestTheCallersHangupEndsVerbs(t *testing.T) {
	got, d := dialIn(t, `
		exports.answer = async call => {
			try { await call.pause('10m') } finally {
				console.log('cleaning up')
				await new Promise(done => setTimeout(done, 100))
				console.log('clean')
				try { await call.say('hello?') } catch (e) { console.log(e.name, e.by, e.cause) }
			}
		}
		exports.cdr = r => console.log('cdr', r.status)`, sim.Caller{HangupAfter: 5 * time.Second})
	if got.Ending.By != call.SideCaller || got.Length != 5*time.Second {
		t.Errorf("%+v after %v", got.Ending, got.Length)
	}
	entries := strings.Join(d.kinds("00000000-0000-4000-8000-000000000001"), " ")
	if strings.Contains(entries, "fault") {
		t.Errorf("the caller's hang-up was held to be the script's fault: %s", entries)
	}
	logged := d.logged("00000000-0000-4000-8000-000000000001")
	for _, want := range []string{"cleaning up", "clean", "HangupError caller NORMAL_CLEARING", "cdr answered"} {
		if !strings.Contains(logged, want) {
			t.Errorf("%q is not in what the script logged: %s", want, logged)
		}
	}
}

func TestEventsInAStraightLine(t *testing.T) {
	got, d := dialIn(t, `
		exports.answer = async call => {
			call.on('bridged', e => console.log('on', e.status, e.leg))
			const seen = []
			const reading = (async () => { for await (const e of call.events()) seen.push(e.status + e.leg); console.log(seen.join()) })()
			await call.dial('14155550101')
			await call.hangup()
			await reading
		}`, sim.Caller{Callee: sim.Callee{Talk: time.Minute}})
	if got.Ending.By != call.SideApp {
		t.Errorf("%+v", got.Ending)
	}
	logged := d.logged("00000000-0000-4000-8000-000000000001")
	for _, want := range []string{"on bridged b", "startedb,ringingb,bridgedb,answereda,hangupb,hangupa"} {
		if !strings.Contains(logged, want) {
			t.Errorf("%q is not in %s", want, logged)
		}
	}
}

func TestIterationsOverEvents(t *testing.T) {
	got, d := dialIn(t, `
		exports.answer = async call => {
			for (let i = 0; i < 60; i++) { // one after the other: as many as there may be
				const it = call.events()
				await it.return()
				await it.next()
			}
			const open = []
			try { for (;;) open.push(call.events()) } catch (e) { console.log(open.length + ' open: ' + e) }
			for (const it of open) await it.return()
			try { for await (const e of call.events()) console.log('heard ' + e.status) } finally { console.log('no more') }
			for await (const e of call.events()) console.log('after the end')
			console.log('the end')
		}`, sim.Caller{HangupAfter: 20 * time.Second})
	logged := d.logged(got.Call)
	for _, want := range []string{"50 open: TypeError: call.events: at most 50 iterations", "heard hangup", "no more", "the end"} {
		if !strings.Contains(logged, want) {
			t.Errorf("there is no %q in %s", want, logged)
		}
	}
	if strings.Contains(logged, "after the end") || got.Length != 20*time.Second {
		t.Errorf("after %v: %s", got.Length, logged)
	}
}

func TestAVoicemail(t *testing.T) {
	got, _ := dialIn(t, `
		exports.answer = async call => {
			const rec = await call.record({ say: 'Leave a message', maxLength: '30s' })
			await call.say(rec.url + ' ' + rec.duration)
		}`, sim.Caller{Press: []sim.Press{{Keys: "#", After: 12 * time.Second}}})
	wants(t, got, "Leave a message", "tone:1000/400", "records", "http://sim.invalid/recordings/00000000-0000-4000-8000-000000000001.wav 12")
}

func TestVerbsAreNotEnumeratedNorShared(t *testing.T) {
	got, _ := dialIn(t, `
		exports.answer = async call => {
			call.note = 1
			await call.say([Object.keys(call).includes('say'), 'say' in call, typeof call.say, call.say === call.say, call.note, call.nothing].join())
		}`, sim.Caller{})
	wants(t, got, "false,true,function,true,1,")
}

// logged is what the script wrote to the console in a call.
func (d *desk) logged(id string) string {
	d.t.Helper()
	var all strings.Builder
	for _, e := range d.journal.Entries(id) {
		if e.Kind == "log" {
			all.Write(e.Data)
			all.WriteByte('\n')
		}
	}
	return all.String()
}

// switchboard notes what is ordered.
type switchboard struct{ orders []call.Order }

func (s *switchboard) Originate(_ context.Context, o call.Order) (*call.Call, error) {
	s.orders = append(s.orders, o)
	return &call.Call{ID: "new", RequestID: "request"}, nil
}

func TestCalls(t *testing.T) {
	clock, live, board := sim.NewClock(time.Time{}), &call.Live{}, &switchboard{}
	d := open(t, `
		import { calls } from 'piopiy/calls'
		export async function answer(call) {
			const self = calls.get(call.id)
			await self.say([self.status, self.from, calls.get('nobody'), calls.list().length].join())
			const made = await calls.make({ to: '+1 415 555 0101', from: call.to, extraParams: { a: 1 }, pcmo: [{ action: 'speak', text: 'hi' }] })
			await call.say(made.id + ' ' + made.requestId)
			try { calls.make({}) } catch (e) { await call.say(e.message) }
		}`, func(c *runtime.Config, o *bindcall.Options) {
		c.Clock, o.Live = clock, live
		c.Modules = append(c.Modules, bindcall.NewCalls(bindcall.CallsOptions{Live: live, Originator: board}))
	})
	got, err := sim.New(sim.Options{Clock: clock, Live: live}).Call(t.Context(), d.handler, sim.Caller{App: "app"})
	if err != nil {
		t.Fatal(err)
	}
	wants(t, got, "started,15550001111,,1", "new request", `option "to" is missing`)
	if len(board.orders) != 1 {
		t.Fatalf("%+v", board.orders)
	}
	o := board.orders[0]
	if o.App != "app" || o.To != "14155550101" || o.From != "15550002222" || o.ExtraParams != `{"a":1}` || len(o.Document) != 1 {
		t.Errorf("%+v", o)
	}
}

func TestDialPlans(t *testing.T) {
	for _, tt := range []struct {
		name, dial string
		want       []string
	}{
		{"one", `'14155550101'`, []string{"00:00.0 dials 14155550101 as 15550002222, rings for up to 40s"}},
		{"one after the other", `['14155550101', 14155550102], { timeout: '10s', callerId: '15550009999' }`, []string{"00:00.0 dials 14155550101 as 15550009999, rings for up to 10s", "00:10.0 dials 14155550102"}},
		{"a group", `['14155550101', 'alice'], { strategy: 'group', timeout: '10s' }`, []string{"00:00.0 dials 14155550101", "00:00.0 dials alice", "00:10.0 missed alice"}},
		{"a plan", `[['14155550101', 'alice'], 'bob', ['14155550103']], { timeout: '10s' }`, []string{"00:00.0 dials 14155550101", "00:00.0 dials alice", "00:10.0 dials bob", "00:20.0 dials 14155550103", "NO_ANSWER"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := dialIn(t, `exports.answer = async call => { await call.say((await call.dial(`+tt.dial+`)).cause) }`, sim.Caller{Callee: sim.Callee{Outcome: sim.NoAnswer}})
			wants(t, got, tt.want...)
		})
	}
}
