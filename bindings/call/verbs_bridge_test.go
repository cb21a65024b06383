package call_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
)

// dialInTogether has callers meet one script in one time: the first at once, each later one five seconds after the one
// before. Their calls are call-1, call-2 and so on.
func dialInTogether(t *testing.T, script string, callers ...sim.Caller) ([]*sim.Transcript, *desk) {
	t.Helper()
	clock, live := sim.NewClock(time.Time{}), &call.Live{}
	d := open(t, script, func(c *runtime.Config, o *bindcall.Options) {
		c.Clock, o.Live = clock, live
		c.Modules = append(c.Modules, bindcall.NewCalls(bindcall.CallsOptions{Live: live}))
	})
	got := make([]*sim.Transcript, len(callers))
	var all sync.WaitGroup
	for i, who := range callers {
		who.App = "app"
		if who.From == "" {
			who.From = fmt.Sprintf("1555000000%d", i+1)
		}
		began := make(chan struct{})
		ids := 0
		driver := sim.New(sim.Options{
			Clock: clock, Live: live,
			NewID: func() string {
				if ids++; ids == 1 {
					return fmt.Sprintf("call-%d", i+1)
				}
				return fmt.Sprintf("call-%d-leg-%d", i+1, ids)
			},
			Observe: func(e sim.Entry) {
				if e.Kind == sim.Began {
					close(began)
				}
			},
		})
		all.Add(1)
		clock.AfterFunc(time.Duration(i)*5*time.Second, func() {
			go func() {
				defer all.Done()
				var err error
				if got[i], err = driver.Call(t.Context(), d.handler, who); err != nil {
					t.Error(err)
				}
			}()
			<-began
		})
	}
	stop := clock.Start()
	all.Wait()
	stop()
	return got, d
}

func TestRing(t *testing.T) {
	got, _ := dialIn(t, `
		exports.answer = async call => {
			await call.ring()
			await call.ring('3s')
			await call.say('Hello')
			try { await call.ring('1s') } catch (e) { await call.say([e.name, e.code, e.verb, e.message].join()) }
		}`, sim.Caller{})
	wants(t, got, "00:00.0 rings", "00:00.0 rings for 3s", "00:03.0 answered", "Hello", "StateError,ANSWERED,ring,ring: the call has been answered")
}

func TestACallerWhoHangsUpWhileItRings(t *testing.T) {
	got, d := dialIn(t, `
		exports.answer = async call => {
			try { await call.ring('20s') } catch (e) { console.log(e.name, e.by); throw e }
		}`, sim.Caller{HangupAfter: 7 * time.Second})
	if got.Ending.By != call.SideCaller || got.Length != 7*time.Second {
		t.Errorf("%+v after %v", got.Ending, got.Length)
	}
	if logged := d.logged("00000000-0000-4000-8000-000000000001"); !strings.Contains(logged, "HangupError caller") {
		t.Error(logged)
	}
}

