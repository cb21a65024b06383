package call_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// sleep lays the sessions that rest to sleep.
func (d *desk) sleep() {
	for _, s := range d.rt.Sessions() {
		s.Hibernate()
		<-s.Done()
	}
}

// A session that rests gives its memory back, and wakes where it was.
func TestHibernation(t *testing.T) {
	script := `const seen = []
	exports.answer = async call => {
		seen.push(await kv.increment('n'))
		for (const word of ['one', 'two', 'three']) seen.push((await call.gather({ say: word })).digits)
		await call.say(seen.join())
	}
	exports.event = e => { seen.push(e.status) }
	exports.cdr = () => {}`
	d := lasting(t, &past{}, script)
	reply := d.begin()
	for _, key := range []string{"1", "2", "3"} {
		d.sleep()
		if n := d.rt.SessionCount(); n != 0 {
			t.Fatalf("%d sessions are awake", n)
		}
		if key == "2" { // by another of its names
			e := &call.Event{App: "app", Driver: "cloud", CallID: "c1", LegID: "c1", Leg: call.LegA, Status: call.StatusAnswered, Raw: json.RawMessage(`{}`)}
			if err := d.handler.Event(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		reply = d.goOn(reply, key)
	}
	wrote(t, reply, `[{"action":"speak","text":"1,1,answered,2,3"},{"action":"hangup"}]`)
	if kinds := strings.Join(d.kinds("c1"), " "); strings.Count(kinds, "start") != 1 || strings.Contains(kinds, " end") {
		t.Errorf("the journal holds %s", kinds)
	}
}

// A timer wakes a session that hibernates.
func TestATimerWakesASleeper(t *testing.T) {
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(done) }))
	defer server.Close()
	d := lasting(t, &past{}, `exports.answer = async call => {
		setTimeout(() => fetch('`+server.URL+`'), 50)
		await call.gather({ say: 'press' })
	}
	exports.cdr = () => {}`)
	d.begin()
	d.sleep()
	<-done
}

// Sessions that wait for something outside, or for audio, stay awake.
func TestWhoDoesNotHibernate(t *testing.T) {
	leave := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-leave }))
	defer server.Close()
	defer close(leave)
	d := lasting(t, &past{}, `exports.answer = async call => {
		const slow = fetch('`+server.URL+`').catch(() => {})
		await call.gather({ say: 'press' })
		await slow
	}
	exports.cdr = () => {}`)
	d.begin()
	for _, s := range d.rt.Sessions() {
		s.Hibernate()
		barrier := make(chan struct{})
		s.Post(func() error { close(barrier); return nil })
		<-barrier
	}
	if n := d.rt.SessionCount(); n != 1 {
		t.Errorf("%d sessions are awake", n)
	}
}

// Short of memory, sessions that rest make room, and every one of their calls goes on when its caller answers.
func TestHibernationWhenMemoryIsShort(t *testing.T) {
	const calls = 200
	var journal *runtime.MemoryJournal
	d := open(t, `const hoard = new Uint8Array(1600000)
	exports.answer = async call => {
		const { digits } = await call.gather({ say: 'press' })
		await call.say(call.id + digits + hoard.length)
	}
	exports.cdr = () => {}`, func(config *runtime.Config, o *bindcall.Options) {
		journal = runtime.NewMemoryJournal(2 * calls)
		config.Journal = journal
		var now goruntime.MemStats
		goruntime.GC()
		goruntime.ReadMemStats(&now)
		config.MemoryLimit = int64(now.HeapAlloc) + 100<<20
		o.Recall = func(_ context.Context, _, id string) ([]runtime.Entry, error) { return journal.Entries(id), nil }
	})
	c := func(i int) *call.Call {
		one := cloudCall(fmt.Sprint("c", i))
		return one
	}
	tokens := make([]string, calls)
	for i := range calls {
		reply, err := d.handler.Answer(t.Context(), c(i))
		for errors.Is(err, call.ErrBusy) {
			<-time.After(10 * time.Millisecond) // as a platform that asks again
			reply, err = d.handler.Answer(t.Context(), c(i))
		}
		if err != nil || reply.Fault != nil {
			t.Fatalf("call %d: %v, fault %v", i, err, reply.Fault)
		}
		tokens[i] = token(t, reply)
	}
	for d.rt.SessionCount() > calls/2 {
		<-time.After(10 * time.Millisecond) // until the memory fits
	}
	awake := d.rt.SessionCount()
	for i := range calls {
		reply, err := d.handler.Input(t.Context(), c(i), call.Input{Token: tokens[i], Digits: "7"})
		if err != nil || reply.Fault != nil {
			t.Fatalf("call %d: %v, fault %v", i, err, reply.Fault)
		}
		wrote(t, reply, fmt.Sprintf(`[{"action":"speak","text":"c%d71600000"},{"action":"hangup"}]`, i))
		if err := d.handler.CDR(t.Context(), &call.CDR{App: "app", Driver: "cloud", CallID: fmt.Sprint("c", i), LegID: fmt.Sprint("c", i), Leg: call.LegA, Raw: json.RawMessage(`{}`)}); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of %d sessions were awake", awake, calls)
}

// A sleeper that cannot be woken is tried again.
func TestASleeperIsWokenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &past{}
		d := lasting(t, p, `exports.answer = async call => {
			setTimeout(() => kv.set('woken', Date.now()), 60_000)
			await call.gather({ say: 'press' })
		}
		exports.cdr = () => {}`)
		defer d.settle()
		d.begin()
		d.sleep()
		p.away.Store(2)
		time.Sleep(71 * time.Second) // twice five seconds late
		synctest.Wait()
		if _, _, err := p.store.Get(t.Context(), "app", "woken"); err != nil {
			t.Errorf("it sleeps on: %v", err)
		}
	})
}

// What is reported while a session falls asleep is told when it has woken, also to a script that has no callback for it:
// its verbs end with the call.
func TestAHangupWhileFallingAsleep(t *testing.T) {
	for range 300 {
		d := lasting(t, &past{}, `exports.answer = async call => {
			try { await call.gather({ say: 'press' }) } catch (e) { console.log('ended by', e.name) }
		}`)
		d.begin()
		var both sync.WaitGroup
		both.Go(d.sleep)
		both.Go(func() { d.happens(call.LegA, "c1", call.StatusHangup, time.Time{}) })
		both.Wait()
		d.over()
		if got := d.logged("c1"); !strings.Contains(got, "ended by HangupError") {
			t.Fatalf("the script says %q; the journal holds %v", got, d.kinds("c1"))
		}
		d.rt.Close()
	}
}
