package ua_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

func TestAReferralIsDeclined(t *testing.T) {
	for name, c := range map[string]struct {
		headers []string
		handler func(context.Context, *ua.Referral)
		status  string
	}{
		"nobody decides":       {[]string{"Refer-To: <sip:bob@h>"}, nil, "603"},
		"nobody says so":       {[]string{"Refer-To: <sip:bob@h>"}, func(context.Context, *ua.Referral) {}, "603"},
		"forbidden":            {[]string{"Refer-To: sip:bob@h"}, func(_ context.Context, r *ua.Referral) { r.Reject(403, "Forbidden"); _ = r.Accept() }, "403"},
		"nobody":               {nil, nil, "400"},
		"two":                  {[]string{"Refer-To: <sip:bob@h>", "r: <sip:bob@h>"}, nil, "400"},
		"a web page":           {[]string{"Refer-To: <http://h/>"}, nil, "400"},
		"a message":            {[]string{"Refer-To: <sip:bob@h;method=MESSAGE>"}, nil, "400"},
		"no end":               {[]string{"Refer-To: <sip:bob@h"}, nil, "400"},
		"an unknown call":      {[]string{"Refer-To: <sip:bob@h?Replaces=x>"}, nil, "400"},
		"an escape":            {[]string{"Refer-To: <sip:bob@h?Replaces=%zz>"}, nil, "400"},
		"an unknown extension": {[]string{"Refer-To: <sip:bob@h>", "Require: magic"}, nil, "420"},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(t *testing.T, n *network) {
				accept, dialogs := answering(ua.Handlers{Refer: c.handler})
				a := n.agent(t, ua.Options{Invite: accept})
				p := n.peer(t, a)
				p.call("offer")
				p.request("REFER", "", c.headers...)
				if m := p.expect("SIP/2.0"); !strings.HasPrefix(m, "SIP/2.0 "+c.status) {
					t.Errorf("%s", m)
				}
				p.none("NOTIFY", time.Minute)
				(<-dialogs).Bye(t.Context(), "")
			})
		})
	}
	virtual(t, func(t *testing.T, n *network) {
		p := n.peer(t, n.agent(t, ua.Options{}))
		p.request("REFER", "", "Refer-To: <sip:bob@h>")
		p.expect("SIP/2.0 403") // calls are not made for strangers
		p.remote = "gone"
		p.request("REFER", "", "Refer-To: <sip:bob@h>")
		p.expect("SIP/2.0 481")
		p.request("NOTIFY", "", "Event: refer")
		p.expect("SIP/2.0 481")
	})
}

func TestReferral(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		go1 := make(chan struct{})
		over := make(chan error, 1)
		accept, dialogs := answering(ua.Handlers{Refer: func(ctx context.Context, r *ua.Referral) {
			if r.To != "sip:bob@h;transport=tcp" || r.User != "bob" || r.ReferredBy != "<sip:al@h>" || r.Replaces != "" || r.Target != nil {
				t.Errorf("%+v", r)
			}
			r.Notify(100, "not accepted yet")
			if err := r.Accept(); err != nil {
				t.Error(err)
			}
			if err := r.Accept(); err == nil {
				t.Error("accepted twice")
			}
			<-go1
			r.Notify(183, "Ringing\r\nX: y")
			r.Notify(180, "Ringing")
			r.Notify(180, "Ringing")
			r.Notify(486, "Busy Here")
			r.Notify(200, "after the outcome")
			over <- ctx.Err()
		}})
		a := n.agent(t, ua.Options{Invite: accept})
		p := n.peer(t, a)
		p.call("offer")
		p.request("REFER", "", "Refer-To: Bob <sip:bob@h;transport=tcp>", "Referred-By: <sip:al@h>")
		m := p.expect("SIP/2.0 202")
		if header(m, "Contact") == "" {
			t.Errorf("%s", m)
		}
		notify := func(status, state string) {
			t.Helper()
			m := p.expect("NOTIFY")
			if body(m) != "SIP/2.0 "+status+"\r\n" || !strings.HasPrefix(header(m, "Subscription-State"), state) || header(m, "Event") != "refer" ||
				!strings.HasPrefix(header(m, "Content-Type"), "message/sipfrag") {
				t.Errorf("%s", m)
			}
			p.respond(m, "200 OK", "")
		}
		notify("100 Trying", "active;expires=")
		close(go1)
		notify("183 -", "active") // what no header may hold is not said
		notify("180 Ringing", "active")
		notify("486 Busy Here", "terminated;reason=noresource")
		p.none("NOTIFY", time.Minute)
		if err := <-over; err != nil {
			t.Error(err)
		}
		(<-dialogs).Bye(t.Context(), "")
	})
}

