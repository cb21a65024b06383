package ua_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// TestNoACK answers a call whose ACK never comes: the 200 is sent again for 32 s, then the call is ended.
func TestNoACK(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		ended := make(chan ua.End, 1)
		accept, _ := answering(ua.Handlers{Ended: func(e ua.End) { ended <- e }})
		a := n.agent(t, ua.Options{Invite: accept})
		p := n.peer(t, a)
		at := time.Now()
		p.request("INVITE", "offer")
		copies := 0
		m := p.expect("SIP/2.0 200")
		for ; strings.HasPrefix(m, "SIP/2.0 200"); m = p.next(time.Minute) {
			copies++
		}
		if copies != 11 { // at 0, .5, 1.5, 3.5 and every 4 s
			t.Errorf("%d copies", copies)
		}
		if took := time.Since(at); !strings.HasPrefix(m, "BYE") || took < 31*time.Second || took > 33*time.Second {
			t.Errorf("after %v: %s", took, m)
		}
		p.learn(m)
		p.respond(m, "200 OK", "")
		if e := <-ended; e.Err == nil {
			t.Error("ended without an error")
		}
		// The ACK comes at last, and so does a BYE: nobody minds.
		p.request("ACK", "")
		p.request("BYE", "")
		p.expect("SIP/2.0 481")
	})
}

// TestABYEWaitsForTheACK hangs up at once: the caller must have its dialog first (RFC 3261 section 15).
func TestABYEWaitsForTheACK(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		over := make(chan struct{})
		a := n.agent(t, ua.Options{Invite: func(i *ua.Invitation) {
			d, err := i.Accept([]byte("answer"), ua.Handlers{})
			if err != nil {
				t.Error(err)
				return
			}
			d.Bye(t.Context(), `Q.850;cause=16;text="NORMAL_CLEARING"`)
			close(over)
		}})
		p := n.peer(t, a)
		p.request("INVITE", "offer")
		p.learn(p.expect("SIP/2.0 200"))
		p.none("BYE", 10*time.Second)
		p.request("ACK", "")
		m := p.expect("BYE")
		if header(m, "Reason") != `Q.850;cause=16;text="NORMAL_CLEARING"` {
			t.Errorf("%s", m)
		}
		p.respond(m, "200 OK", "")
		<-over
	})
}

// TestBYEsCross lets both sides hang up at once.
func TestBYEsCross(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		ended := make(chan ua.End, 1)
		accept, dialogs := answering(ua.Handlers{Ended: func(e ua.End) { ended <- e }})
		a := n.agent(t, ua.Options{Invite: accept})
		p := n.peer(t, a)
		p.call("offer")
		d := <-dialogs
		over := make(chan struct{})
		go func() {
			d.Bye(t.Context(), "")
			d.Bye(t.Context(), "")
			close(over)
		}()
		m := p.expect("BYE")
		p.request("BYE", "")
		p.expect("SIP/2.0 200")
		p.respond(m, "481 Call/Transaction Does Not Exist", "")
		<-over
		if len(ended) != 0 || a.Dialogs() != 0 {
			t.Errorf("told %d times, %d dialogs", len(ended), a.Dialogs())
		}
	})
}

func TestReasons(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		ended := make(chan ua.End, 1)
		accept, dialogs := answering(ua.Handlers{Ended: func(e ua.End) { ended <- e }})
		a := n.agent(t, ua.Options{Invite: accept})
		p := n.peer(t, a)
		p.call("offer")
		<-dialogs
		p.request("BYE", "", `Reason: SIP;cause=200;text="x", Q.850;cause=31`)
		p.expect("SIP/2.0 200")
		if e := <-ended; e.Reason != `SIP;cause=200;text="x", Q.850;cause=31` {
			t.Errorf("%+v", e)
		}
	})
	virtual(t, func(t *testing.T, n *network) { // why a call is cancelled, both ways
		why := make(chan string, 1)
		callee := n.agent(t, ua.Options{Invite: func(i *ua.Invitation) {
			i.Ring()
			<-i.Cancelled
			why <- i.CancelReason()
		}})
		ctx, cancel := context.WithCancelCause(t.Context())
		caller := n.agent(t, ua.Options{})
		result := make(chan error, 1)
		rang := make(chan struct{}, 4)
		go func() {
			_, _, err := caller.Invite(ctx, ua.Outgoing{URI: uri(callee), Offer: []byte("o"), Progress: func(int, []byte) { rang <- struct{}{} }})
			result <- err
		}()
		<-rang
		elsewhere := `SIP;cause=200;text="Call completed elsewhere"`
		cancel(&ua.GaveUp{Reason: elsewhere})
		var g *ua.GaveUp
		if err := <-result; !errors.As(err, &g) {
			t.Errorf("%v", err)
		}
		if got := <-why; got != elsewhere {
			t.Errorf("cancelled because of %q", got)
		}
	})
}

