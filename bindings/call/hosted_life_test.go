package call_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
)

// The caller's hang-up ends the verb that rests; the script may clean up before the record comes.
func TestTheCallerHangsUpWhileAVerbRests(t *testing.T) {
	for name, verb := range map[string]string{
		"gather": `call.gather({ say: 'press' })`, "pause": `call.pause('10m')`, "dial": `call.dial('14155550101')`, "record": `call.record()`,
		"two": `Promise.all([call.gather(), call.say('later')])`,
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, `
				exports.answer = async call => {
					try { await `+verb+` } finally {
						console.log('cleaning up')
						await new Promise(done => setTimeout(done, 20))
						try { await call.say('hello?') } catch (e) { console.log(e.name, e.by, e.cause) }
					}
				}
				exports.cdr = r => console.log('cdr', r.status)`)
			first := d.begin()
			d.hangsUp()
			late, err := d.back(token(t, first), "1") // on its way before the hang-up
			if err != nil {
				t.Fatal(err)
			}
			wrote(t, late, `[{"action":"hangup"}]`)
			record := &call.CDR{App: "app", CallID: "c1", LegID: "c1", Leg: call.LegA, Status: call.StatusAnswered, Raw: json.RawMessage(`{}`)}
			if err := d.handler.CDR(t.Context(), record); err != nil {
				t.Fatal(err)
			}
			d.over()
			logged := d.logged("c1")
			for _, want := range []string{"cleaning up", "HangupError caller NORMAL_CLEARING", "cdr answered"} {
				before, after, found := strings.Cut(logged, want)
				if !found {
					t.Errorf("%q is missing or too early in %s|%s", want, before, logged)
				}
				logged = after
			}
			if strings.Contains(strings.Join(d.kinds("c1"), " "), "fault") {
				t.Errorf("a hang-up is no fault: %v", d.kinds("c1"))
			}
		})
	}
}

