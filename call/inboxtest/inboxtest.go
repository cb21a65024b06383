// Package inboxtest holds the tests that every call.Inbox has to pass.
package inboxtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/call"
)

// Handler is a call.Handler of which an inbox uses Event and CDR only. A nil function accepts everything.
type Handler struct {
	call.Handler
	OnEvent func(ctx context.Context, e *call.Event) error
	OnCDR   func(ctx context.Context, r *call.CDR) error
}

// Event implements call.Handler.
func (h Handler) Event(ctx context.Context, e *call.Event) error {
	if h.OnEvent == nil {
		return nil
	}
	return h.OnEvent(ctx, e)
}

// CDR implements call.Handler.
func (h Handler) CDR(ctx context.Context, r *call.CDR) error {
	if h.OnCDR == nil {
		return nil
	}
	return h.OnCDR(ctx, r)
}

// Open makes a fresh inbox that lives as long as the test.
type Open func(t *testing.T, opts call.InboxOptions) call.Inbox

var quick = []time.Duration{time.Millisecond, 2 * time.Millisecond}

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func event(id string, status call.Status, at time.Time) *call.Event {
	return &call.Event{App: "support", CallID: id, LegID: id, Leg: call.LegA, Direction: call.Inbound,
		Status: status, WireStatus: string(status), Time: at, From: "919999000001", To: "918888000001", Raw: []byte(`{"a":1}`)}
}

func record(id string, leg call.Leg) *call.CDR {
	return &call.CDR{App: "support", CallID: id, LegID: id + "-" + string(leg), Leg: leg, Direction: call.Outbound, Status: call.StatusAnswered,
		RequestID: "req", From: "1", To: "2", Start: noon, Answer: noon.Add(time.Second), End: noon.Add(time.Minute),
		Duration: 59 * time.Second, ExtraParams: "x", Raw: []byte(`{"duration":59}`)}
}

// Run runs the tests.
func Run(t *testing.T, open Open) {
	t.Run("duplicates", func(t *testing.T) { duplicates(t, open) })
	t.Run("concurrent duplicates", func(t *testing.T) { concurrentDuplicates(t, open) })
	t.Run("content", func(t *testing.T) { content(t, open) })
	t.Run("order and concurrency", func(t *testing.T) { order(t, open) })
	t.Run("retry", func(t *testing.T) { retry(t, open) })
	t.Run("giving up", func(t *testing.T) { givingUp(t, open) })
	t.Run("panic", func(t *testing.T) { panicking(t, open) })
	t.Run("stop and go on", func(t *testing.T) { stopAndGoOn(t, open) })
	t.Run("full", func(t *testing.T) { full(t, open) })
	t.Run("bad input", func(t *testing.T) { badInput(t, open) })
}

