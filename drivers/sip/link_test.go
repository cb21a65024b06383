package sip_test

import (
	"errors"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// linked are two callers whose calls are connected with each other.
func linked(t *testing.T) (x *exchange, phones [2]*phone, controls [2]*call.Control, over chan error) {
	t.Helper()
	x = performs(t, documents{"desk": `[{"action":"speak","text":"hz 300 long"},{"action":"speak","text":"hz 2500 long"}]`})
	for i := range phones {
		phones[i] = newPhone(t, nil)
		if err := phones[i].call(t.Context(), x, "desk"); err != nil {
			t.Fatal(err)
		}
		phones[i].hears(300)
		phones[i].talk.Loop(tone([]float64{700, 1500}[i], time.Second))
		all := x.live.All()
		controls[i] = all[len(all)-1]
	}
	over = make(chan error, 1)
	go func() {
		_, err := controls[0].Bridge(t.Context(), controls[1], 0)
		over <- err
	}()
	phones[0].hears(1500)
	phones[1].hears(700)
	return x, phones, controls, over
}

func TestLinkedCalls(t *testing.T) {
	t.Parallel()
	x, phones, controls, over := linked(t)
	for _, c := range controls {
		if s := c.State().Status; s != call.StatusBridged {
			t.Errorf("a call is %s", s)
		}
	}
	if _, err := controls[1].Bridge(t.Context(), controls[0], 0); !errors.As(err, new(*call.StateError)) {
		t.Errorf("connected with one that talks: %v", err)
	}
	if err := controls[0].Announce(t.Context(), says(1000), ""); err != nil {
		t.Error(err)
	}
	if !phones[0].heardAlready(1000) || !phones[1].heardAlready(1000) {
		t.Error("what was announced to both was not heard by both")
	}
	if err := controls[0].Announce(t.Context(), says(1200), call.LegB); err != nil {
		t.Error(err)
	}
	if phones[0].heardAlready(1200) || !phones[1].heardAlready(1200) {
		t.Error("what was announced to the other was not heard by the other alone")
	}
	if err := controls[0].Mute(t.Context(), call.LegB, true); err != nil {
		t.Error(err)
	}
	phones[0].silent()
	if err := controls[0].Mute(t.Context(), "", false); err != nil {
		t.Error(err)
	}
	phones[0].hears(1500)
	controls[1].Leave()
	if err := <-over; err != nil {
		t.Error(err)
	}
	phones[0].hears(300) // both documents go on
	phones[1].hears(300)
	phones[0].hangUp()
	phones[1].hangUp()
	wait(t, "the end of both", func() bool { return x.live.Len() == 0 })
}

func TestLinkedCallsEnd(t *testing.T) {
	t.Parallel()
	for i, who := range []string{"this one", "the other one"} {
		t.Run(who+" hangs up", func(t *testing.T) {
			t.Parallel()
			x, phones, _, over := linked(t)
			phones[i].hangUp()
			var hangup *call.HangupError
			if err := <-over; (i == 0) != errors.As(err, &hangup) {
				t.Errorf("it ended with %v", err)
			}
			left := phones[1-i]
			left.hears(300) // its document goes on
			left.hangUp()
			wait(t, "the end of both", func() bool { return x.live.Len() == 0 })
		})
	}
}

func TestLinkedWithOneThatRings(t *testing.T) {
	t.Parallel()
	nobody := newPhone(t, func(_ *phone, i *ua.Invitation) {
		i.Ring()
		<-i.Cancelled
	})
	x := performs(t, documents{"desk": `[{"action":"speak","text":"hz 300 long"}]`, "lobby": `[{"action":"connect","timeout":30,"connect":[{"type":"sip","user":"` + nobody.uri() + `"}]}]`})
	caller := newPhone(t, nil)
	if err := caller.call(t.Context(), x, "desk"); err != nil {
		t.Fatal(err)
	}
	caller.hears(300)
	c := x.control()
	waiting := newPhone(t, nil)
	answered := make(chan error, 1)
	go func() { answered <- waiting.call(t.Context(), x, "lobby") }()
	wait(t, "a call that rings", func() bool { return x.live.Len() == 2 })
	other := x.live.All()[1]
	over := make(chan error, 1)
	go func() {
		_, err := c.Bridge(t.Context(), other, 0)
		over <- err
	}()
	if err := <-answered; err != nil { // by the bridge
		t.Fatal(err)
	}
	waiting.talk.Loop(tone(900, time.Second))
	caller.hears(900)
	waiting.hangUp()
	if err := <-over; err != nil {
		t.Error(err)
	}
	caller.hangUp()
}
