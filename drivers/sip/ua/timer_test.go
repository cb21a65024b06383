package ua_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// supports are the headers of a phone that knows session timers.
const supports = "Supported: timer"

func TestSessionTimerIsAnswered(t *testing.T) {
	for name, c := range map[string]struct {
		headers []string
		want    string // Session-Expires of the 200
		require bool
		options time.Duration
	}{
		"they refresh":               {[]string{supports, "Session-Expires: 120"}, "120;refresher=uac", true, 0},
		"they refresh, as they wish": {[]string{supports, "Session-Expires: 120;refresher=uac"}, "120;refresher=uac", true, 0},
		"we refresh":                 {[]string{supports, "Session-Expires: 120 ; refresher=uas"}, "120;refresher=uas", false, 0},
		"a proxy asks":               {[]string{"Session-Expires: 120"}, "120;refresher=uas", false, 0},
		"the short form":             {[]string{"k: timer", "x: 120;refresher=uac"}, "120;refresher=uac", true, 0},
		"nobody asks":                {[]string{supports}, "1800;refresher=uas", false, 0},
		"nobody asks, of long calls": {[]string{supports, "Min-SE: 3600"}, "3600;refresher=uas", false, 0},
		"nobody asks, nor do we":     {[]string{supports}, "", false, -1},
		"we ask for none":            {[]string{supports, "Session-Expires: 120"}, "120;refresher=uac", true, -1},
		"they do not know it":        {nil, "", false, 0},
		"garbage":                    {[]string{"Session-Expires: soon"}, "", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(t *testing.T, n *network) {
				accept, dialogs := answering(ua.Handlers{})
				a := n.agent(t, ua.Options{Invite: accept, SessionExpires: c.options})
				p := n.peer(t, a)
				m := p.call("offer", c.headers...)
				if got := header(m, "Session-Expires"); got != c.want || (header(m, "Require") == "timer") != c.require {
					t.Errorf("got %q, %q:\n%s", got, header(m, "Require"), m)
				}
				(<-dialogs).Bye(t.Context(), "")
			})
		})
	}
}

func TestTooShortASession(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		accept, _ := answering(ua.Handlers{})
		a := n.agent(t, ua.Options{Invite: accept})
		p := n.peer(t, a)
		p.request("INVITE", "offer", supports, "Session-Expires: 89")
		if m := p.expect("SIP/2.0 422"); header(m, "Min-SE") != "90" {
			t.Errorf("%s", m)
		}
		p.request("ACK", "", "Via: SIP/2.0/UDP "+p.conn.at.String()+";rport;branch=z9hG4bKme-1")
		p.call("offer", supports, "Session-Expires: 90")
		p.request("UPDATE", "", supports, "Session-Expires: 30")
		p.expect("SIP/2.0 422")
		p.request("BYE", "")
		p.expect("SIP/2.0 200")
	})
}

// TestTheOtherSideFallsSilent ends calls whose other side was to refresh, and does not.
func TestTheOtherSideFallsSilent(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		ended := make(chan ua.End, 1)
		accept, _ := answering(ua.Handlers{Ended: func(e ua.End) { ended <- e }})
		a := n.agent(t, ua.Options{Invite: accept})
		p := n.peer(t, a)
		p.call("offer", supports, "Session-Expires: 120;refresher=uac")
		began := time.Now()
		time.Sleep(60 * time.Second)
		p.request("UPDATE", "", supports, "Session-Expires: 120;refresher=uac")
		if m := p.expect("SIP/2.0 200"); header(m, "Session-Expires") != "120;refresher=uac" {
			t.Errorf("the refresh: %s", m)
		}
		m := p.expect("BYE")
		if after := time.Since(began); after < 147*time.Second || after > 149*time.Second { // 60 + 120 - 32
			t.Errorf("ended after %v", after)
		}
		if e := <-ended; e.Err == nil || !strings.Contains(header(m, "Reason"), "cause=102") {
			t.Errorf("ended with %+v:\n%s", e, m)
		}
		p.respond(m, "200 OK", "")
	})
}