// A record is enough where no events come; what fails after the end is noted as the script's fault.
func TestAFaultAfterTheEndIsNoted(t *testing.T) {
	d := open(t, `exports.answer = async call => { try { await call.gather() } catch { throw new Error('in the cleanup') } }`)
	d.begin()
	record := &call.CDR{App: "app", CallID: "c1", LegID: "c1", Leg: call.LegA, Status: call.StatusAnswered, Raw: json.RawMessage(`{}`)}
	if err := d.handler.CDR(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	d.over()
	for _, e := range d.journal.Entries("c1") {
		if e.Kind == "fault" && strings.Contains(string(e.Data), "in the cleanup") {
			return
		}
	}
	t.Errorf("there is no fault among %v", d.kinds("c1"))
}

// What the platform asks twice is done once, and gets the same reply.
func TestRepetitions(t *testing.T) {
	d := open(t, `
		let times = 0
		exports.answer = async call => {
			console.log('answer')
			const { digits } = await call.gather({ say: 'press' })
			await new Promise(done => setTimeout(done, 30))
			console.log('got', digits)
			return [{ action: 'input', action_url: () => [{ action: 'speak', text: 'time ' + ++times }] }]
		}`)
	first := d.begin()
	if again := d.begin(); string(again.JSON) != string(first.JSON) {
		t.Errorf("the answer was %s and then %s", first.JSON, again.JSON)
	}
	var replies [8]call.Reply
	var all sync.WaitGroup
	for i := range replies {
		all.Go(func() { replies[i], _ = d.back(token(t, first), "1") })
	}
	all.Wait()
	for _, r := range replies {
		if len(r.JSON) == 0 || string(r.JSON) != string(replies[0].JSON) {
			t.Errorf("one got %s, another %s", replies[0].JSON, r.JSON)
		}
	}
	for range 2 {
		wrote(t, d.goOn(replies[0], "2"), `[{"action":"speak","text":"time 1"}]`)
	}
	// So it is when the platform lost patience the first time.
	c := cloudCall("c2")
	opened, err := d.handler.Answer(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	in := call.Input{Token: token(t, opened), Digits: "1"}
	impatient, lost := context.WithTimeout(t.Context(), time.Millisecond)
	defer lost()
	if _, err := d.handler.Input(impatient, c, in); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the first time: %v", err)
	}
	if reply, err := d.handler.Input(t.Context(), c, in); err != nil || reply.Fault != nil || !strings.Contains(string(reply.JSON), "action_url") {
		t.Errorf("the second time: %s, %v, %v", reply.JSON, reply.Fault, err)
	}
	gone := &call.Event{App: "app", CallID: "c2", LegID: "c2", Leg: call.LegA, Status: call.StatusHangup, Raw: json.RawMessage(`{}`)}
	if err := d.handler.Event(t.Context(), gone); err != nil {
		t.Error(err)
	}
	if logged := d.logged("c1"); strings.Count(logged, "answer") != 1 || strings.Count(logged, "got") != 1 {
		t.Error(logged)
	}
	if _, err := d.back("nonsense", "1"); !errors.Is(err, call.ErrNoContinuation) {
		t.Errorf("an unknown token: %v", err)
	}
	d.hangsUp()
	d.over()
}

// On a driver with a line a continuation runs once, too.
func TestAContinuationRunsOnce(t *testing.T) {
	d := open(t, menu)
	first := d.answer("c1")
	for range 3 {
		if got := d.press("c1", first, "1"); !strings.Contains(string(got.JSON), "1 tries") {
			t.Errorf("got %s", got.JSON)
		}
	}
}

func TestFaultsAfterAVerbRested(t *testing.T) {
	for name, tt := range map[string]struct{ rest, says string }{
		"an exception":          {`throw new Error('broken')`, "broken"},
		"what is not PCMO":      {`return 42`, "answer returned"},
		"a promise without end": {`await new Promise(() => {})`, "never settles"},
		"an endless loop":       {`for (;;);`, "one turn"},
		"too many actions":      {`for (let i = 0; i < 1001; i++) await call.say('x')`, "limit 1000"},
		"a pipeline":            {`await call.say('x'); return [{ action: 'play', params: { file_name: 'a.wav' } }]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, `exports.answer = async call => { await call.gather(); `+tt.rest+` }`, func(_ *runtime.Config, o *bindcall.Options) {
				o.Fault = call.FaultPolicy{Say: "Sorry."}
			})
			reply := d.goOn(d.begin(), "1")
			if reply.Fault == nil || !strings.Contains(reply.Fault.Error(), tt.says) || !strings.Contains(string(reply.JSON), "Sorry.") {
				t.Errorf("got %s, fault %v", reply.JSON, reply.Fault)
			}
			d.over()
		})
	}
}

func TestVerbsAfterTheScriptHungUp(t *testing.T) {
	d := open(t, `exports.answer = async call => {
		await call.say('bye')
		await call.hangup()
		for (const verb of ['say', 'hangup', 'reject', 'transfer']) try { await call[verb]('X') } catch (e) { console.log(verb, e.name, e.by) }
		for (const verb of ['gather', 'hold', 'pauseRecording']) try { await call[verb]() } catch (e) { console.log(verb, e.name, e.by) }
		return [{ action: 'speak', text: 'too late' }]
	}`)
	wrote(t, d.begin(), `[{"action":"speak","text":"bye"},{"action":"hangup"}]`)
	d.over()
	for _, verb := range []string{"say", "hangup", "reject", "transfer", "gather", "hold", "pauseRecording"} {
		if logged := d.logged("c1"); !strings.Contains(logged, `"`+verb+" HangupError app") {
			t.Errorf("%s did not fail so: %s", verb, logged)
		}
	}
}

func TestAValidatorThatThrows(t *testing.T) {
	d := open(t, `exports.answer = async call => {
		try { await call.gather({ validate: () => { throw new RangeError('no') } }) } catch (e) { await call.say('failed: ' + e) }
	}`)
	wrote(t, d.goOn(d.begin(), "1"), `[{"action":"speak","text":"failed: RangeError: no"},{"action":"hangup"}]`)
}

// A script may rest as long as the call lasts, but once it is asked it has the usual 10 s.
func TestOnlyRestingTakesAsLongAsItLikes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, `exports.answer = async call => {
			await call.gather()
			await new Promise(done => setTimeout(done, 9000))
			await call.gather()
			await new Promise(done => setTimeout(done, 11000))
		}`, func(_ *runtime.Config, o *bindcall.Options) { o.Fault = call.FaultPolicy{Say: "Sorry."} })
		first := d.begin()
		time.Sleep(2 * time.Hour) // in the bubble
		second := d.goOn(first, "1")
		wrote(t, second, `[{"action":"input","action_url":"URL","max_digit":1,"timeout":5}]`)
		time.Sleep(time.Minute)
		if reply := d.goOn(second, "1"); reply.Fault == nil || !strings.Contains(reply.Fault.Error(), "within 10s") {
			t.Errorf("got %s, %v", reply.JSON, reply.Fault)
		}
		d.over()
		d.settle()
	})
}

