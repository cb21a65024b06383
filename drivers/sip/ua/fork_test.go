package ua_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// TestFork calls through a proxy that rings two phones, which both answer.
func TestFork(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		var told []string
		a := n.agent(t, ua.Options{})
		p := n.peer(t, a)
		result := invite(t, a, p, func(o *ua.Outgoing) {
			o.Progress = func(s int, b []byte) { told = append(told, fmt.Sprint(s, " ", string(b))) }
		})
		m := p.expect("INVITE")
		branch := func(tag, status, body string, headers ...string) {
			p.respond(m, status, body, append([]string{"To: " + header(m, "To") + ";tag=" + tag, "Contact: <sip:" + tag + "@" + p.conn.at.String() + ">"}, headers...)...)
		}
		branch("one", "180 Ringing", "")
		branch("two", "183 Session Progress", "early of two", "Require: 100rel", "RSeq: 1")
		branch("one", "183 Session Progress", "early of one", "Require: 100rel", "RSeq: 100")
		for range 2 { // each in its own dialog, in any order
			prack := p.expect("PRACK")
			switch {
			case strings.HasPrefix(prack, "PRACK sip:one@") && strings.HasSuffix(header(prack, "To"), "tag=one") && header(prack, "RAck") == "100 1 INVITE":
			case strings.HasPrefix(prack, "PRACK sip:two@") && strings.HasSuffix(header(prack, "To"), "tag=two") && header(prack, "RAck") == "1 1 INVITE":
			default:
				t.Errorf("%s", prack)
			}
			p.respond(prack, "200 OK", "")
		}
		branch("two", "200 OK", "")
		branch("one", "200 OK", "")
		if ack := p.expect("ACK"); !strings.HasPrefix(ack, "ACK sip:two@") {
			t.Errorf("%s", ack)
		}
		c := <-result
		if c.err != nil || c.answer != "early of two" {
			t.Fatalf("%+v", c)
		}
		if ack := p.expect("ACK"); !strings.HasPrefix(ack, "ACK sip:one@") {
			t.Errorf("%s", ack)
		}
		bye := p.expect("BYE")
		if !strings.HasPrefix(bye, "BYE sip:one@") {
			t.Errorf("%s", bye)
		}
		branch("one", "200 OK", "") // a copy
		p.respond(bye, "200 OK", "")
		p.none("BYE", 10*time.Second)
		if a.Dialogs() != 1 {
			t.Errorf("%d dialogs", a.Dialogs())
		}
		go c.dialog.Bye(t.Context(), "")
		if bye := p.expect("BYE"); !strings.HasPrefix(bye, "BYE sip:two@") {
			t.Errorf("%s", bye)
		} else {
			p.respond(bye, "200 OK", "")
		}
		if want := []string{"180 ", "183 early of two", "183 early of one"}; !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}

func TestEarlyMediaIsUnreliable(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		ready := make(chan struct{})
		callee := n.agent(t, ua.Options{Invite: func(i *ua.Invitation) {
			i.Ring()
			_ = i.Progress([]byte("early"), ua.Handlers{})
			<-ready
			i.Reject(486, "Busy Here", "")
			if err := i.Progress(nil, ua.Handlers{}); err != nil {
				t.Errorf("after the rejection: %v", err)
			}
		}})
		p := n.peer(t, callee)
		p.request("INVITE", "offer", "Supported: 100rel")
		p.expect("SIP/2.0 180")
		m := p.expect("SIP/2.0 183")
		if body(m) != "early" || header(m, "Require") != "" {
			t.Errorf("%s", m)
		}
		close(ready)
		p.expect("SIP/2.0 486")
		p.request("ACK", "", "Via: SIP/2.0/UDP "+p.conn.at.String()+";rport;branch=z9hG4bKme-1")
		if callee.Dialogs() != 0 {
			t.Errorf("%d dialogs", callee.Dialogs())
		}
	})
}

func TestRedirect(t *testing.T) {
	for name, c := range map[string]struct {
		contacts []string
		allow    string // the user that may be called
		calls    int
		status   int
	}{
		"to one":           {[]string{"<sip:good@%s>"}, "good", 1, 486},
		"the best":         {[]string{"<sip:bad@%[1]s>;q=0.9, <sip:good@%[1]s>;q=0.8", "<sip:poor@%[1]s>;q=0.1"}, "good", 1, 486},
		"nobody":           {[]string{"<sip:bad@%s>"}, "good", 0, 302},
		"another protocol": {[]string{"<tel:+1555>", "<sip:good@%s;transport=tls>"}, "", 0, 302},
		"nowhere":          {nil, "good", 0, 302},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(t *testing.T, n *network) {
				a := n.agent(t, ua.Options{})
				p := n.peer(t, a)
				result := invite(t, a, p, func(o *ua.Outgoing) {
					o.Redirect = func(uri string) bool { return c.allow == "" || strings.HasPrefix(uri, "sip:"+c.allow+"@") }
				})
				m := p.expect("INVITE")
				var contacts []string
				for _, h := range c.contacts {
					h = strings.ReplaceAll(h, "%[1]s", "%s")
					contacts = append(contacts, strings.ReplaceAll(h, "%s", p.conn.at.String()))
				}
				line := "Contact: " + strings.Join(contacts, ", ")
				if contacts == nil {
					line = "Contact:"
				}
				p.respond(m, "302 Moved Temporarily", "", line)
				p.expect("ACK")
				for range c.calls {
					again := p.expect("INVITE")
					if !strings.HasPrefix(again, "INVITE sip:"+c.allow+"@") || header(again, "CSeq") != "2 INVITE" || header(again, "Call-ID") != header(m, "Call-ID") || header(again, "To") != header(m, "To") {
						t.Errorf("%s", again)
					}
					p.respond(again, "486 Busy Here", "")
					p.expect("ACK")
				}
				var r *ua.Rejected
				if got := <-result; !errors.As(got.err, &r) || r.Status != c.status {
					t.Errorf("%+v", got)
				}
			})
		})
	}
	virtual(t, func(t *testing.T, n *network) { // and on, and on
		a := n.agent(t, ua.Options{})
		p := n.peer(t, a)
		result := invite(t, a, p, func(o *ua.Outgoing) { o.Redirect = func(string) bool { return true } })
		for i := range 6 {
			p.respond(p.expect("INVITE"), "302 Moved Temporarily", "", fmt.Sprintf("Contact: <sip:%d@%s>", i, p.conn.at))
			p.expect("ACK")
		}
		var r *ua.Rejected
		if got := <-result; !errors.As(got.err, &r) || r.Status != 302 {
			t.Errorf("%+v", got)
		}
	})
	virtual(t, func(t *testing.T, n *network) { // we send others away, in a circle
		var a *ua.Agent
		a = n.agent(t, ua.Options{Invite: func(i *ua.Invitation) {
			if err := i.Redirect("not a URI"); err == nil {
				t.Error("a bad URI is taken")
			}
			if err := i.Redirect(uri(a)); err != nil {
				t.Error(err)
			}
		}})
		_, _, err := n.agent(t, ua.Options{}).Invite(t.Context(), ua.Outgoing{URI: uri(a), Redirect: func(string) bool { return true }})
		var r *ua.Rejected
		if !errors.As(err, &r) || r.Status != 302 {
			t.Errorf("%v", err)
		}
	})
}