// TestReferralsOutlast lets phones refer and hang up at once, refer twice, and refer without wanting to know.
func TestReferralsOutlast(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		accept, _ := answering(ua.Handlers{Refer: func(_ context.Context, r *ua.Referral) {
			if err := r.Accept(); err != nil {
				t.Error(err)
			}
			time.Sleep(10 * time.Second)
			if r.User != "unsaid" {
				r.Notify(200, "OK")
			}
		}})
		a := n.agent(t, ua.Options{Invite: accept})
		p := n.peer(t, a)
		p.call("offer")
		p.request("REFER", "", "Refer-To: <sip:silent@h>", "Refer-Sub: false")
		if m := p.expect("SIP/2.0 202"); header(m, "Refer-Sub") != "false" {
			t.Errorf("%s", m)
		}
		p.none("NOTIFY", time.Minute)
		p.request("REFER", "", "Refer-To: <sip:unsaid@h>")
		second := p.cseq
		p.expect("SIP/2.0 202")
		m := p.expect("NOTIFY")
		if header(m, "Event") != fmt.Sprintf("refer;id=%d", second) {
			t.Errorf("%s", m)
		}
		p.respond(m, "200 OK", "")
		m = p.expect("NOTIFY") // an outcome that nobody tells is one all the same
		if body(m) != "SIP/2.0 503 Service Unavailable\r\n" {
			t.Errorf("%s", m)
		}
		p.respond(m, "200 OK", "")
		p.request("REFER", "", "Refer-To: <sip:bob@h>")
		p.expect("SIP/2.0 202")
		p.respond(p.expect("NOTIFY"), "200 OK", "")
		p.request("BYE", "")
		p.expect("SIP/2.0 200")
		m = p.expect("NOTIFY")
		if body(m) != "SIP/2.0 200 OK\r\n" {
			t.Errorf("%s", m)
		}
		p.respond(m, "481 Subscription Does Not Exist", "")
	})
}

