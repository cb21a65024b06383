package sip_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/sdp"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
	"github.com/piopiy/piopiyd/pcmo"
)

// balanced checks that all calls and legs that began have ended, once.
func (x *exchange) balanced(calls int) {
	x.t.Helper()
	x.close()
	all := x.reportedAll()
	if n := x.live.Len(); n != 0 || x.Calls() != 0 {
		x.t.Errorf("%d calls are alive, %d counted", n, x.Calls())
	}
	if n := strings.Count(all, "a cdr"); n != calls {
		x.t.Errorf("%d records of %d calls: %s", n, calls, all)
	}
	if begun, ended := strings.Count(all, "b in_started"), strings.Count(all, "b cdr"); begun != ended {
		x.t.Errorf("%d legs began, %d have records: %s", begun, ended, all)
	}
}

// TestHangupMeanwhile hangs up while something is under way, sooner and later.
func TestHangupMeanwhile(t *testing.T) {
	t.Parallel()
	type talk struct {
		x              *exchange
		caller, callee *phone
		c              *call.Control
		third          *phone
	}
	for name, do := range map[string]func(context.Context, *talk){
		"announce": func(ctx context.Context, k *talk) { _ = k.c.Announce(ctx, says(440), "") },
		"hold": func(ctx context.Context, k *talk) {
			_ = k.c.Hold(ctx, true, says(440))
			_ = k.c.Hold(ctx, false, call.Prompt{})
		},
		"record": func(ctx context.Context, k *talk) {
			_ = k.c.ControlRecording(ctx, call.RecordingStart)
			_ = k.c.ControlRecording(ctx, call.RecordingStop)
			_ = k.c.ControlRecording(ctx, call.RecordingStart)
		},
		"digits":     func(ctx context.Context, k *talk) { _ = k.c.SendDigits(ctx, "0123456789", "") },
		"refer":      func(ctx context.Context, k *talk) { _ = k.c.Refer(ctx, target(k.third)) },
		"conference": func(ctx context.Context, k *talk) { _ = k.c.Join(ctx, "weekly", call.JoinOptions{}) },
		"transfer": func(ctx context.Context, k *talk) {
			_ = k.c.Transfer(ctx, call.Warm{Target: target(k.third), Whisper: says(440), Confirm: true, Music: says(550)})
		},
		"another document": func(_ context.Context, k *talk) {
			_ = k.c.Perform([]pcmo.Action{&pcmo.Connect{Targets: []pcmo.Target{pcmo.SIP(k.third.uri())}}})
		},
		"a phone's transfer": func(ctx context.Context, k *talk) {
			_, _ = k.callee.inCall().Refer(ctx, ua.Transfer{To: k.third.uri()})
		},
		"the caller's transfer": func(ctx context.Context, k *talk) {
			_, _ = k.caller.inCall().Refer(ctx, ua.Transfer{To: k.third.uri()})
		},
	} {
		for who, hangUp := range map[string]func(*talk){
			"caller": func(k *talk) { k.caller.hangUp() },
			"callee": func(k *talk) { k.callee.hangUp() },
			"app":    func(k *talk) { _ = k.c.Hangup(call.Ending{By: call.SideApp, Cause: call.CauseNormal}) },
		} {
			t.Run(name+" "+who, func(t *testing.T) {
				t.Parallel()
				for _, delay := range []time.Duration{0, 3 * time.Millisecond, 15 * time.Millisecond, 60 * time.Millisecond} {
					k := &talk{callee: answers(t), caller: newPhone(t, nil), third: newPhone(t, func(p *phone, i *ua.Invitation) {
						i.Ring()
						select {
						case <-time.After(10 * time.Millisecond):
							p.pickUp(i)
						case <-i.Cancelled:
						}
					})}
					k.x = performs(t, documents{"desk": `[{"action":"connect","timeout":5,"connect":[{"type":"sip","user":"` + k.callee.uri() + `"}]}]`}, allowRefer)
					if err := k.caller.call(t.Context(), k.x, "desk"); err != nil {
						t.Fatal(err)
					}
					k.c = k.x.control()
					wait(t, "the bridge", func() bool { return k.c.State().Status == call.StatusBridged })
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					done := make(chan struct{})
					go func() {
						defer close(done)
						do(ctx, k)
					}()
					<-time.After(delay)
					hangUp(k)
					if who == "callee" || name == "the caller's transfer" { // the call may have gone on with somebody else
						_ = k.c.Hangup(call.Ending{By: call.SideApp, Cause: call.CauseNormal})
					}
					for what, over := range map[string]<-chan struct{}{"the call": k.c.Done(), "what was done to it": done} {
						select {
						case <-over:
						case <-time.After(patience):
							t.Fatalf("%s does not end", what)
						}
					}
					cancel()
					k.x.balanced(1)
				}
			})
		}
	}
}

