package ua_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

type offered struct {
	answer string
	err    error
}

func reinvite(ctx context.Context, d *ua.Dialog, offer string) <-chan offered {
	out := make(chan offered, 1)
	go func() {
		answer, err := d.Reinvite(ctx, []byte(offer))
		out <- offered{string(answer), err}
	}()
	return out
}

func TestReinvite(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		a := n.agent(t, ua.Options{SessionExpires: -1})
		p := n.peer(t, a)
		result := invite(t, a, p, func(o *ua.Outgoing) { o.User, o.Password = "bob", "s3cret" })
		first := p.answer("their answer")
		c := <-result
		if c.err != nil || c.answer != "their answer" {
			t.Fatal(c)
		}
		hold := reinvite(t.Context(), c.dialog, "hold")
		m := p.expect("INVITE")
		if header(m, "CSeq") != "2 INVITE" || body(m) != "hold" || !strings.Contains(header(m, "To"), "tag=me") || header(m, "From") != header(first, "From") {
			t.Errorf("the re-INVITE:\n%s", m)
		}
		p.respond(m, "407 Proxy Authentication Required", "", `Proxy-Authenticate: Digest realm="r", nonce="n", algorithm=MD5`)
		p.expect("ACK")
		m = p.expect("INVITE")
		if header(m, "CSeq") != "3 INVITE" || !strings.Contains(header(m, "Proxy-Authorization"), `username="bob"`) {
			t.Errorf("the re-INVITE with a password:\n%s", m)
		}
		p.respond(m, "100 Trying", "")
		p.respond(m, "200 OK", "held", "Contact: <sip:moved@"+p.conn.at.String()+">")
		ack := p.expect("ACK")
		if header(ack, "CSeq") != "3 ACK" || header(ack, "Proxy-Authorization") == "" || !strings.HasPrefix(ack, "ACK sip:moved@") {
			t.Errorf("the ACK:\n%s", ack)
		}
		if got := <-hold; got.err != nil || got.answer != "held" {
			t.Errorf("held: %+v", got)
		}
		p.respond(m, "200 OK", "held") // our ACK was lost, the other side believes
		if again := p.expect("ACK"); header(again, "CSeq") != "3 ACK" {
			t.Errorf("the ACK of a copy:\n%s", again)
		}

		refused := reinvite(t.Context(), c.dialog, "codec")
		p.respond(p.expect("INVITE sip:moved@"), "488 Not Acceptable Here", "")
		p.expect("ACK")
		var r *ua.Rejected
		if got := <-refused; !errors.As(got.err, &r) || r.Status != 488 {
			t.Errorf("refused: %+v", got)
		}
		empty := reinvite(t.Context(), c.dialog, "x")
		p.respond(p.expect("INVITE"), "200 OK", "")
		p.expect("ACK")
		if got := <-empty; got.err == nil {
			t.Error("an answer without a description is taken")
		}

		updated := make(chan offered, 1)
		go func() {
			answer, err := c.dialog.Update(t.Context(), []byte("update"))
			updated <- offered{string(answer), err}
		}()
		m = p.expect("UPDATE")
		p.respond(m, "200 OK", "updated")
		if got := <-updated; got.err != nil || got.answer != "updated" || body(m) != "update" {
			t.Errorf("UPDATE: %+v", got)
		}
		p.cseq = 100
		p.request("BYE", "", "Reason: Q.850;cause=16", "From: "+header(m, "To"), "To: "+header(m, "From"))
		p.expect("SIP/2.0 200")
		if got := <-reinvite(t.Context(), c.dialog, "late"); !errors.Is(got.err, ua.ErrEnded) {
			t.Errorf("after the end: %+v", got)
		}
	})
}

// TestGlare lets both sides make an offer at once.
func TestGlare(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		for _, owner := range []bool{true, false} {
			accept, dialogs := answering(ua.Handlers{})
			a := n.agent(t, ua.Options{Invite: accept, SessionExpires: -1})
			p := n.peer(t, a)
			var d *ua.Dialog
			low, high := time.Duration(0), 2*time.Second
			if owner {
				low, high = 2100*time.Millisecond, 4*time.Second
				result := invite(t, a, p)
				p.answer("x")
				d = (<-result).dialog
				p.cseq = 50
			} else {
				p.call("offer")
				d = <-dialogs
			}
			result := reinvite(t.Context(), d, "ours")
			m := p.expect("INVITE")
			p.request("INVITE", "theirs")
			p.expect("SIP/2.0 491")
			p.respond(m, "491 Request Pending", "")
			p.expect("ACK")
			at := time.Now()
			m = p.expect("INVITE")
			if waited := time.Since(at); waited < low-10*time.Millisecond || waited > high+10*time.Millisecond {
				t.Errorf("owner %v: waited %v", owner, waited)
			}
			p.respond(m, "200 OK", "fine")
			p.expect("ACK")
			if got := <-result; got.answer != "fine" {
				t.Errorf("%+v", got)
			}
		}
	})
}