// When nothing of the script can run any more its session ends, once nobody is likely to ask again.
func TestASessionWithNothingLeftToDoEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, `exports.answer = async call => { await call.gather(); setTimeout(() => console.log('later'), 1000) }`)
		first := d.begin()
		last := d.goOn(first, "1")
		time.Sleep(20 * time.Second)
		if again := d.goOn(first, "1"); string(again.JSON) != string(last.JSON) || !strings.Contains(d.logged("c1"), "later") {
			t.Errorf("%s and then %s", last.JSON, again.JSON)
		}
		time.Sleep(31 * time.Second)
		if d.rt.SessionCount() != 0 {
			t.Error("the session is still there")
		}
		d.settle()
	})
}

// A caller who never comes back costs a session until its life is over.
func TestACallThatIsForgottenEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, `exports.answer = call => call.gather()`)
		d.begin()
		time.Sleep(3*time.Hour - time.Minute)
		if d.rt.SessionCount() != 1 {
			t.Error("the session is gone too early")
		}
		time.Sleep(2 * time.Minute)
		if d.rt.SessionCount() != 0 {
			t.Error("the session is still there")
		}
		d.settle()
	})
}

func TestDrainWaitsForVerbsThatRest(t *testing.T) {
	d := open(t, `exports.answer = async call => { await call.gather(); await call.say('bye') }; exports.cdr = () => {}`)
	first := d.begin()
	expired, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.handler.Drain(expired); err == nil || !strings.Contains(err.Error(), "app/c1") {
		t.Errorf("got %v, want an error that names what holds", err)
	}
	wrote(t, d.goOn(first, "1"), `[{"action":"speak","text":"bye"},{"action":"hangup"}]`)
	if err := d.handler.Drain(t.Context()); err != nil {
		t.Errorf("nothing waits any more, and yet: %v", err)
	}
}

// Verbs from other callbacks join the queue while somebody waits, and are refused when nobody will ask any more.
func TestVerbsOfOtherCallbacks(t *testing.T) {
	script := `
		exports.answer = async call => { %s }
		exports.event = async (e, call) => { try { await %s; console.log('done') } catch (e) { console.log(e.name + ': ' + e.message) } }`
	t.Run("say joins", func(t *testing.T) {
		d := open(t, fmt.Sprintf(script, `await call.gather(); await call.say('last')`, `void call.say('told')`))
		first := d.begin()
		d.happens(call.LegB, "b", call.StatusRinging, time.Time{})
		wrote(t, d.goOn(first, ""), `[{"action":"speak","text":"told"},{"action":"speak","text":"last"},{"action":"hangup"}]`)
	})
	t.Run("hangup comes with the next reply", func(t *testing.T) {
		d := open(t, fmt.Sprintf(script, `try { await call.gather() } catch (e) { console.log(e.name, e.by, e.cause) }`, `call.hangup('USER_BUSY')`))
		first := d.begin()
		d.happens(call.LegB, "b", call.StatusRinging, time.Time{})
		wrote(t, d.goOn(first, "1"), `[{"action":"hangup"}]`)
		d.hangsUp()
		d.over()
		if logged := d.logged("c1"); !strings.Contains(logged, "HangupError app USER_BUSY") || !strings.Contains(logged, "done") {
			t.Error(logged)
		}
	})
	t.Run("refused", func(t *testing.T) {
		for _, verb := range []string{"say('x')", "gather()", "hangup()", "perform([])"} {
			d := open(t, fmt.Sprintf(script, `return [{ action: 'speak', text: 'x' }]`, "call."+verb))
			d.begin()
			d.happens(call.LegB, "b", call.StatusRinging, time.Time{})
			name, _, _ := strings.Cut(verb, "(")
			if logged := d.logged("c1"); !strings.Contains(logged, "UnsupportedError: the driver cloud cannot do this: "+name+" (the platform performs what it was told") {
				t.Error(logged)
			}
		}
	})
}