// TestHangupWhileItRings ends outbound calls and dialling at all times.
func TestHangupWhileItRings(t *testing.T) {
	t.Parallel()
	for _, delay := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 12 * time.Millisecond, 30 * time.Millisecond} {
		t.Run(fmt.Sprint(delay), func(t *testing.T) {
			t.Parallel()
			callee := newPhone(t, func(p *phone, i *ua.Invitation) {
				i.Ring()
				select {
				case <-time.After(10 * time.Millisecond):
					p.pickUp(i)
				case <-i.Cancelled:
				}
			})
			x := performs(t, documents{"desk": `[{"action":"connect","timeout":5,"connect":[{"type":"sip","user":"` + callee.uri() + `"}]}]`})
			if _, err := x.Originate(t.Context(), call.Order{App: "desk", To: callee.uri(), Document: decode(t, `[{"action":"record"}]`)}); err != nil {
				t.Fatal(err)
			}
			<-time.After(delay)
			_ = x.control().Hangup(call.Ending{By: call.SideApp, Cause: call.CauseCancelled})
			wait(t, "the end of the first call", func() bool { return x.live.Len() == 0 })
			caller := newPhone(t, nil)
			ctx, cancel := context.WithCancel(t.Context())
			calling := make(chan error, 1)
			go func() { calling <- caller.call(ctx, x, "desk") }()
			wait(t, "the call", func() bool { return x.live.Len() == 1 })
			<-time.After(delay)
			cancel()
			if <-calling == nil {
				caller.hangUp()
			}
			x.balanced(2)
		})
	}
}

// TestDrainEndsOutboundCalls ends the calls that we have made, too.
func TestDrainEndsOutboundCalls(t *testing.T) {
	t.Parallel()
	p := answers(t)
	x := performs(t, documents{}, func(o *sip.Options) { o.DrainTimeout = 100 * time.Millisecond })
	if _, err := x.Originate(t.Context(), call.Order{App: "desk", To: p.uri(), Document: decode(t, `[{"action":"record"}]`)}); err != nil {
		t.Fatal(err)
	}
	c := x.control()
	wait(t, "the answer", func() bool { return c.State().Status == call.StatusAnswered })
	x.balanced(1)
	p.ends()
}

// TestTheCalleeAnswersWhileTheCallerHangsUp has both happen at about the same time, many times: whoever is first, each
// leg ends once, and nobody is left in a call.
func TestTheCalleeAnswersWhileTheCallerHangsUp(t *testing.T) {
	rounds := 60
	if testing.Short() || raceDetector {
		rounds = 15
	}
	const lines = 4
	var callees [lines]*phone
	var taken, left atomic.Int64
	docs := documents{}
	for i := range callees {
		callees[i] = newPhone(t, func(p *phone, i *ua.Invitation) {
			i.Ring()
			select {
			case <-time.After(20 * time.Millisecond):
				d, err := sdp.Parse(i.Offer)
				if err != nil {
					t.Error(err)
					return
				}
				h := p.handlers()
				h.Ended = func(ua.End) { left.Add(1) }
				if _, err = i.Accept(p.local().Answer(d), h); err == nil {
					taken.Add(1)
				}
			case <-i.Cancelled:
			}
		})
		docs[fmt.Sprint("desk", i)] = `[{"action":"connect","timeout":5,"connect":[{"type":"sip","user":"` + callees[i].uri() + `"}]}]`
	}
	x := performs(t, docs)
	var all sync.WaitGroup
	for line := range lines {
		callers := make([]*phone, rounds)
		for i := range callers {
			callers[i] = newPhone(t, nil)
		}
		all.Go(func() {
			for i, caller := range callers {
				ctx, cancel := context.WithTimeout(context.Background(), 15*time.Millisecond+time.Duration(i%20)*time.Millisecond)
				if caller.call(ctx, x, fmt.Sprint("desk", line)) == nil {
					caller.hangUp()
				}
				cancel()
			}
		})
	}
	all.Wait()
	wait(t, "the end of all calls", func() bool { return x.live.Len() == 0 && x.Calls() == 0 })
	wait(t, "the goodbye to all callees", func() bool { return taken.Load() == left.Load() })
	x.balanced(lines * rounds)
	t.Logf("%d of %d calls were answered", taken.Load(), lines*rounds)
}
