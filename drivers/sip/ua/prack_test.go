package ua_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

func TestReliableResponses(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		ready := make(chan struct{})
		a := n.agent(t, ua.Options{SessionExpires: -1, Invite: func(i *ua.Invitation) {
			i.Ring()
			if err := i.Progress([]byte("early"), ua.Handlers{}); err != nil {
				t.Error(err)
			}
			<-ready
			if _, err := i.Accept([]byte("early"), ua.Handlers{}); err != nil {
				t.Error(err)
			}
		}})
		p := n.peer(t, a)
		p.request("INVITE", "offer", "Require: 100rel", "Supported: 100rel")
		m := p.learn(p.expect("SIP/2.0 180"))
		if header(m, "Require") != "100rel" || header(m, "RSeq") == "" {
			t.Fatalf("%s", m)
		}
		for _, wait := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second} {
			at := time.Now()
			if again := p.next(time.Minute); again != m {
				t.Errorf("not the same again:\n%s", again)
			}
			if waited := time.Since(at).Round(time.Millisecond); waited != wait {
				t.Errorf("repeated after %v, want %v", waited, wait)
			}
		}
		rseq, _ := strconv.Atoi(header(m, "RSeq"))
		for _, wrong := range []string{fmt.Sprintf("%d 1 INVITE", rseq+1), fmt.Sprintf("%d 2 INVITE", rseq), fmt.Sprintf("%d 1 UPDATE", rseq), "x", ""} {
			p.request("PRACK", "", "RAck: "+wrong)
			p.expect("SIP/2.0 481")
		}
		p.request("PRACK", "", fmt.Sprintf("RAck: %d 1 INVITE", rseq))
		p.expect("SIP/2.0 200")
		m = p.expect("SIP/2.0 183") // it had to wait for the first one's PRACK
		if header(m, "RSeq") != strconv.Itoa(rseq+1) || body(m) != "early" {
			t.Errorf("%s", m)
		}
		close(ready)
		p.none("SIP/2.0 200", 10*time.Second) // not before the description is acknowledged
		p.request("PRACK", "", fmt.Sprintf("RAck: %d 1 INVITE", rseq+1))
		if m := p.expect("SIP/2.0 200"); !strings.Contains(header(m, "CSeq"), "PRACK") {
			t.Errorf("%s", m)
		}
		if m := p.expect("SIP/2.0 200"); header(m, "CSeq") != "1 INVITE" || body(m) != "" {
			t.Errorf("%s", m)
		}
		p.request("ACK", "", "CSeq: 1 ACK")
		p.none("SIP/2.0", time.Minute)
		p.request("BYE", "")
		p.expect("SIP/2.0 200")
	})
}

func TestAReliableResponseIsNotAcknowledged(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		accepted := make(chan error, 1)
		a := n.agent(t, ua.Options{Invite: func(i *ua.Invitation) {
			_ = i.Progress([]byte("early"), ua.Handlers{})
			_, err := i.Accept([]byte("early"), ua.Handlers{})
			accepted <- err
		}})
		p := n.peer(t, a)
		at := time.Now()
		p.request("INVITE", "offer", "Require: 100rel")
		p.expect("SIP/2.0 504")
		if waited := time.Since(at); waited < 31*time.Second || waited > 64*time.Second {
			t.Errorf("rejected after %v", waited)
		}
		if err := <-accepted; !errors.Is(err, ua.ErrCancelled) {
			t.Errorf("accepted: %v", err)
		}
		p.request("ACK", "", "Via: SIP/2.0/UDP "+p.conn.at.String()+";rport;branch=z9hG4bKme-1")
		if a.Dialogs() != 0 {
			t.Errorf("%d dialogs", a.Dialogs())
		}
	})
}

