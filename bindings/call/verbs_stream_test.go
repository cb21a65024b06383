package call_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/bindings/stream"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
)

// person is a caller who acts by the clock.
type person struct {
	sim.Controller // of inbound calls that dial nobody, nothing else is asked
	does           func(*sim.Hand)
}

func (p person) Began(h *sim.Hand)  { p.does(h) }
func (person) Happened(sim.Entry)   {}
func (person) Over(*sim.Transcript) {}

// streaming lets scripts have streams.
func streaming(_ *runtime.Config, o *bindcall.Options) { o.Stream = stream.New }

func TestAScriptHoldsItsStream(t *testing.T) {
	got, _ := dialIn(t, `
		const loud = frame => frame.some(v => v > 1000)
		exports.answer = async call => {
			await call.say('Welcome')
			const s = await call.stream({ listen: 'caller', sampleRate: 16000 })
			const keys = []
			s.on('dtmf', key => keys.push(key))
			let frames = 0, heard = 0, size
			const listening = (async () => { for await (const f of s) { frames++; size = f.length; if (loud(f)) heard++; if (heard === 1) s.clear() } })()
			s.play(new Int16Array(16000))
			const whole = await s.mark('a')
			const first = s.playedMs
			s.play(new Int16Array(16000 * 60))
			const cut = await s.mark('b')
			const at = s.playedMs
			await new Promise(f => setTimeout(f, 10000))
			s.close()
			await listening
			await s.ended
			await call.say(JSON.stringify({ whole, first, cut, at, keys: keys.join(''), frames, heard, size, rate: s.rate, dropped: s.dropped }))
		}`, sim.Caller{Controller: person{does: func(h *sim.Hand) {
		h.Say("I want to talk to a person", 4*time.Second, nil) // 1.7 s of it
		h.Press("42", 8*time.Second, nil)
	}}}, streaming)
	// The stream opens at 0.5 s; the caller speaks at 4 s, when the second sound has played for 2.5 s.
	wants(t, got, "Welcome", "stream to the script opened: caller, 16000 Hz", "hears 3.52s of the stream's sound; the rest was cleared", "stream closed after 13.52s",
		`{"whole":true,"first":1000,"cut":false,"at":3520,"keys":"42","frames":675,"heard":64,"size":320,"rate":16000,"dropped":0}`)
	if got.Ending.By != call.SideApp {
		t.Errorf("%+v\n%s", got.Ending, got)
	}
}

func TestAStreamEndsWithItsCall(t *testing.T) {
	got, d := dialIn(t, `
		exports.answer = async call => {
			const s = await call.stream()
			s.play(new Int16Array(80000))
			const mark = s.mark('never')
			for await (const f of s);
			console.log('the mark: ' + await mark)
		}`, sim.Caller{HangupAfter: 3 * time.Second}, streaming)
	wants(t, got, "stream closed after 3s", "the caller hung up after 3s")
	if !slices.ContainsFunc(d.journal.Entries(got.Call), func(e runtime.Entry) bool { return strings.Contains(string(e.Data), "the mark: false") }) {
		t.Error("the script did not see the end of its stream")
	}
}

func TestACallLastsAsLongAsItsStream(t *testing.T) {
	got, _ := dialIn(t, `exports.answer = async call => {
		const s = await call.stream()
		setTimeout(() => s.close(), 7000)
	}`, sim.Caller{}, streaming)
	wants(t, got, "stream closed after 7s", "the app hung up after 7s")
}

func TestStreamArguments(t *testing.T) {
	for _, tt := range []struct{ script, want string }{
		{`call.stream({ url: 'wss://h' })`, `unknown option "url"; the options are listen, sampleRate`},
		{`call.stream({ listen: 'nobody' })`, `"caller", "callee" or "both", not "nobody"`},
		{`call.stream({ sampleRate: 11025 })`, `must be 8000 or 16000, not 11025`},
		{`call.stream('https://h')`, `ws`},
		{`call.stream(7)`, `the ws or wss URL must be a string`},
		{`call.stream(null)`, `the ws or wss URL must be a string`},
	} {
		t.Run(tt.script, func(t *testing.T) {
			got, _ := dialIn(t, `exports.answer = async call => {
				try { await `+tt.script+`; await call.say('it passed') } catch (e) { await call.say(e.name + ': ' + e.message) }
			}`, sim.Caller{}, streaming)
			wants(t, got, "TypeError: ", tt.want)
		})
	}
}

// What the simulated caller says is found by the same voice detection as a person's.
func TestASimulatedVoiceIsAVoice(t *testing.T) {
	got, _ := dialIn(t, `
		const { VoiceActivity } = require('piopiy/audio')
		exports.answer = async call => {
			const s = await call.stream(), voice = new VoiceActivity(), seen = []
			for await (const f of s) {
				const state = voice.push(f)
				if (state === 'began') seen.push('began')
				if (state === 'ended') seen.push('ended ' + (voice.end - voice.start))
				if (seen.length === 4) break
			}
			s.close()
			await call.say(seen.join(', '))
		}`, sim.Caller{Controller: person{does: func(h *sim.Hand) {
		h.Say("I want to talk to a person, and I mean it", 2*time.Second, nil) // 2.7 s of it
		h.Say("now", 8*time.Second, nil)
	}}}, streaming)
	wants(t, got, "says I want to talk", "says now", "began, ended 2900, began, ended 380")
}

// A script can have the sound of another call of its app.
func TestAStreamOfAnotherCall(t *testing.T) {
	got, _ := dialIn(t, `
		const { calls } = require('piopiy/calls')
		exports.answer = async call => {
			const s = await calls.get(call.id).stream()
			const { done, value } = await s.next()
			s.close()
			await s.ended
			await call.say(done + ' ' + value.length)
		}`, sim.Caller{}, streaming, func(c *runtime.Config, o *bindcall.Options) {
		c.Modules = append(c.Modules, bindcall.NewCalls(bindcall.CallsOptions{Live: o.Live}))
	})
	wants(t, got, "stream to the script opened", "false 160")
}
