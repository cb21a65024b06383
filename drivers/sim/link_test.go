package sim_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/pcmo"
)

// holds is a handler that holds its calls in its hand, as scripts with verbs do.
type holds struct {
	call.Handler
	live  *call.Live
	clock *sim.Clock
	do    map[string]func(ctx context.Context, c *call.Control) error // by who calls
}

func (h *holds) Answer(ctx context.Context, c *call.Call) (call.Reply, error) {
	control, ok := h.live.Find(c.ID)
	if !ok {
		return call.Reply{}, errors.New("the call cannot be found")
	}
	_ = h.do[c.From](ctx, control) // what it comes to is in the transcript
	return call.Reply{Document: []pcmo.Action{}}, nil
}

func (h *holds) Event(context.Context, *call.Event) error { return nil }
func (h *holds) CDR(context.Context, *call.CDR) error     { return nil }

// meets has two callers, alice and bob, call at once.
func meets(t *testing.T, h *holds, alice, bob sim.Caller) (a, b *sim.Transcript) {
	t.Helper()
	clock := sim.NewClock(time.Time{})
	h.live, h.clock = &call.Live{}, clock
	var all sync.WaitGroup
	clock.Begin()
	for _, one := range []struct {
		who  sim.Caller
		name string
		got  **sim.Transcript
	}{{alice, "alice", &a}, {bob, "bob", &b}} {
		began := make(chan struct{})
		n := 0
		driver := sim.New(sim.Options{Clock: clock, Live: h.live,
			NewID: func() string { n++; return fmt.Sprintf("%s-%d", one.name, n) },
			Observe: func(e sim.Entry) {
				if e.Kind == sim.Began {
					close(began)
				}
			}})
		one.who.App, one.who.From = "app", one.name
		all.Go(func() {
			var err error
			if *one.got, err = driver.Call(t.Context(), h, one.who); err != nil {
				t.Error(err)
			}
		})
		<-began
	}
	clock.End()
	all.Wait()
	return a, b
}

func TestLinkedCallsEndInTime(t *testing.T) {
	for range 200 {
		var waited, talked error
		h := &holds{do: map[string]func(context.Context, *call.Control) error{}}
		h.do["alice"] = func(ctx context.Context, c *call.Control) error { return c.Pause(ctx, time.Minute) }
		h.do["bob"] = func(ctx context.Context, c *call.Control) error {
			_ = c.Pause(ctx, time.Second)
			other, _ := h.live.Find("alice-1")
			_, waited = c.Bridge(ctx, other, 0)
			return waited
		}
		a, b := meets(t, h, sim.Caller{}, sim.Caller{HangupAfter: 20 * time.Second})
		if a.Length != time.Minute || b.Length != 20*time.Second || !errors.Is(waited, call.ErrOver) {
			t.Fatalf("while it waits: %v, %v, %v", a.Length, b.Length, waited)
		}
		h.do["alice"] = func(ctx context.Context, c *call.Control) error { return h.clock.Sleep(ctx, time.Hour) }
		h.do["bob"] = func(ctx context.Context, c *call.Control) error {
			_ = c.Pause(ctx, time.Second)
			other, _ := h.live.Find("alice-1")
			var got call.Dialled
			if got, talked = c.Bridge(ctx, other, time.Hour); got.Duration != 9*time.Second {
				t.Errorf("%+v", got)
			}
			return talked
		}
		a, b = meets(t, h, sim.Caller{HangupAfter: 10 * time.Second}, sim.Caller{})
		if a.Length != 10*time.Second || b.Length != 10*time.Second || talked != nil {
			t.Fatalf("while they talk: %v, %v, %v", a.Length, b.Length, talked)
		}
	}
}