// deliver runs Deliver until the test ends or the returned function is called.
func deliver(t *testing.T, in call.Inbox, h call.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- in.Deliver(ctx, h) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Deliver: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func accept(t *testing.T, in call.Inbox, what any) bool {
	t.Helper()
	var fresh bool
	var err error
	switch v := what.(type) {
	case *call.Event:
		fresh, err = in.AcceptEvent(t.Context(), v)
	case *call.CDR:
		fresh, err = in.AcceptCDR(t.Context(), v)
	}
	if err != nil {
		t.Fatalf("accept: %v", err)
	}
	return fresh
}

func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

func duplicates(t *testing.T, open Open) {
	in := open(t, call.InboxOptions{})
	timeless := func(raw string) *call.Event {
		e := event("c2", call.StatusRinging, time.Time{})
		e.Raw = []byte(raw)
		return e
	}
	foreign := record("c1", call.LegA)
	foreign.App = "sales"
	cases := []struct {
		name  string
		what  any
		fresh bool
	}{
		{"record", record("c1", call.LegA), true},
		{"same record", record("c1", call.LegA), false},
		{"other leg", record("c1", call.LegB), true},
		{"other app", foreign, true},
		{"event", event("c1", call.StatusAnswered, noon), true},
		{"same event", event("c1", call.StatusAnswered, noon), false},
		{"same event later", event("c1", call.StatusAnswered, noon.Add(time.Second)), true},
		{"other status", event("c1", call.StatusHangup, noon), true},
		{"no time", timeless(`{"n":1}`), true},
		{"no time, same content", timeless(`{"n":1}`), false},
		{"no time, other content", timeless(`{"n":2}`), true},
	}
	want := 0
	for _, c := range cases {
		if got := accept(t, in, c.what); got != c.fresh {
			t.Errorf("%s: fresh = %v, want %v", c.name, got, c.fresh)
		}
		if c.fresh {
			want++
		}
	}
	got := make(chan string, 64)
	stop := deliver(t, in, Handler{
		OnEvent: func(_ context.Context, e *call.Event) error { got <- "event"; return nil },
		OnCDR:   func(_ context.Context, r *call.CDR) error { got <- "cdr"; return nil },
	})
	for range want {
		receive(t, got, "a delivery")
	}
	// What was delivered is still known.
	for _, c := range cases {
		if accept(t, in, c.what) {
			t.Errorf("%s: accepted again after its delivery", c.name)
		}
	}
	stop()
	if len(got) != 0 {
		t.Errorf("%d deliveries too many", len(got))
	}
}

func concurrentDuplicates(t *testing.T, open Open) {
	in := open(t, call.InboxOptions{})
	var fresh atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := range 20 {
				ok, err := in.AcceptCDR(t.Context(), record(fmt.Sprint("c", i), call.LegA))
				if err != nil {
					t.Error(err)
				}
				if ok {
					fresh.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := fresh.Load(); n != 20 {
		t.Errorf("%d of 20 different records were fresh", n)
	}
}

func content(t *testing.T, open Open) {
	in := open(t, call.InboxOptions{})
	wantEvent, wantCDR := event("c\x00.*> ü", call.StatusBridged, noon), record("c\x00.*> ü", call.LegB)
	accept(t, in, wantEvent)
	accept(t, in, wantCDR)
	events, cdrs := make(chan *call.Event, 1), make(chan *call.CDR, 1)
	deliver(t, in, Handler{
		OnEvent: func(_ context.Context, e *call.Event) error { events <- e; return nil },
		OnCDR:   func(_ context.Context, r *call.CDR) error { cdrs <- r; return nil },
	})
	if got := receive(t, events, "the event"); fmt.Sprint(*got) != fmt.Sprint(*wantEvent) {
		t.Errorf("event:\n got %v\nwant %v", *got, *wantEvent)
	}
	if got := receive(t, cdrs, "the record"); fmt.Sprint(*got) != fmt.Sprint(*wantCDR) {
		t.Errorf("record:\n got %v\nwant %v", *got, *wantCDR)
	}
}

func order(t *testing.T, open Open) {
	const calls, each, limit = 20, 10, 4
	in := open(t, call.InboxOptions{Concurrency: limit})
	for n := range each {
		for c := range calls {
			accept(t, in, event(fmt.Sprint("c", c), call.StatusRinging, noon.Add(time.Duration(n)*time.Second)))
		}
	}
	var mu sync.Mutex
	next := map[string]int{}
	busy := map[string]bool{}
	running, most := 0, 0
	together := make(chan struct{}) // closed when limit deliveries run at one time
	done := make(chan struct{}, calls*each)
	deliver(t, in, Handler{OnEvent: func(_ context.Context, e *call.Event) error {
		mu.Lock()
		if busy[e.CallID] {
			t.Errorf("two deliveries of %s at a time", e.CallID)
		}
		busy[e.CallID] = true
		if running++; running > most {
			if most = running; most == limit {
				close(together)
			}
		}
		if n := int(e.Time.Sub(noon).Seconds()); n != next[e.CallID] {
			t.Errorf("%s: delivered %d, want %d", e.CallID, n, next[e.CallID])
		}
		next[e.CallID]++
		mu.Unlock()
		receive(t, together, "other calls' deliveries at the same time")
		mu.Lock()
		busy[e.CallID] = false
		running--
		mu.Unlock()
		done <- struct{}{}
		return nil
	}})
	for range calls * each {
		receive(t, done, "a delivery")
	}
	if most != limit {
		t.Errorf("up to %d deliveries at a time, want %d", most, limit)
	}
}

func retry(t *testing.T, open Open) {
	in := open(t, call.InboxOptions{Backoff: quick})
	accept(t, in, event("c1", call.StatusAnswered, noon))
	accept(t, in, record("c1", call.LegA))
	accept(t, in, record("c2", call.LegA))
	got := make(chan string, 16)
	fails := 3
	stop := deliver(t, in, Handler{
		OnEvent: func(context.Context, *call.Event) error {
			if fails--; fails >= 0 {
				return errors.New("not yet")
			}
			got <- "event"
			return nil
		},
		OnCDR: func(_ context.Context, r *call.CDR) error { got <- "cdr " + r.CallID; return nil },
	})
	var seen []string
	for range 3 {
		seen = append(seen, receive(t, got, "a delivery"))
	}
	stop()
	at := map[string]int{}
	for i, s := range seen {
		at[s] = i
	}
	if len(at) != 3 || at["event"] > at["cdr c1"] {
		t.Errorf("delivered %v: the call's record must come after its event", seen)
	}
}

func givingUp(t *testing.T, open Open) {
	in := open(t, call.InboxOptions{Backoff: quick, EventMaxAge: time.Nanosecond})
	accept(t, in, event("old", call.StatusAnswered, noon)) // past its age at the first failure
	accept(t, in, record("refused", call.LegA))
	accept(t, in, record("no callback", call.LegA))
	for _, id := range []string{"old", "refused", "no callback"} {
		accept(t, in, record(id, call.LegB)) // comes when the one before it is given up
	}
	tries := make(chan string, 64)
	stop := deliver(t, in, Handler{
		OnEvent: func(_ context.Context, e *call.Event) error { tries <- e.CallID; return errors.New("no") },
		OnCDR: func(_ context.Context, r *call.CDR) error {
			tries <- r.CallID
			switch {
			case r.Leg == call.LegB:
				return nil
			case r.CallID == "refused":
				return fmt.Errorf("cdr: %w", call.Permanent(errors.New("never")))
			}
			return fmt.Errorf("cdr: %w", call.ErrNoCallback)
		},
	})
	count := map[string]int{}
	for range 6 {
		count[receive(t, tries, "a delivery")]++
	}
	stop()
	if len(tries) > 0 || count["old"] != 2 || count["refused"] != 2 || count["no callback"] != 2 {
		t.Errorf("tries: %v and %d more, want 2 each", count, len(tries))
	}
	if accept(t, in, record("refused", call.LegA)) {
		t.Error("what was given up is accepted again")
	}
}

func panicking(t *testing.T, open Open) {
	in := open(t, call.InboxOptions{Backoff: quick})
	accept(t, in, record("c1", call.LegA))
	done := make(chan struct{})
	first := true
	deliver(t, in, Handler{OnCDR: func(context.Context, *call.CDR) error {
		if first {
			first = false
			panic("boom")
		}
		close(done)
		return nil
	}})
	receive(t, done, "the delivery after the panic")
}

func stopAndGoOn(t *testing.T, open Open) {
	in := open(t, call.InboxOptions{Backoff: []time.Duration{time.Hour}})
	accept(t, in, record("c1", call.LegA))
	accept(t, in, record("c2", call.LegA))
	accept(t, in, record("c2", call.LegB))
	running := make(chan struct{}, 4)
	stop := deliver(t, in, Handler{OnCDR: func(ctx context.Context, r *call.CDR) error {
		running <- struct{}{}
		if r.CallID == "c1" {
			return errors.New("in an hour")
		}
		<-ctx.Done()
		return ctx.Err() // not the delivery's fault: it goes on with the next Deliver
	}})
	receive(t, running, "a delivery")
	receive(t, running, "a delivery")
	if err := in.Deliver(t.Context(), Handler{}); err == nil {
		t.Error("a second Deliver at the same time is not refused")
	}
	stop()
	got := make(chan string, 4)
	deliver(t, in, Handler{OnCDR: func(_ context.Context, r *call.CDR) error {
		got <- r.CallID
		return nil
	}})
	count := map[string]int{}
	for range 3 {
		count[receive(t, got, "a delivery")]++
	}
	if count["c1"] != 1 || count["c2"] != 2 {
		t.Errorf("delivered %v", count)
	}
}

func full(t *testing.T, open Open) {
	in := open(t, call.InboxOptions{MaxPending: 2})
	accept(t, in, record("c1", call.LegA))
	accept(t, in, record("c2", call.LegA))
	if _, err := in.AcceptCDR(t.Context(), record("c3", call.LegA)); !errors.Is(err, call.ErrInboxFull) {
		t.Fatalf("third of two: %v, want ErrInboxFull", err)
	}
	if fresh, err := in.AcceptCDR(t.Context(), record("c1", call.LegA)); fresh || err != nil {
		t.Errorf("a duplicate while full: %v, %v", fresh, err)
	}
	got := make(chan string, 4)
	stop := deliver(t, in, Handler{OnCDR: func(_ context.Context, r *call.CDR) error { got <- r.CallID; return nil }})
	receive(t, got, "a delivery")
	receive(t, got, "a delivery")
	stop()
	if !accept(t, in, record("c3", call.LegA)) {
		t.Error("the refused record counts as a duplicate")
	}
}

func badInput(t *testing.T, open Open) {
	in := open(t, call.InboxOptions{})
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for name, try := range map[string]func() (bool, error){
		"nil event":       func() (bool, error) { return in.AcceptEvent(t.Context(), nil) },
		"nil record":      func() (bool, error) { return in.AcceptCDR(t.Context(), nil) },
		"no call, event":  func() (bool, error) { return in.AcceptEvent(t.Context(), &call.Event{App: "support"}) },
		"no call, record": func() (bool, error) { return in.AcceptCDR(t.Context(), &call.CDR{App: "support"}) },
		"context over":    func() (bool, error) { return in.AcceptCDR(ended, record("c1", call.LegA)) },
	} {
		if fresh, err := try(); err == nil || fresh {
			t.Errorf("%s: %v, %v; want an error", name, fresh, err)
		}
	}
	if err := in.Deliver(ended, nil); err == nil {
		t.Error("Deliver without a handler returns no error")
	}
}