// TestTheCallerGivesUp ends a call that rings, by CANCEL and by BYE.
func TestTheCallerGivesUp(t *testing.T) {
	for _, method := range []string{"CANCEL", "BYE"} {
		virtual(t, func(t *testing.T, n *network) {
			accepted := make(chan error, 1)
			a := n.agent(t, ua.Options{Invite: func(i *ua.Invitation) {
				i.Ring()
				<-i.Cancelled
				i.Ring()
				_, err := i.Accept([]byte("answer"), ua.Handlers{})
				accepted <- err
			}})
			p := n.peer(t, a)
			p.request("INVITE", "offer")
			p.learn(p.expect("SIP/2.0 180"))
			branch := "Via: SIP/2.0/UDP " + p.conn.at.String() + ";rport;branch=z9hG4bKme-1"
			if method == "CANCEL" {
				p.request("CANCEL", "", branch, "To: <sip:bob@h>")
			} else {
				p.request("BYE", "")
			}
			p.expect("SIP/2.0 200")
			p.expect("SIP/2.0 487")
			p.request("ACK", "", branch, "CSeq: 1 ACK")
			if err := <-accepted; !errors.Is(err, ua.ErrCancelled) {
				t.Errorf("%s: %v", method, err)
			}
			p.none("SIP/2.0", time.Minute)
			if a.Dialogs() != 0 {
				t.Errorf("%s: %d dialogs", method, a.Dialogs())
			}
		})
	}
}

// TestTheAnswerIsLate gives up a call whose 200 is under way already, or comes long afterwards.
func TestTheAnswerIsLate(t *testing.T) {
	for _, late := range []time.Duration{0, time.Second, 15 * time.Second} {
		virtual(t, func(t *testing.T, n *network) {
			a := n.agent(t, ua.Options{})
			p := n.peer(t, a)
			ctx, cancel := context.WithCancel(t.Context())
			result := inviteIn(ctx, a, p)
			m := p.expect("INVITE")
			p.respond(m, "180 Ringing", "")
			time.Sleep(time.Second)
			cancel()
			c := p.expect("CANCEL")
			time.Sleep(late)
			p.respond(m, "200 OK", "answer")
			p.respond(c, "200 OK", "")
			p.expect("ACK")
			bye := p.expect("BYE")
			p.respond(m, "200 OK", "answer") // a copy
			p.expect("ACK")
			p.respond(bye, "200 OK", "")
			if got := <-result; !errors.Is(got.err, context.Canceled) {
				t.Errorf("%v late: %+v", late, got)
			}
			p.none("BYE", time.Minute)
			if a.Dialogs() != 0 {
				t.Errorf("%d dialogs", a.Dialogs())
			}
		})
	}
	virtual(t, func(t *testing.T, n *network) { // nobody has ever answered, so there is nothing to cancel
		a := n.agent(t, ua.Options{})
		p := n.peer(t, a)
		ctx, cancel := context.WithCancel(t.Context())
		result := inviteIn(ctx, a, p)
		m := p.expect("INVITE")
		cancel()
		p.none("CANCEL", 10*time.Second)
		p.respond(m, "180 Ringing", "")
		c := p.expect("CANCEL")
		p.respond(c, "200 OK", "")
		p.respond(m, "487 Request Terminated", "")
		p.expect("ACK")
		if got := <-result; !errors.Is(got.err, context.Canceled) {
			t.Errorf("%+v", got)
		}
	})
}