func TestRefer(t *testing.T) {
	type outcome struct {
		ua.Outcome
		err error
	}
	for name, c := range map[string]struct {
		serve func(p *peer, refer string, notify func(event, state, frag string))
		want  outcome
		after time.Duration
	}{
		"answered": {func(p *peer, refer string, notify func(event, state, frag string)) {
			p.respond(refer, "202 Accepted", "")
			notify("refer", "active;expires=60", "SIP/2.0 100 Trying")
			notify("refer", "active", "SIP/2.0 180 Ringing\r\nX: y\r\n")
			notify("refer", "terminated;reason=noresource", "SIP/2.0 200 OK\r\n")
		}, outcome{ua.Outcome{Status: 200, Phrase: "OK"}, nil}, 0},
		"busy, and news before the 202": {func(p *peer, refer string, notify func(event, state, frag string)) {
			notify("refer;id="+strings.Fields(header(refer, "CSeq"))[0], "terminated", "SIP/2.0 486 Busy Here\r\n")
			p.respond(refer, "202 Accepted", "")
		}, outcome{ua.Outcome{Status: 486, Phrase: "Busy Here"}, nil}, 0},
		"refused": {func(p *peer, refer string, _ func(event, state, frag string)) {
			p.respond(refer, "603 Decline", "")
		}, outcome{ua.Outcome{Status: 603, Phrase: "Decline"}, new(ua.Rejected)}, 0},
		"nobody wants to know": {func(p *peer, refer string, _ func(event, state, frag string)) {
			p.respond(refer, "200 OK", "", "Refer-Sub: false")
		}, outcome{ua.Outcome{Status: 200, Phrase: "OK"}, nil}, 0},
		"the other side hangs up": {func(p *peer, refer string, notify func(event, state, frag string)) {
			p.respond(refer, "202 Accepted", "")
			notify("refer", "active", "SIP/2.0 180 Ringing")
			p.request("BYE", "")
		}, outcome{ua.Outcome{Status: 180, Phrase: "Ringing"}, ua.ErrEnded}, 4 * time.Second},
		"the other side hangs up, and tells": {func(p *peer, refer string, notify func(event, state, frag string)) {
			p.respond(refer, "202 Accepted", "")
			p.request("BYE", "")
			p.expect("SIP/2.0 200")
			notify("refer", "terminated", "SIP/2.0 200 OK")
		}, outcome{ua.Outcome{Status: 200, Phrase: "OK"}, nil}, 0},
		"the other side does not tell": {func(p *peer, refer string, notify func(event, state, frag string)) {
			p.respond(refer, "202 Accepted", "")
			notify("refer", "terminated;reason=timeout", "garbage")
		}, outcome{ua.Outcome{Status: 202, Phrase: "Accepted"}, errors.ErrUnsupported}, 0},
		"no news": {func(p *peer, refer string, _ func(event, state, frag string)) {
			p.respond(refer, "202 Accepted", "")
		}, outcome{ua.Outcome{Status: 202, Phrase: "Accepted"}, errors.ErrUnsupported}, 3 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(t *testing.T, n *network) {
				accept, dialogs := answering(ua.Handlers{})
				a := n.agent(t, ua.Options{Invite: accept})
				p := n.peer(t, a)
				p.call("offer")
				d := <-dialogs
				got := make(chan outcome, 1)
				at := time.Now()
				go func() {
					o, err := d.Refer(t.Context(), ua.Transfer{To: "sip:carol@h", ReferredBy: "sip:bob@h"})
					got <- outcome{o, err}
				}()
				refer := p.expect("REFER")
				if header(refer, "Refer-To") != "<sip:carol@h>" || header(refer, "Referred-By") != "<sip:bob@h>" {
					t.Errorf("%s", refer)
				}
				c.serve(p, refer, func(event, state, frag string) {
					p.request("NOTIFY", frag, "Event: "+event, "Subscription-State: "+state, "Content-Type: message/sipfrag")
					p.expect("SIP/2.0 200")
				})
				o := <-got
				var r *ua.Rejected
				switch {
				case o.Outcome != c.want.Outcome, (o.err == nil) != (c.want.err == nil), errors.Is(c.want.err, ua.ErrEnded) != errors.Is(o.err, ua.ErrEnded),
					errors.As(c.want.err, &r) && !errors.As(o.err, &r):
					t.Errorf("got %+v, want %+v", o, c.want)
				}
				if took := time.Since(at); took > c.after+time.Second || took < c.after {
					t.Errorf("took %v", took)
				}
				p.request("NOTIFY", "SIP/2.0 200 OK", "Event: refer", "Subscription-State: terminated")
				p.expect("SIP/2.0 481")
				d.Bye(t.Context(), "")
			})
		})
	}
	virtual(t, func(t *testing.T, n *network) {
		accept, dialogs := answering(ua.Handlers{})
		a := n.agent(t, ua.Options{Invite: accept})
		p := n.peer(t, a)
		p.call("offer")
		d := <-dialogs
		for _, bad := range []ua.Transfer{{}, {To: "carol"}, {To: "sip:a@h>"}, {To: "sip:a@h", ReferredBy: "x\r\ny"}, {To: "sip:a@h?X=y", Replaces: d}} {
			if _, err := d.Refer(t.Context(), bad); err == nil {
				t.Errorf("%+v is taken", bad)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.Refer(ctx, ua.Transfer{To: "sip:a@h"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		p.request("NOTIFY", "x", "Event: presence")
		p.expect("SIP/2.0 489")
		d.Bye(t.Context(), "")
	})
}

// TestAttendedTransfer has three agents: the transferor, who talks to both others, asks the transferee to take its
// place at the target. The transferee does so with an INVITE with Replaces, which names the target's call.
func TestAttendedTransfer(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		taken := make(chan *ua.Dialog, 1)
		var old *ua.Dialog
		target := n.agent(t, ua.Options{Invite: func(i *ua.Invitation) {
			d, err := i.Accept([]byte("answer"), ua.Handlers{})
			if err != nil {
				t.Error(err)
			}
			if i.Replaces == nil {
				old = d
				return
			}
			if i.Replaces != old || i.ReferredBy != "<sip:boss@h>" {
				t.Errorf("replaces %v, sent by %q", i.Replaces, i.ReferredBy)
			}
			i.Replaces.Bye(t.Context(), "")
			taken <- d
		}})
		var transferee *ua.Agent
		transferee = n.agent(t, ua.Options{Invite: func(i *ua.Invitation) {
			_, err := i.Accept([]byte("answer"), ua.Handlers{Refer: func(ctx context.Context, r *ua.Referral) {
				_ = r.Accept()
				d, _, err := transferee.Invite(ctx, ua.Outgoing{
					URI: r.To, Offer: []byte("offer"), Replaces: r.Replaces, Headers: map[string]string{"Referred-By": r.ReferredBy},
					Progress: func(s int, _ []byte) { r.Notify(s, "Progress") },
				})
				if err != nil {
					t.Error(err)
					return
				}
				r.Notify(200, "OK")
				<-taken
				d.Bye(context.Background(), "")
			}})
			if err != nil {
				t.Error(err)
			}
		}})
		gone := make(chan ua.End, 1)
		a := n.agent(t, ua.Options{})
		one, _, err := a.Invite(t.Context(), ua.Outgoing{URI: uri(transferee), Offer: []byte("o")})
		if err != nil {
			t.Fatal(err)
		}
		two, _, err := a.Invite(t.Context(), ua.Outgoing{URI: uri(target), Offer: []byte("o"), Handlers: ua.Handlers{Ended: func(e ua.End) { gone <- e }}})
		if err != nil {
			t.Fatal(err)
		}
		o, err := one.Refer(t.Context(), ua.Transfer{Replaces: two, ReferredBy: "sip:boss@h"})
		if err != nil || o.Status != 200 {
			t.Errorf("%+v, %v", o, err)
		}
		if e := <-gone; e.Err != nil {
			t.Errorf("%+v", e)
		}
		one.Bye(t.Context(), "")
	})
}

// TestTheTargetIsOurs refers one call of an agent to another one of the same agent.
func TestTheTargetIsOurs(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		referrals := make(chan *ua.Referral, 1)
		accept, dialogs := answering(ua.Handlers{Refer: func(_ context.Context, r *ua.Referral) {
			referrals <- r
			_ = r.Accept()
			r.Notify(200, "OK")
		}})
		a, phone := n.agent(t, ua.Options{Invite: accept}), n.agent(t, ua.Options{})
		one, _, _ := phone.Invite(t.Context(), ua.Outgoing{URI: uri(a), Offer: []byte("o")})
		<-dialogs
		two, _, _ := phone.Invite(t.Context(), ua.Outgoing{URI: uri(a), Offer: []byte("o")})
		theirs := <-dialogs
		if o, err := one.Refer(t.Context(), ua.Transfer{Replaces: two}); err != nil || o.Status != 200 {
			t.Errorf("%+v, %v", o, err)
		}
		if r := <-referrals; r.Target != theirs || r.Replaces != two.ReplacesHeader() {
			t.Errorf("%+v, want %p", r, theirs)
		}
	})
}

