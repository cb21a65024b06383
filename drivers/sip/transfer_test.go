package sip_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

func allowRefer(o *sip.Options) { o.AllowRefer = true }

// talks lets a phone say a tone that another one must hear.
func (p *phone) talksTo(other *phone, hz float64) {
	p.t.Helper()
	p.talk.Loop(tone(hz, time.Second))
	other.mu.Lock()
	other.heard = nil
	other.mu.Unlock()
	other.hears(hz)
}

func TestReferIsDeclined(t *testing.T) {
	t.Parallel()
	refer := func(p *phone, to string) int {
		t.Helper()
		_, err := p.inCall().Refer(t.Context(), ua.Transfer{To: to})
		var rejected *ua.Rejected
		if !errors.As(err, &rejected) {
			t.Errorf("to %s: %v", to, err)
			return 0
		}
		return rejected.Status
	}
	t.Run("by default", func(t *testing.T) {
		_, caller, callee, _ := bridged(t)
		if s := refer(callee, "sip:x@127.0.0.1"); s != 603 {
			t.Errorf("got %d", s)
		}
		caller.hears(1500)
		caller.hangUp()
	})
	t.Run("whom the app may not call", func(t *testing.T) {
		_, caller, callee, _ := bridged(t, allowRefer)
		for _, to := range []string{"sip:x@192.0.2.7", "sip:14155550101@192.0.2.7", "sip:+14155550101@192.0.2.7"} {
			if s := refer(callee, to); s != 403 {
				t.Errorf("%s: got %d", to, s)
			}
		}
		caller.hears(1500)
		caller.hangUp()
	})
	t.Run("the app itself", func(t *testing.T) {
		x := performs(t, documents{"desk": `[{"action":"record"}]`}, allowRefer)
		p := newPhone(t, nil)
		if err := p.call(t.Context(), x, "desk"); err != nil {
			t.Fatal(err)
		}
		if s := refer(p, "sip:x@127.0.0.1"); s != 603 {
			t.Errorf("got %d", s)
		}
		p.hangUp()
	})
}

func TestBlindTransferByTheCallee(t *testing.T) {
	t.Parallel()
	for _, early := range []bool{false, true} {
		t.Run(fmt.Sprintf("it hangs up at once: %v", early), func(t *testing.T) {
			x, caller, callee, _ := bridged(t, allowRefer)
			picks := make(chan struct{})
			third := newPhone(t, func(p *phone, i *ua.Invitation) {
				if i.From != "15550001111" {
					t.Errorf("%s calls", i.From)
				}
				i.Ring()
				<-picks
				p.pickUp(i)
			})
			rings := make(chan struct{}, 10)
			outcome := make(chan ua.Outcome, 1)
			go func() {
				o, _ := callee.inCall().Refer(t.Context(), ua.Transfer{To: third.uri(), Progress: func(int, string) { rings <- struct{}{} }})
				outcome <- o
			}()
			<-rings
			if early {
				callee.hangUp()
				caller.hears(425)
			}
			close(picks)
			third.until("the line", func() bool { return len(third.heard) > 0 })
			third.talksTo(caller, 2500)
			caller.talksTo(third, 600)
			if !early {
				if o := <-outcome; o.Status != 200 {
					t.Errorf("the transfer ended with %+v", o)
				}
				callee.ends()
			}
			third.session.SendDigits("8")
			caller.until("8", func() bool { return string(caller.digits) == "8" })
			third.hangUp()
			caller.hears(1000) // the next action
			caller.ends()
			x.close()
		})
	}
}

func TestBlindTransferInVain(t *testing.T) {
	t.Parallel()
	_, caller, callee, _ := bridged(t, allowRefer)
	busy := newPhone(t, nil)
	if o, err := callee.inCall().Refer(t.Context(), ua.Transfer{To: busy.uri()}); err != nil || o.Status != 486 {
		t.Errorf("the transfer ended with %+v, %v", o, err)
	}
	callee.talksTo(caller, 1500)
	caller.hangUp()
}