// TestBothOfferAtOnce lets two agents offer at the same moment, again and again: each offer gets its answer.
func TestBothOfferAtOnce(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		echo := ua.Handlers{Offer: func(o []byte) ([]byte, error) { return append([]byte("re:"), o...), nil }}
		accept, dialogs := answering(echo)
		callee, caller := n.agent(t, ua.Options{Invite: accept}), n.agent(t, ua.Options{})
		ours, _, err := caller.Invite(t.Context(), ua.Outgoing{URI: uri(callee), Offer: []byte("o"), Handlers: echo})
		if err != nil {
			t.Fatal(err)
		}
		theirs := <-dialogs
		for range 20 {
			one, two := reinvite(t.Context(), ours, "a"), reinvite(t.Context(), theirs, "b")
			if got := <-one; got.err != nil || got.answer != "re:a" {
				t.Errorf("the caller's: %+v", got)
			}
			if got := <-two; got.err != nil || got.answer != "re:b" {
				t.Errorf("the callee's: %+v", got)
			}
		}
		ours.Bye(t.Context(), "")
	})
}

func TestTheDialogIsGoneThere(t *testing.T) {
	for _, status := range []string{"481 Call/Transaction Does Not Exist", "408 Request Timeout", ""} {
		virtual(t, func(t *testing.T, n *network) {
			ended := make(chan ua.End, 2)
			accept, dialogs := answering(ua.Handlers{Ended: func(e ua.End) { ended <- e }})
			a := n.agent(t, ua.Options{Invite: accept})
			p := n.peer(t, a)
			p.call("offer")
			result := reinvite(t.Context(), <-dialogs, "x")
			m := p.expect("INVITE")
			if status != "" {
				p.respond(m, status, "")
			}
			if got := <-result; got.err == nil {
				t.Error("no error")
			}
			if e := <-ended; e.Err == nil {
				t.Error("ended without an error")
			}
			if !strings.HasPrefix(status, "481") {
				p.respond(p.expect("BYE"), "200 OK", "")
			}
			time.Sleep(time.Minute)
			if a.Dialogs() != 0 || len(ended) != 0 {
				t.Errorf("%d dialogs, told %d times more", a.Dialogs(), len(ended))
			}
		})
	}
}

func TestReinviteIsCancelled(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		accept, dialogs := answering(ua.Handlers{})
		a := n.agent(t, ua.Options{Invite: accept})
		p := n.peer(t, a)
		p.call("offer")
		d := <-dialogs
		ctx, cancel := context.WithCancel(t.Context())
		result := reinvite(ctx, d, "x")
		m := p.expect("INVITE")
		p.respond(m, "100 Trying", "")
		time.Sleep(time.Second)
		cancel()
		c := p.expect("CANCEL")
		if header(c, "Via") != header(m, "Via") {
			t.Errorf("the CANCEL has another branch:\n%s", c)
		}
		p.respond(c, "200 OK", "")
		p.respond(m, "487 Request Terminated", "")
		p.expect("ACK")
		if got := <-result; !errors.Is(got.err, context.Canceled) {
			t.Errorf("%+v", got)
		}
		// The next one is not answered at all before we give up, and is accepted afterwards.
		ctx, cancel = context.WithCancel(t.Context())
		result = reinvite(ctx, d, "y")
		m = p.expect("INVITE")
		cancel()
		if got := <-result; !errors.Is(got.err, context.Canceled) {
			t.Errorf("%+v", got)
		}
		p.respond(m, "200 OK", "z")
		p.expect("ACK")
		go d.Bye(t.Context(), "")
		p.respond(p.expect("BYE"), "200 OK", "")
	})
}