func TestWeRefresh(t *testing.T) {
	for name, c := range map[string]struct {
		allow    string
		statuses []string // what the refreshes are answered with
		methods  []string // that are seen
	}{
		"by UPDATE":     {"INVITE, ACK, BYE, UPDATE", []string{"200 OK", "200 OK", "200 OK"}, []string{"UPDATE", "UPDATE", "UPDATE"}},
		"by re-INVITE":  {"INVITE, ACK, BYE", []string{"200 OK", "200 OK"}, []string{"INVITE", "INVITE"}},
		"UPDATE is not": {"UPDATE", []string{"405 Method Not Allowed", "200 OK", "200 OK"}, []string{"UPDATE", "INVITE", "INVITE"}},
		"not now":       {"UPDATE", []string{"500 Busy", "503 Busy", "200 OK", "200 OK"}, []string{"UPDATE", "UPDATE", "UPDATE", "UPDATE"}},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(t *testing.T, n *network) {
				ended := make(chan ua.End, 1)
				answers := make(chan string, 10)
				accept, dialogs := answering(ua.Handlers{
					Ended: func(e ua.End) { ended <- e }, Answer: func(b []byte) error { answers <- string(b); return nil },
				})
				a := n.agent(t, ua.Options{Invite: accept})
				p := n.peer(t, a)
				p.call("offer", supports, "Session-Expires: 120;refresher=uas", "Allow: "+c.allow)
				at := time.Now()
				for i, status := range c.statuses {
					m := p.next(2 * time.Minute)
					method, _, _ := strings.Cut(m, " ")
					if method != c.methods[i] || header(m, "Session-Expires") != "120;refresher=uac" {
						t.Fatalf("refresh %d:\n%s", i, m)
					}
					switch {
					case method == "UPDATE" && body(m) != "", method == "INVITE" && body(m) != "answer":
						t.Errorf("refresh %d changes something:\n%s", i, m)
					case i > 0 && strings.HasPrefix(c.statuses[i-1], "200") && time.Since(at) < 59*time.Second:
						t.Errorf("refresh %d after %v", i, time.Since(at))
					}
					at = time.Now()
					text := ""
					if method == "INVITE" {
						text = "again"
					}
					p.respond(m, status, text, "Session-Expires: 120;refresher=uac")
					if method == "INVITE" {
						p.expect("ACK")
						if got := <-answers; got != "again" {
							t.Errorf("the answer: %q", got)
						}
					}
				}
				// From here on nobody answers.
				n.cut()
				if e := <-ended; e.Err == nil || time.Since(at) > 125*time.Second {
					t.Errorf("ended after %v with %+v", time.Since(at), e)
				}
				<-dialogs
			})
		})
	}
}

func TestWeAskForASessionTimer(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		ended := make(chan ua.End, 1)
		a := n.agent(t, ua.Options{})
		p := n.peer(t, a)
		result := invite(t, a, p, func(o *ua.Outgoing) { o.Handlers.Ended = func(e ua.End) { ended <- e } })
		m := p.expect("INVITE")
		if header(m, "Session-Expires") != "1800" || header(m, "Min-SE") != "90" || !strings.Contains(header(m, "Supported"), "timer") {
			t.Errorf("%s", m)
		}
		p.respond(m, "422 Session Interval Too Small", "", "Min-SE: 2400")
		p.expect("ACK")
		m = p.expect("INVITE")
		if header(m, "Session-Expires") != "2400" || header(m, "Min-SE") != "2400" || header(m, "CSeq") != "2 INVITE" {
			t.Errorf("after the 422:\n%s", m)
		}
		p.learn(m)
		p.id, p.remote = header(m, "Call-ID"), strings.Split(header(m, "From"), "tag=")[1]
		p.respond(m, "200 OK", "answer", "Session-Expires: 2400;refresher=uas", "Require: timer")
		p.expect("ACK")
		if c := <-result; c.err != nil {
			t.Fatal(c.err)
		}
		at := time.Now()
		time.Sleep(20 * time.Minute)
		p.request("INVITE", "offer", supports) // a hold, by somebody who forgets what was agreed on
		if m := p.expect("SIP/2.0 488"); m == "" {
			t.Error("an offer is taken without a handler")
		}
		p.request("ACK", "")
		n.cut()
		e := <-ended
		if after := time.Since(at); e.Err == nil || after < 39*time.Minute || after > 40*time.Minute {
			t.Errorf("ended after %v with %+v", after, e)
		}
	})
}

// TestSessionTimersForHours keeps a call between two agents for a day, without media, through a network that loses
// every fifth packet; then one of them dies.
func TestSessionTimersForHours(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		n.lossy(0.2, 7)
		ended := make(chan ua.End, 1)
		h := ua.Handlers{Ended: func(e ua.End) { ended <- e }}
		accept, _ := answering(ua.Handlers{})
		callee, caller := n.agent(t, ua.Options{Invite: accept}), n.agent(t, ua.Options{SessionExpires: 2 * time.Minute})
		if _, _, err := caller.Invite(t.Context(), ua.Outgoing{URI: uri(callee), Offer: []byte("o"), Handlers: h}); err != nil {
			t.Fatal(err)
		}
		select {
		case e := <-ended:
			t.Fatalf("ended: %+v", e)
		case <-time.After(24 * time.Hour):
		}
		n.cut()
		at := time.Now()
		if e := <-ended; e.Err == nil || errors.Is(e.Err, ua.ErrEnded) || time.Since(at) > 2*time.Minute {
			t.Errorf("%v later: %+v", time.Since(at), e)
		}
		time.Sleep(3 * time.Minute)
		if caller.Dialogs() != 0 || callee.Dialogs() != 0 {
			t.Errorf("%d and %d dialogs", caller.Dialogs(), callee.Dialogs())
		}
	})
}
