package call_test

import (
	"strings"
	"testing"
	"time"

	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/drivers/sim"
)

// arguments are what verbs need; the others need none.
var arguments = map[string]string{
	"say": `'x'`, "play": `'x.wav'`, "announce": `'x'`, "pause": `'1s'`, "dial": `'14155550101'`, "transfer": `'14155550101', { warm: true }`,
	"refer": `'alice'`, "conference": `'x'`, "sendDigits": `'1'`, "stream": `'wss://h'`, "perform": `[]`, "bridge": `'another'`, "ring": `'1s'`,
}

// Every verb that comes after the end rejects, at once, with who hung up and why.
func TestVerbsAfterTheEnd(t *testing.T) {
	for _, verb := range bindcall.Verbs() {
		if verb == "on" || verb == "events" {
			continue
		}
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			got, d := dialIn(t, `exports.answer = async call => {
				try { await call.pause('1h') } catch {
					const began = Date.now()
					try { await call.`+verb+`(`+arguments[verb]+`); console.log('it passed') } catch (e) { console.log(e.name, e.by, e.cause, e.code, Date.now() - began) }
				}
			}`, sim.Caller{HangupAfter: 2 * time.Second})
			if logged := d.logged(got.Call); !strings.Contains(logged, "HangupError caller NORMAL_CLEARING NORMAL_CLEARING 0") {
				t.Errorf("%s\n%s", logged, got)
			}
			sound(t, d, got)
		})
	}
}

// sound checks that a script has met no fault and that nothing of its call is left.
func sound(t *testing.T, d *desk, got *sim.Transcript) {
	t.Helper()
	for _, e := range d.journal.Entries(got.Call) {
		if e.Kind == "fault" || e.Kind == "policy" {
			t.Errorf("%s: %s\n%s", e.Kind, e.Data, got)
		}
	}
	for _, s := range d.rt.Sessions() { // one that waits for late records may be there
		s.Close("the test is over")
		<-s.Done()
	}
}