func TestUpdateBeforeTheAnswer(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		ready := make(chan struct{})
		h := ua.Handlers{Offer: func(o []byte) ([]byte, error) { return []byte("re:" + string(o)), nil }}
		a := n.agent(t, ua.Options{Invite: func(i *ua.Invitation) {
			if err := i.Progress([]byte("early"), h); err != nil {
				t.Error(err)
			}
			<-ready
			if _, err := i.Accept([]byte("early"), h); err != nil {
				t.Error(err)
			}
		}})
		p := n.peer(t, a)
		p.request("INVITE", "offer", "Require: 100rel")
		m := p.learn(p.expect("SIP/2.0 183"))
		p.request("UPDATE", "too soon") // our answer is not acknowledged yet
		if m := p.expect("SIP/2.0 5"); !strings.HasPrefix(m, "SIP/2.0 500") || header(m, "Retry-After") == "" {
			t.Errorf("an UPDATE before the PRACK: %s", m)
		}
		p.request("PRACK", "", "RAck: "+header(m, "RSeq")+" 1 INVITE")
		p.expect("SIP/2.0 200")
		p.request("UPDATE", "early hold")
		if m := p.expect("SIP/2.0 200"); body(m) != "re:early hold" {
			t.Errorf("an early UPDATE: %s", m)
		}
		p.request("INVITE", "re-INVITE", "Require: timer")
		p.expect("SIP/2.0 491")
		close(ready)
		if m := p.expect("SIP/2.0 200"); body(m) != "" {
			t.Errorf("the answer is said twice: %s", m)
		}
		p.request("ACK", "", "CSeq: 1 ACK")
		p.request("BYE", "")
		p.expect("SIP/2.0 200")
	})
}

// TestBothWaysOverTCP offers and refers within calls over a connection, in both directions.
func TestBothWaysOverTCP(t *testing.T) {
	h := ua.Handlers{
		Offer: func(b []byte) ([]byte, error) { return append([]byte("re:"), b...), nil },
		Refer: func(_ context.Context, r *ua.Referral) {
			if err := r.Accept(); err != nil {
				t.Error(err)
			}
			r.Notify(200, "OK")
		},
	}
	accept, dialogs := answering(h)
	callee, caller := open(t, ua.Options{Invite: accept}), open(t, ua.Options{})
	ours, _, err := caller.Invite(t.Context(), ua.Outgoing{URI: uri(callee) + ";transport=tcp", Offer: []byte("o"), Handlers: h})
	if err != nil {
		t.Fatal(err)
	}
	theirs := <-dialogs
	for name, d := range map[string]*ua.Dialog{"the caller's": ours, "the callee's": theirs} {
		if answer, err := d.Reinvite(t.Context(), []byte("a")); err != nil || string(answer) != "re:a" {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
		if answer, err := d.Update(t.Context(), []byte("b")); err != nil || string(answer) != "re:b" {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
		if o, err := d.Refer(t.Context(), ua.Transfer{To: "sip:x@h"}); err != nil || o.Status != 200 {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
	theirs.Bye(t.Context(), "")
	if _, err := ours.Reinvite(t.Context(), []byte("late")); !errors.Is(err, ua.ErrEnded) {
		t.Errorf("after the end: %v", err)
	}
}

// TestTheACKIsOvertaken lets a re-INVITE come before the ACK that was sent before it.
func TestTheACKIsOvertaken(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		answers := make(chan string, 1)
		accept, dialogs := answering(ua.Handlers{
			Offer:  func(b []byte) ([]byte, error) { return []byte("re:" + string(b)), nil },
			Answer: func(b []byte) error { answers <- string(b); return nil },
		})
		a := n.agent(t, ua.Options{Invite: accept})
		p := n.peer(t, a)
		p.request("INVITE", "offer")
		p.learn(p.expect("SIP/2.0 200"))
		p.request("INVITE", "hold")
		if m := p.expect("SIP/2.0 200"); body(m) != "re:hold" {
			t.Errorf("%s", m)
		}
		p.request("ACK", "", "CSeq: 1 ACK")
		if again := p.next(time.Second); header(again, "CSeq") != "2 INVITE" { // that was not its ACK
			t.Errorf("%s", again)
		}
		p.request("ACK", "")
		p.request("INVITE", "")
		p.expect("SIP/2.0 200")
		p.request("INVITE", "resume")
		time.Sleep(100 * time.Millisecond)
		p.request("ACK", "their answer", "CSeq: 3 ACK") // it holds an answer, and is waited for
		if m := p.expect("SIP/2.0 200"); body(m) != "re:resume" {
			t.Errorf("%s", m)
		}
		if got := <-answers; got != "their answer" {
			t.Errorf("%q", got)
		}
		p.request("ACK", "", "CSeq: 4 ACK")
		p.request("INVITE", "")
		p.expect("SIP/2.0 200")
		p.request("INVITE", "too soon")
		p.expect("SIP/2.0 491") // its ACK does not come
		p.request("ACK", "their answer", "CSeq: 5 ACK")
		(<-dialogs).Bye(t.Context(), "")
	})
}