func TestReplaces(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		accept, dialogs := answering(ua.Handlers{})
		ring := make(chan struct{})
		a := n.agent(t, ua.Options{Invite: func(i *ua.Invitation) {
			if i.From == "ring" {
				i.Ring()
				<-ring
				return
			}
			accept(i)
		}})
		p := n.peer(t, a)
		p.call("offer")
		d := <-dialogs
		early := n.peer(t, a)
		early.id = "early"
		early.request("INVITE", "offer", "From: <sip:ring@h>;tag=me")
		early.learn(early.expect("SIP/2.0 180"))
		for i, c := range []struct{ replaces, status string }{
			{"call;to-tag=" + p.remote + ";from-tag=me", "200"},
			{"call;from-tag=me ; to-tag=" + p.remote, "200"},
			{"call;to-tag=" + p.remote + ";from-tag=me;early-only", "486"},
			{"call;to-tag=me;from-tag=" + p.remote, "481"},
			{"none;to-tag=a;from-tag=b", "481"},
			{"call;to-tag=a", "400"},
			{"", "200"},
			{"early;to-tag=" + early.remote + ";from-tag=me", "481"},
		} {
			q := n.peer(t, a)
			q.id = fmt.Sprint("q", i)
			q.request("INVITE", "offer", "Require: replaces", strings.TrimSpace("Replaces: "+c.replaces))
			m := q.next(time.Second)
			for strings.HasPrefix(m, "SIP/2.0 1") {
				m = q.next(time.Second)
			}
			if !strings.HasPrefix(m, "SIP/2.0 "+c.status) {
				t.Errorf("%q: %s", c.replaces, m)
				continue
			}
			if c.status == "200" {
				q.learn(m)
				q.request("ACK", "")
				<-dialogs
			}
		}
		if want := url.QueryEscape("call;to-tag=me;from-tag=" + p.remote); url.QueryEscape(d.ReplacesHeader()) != want {
			t.Errorf("%s", d.ReplacesHeader())
		}
		close(ring)
	})
}