// Each case is what the second call does, which comes 5 s after the first; the first does what the case says, too.
func TestBridge(t *testing.T) {
	for _, tt := range []struct {
		name          string
		first, second string
		who           [2]sim.Caller
		wantFirst     []string
		wantSecond    []string
	}{
		{
			name:       "the other one hangs up",
			first:      `await call.say('Please wait'); for await (const e of call.events());`,
			second:     `const talk = await call.bridge(calls.get('call-1')); await call.say(JSON.stringify(talk))`,
			who:        [2]sim.Caller{{HangupAfter: 30 * time.Second}},
			wantFirst:  []string{"Please wait", "00:05.0 talks with 15550000002", "event in_bridged (leg a)", "talked for 25s: the caller hung up"},
			wantSecond: []string{"talks with 15550000001", "talked for 25s: the callee hung up", `{"status":"answered","id":"call-1","to":"15550000001","cause":"NORMAL_CLEARING","by":"callee","duration":25}`},
		},
		{
			name:       "this one hangs up",
			first:      `await call.pause('1s'); await new Promise(done => setTimeout(done, 30_000)); await call.say('Are you still there?')`,
			second:     `try { await call.bridge('call-1') } finally { console.log('cleaned') }`,
			who:        [2]sim.Caller{{}, {HangupAfter: 10 * time.Second}},
			wantFirst:  []string{"talks with", "talked for 10s: the callee hung up", "Are you still there?"},
			wantSecond: []string{"talked for 10s: the caller hung up", "00:10.0 hangup the caller"},
		},
		{
			name:       "the other call's verbs come first",
			first:      `await call.play('music.wav', { loop: 100 })`,
			second:     `await call.pause('1s'); await call.bridge(calls.get('call-1')); await call.hangup()`,
			who:        [2]sim.Caller{{HangupAfter: time.Minute}},
			wantFirst:  []string{"music.wav", "music.wav", "00:10.0 talks", "talked for 50s"},
			wantSecond: []string{"talks", "talked for 50s: the callee"},
		},
		{
			name:       "a document goes on afterwards",
			first:      `return pcmo().play('music.wav').play('other.wav').speak('the end')`,
			second:     `call.on('bridged', () => setTimeout(() => call.leave(), 3000)); const t = await call.bridge('call-1'); await call.say(t.by + ' ' + t.duration)`,
			wantFirst:  []string{"music.wav", "00:05.0 talks", "talked for 3s: the app", "music.wav", "other.wav", "the end"},
			wantSecond: []string{"talks", "talked for 3s: the app", "app 3"},
		},
		{
			name:       "the other one performs something else",
			first:      `call.on('bridged', () => setTimeout(() => call.transfer('14155550101'), 4000)); await call.pause('2s'); await new Promise(done => setTimeout(done, 8_000))`,
			second:     `const t = await call.bridge('call-1'); await call.say(t.by + ' ' + t.duration)`,
			wantFirst:  []string{"talks", "talked for 4s", "dials 14155550101"},
			wantSecond: []string{"talks", "app 4"},
		},
		{
			name:       "this one performs something else",
			first:      `await new Promise(done => setTimeout(done, 8_000)); await call.say('and now?')`,
			second:     `setTimeout(() => call.perform(pcmo().speak('instead')), 2000); try { await call.bridge('call-1') } catch (e) { console.log(e.name); throw e }`,
			wantFirst:  []string{"talks", "talked for 2s: the app", "and now?"},
			wantSecond: []string{"talks", "talked for 2s", "instead"},
		},
		{
			name:       "a limit",
			first:      `for await (const e of call.events());`,
			second:     `const t = await call.bridge('call-1', { maxDuration: '1m' }); await calls.get('call-1').hangup(); await call.say(t.by + ' ' + t.cause + ' ' + t.duration)`,
			wantFirst:  []string{"talks", "talked for 1m0s: piopiyd ended it at the time limit"},
			wantSecond: []string{"platform ALLOTTED_TIMEOUT 60"},
		},
		{
			name:       "both hear what is said, digits and mute reach the other",
			first:      `for await (const e of call.events());`,
			second:     `call.on('bridged', async () => { await call.say('One minute'); await call.announce('For you', { to: 'callee' }); await call.sendDigits('12', { to: 'callee' }); await call.mute(); await call.leave() }); await call.bridge('call-1'); await calls.get('call-1').hangup()`,
			wantFirst:  []string{"talks", "“One minute” over it", "“For you” over it", "sends digits 12", "muted on", "talked"},
			wantSecond: []string{"talks", "“One minute” over it", "muted on", "talked"},
		},
		{
			name:       "it talks already",
			first:      `await call.dial('14155550101')`,
			second:     `await call.pause('5s'); try { await call.bridge('call-1') } catch (e) { await call.say([e.name, e.verb, e.code].join()) }`,
			wantFirst:  []string{"talked for 20s"},
			wantSecond: []string{"StateError,bridge,OTHER_TALKS"},
		},
		{
			name:       "it is over",
			first:      `await call.say('bye')`,
			second:     `try { await call.bridge('call-1') } catch (e) { await call.say([e.name, e.verb, e.code].join()) }`,
			wantSecond: []string{"StateError,bridge,OTHER_OVER"},
		},
		{
			name:       "it ends while it is waited for",
			first:      `await call.pause('1m')`,
			second:     `try { await call.bridge('call-1') } catch (e) { await call.say([e.name, e.verb, e.code].join()) }`,
			who:        [2]sim.Caller{{HangupAfter: 20 * time.Second}},
			wantSecond: []string{"00:15.0 hears “StateError,bridge,OTHER_OVER”"},
		},
		{
			name:       "this one ends while it waits",
			first:      `await call.pause('1m'); await call.say('nobody came')`,
			second:     `await call.bridge('call-1')`,
			who:        [2]sim.Caller{{}, {HangupAfter: 20 * time.Second}},
			wantFirst:  []string{"01:00.0 hears “nobody came”"},
			wantSecond: []string{"00:20.0 hangup the caller"},
		},
		{
			name:       "itself, and what is no call",
			first:      `await call.say('bye')`,
			second:     `for (const other of [call.id, {}, 7, undefined]) try { await call.bridge(other) } catch (e) { await call.say([e.name, e.code ?? e.message].join()) }`,
			wantSecond: []string{"StateError,SAME_CALL", "TypeError,call.bridge: the other call must be one that calls.get or calls.make returned, or its id, not an object", "not 7", "not undefined"},
		},
		{
			name:       "both want each other",
			first:      `await new Promise(done => call.on('started', done) ?? setTimeout(done, 6000)); try { const t = await call.bridge('call-2'); console.log(t.status) } catch (e) { console.log(e.code) }; await new Promise(done => setTimeout(done, 5000))`,
			second:     `await new Promise(done => setTimeout(done, 1000)); try { const t = await call.bridge('call-1'); console.log(t.status) } catch (e) { console.log(e.code) }; await new Promise(done => setTimeout(done, 5000))`,
			who:        [2]sim.Caller{{HangupAfter: time.Minute}, {HangupAfter: 40 * time.Second}},
			wantFirst:  []string{"talks"},
			wantSecond: []string{"talks"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, d := dialInTogether(t, `
				import { calls } from 'piopiy/calls'
				import { pcmo } from 'piopiy/pcmo'
				export async function answer(call) {
					if (call.id === 'call-1') {`+tt.first+`} else {`+tt.second+`}
				}`, tt.who[0], tt.who[1])
			wants(t, got[0], tt.wantFirst...)
			wants(t, got[1], tt.wantSecond...)
			for _, id := range []string{"call-1", "call-2"} {
				if entries := strings.Join(d.kinds(id), " "); strings.Contains(entries, "fault") {
					t.Errorf("%s: %s", id, entries)
				}
			}
		})
	}
}