// What became of a dial is learnt from the events and records of the legs b, in whatever order they come.
func TestHowADialIsLearnt(t *testing.T) {
	t0 := time.UnixMilli(1700000000000)
	record := func(d *desk, s call.Status, talk time.Duration) {
		r := &call.CDR{App: "app", CallID: "c1", LegID: "b", Leg: call.LegB, Status: s, Duration: talk, To: "14155550101", Raw: json.RawMessage(`{}`)}
		if err := d.handler.CDR(d.t.Context(), r); err != nil {
			d.t.Error(err)
		}
	}
	for _, tt := range []struct {
		name  string
		heard func(d *desk) // before the platform comes back
		after func(d *desk) // after it
		took  time.Duration // until it comes back
		want  string
	}{
		{"answered", func(d *desk) {
			d.happens(call.LegB, "b", call.StatusStarted, t0)
			d.happens(call.LegB, "b", call.StatusBridged, t0.Add(5*time.Second))
			d.happens(call.LegB, "b", call.StatusHangup, t0.Add(25*time.Second))
		}, nil, 0, "answered b 14155550101 NORMAL_CLEARING callee 20"},
		{"a stream is no leg", func(d *desk) { d.happens(call.LegB, "s", call.StatusStreamConnected, t0) }, nil, 0, "missed   NO_ANSWER platform 0"},
		{"by its old name", func(d *desk) {
			d.happens(call.LegB, "b", call.StatusAnswered, t0)
			d.happens(call.LegB, "b", call.StatusHangup, t0.Add(2*time.Second))
		}, nil, 0, "answered b 14155550101 NORMAL_CLEARING callee 2"},
		{"the limit", func(d *desk) {
			d.happens(call.LegB, "b", call.StatusBridged, t0)
			d.happens(call.LegB, "b", call.StatusHangup, t0.Add(time.Minute))
		}, nil, 0, "answered b 14155550101 ALLOTTED_TIMEOUT platform 60"},
		{"missed", func(d *desk) {
			d.happens(call.LegB, "b", call.StatusRinging, t0)
			d.happens(call.LegB, "b", call.StatusHangup, t0.Add(5*time.Second))
		}, nil, 0, "missed b 14155550101 NO_ANSWER platform 0"},
		{"by records alone", func(d *desk) { record(d, call.StatusAnswered, 17*time.Second) }, nil, 0, "answered b 14155550101 NORMAL_CLEARING callee 17"},
		{"the end comes late", func(d *desk) { d.happens(call.LegB, "b", call.StatusBridged, t0) },
			func(d *desk) { d.happens(call.LegB, "b", call.StatusHangup, t0.Add(9*time.Second)) }, 0, "answered b 14155550101 NORMAL_CLEARING callee 9"},
		{"the answer comes late", func(d *desk) { d.happens(call.LegB, "b", call.StatusStarted, t0) },
			func(d *desk) { record(d, call.StatusAnswered, 3*time.Second) }, 0, "answered b 14155550101 NORMAL_CLEARING callee 3"},
		{"all of it comes late", func(d *desk) { d.happens(call.LegA, "c1", call.StatusAnswered, t0) }, func(d *desk) {
			d.happens(call.LegB, "b", call.StatusStarted, t0)
			d.happens(call.LegB, "b", call.StatusBridged, t0)
			d.happens(call.LegB, "b", call.StatusHangup, t0.Add(4*time.Second))
		}, 0, "answered b 14155550101 NORMAL_CLEARING callee 4"},
		{"the end never comes", func(d *desk) { d.happens(call.LegB, "b", call.StatusStarted, t0) }, nil, 0, "missed b 14155550101 NO_ANSWER platform 0"},
		{"nothing comes, soon over", nil, nil, 15 * time.Second, "missed   NO_ANSWER platform 0"},
		{"nothing comes, long over", nil, nil, 40 * time.Second, "answered   NORMAL_CLEARING callee 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := open(t, `exports.answer = async call => {
					const leg = await call.dial('14155550101', { timeout: '20s', maxDuration: '1m' })
					await call.say([leg.status, leg.id, leg.to, leg.cause, leg.by, leg.duration].join(' '))
				}`)
				first := d.begin()
				if tt.heard != nil {
					tt.heard(d)
				}
				time.Sleep(tt.took)
				replied := make(chan call.Reply, 1)
				go func() { replied <- d.goOn(first, "") }()
				if tt.after != nil {
					synctest.Wait()
					tt.after(d)
				}
				wrote(t, <-replied, `[{"action":"speak","text":"`+tt.want+`"},{"action":"hangup"}]`)
				warned := strings.Contains(strings.Join(d.kinds("c1"), " "), "warning")
				if nothing := strings.HasPrefix(tt.name, "nothing") || strings.HasPrefix(tt.name, "a stream"); warned != nothing {
					t.Errorf("warned: %v", warned)
				}
				d.hangsUp()
				d.over()
				d.settle()
			})
		})
	}
}

// The callee answers while the caller hangs up, while the platform comes back: whoever is first, nothing hangs.
func TestEverythingAtOnce(t *testing.T) {
	for range 50 {
		d := open(t, `exports.answer = async call => {
			try { await call.dial('14155550101', { timeout: '20s' }); await call.gather() } catch (e) { if (e.name !== 'HangupError') throw e }
		}; exports.event = () => {}; exports.cdr = () => {}`)
		first := d.begin()
		var all sync.WaitGroup
		all.Go(func() { d.happens(call.LegB, "b", call.StatusBridged, time.Time{}) })
		all.Go(func() { d.hangsUp() })
		all.Go(func() { _, _ = d.back(token(t, first), "") })
		all.Go(func() { _, _ = d.back(token(t, first), "") })
		all.Wait()
		record := &call.CDR{App: "app", CallID: "c1", LegID: "c1", Leg: call.LegA, Status: call.StatusAnswered, Raw: json.RawMessage(`{}`)}
		if err := d.handler.CDR(t.Context(), record); err != nil {
			t.Fatal(err)
		}
		record.Leg, record.LegID = call.LegB, "b"
		if err := d.handler.CDR(t.Context(), record); err != nil {
			t.Fatal(err)
		}
		d.over()
		if strings.Contains(strings.Join(d.kinds("c1"), " "), "fault") {
			t.Fatalf("the journal holds %v", d.kinds("c1"))
		}
	}
}

// A dial whose caller hangs up tells of it over HTTP too.
func TestTheCallerHangsUpOverHTTP(t *testing.T) {
	got, d := hostedCall(t, `
		exports.answer = async call => {
			try { await call.dial('14155550101') } catch (e) { console.log(e.name) }
		}`, sim.Caller{HangupAfter: 5 * time.Second, Callee: sim.Callee{Talk: time.Hour}})
	if got.Ending.By != call.SideCaller || got.Length != 5*time.Second {
		t.Errorf("%+v after %v", got.Ending, got.Length)
	}
	d.over()
	if logged := d.logged("00000000-0000-4000-8000-000000000001"); !strings.Contains(logged, "HangupError") {
		t.Error(logged)
	}
}

// Without events nothing tells what became of a dial but the time it took.
func TestADialWithoutEvents(t *testing.T) {
	for talk, want := range map[time.Duration]string{2 * time.Minute: "answered", 2 * time.Second: "missed"} {
		got, _ := hostedCall(t, `exports.answer = async call => { await call.say((await call.dial('14155550101')).status) }`,
			sim.Caller{Callee: sim.Callee{Talk: talk}}, "events")
		wants(t, got, want)
	}
}