// TestOurOfferIsReliable calls without an offer: ours comes in the first reliable response, its answer in the PRACK.
func TestOurOfferIsReliable(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		answers := make(chan string, 1)
		ready := make(chan struct{})
		h := ua.Handlers{
			Answer: func(b []byte) error { answers <- string(b); return nil },
			Offer:  func(b []byte) ([]byte, error) { return []byte("re:" + string(b)), nil },
		}
		a := n.agent(t, ua.Options{Invite: func(i *ua.Invitation) {
			i.Ring() // cannot be sent: it would have to hold the offer
			_ = i.Progress([]byte("our offer"), h)
			<-ready
			_ = i.Progress([]byte("our offer"), h)
			if _, err := i.Accept([]byte("our offer"), h); err != nil {
				t.Error(err)
			}
		}})
		p := n.peer(t, a)
		p.request("INVITE", "", "Require: 100rel")
		m := p.learn(p.expect("SIP/2.0 18"))
		if !strings.HasPrefix(m, "SIP/2.0 183") || body(m) != "our offer" {
			t.Fatalf("%s", m)
		}
		p.request("PRACK", "their answer", "RAck: "+header(m, "RSeq")+" 1 INVITE")
		p.expect("SIP/2.0 200")
		if got := <-answers; got != "their answer" {
			t.Errorf("%q", got)
		}
		close(ready)
		m = p.expect("SIP/2.0 183")
		p.request("PRACK", "another offer", "RAck: "+header(m, "RSeq")+" 1 INVITE")
		if m := p.expect("SIP/2.0 200"); body(m) != "re:another offer" && header(m, "CSeq") != "1 INVITE" {
			t.Errorf("%s", m)
		}
		for range 2 {
			if m := p.next(time.Second); header(m, "CSeq") == "1 INVITE" && body(m) != "" {
				t.Errorf("the 200: %s", m)
			}
		}
		p.request("ACK", "", "CSeq: 1 ACK")
		p.request("BYE", "")
		p.expect("SIP/2.0 200")
	})
}

func TestWeAcknowledgeReliableResponses(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		type progress struct {
			status int
			body   string
		}
		told := make(chan progress, 10)
		a := n.agent(t, ua.Options{})
		p := n.peer(t, a)
		result := invite(t, a, p, func(o *ua.Outgoing) {
			o.Progress = func(s int, b []byte) { told <- progress{s, string(b)} }
			o.Handlers.Offer = func(b []byte) ([]byte, error) { return []byte("re:" + string(b)), nil }
		})
		m := p.expect("INVITE")
		if !strings.Contains(header(m, "Supported"), "100rel") {
			t.Errorf("%s", m)
		}
		p.learn(m)
		p.id, p.remote = header(m, "Call-ID"), strings.Split(header(m, "From"), "tag=")[1]
		reliable := func(n int, status, body string) {
			p.respond(m, status, body, "Require: 100rel", fmt.Sprintf("RSeq: %d", n))
		}
		reliable(7, "180 Ringing", "")
		prack := p.expect("PRACK")
		if header(prack, "RAck") != "7 1 INVITE" || header(prack, "CSeq") != "2 PRACK" || !strings.Contains(header(prack, "To"), "tag=me") {
			t.Errorf("%s", prack)
		}
		p.respond(prack, "200 OK", "")
		reliable(7, "180 Ringing", "")              // a copy
		reliable(9, "183 Session Progress", "late") // one too many
		p.none("PRACK", time.Second)
		p.cseq = 10
		p.request("UPDATE", "too early", "From: <sip:al@h>;tag=me", "To: <sip:bob@h>;tag="+p.remote)
		p.expect("SIP/2.0 491") // our offer has no answer yet
		reliable(8, "183 Session Progress", "early")
		prack = p.expect("PRACK")
		if header(prack, "RAck") != "8 1 INVITE" {
			t.Errorf("%s", prack)
		}
		p.respond(prack, "200 OK", "")
		p.request("UPDATE", "early", "From: <sip:al@h>;tag=me", "To: <sip:bob@h>;tag="+p.remote)
		if m := p.expect("SIP/2.0 200"); body(m) != "re:early" {
			t.Errorf("%s", m)
		}
		p.respond(m, "200 OK", "") // the answer was given already
		p.expect("ACK")
		c := <-result
		if c.err != nil || c.answer != "early" {
			t.Errorf("%+v", c)
		}
		for _, want := range []progress{{180, ""}, {183, "early"}} {
			if got := <-told; got != want {
				t.Errorf("told %v, want %v", got, want)
			}
		}
		if len(told) != 0 {
			t.Errorf("told %v more", <-told)
		}
		go c.dialog.Bye(t.Context(), "")
		p.respond(p.expect("BYE"), "200 OK", "")
	})
}