// Verbs that are called at once, whatever they are, all settle.
func TestVerbsAtOnce(t *testing.T) {
	for _, tt := range []struct{ name, verbs, want string }{
		{"two texts", `call.say('a'), call.say('b')`, "fulfilled fulfilled"},
		{"two questions", `call.gather({ say: 'a', timeout: '1s' }), call.gather({ say: 'b', timeout: '1s' })`, "fulfilled fulfilled"},
		{"two messages", `call.record({ maxLength: '2s' }), call.record({ maxLength: '2s' })`, "fulfilled fulfilled"},
		{"two callees", `call.dial('14155550101'), call.dial('14155550102')`, "fulfilled fulfilled"},
		{"two conferences, and out", `call.conference('a'), call.conference('b'), new Promise(done => setTimeout(done, 1000)).then(() => call.leave()), new Promise(done => setTimeout(done, 2000)).then(() => call.leave())`, "fulfilled fulfilled fulfilled fulfilled"},
		{"answers", `call.answer(), call.answer(), call.ring()`, "fulfilled fulfilled StateError"},
		{"two transfers", `call.transfer('14155550101'), call.transfer('14155550102')`, "fulfilled fulfilled"},
		{"two warm transfers", `call.transfer('14155550101', { warm: true }), call.transfer('14155550102', { warm: true })`, "fulfilled fulfilled"},
		{"a transfer of one who is asked", `call.gather({ timeout: '1m' }), new Promise(done => setTimeout(done, 1000)).then(() => call.transfer('14155550101'))`, "ReplacedError fulfilled"},
		{"two ends", `call.hangup(), call.hangup('USER_BUSY'), call.say('x')`, "fulfilled HangupError HangupError"},
		{"before the answer", `call.announce('x'), call.hold(), call.mute(), call.sendDigits('1'), call.startRecording()`, "StateError StateError StateError StateError StateError"},
		{"without a callee", `call.answer().then(() => call.announce('x', { to: 'callee' })), call.answer().then(() => call.mute({ party: 'callee' }))`, "StateError StateError"},
		{"stops and recordings", `call.say('a long text. '.repeat(50)), call.stop(), call.answer().then(() => call.stopRecording())`, "fulfilled fulfilled Error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, d := dialIn(t, `exports.answer = async call => {
				const all = await Promise.allSettled([`+tt.verbs+`])
				console.log('= ' + all.map(r => r.reason?.name ?? r.status).join(' ') + ' =')
			}`, sim.Caller{})
			if logged := d.logged(got.Call); !strings.Contains(logged, "= "+tt.want+" =") {
				t.Errorf("want %s\n%s\n%s", tt.want, logged, got)
			}
			sound(t, d, got)
		})
	}
}

// Verbs that wait for nobody begin in the order in which they were called, too.
func TestQuickVerbsKeepTheirOrder(t *testing.T) {
	for range 20 { // goroutines would come in any order
		got, _ := dialIn(t, `exports.answer = async call => {
			await call.answer()
			for (const digit of '123456') call.sendDigits(digit)
			call.hold()
			call.mute()
			call.unmute()
			call.startRecording()
			call.stopRecording()
			call.unhold()
			await call.pause('1s')
		}`, sim.Caller{})
		wants(t, got, "digits 1", "digits 2", "digits 3", "digits 4", "digits 5", "digits 6", "muted on", "muted off", "records from here on", "records stop")
		wants(t, got, "hold on", "hold off")
	}
}

// A validator may do what it likes: the gather settles, or the call's end ends it.
func TestValidatorsThatMisbehave(t *testing.T) {
	for _, tt := range []struct{ name, validate, want string }{
		{"throws", `() => { throw new RangeError('no') }`, "RangeError: no"},
		{"throws nothing", `() => { throw undefined }`, "undefined"},
		{"rejects", `async () => { throw new RangeError('no') }`, "RangeError: no"},
		{"rejects later", `() => new Promise((_, no) => setTimeout(() => no(new RangeError('late')), 3000))`, "RangeError: late"},
		{"is no promise but looks like one", `() => ({ then() { throw new Error('no') } })`, "gathered true"},
		{"hangs up", `async () => { await call.hangup(); return true }`, "gathered true"},
		{"asks itself", `async () => { const { digits } = await call.gather({ say: 'sure?', timeout: '1s' }); return digits === '' }`, "gathered true"},
		{"never decides", `() => new Promise(() => {})`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, d := dialIn(t, `exports.answer = async call => {
				try { console.log('gathered ' + (await call.gather({ say: 'code?', retries: 3, validate: `+tt.validate+` })).valid) } catch (e) { console.log(String(e)) }
			}`, sim.Caller{Press: []sim.Press{{Keys: "1"}}, HangupAfter: 20 * time.Second})
			if logged := d.logged(got.Call); !strings.Contains(logged, tt.want) {
				t.Errorf("want %s\n%s\n%s", tt.want, logged, got)
			}
			sound(t, d, got)
		})
	}
}

// The callee answers in the very moment in which the caller hangs up, before it, and after.
func TestTheCalleeAnswersWhileTheCallerHangsUp(t *testing.T) {
	for i := range 150 {
		after := 3*time.Second + time.Duration(i%3-1)*time.Millisecond
		got, d := dialIn(t, `
			exports.answer = async call => {
				try { const leg = await call.dial(['14155550101', '14155550102'], { strategy: 'group' }); console.log('talked', leg.status) } catch (e) { console.log(e.name, e.by); throw e }
			}`, sim.Caller{HangupAfter: after})
		logged, text := d.logged(got.Call), got.String()
		if !strings.Contains(logged, "HangupError caller") {
			t.Fatalf("hung up after %v: %s\n%s", after, logged, text)
		}
		if begun, ended := strings.Count(text, "in_started (leg b)"), strings.Count(text, "(leg b)"); begun != 2 || strings.Count(text, "cdr ") != 3 {
			t.Fatalf("%d legs of %d entries have other records\n%s", begun, ended, text)
		}
		sound(t, d, got)
	}
}

// The end of another call is its own affair: whoever asks something of it learns of it, and goes on.
func TestAnotherCallsEnd(t *testing.T) {
	got, d := dialInTogether(t, `
		import { calls } from 'piopiy/calls'
		export async function answer(call) {
			if (call.id === 'call-1') return call.pause('20s')
			const other = calls.get('call-1')
			const asked = other.say('x').catch(e => e.name)
			await call.pause('18s')
			console.log(await asked)
			try { await other.say('x') } catch (e) { console.log(e.name, calls.get('call-1')) }
			await call.say('and on')
			await other.gather()
		}`, sim.Caller{HangupAfter: 10 * time.Second}, sim.Caller{})
	wants(t, got[1], "and on", "fault: HangupError: the call is over")
	if logged := d.logged("call-2"); strings.Count(logged, "HangupError") != 2 {
		t.Error(logged)
	}
	if kinds := strings.Join(d.kinds("call-2"), " "); !strings.Contains(kinds, "fault") {
		t.Errorf("that nobody caught the end of another call is no fault: %s", kinds)
	}
}
