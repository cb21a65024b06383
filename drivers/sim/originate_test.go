package sim_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/pcmo"
)

// place places a call and returns what became of it.
func place(t *testing.T, app call.Handler, party *sim.Callee, o call.Order) *sim.Transcript {
	t.Helper()
	clock, live := sim.NewClock(sim.Epoch), &call.Live{}
	p := &puppeteer{clock: clock}
	driver := sim.New(sim.Options{Clock: clock, Live: live})
	originator := driver.Originator(t.Context(), app, func(o call.Order) sim.Caller {
		return sim.Caller{Party: party, Controller: p}
	})
	clock.Begin()
	c, err := originator.Originate(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{c.ID, c.RequestID} {
		if _, ok := live.Find(id); !ok {
			t.Errorf("the call is not known by %q", id)
		}
	}
	clock.End()
	originator.Wait()
	return p.over
}

func TestOriginate(t *testing.T) {
	says := plays(&pcmo.Speak{Text: "Hello"})
	for name, test := range map[string]struct {
		party *sim.Callee
		order call.Order
		want  string // a part of the transcript
	}{
		"the app is asked":  {nil, call.Order{To: "+14155550177", From: "+14155550100"}, "14155550100 calls 14155550177, app test"},
		"a document":        {&sim.Callee{After: time.Second}, call.Order{To: "1", Document: []pcmo.Action{&pcmo.Speak{Text: "Hi"}}}, "00:01.0  hears    “Hi”"},
		"an empty document": {nil, call.Order{To: "1", Document: []pcmo.Action{}}, "the app hung up after 3s"},
		"busy":              {&sim.Callee{Outcome: sim.Busy}, call.Order{To: "1"}, "the caller hung up (USER_BUSY) after 3s"},
		"rejects":           {&sim.Callee{Outcome: sim.Rejects, After: time.Second}, call.Order{To: "1"}, "the caller hung up (CALL_REJECTED) after 1s"},
		"unreachable":       {&sim.Callee{Outcome: sim.Unreachable}, call.Order{To: "1"}, "piopiyd hung up (NO_ROUTE_DESTINATION) after 0s"},
		"no answer":         {&sim.Callee{Outcome: sim.NoAnswer}, call.Order{To: "1", RingTimeout: 15 * time.Second}, "piopiyd hung up (NO_ANSWER) after 15s"},
		"too late":          {&sim.Callee{After: time.Minute}, call.Order{To: "1"}, "piopiyd hung up (NO_ANSWER) after 40s"},
		"a machine":         {&sim.Callee{Outcome: sim.Voicemail}, call.Order{To: "1"}, "answered by a machine"},
		"they hang up":      {&sim.Callee{Talk: 200 * time.Millisecond}, call.Order{To: "1"}, "the caller hung up after 3.2s"},
		"a time limit":      {nil, call.Order{To: "1", MaxDuration: 100 * time.Millisecond}, "piopiyd ended it at the time limit after 3.1s"},
		"recorded":          {nil, call.Order{To: "1", Record: true}, "recorded 300ms"},
	} {
		t.Run(name, func(t *testing.T) {
			test.order.App = "test"
			transcript := place(t, says, test.party, test.order)
			if !strings.Contains(transcript.String(), test.want) {
				t.Errorf("the transcript does not say %q:\n%s", test.want, transcript)
			}
			answered := !strings.Contains(transcript.String(), "missed")
			if asked := strings.Contains(transcript.String(), "“Hello”"); asked != (answered && test.order.Document == nil) {
				t.Errorf("the app was asked: %t\n%s", asked, transcript)
			}
		})
	}
}

func TestOriginateRefuses(t *testing.T) {
	clock := sim.NewClock(sim.Epoch)
	ctx, cancel := context.WithCancelCause(t.Context())
	originator := sim.New(sim.Options{Clock: clock}).Originator(ctx, plays(), nil)
	clock.Begin()
	defer clock.End()
	if _, err := originator.Originate(t.Context(), call.Order{To: "+"}); err == nil {
		t.Error("nobody was called")
	}
	why := errors.New("over")
	cancel(why)
	if _, err := originator.Originate(t.Context(), call.Order{To: "1"}); !errors.Is(err, why) {
		t.Errorf("error %v", err)
	}
}

// Calls that place calls come to an end.
func TestOriginateEndlessly(t *testing.T) {
	clock := sim.NewClock(sim.Epoch)
	app := &app{}
	driver := sim.New(sim.Options{Clock: clock, MaxPlaced: 5})
	originator := driver.Originator(t.Context(), app, nil)
	var failed error
	app.answer = func(ctx context.Context, _ *call.Call) (pcmo.Document, error) {
		if _, err := originator.Originate(ctx, call.Order{To: "1"}); err != nil {
			failed = err
		}
		return nil, nil
	}
	if _, err := driver.Call(t.Context(), app, sim.Caller{App: "test"}); err != nil {
		t.Fatal(err)
	}
	originator.Wait()
	if failed == nil || !strings.Contains(failed.Error(), "5 calls were placed") || len(app.cdrs) != 6 {
		t.Errorf("error %v, %d CDRs", failed, len(app.cdrs))
	}
}

// The app is told of a call that its party does not take, and is not asked about it.
func TestCallWithAParty(t *testing.T) {
	app := plays(&pcmo.Speak{Text: "Hello"})
	transcript, err := sim.New(sim.Options{}).Call(t.Context(), app, sim.Caller{App: "test", Direction: call.Outbound, Party: &sim.Callee{Outcome: sim.Busy}})
	if err != nil || transcript.Ending.Cause != call.CauseBusy {
		t.Errorf("error %v\n%s", err, transcript)
	}
	if len(app.cdrs) != 1 || app.cdrs[0].Status != call.StatusMissed || strings.Contains(transcript.String(), "Hello") {
		t.Errorf("%d CDRs\n%s", len(app.cdrs), transcript)
	}
}