// TestTheACKIsLostOnItsWay answers a call of ours again, whose ACK was lost, also after it has ended.
func TestTheACKIsLostOnItsWay(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		a := n.agent(t, ua.Options{})
		p := n.peer(t, a)
		result := invite(t, a, p)
		m := p.expect("INVITE")
		p.respond(m, "200 OK", "answer")
		p.expect("ACK")
		c := <-result
		for range 3 {
			p.respond(m, "200 OK", "answer")
			if ack := p.expect("ACK"); header(ack, "CSeq") != "1 ACK" {
				t.Errorf("%s", ack)
			}
		}
		go c.dialog.Bye(t.Context(), "")
		p.respond(p.expect("BYE"), "200 OK", "")
		p.respond(m, "200 OK", "answer")
		p.none("BYE", 10*time.Second)
	})
}

func TestKeysByINFO(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		keys := make(chan byte, 16)
		accept, _ := answering(ua.Handlers{Digit: func(b byte) { keys <- b }})
		callee, caller := n.agent(t, ua.Options{Invite: accept}), n.agent(t, ua.Options{})
		d, _, err := caller.Invite(t.Context(), ua.Outgoing{URI: uri(callee), Offer: []byte("o")})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []byte("0*#D") {
			if err := d.SendDigit(t.Context(), want, 100*time.Millisecond); err != nil {
				t.Error(err)
			}
			if got := <-keys; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		if err := d.SendDigit(t.Context(), 'x', time.Second); err == nil {
			t.Error("x is no key")
		}
		d.Bye(t.Context(), "")
		if err := d.SendDigit(t.Context(), '1', time.Second); !errors.Is(err, ua.ErrEnded) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestLoss makes calls with everything in them through a network that loses every fifth datagram.
func TestLoss(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			virtual(t, func(t *testing.T, n *network) {
				n.lossy(0.2, seed)
				var mu sync.Mutex
				keys, ended := "", make(chan ua.End, 1)
				theirs := ua.Handlers{
					Offer: func(b []byte) ([]byte, error) { return append([]byte("re:"), b...), nil },
					Digit: func(b byte) { mu.Lock(); keys += string(b); mu.Unlock() },
					Refer: func(_ context.Context, r *ua.Referral) {
						_ = r.Accept()
						r.Notify(180, "Ringing")
						r.Notify(200, "OK")
					},
					Ended: func(e ua.End) { ended <- e },
				}
				callee := n.agent(t, ua.Options{Invite: func(i *ua.Invitation) {
					i.Ring()
					if err := i.Progress([]byte("answer"), theirs); err != nil {
						t.Error(err)
					}
					if _, err := i.Accept([]byte("answer"), theirs); err != nil {
						t.Error(err)
					}
				}})
				caller := n.agent(t, ua.Options{})
				d, answer, err := caller.Invite(t.Context(), ua.Outgoing{
					URI: uri(callee), Offer: []byte("o"), Headers: map[string]string{"Require": "100rel"},
				})
				if err != nil || string(answer) != "answer" {
					t.Fatalf("%q, %v", answer, err)
				}
				for _, offer := range []string{"hold", "resume"} {
					if got, err := d.Reinvite(t.Context(), []byte(offer)); err != nil || string(got) != "re:"+offer {
						t.Errorf("%s: %q, %v", offer, got, err)
					}
				}
				if got, err := d.Update(t.Context(), []byte("update")); err != nil || string(got) != "re:update" {
					t.Errorf("%q, %v", got, err)
				}
				for _, key := range []byte("123") {
					if err := d.SendDigit(t.Context(), key, 100*time.Millisecond); err != nil {
						t.Error(err)
					}
				}
				if o, err := d.Refer(t.Context(), ua.Transfer{To: "sip:x@h"}); err != nil || o.Status != 200 {
					t.Errorf("%+v, %v", o, err)
				}
				d.Bye(t.Context(), "Q.850;cause=16")
				if e := <-ended; e.Err != nil || e.Reason != "Q.850;cause=16" {
					t.Errorf("%+v", e)
				}
				mu.Lock()
				defer mu.Unlock()
				if keys != "123" {
					t.Errorf("keys %q", keys)
				}
				if caller.Dialogs() != 0 || callee.Dialogs() != 0 {
					t.Errorf("%d and %d dialogs", caller.Dialogs(), callee.Dialogs())
				}
			})
		})
	}
}