func TestBlindTransferByTheCaller(t *testing.T) {
	t.Parallel()
	x, caller, callee, c := bridged(t, allowRefer)
	third := answers(t)
	if o, err := caller.inCall().Refer(t.Context(), ua.Transfer{To: third.uri()}); err != nil || o.Status != 200 {
		t.Errorf("the transfer ended with %+v, %v", o, err)
	}
	caller.ends()
	third.talksTo(callee, 2500)
	callee.talksTo(third, 600)
	if err := c.Announce(t.Context(), says(400), call.LegA); err != nil || !third.heardAlready(400) {
		t.Errorf("the call has ended for its control: %v", err)
	}
	third.hangUp()
	callee.ends()
	x.reported("b in_started", "b in_bridged", "a in_answered", "b in_hangup", "b cdr answered NORMAL_CLEARING", "a in_hangup", "a cdr answered NORMAL_CLEARING")
}

// TestAttendedTransfer lets somebody who has two calls connect the two others: whoever has called whom.
func TestAttendedTransfer(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"caller", "callee"} {
		for _, second := range []string{"caller", "callee"} {
			t.Run(first+" and "+second, func(t *testing.T) {
				callees := []*phone{answers(t), answers(t)}
				doc := func(p *phone) string {
					return `[{"action":"connect","timeout":5,"connect":[{"type":"sip","user":"` + p.uri() + `"}]},{"action":"speak","text":"hz 1000"}]`
				}
				x := performs(t, documents{"one": doc(callees[0]), "two": doc(callees[1])}, allowRefer)
				var us, them [2]*phone
				for i, app := range []string{"one", "two"} {
					caller := newPhone(t, nil)
					if err := caller.call(t.Context(), x, app); err != nil {
						t.Fatal(err)
					}
					us[i], them[i] = caller, callees[i]
					if []string{first, second}[i] == "callee" {
						us[i], them[i] = them[i], us[i]
					}
					us[i].talksTo(them[i], 900)
				}
				if o, err := us[0].inCall().Refer(t.Context(), ua.Transfer{Replaces: us[1].inCall()}); err != nil && !errors.Is(err, ua.ErrEnded) || o.Status != 200 {
					t.Errorf("the transfer ended with %+v, %v", o, err)
				}
				us[0].ends()
				us[1].ends()
				them[0].talksTo(them[1], 1300)
				them[1].talksTo(them[0], 1700)
				them[0].session.SendDigits("5")
				them[1].until("5", func() bool { return string(them[1].digits) == "5" })
				them[0].hangUp()
				them[1].ends()
				x.close()
			})
		}
	}
}

// TestAttendedTransferElsewhere transfers somebody to a call that is not one of ours, where the app may not call.
func TestAttendedTransferElsewhere(t *testing.T) {
	t.Parallel()
	_, caller, callee, _ := bridged(t, allowRefer)
	second := newPhone(t, nil)
	other := performs(t, documents{"desk": `[{"action":"record"}]`})
	if err := second.call(t.Context(), other, "desk"); err != nil {
		t.Fatal(err)
	}
	var rejected *ua.Rejected
	if _, err := callee.inCall().Refer(t.Context(), ua.Transfer{To: "sip:desk@192.0.2.1", Replaces: second.inCall()}); !errors.As(err, &rejected) || rejected.Status != 403 {
		t.Errorf("to a call of somebody else's: %v", err)
	}
	callee.talksTo(caller, 1500)
	caller.hangUp()
	second.hangUp()
}

// TestReplaces lets a phone that proves who it is take somebody's place in a call.
func TestReplaces(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		user, password string
		status         int
	}{
		"a user":   {user: "alice", password: "s3cret"},
		"stranger": {status: 603},
	} {
		t.Run(name, func(t *testing.T) {
			x, caller, callee, _ := bridged(t, allowRefer, func(o *sip.Options) { o.Users = map[string]string{"alice": "s3cret"} })
			third := newPhone(t, nil)
			err := third.invite(t.Context(), ua.Outgoing{
				URI: fmt.Sprintf("sip:any@127.0.0.1:%d", x.Port()), From: tt.user, User: tt.user, Password: tt.password, Replaces: callee.inCall().ReplacesHeader(),
			})
			if tt.status != 0 {
				var rejected *ua.Rejected
				if !errors.As(err, &rejected) || rejected.Status != tt.status {
					t.Errorf("got %v", err)
				}
				caller.hangUp()
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			callee.ends()
			third.talksTo(caller, 2500)
			caller.talksTo(third, 600)
			caller.hangUp()
			third.ends()
		})
	}
}
