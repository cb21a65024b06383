package ua_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

func open(t *testing.T, o ua.Options) *ua.Agent {
	t.Helper()
	o.Listen = "127.0.0.1:0"
	if o.Invite == nil {
		o.Invite = func(i *ua.Invitation) { i.Reject(486, "Busy Here", "") }
	}
	a, err := ua.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = a.Close(ctx)
	})
	return a
}

func (w *wire) uri(user string) string { return fmt.Sprintf("sip:%s@127.0.0.1:%d", user, w.port) }

func uri(a *ua.Agent) string { return fmt.Sprintf("sip:bob@127.0.0.1:%d", a.Port()) }

// wire is a UDP socket that speaks SIP by hand.
type wire struct {
	t    *testing.T
	conn *net.UDPConn
	port int
}

func dial(t *testing.T, a *ua.Agent) *wire {
	t.Helper()
	conn, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: a.Port()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &wire{t, conn, a.Port()}
}

// request makes a message; lines are headers that replace or, when empty after the colon, remove the usual ones.
func (w *wire) request(method, id string, body string, lines ...string) string {
	headers := []string{
		"Via: SIP/2.0/UDP " + w.conn.LocalAddr().String() + ";rport;branch=z9hG4bK" + id + method, "From: <sip:al@h>;tag=1", "To: <sip:bob@h>",
		"Call-ID: " + id, "CSeq: 1 " + method, "Contact: <sip:al@" + w.conn.LocalAddr().String() + ">", "Max-Forwards: 70",
	}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ":")
		found := false
		for i, h := range headers {
			if strings.HasPrefix(h, name+":") {
				headers[i], found = l, true
				if value == "" {
					headers = append(headers[:i], headers[i+1:]...)
				}
				break
			}
		}
		if !found && value != "" {
			headers = append(headers, l)
		}
	}
	return fmt.Sprintf("%s %s SIP/2.0\r\n%s\r\nContent-Length: %d\r\n\r\n%s", method, w.uri("bob"), strings.Join(headers, "\r\n"), len(body), body)
}

func (w *wire) send(message string) {
	w.t.Helper()
	if _, err := w.conn.Write([]byte(message)); err != nil {
		w.t.Fatal(err)
	}
}

// next returns the next message.
func (w *wire) next() string {
	w.t.Helper()
	_ = w.conn.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 4096)
	n, err := w.conn.Read(buf)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(buf[:n])
}

// until returns the first message that begins with prefix.
func (w *wire) until(prefix string) string {
	w.t.Helper()
	for {
		if m := w.next(); strings.HasPrefix(m, prefix) {
			return m
		}
	}
}

func header(message, name string) string {
	for line := range strings.Lines(message) {
		if n, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(n, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// alive checks that the agent answers.
func (w *wire) alive(after string) {
	w.t.Helper()
	w.send(w.request("OPTIONS", "after"+after, ""))
	for {
		if m := w.next(); header(m, "Call-ID") == "after"+after {
			if !strings.HasPrefix(m, "SIP/2.0 200") {
				w.t.Errorf("OPTIONS: %s", m)
			}
			return
		}
	}
}

func TestMalformedRequestsAreSurvived(t *testing.T) {
	a := open(t, ua.Options{Users: map[string]string{"al": "x"}})
	w := dial(t, a)
	n := 0
	for _, method := range []string{"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "REGISTER", "UPDATE", "MESSAGE", "REFER", "PRACK", "NOTIFY", "FOO"} {
		for _, defect := range []string{
			"To:", "From:", "Call-ID:", "CSeq:", "Via:", "Contact:", "From: <sip:a@h>", "CSeq: 1 PUBLISH", "CSeq: x " + method, "To: garbage", "Via: SIP/2.0/UDP",
			"Call-ID: " + strings.Repeat("a", 2000), "Content-Type: text/plain", "Require: 100rel", "From: <sip:" + strings.Repeat("b", 500) + "@h>;tag=1", "Contact: *",
			"Authorization: Digest", "Authorization: Digest username=\"al\", nonce=\"\", response=\"", "Route: <", "Expires: -1", "Max-Forwards: x",
		} {
			n++
			w.send(w.request(method, fmt.Sprintf("m%d", n), "v=0", defect))
		}
		w.alive(method)
	}
	for _, junk := range []string{"\r\n\r\n", "hello", "INVITE", "SIP/2.0 200 OK\r\n\r\n", "INVITE sip:x SIP/2.0\r\n\r\n", strings.Repeat("A", 60000), "\x00\x01\x02\x03\x04"} {
		w.send(junk)
	}
	w.alive("junk")
	if a.Dialogs() != 0 {
		t.Errorf("%d dialogs", a.Dialogs())
	}
}

func TestStatuses(t *testing.T) {
	a := open(t, ua.Options{})
	w := dial(t, a)
	for i, c := range []struct{ message, status string }{
		{w.request("INVITE", "1", "", "Require: 100rel, foo"), "420"},
		{w.request("INVITE", "2", "x", "Content-Type: text/plain"), "415"},
		{w.request("INVITE", "3", "", "To: <sip:bob@h>;tag=gone"), "481"},
		{w.request("INVITE", "4", "", "Contact:"), "400"},
		{w.request("BYE", "5", "", "To: <sip:bob@h>;tag=gone"), "481"},
		{w.request("CANCEL", "6", ""), "481"},
		{w.request("SUBSCRIBE", "7", ""), "405"},
		{w.request("REGISTER", "8", ""), "403"},
		{w.request("OPTIONS", "9", ""), "200"},
		{w.request("INVITE", "10", ""), "486"},
	} {
		w.send(c.message)
		for {
			m := w.next()
			if header(m, "Call-ID") != fmt.Sprint(i+1) || strings.HasPrefix(m, "SIP/2.0 100") {
				continue
			}
			if !strings.HasPrefix(m, "SIP/2.0 "+c.status) {
				t.Errorf("%s\n%s", c.message, m)
			}
			break
		}
	}
	w.send("OPTIONS " + w.uri("x") + " SIP/2.0\r\nUser-Agent: friendly-scanner\r\n\r\n")
	a.Drain()
	w.send(w.request("OPTIONS", "11", ""))
	w.until("SIP/2.0 503")
}

// TestTheACKIsLost answers a call whose ACK never comes in time: the 200 is sent again, and a BYE before the ACK is
// a normal, short call.
func TestTheACKIsLost(t *testing.T) {
	ended := make(chan ua.End, 1)
	a := open(t, ua.Options{Invite: func(i *ua.Invitation) {
		if _, err := i.Accept([]byte("v=0\r\n"), ua.Handlers{Ended: func(e ua.End) { ended <- e }}); err != nil {
			t.Error(err)
		}
	}})
	w := dial(t, a)
	invite := w.request("INVITE", "c1", "v=0\r\n", "Content-Type: application/sdp")
	w.send(invite)
	first := w.until("SIP/2.0 200")
	if again := w.until("SIP/2.0 200"); again != first {
		t.Errorf("the copy differs:\n%s\n%s", first, again)
	}
	w.send(invite) // a copy from a caller who missed all of it
	if again := w.until("SIP/2.0 200"); header(again, "To") != header(first, "To") {
		t.Error("a copy of the INVITE makes another call")
	}
	w.send(w.request("BYE", "c1", "", "To: "+header(first, "To"), "CSeq: 2 BYE", "Reason: Q.850;cause=16"))
	for m := w.next(); !strings.Contains(m, "BYE"); m = w.next() {
	}
	select {
	case e := <-ended:
		if e.Reason != "Q.850;cause=16" || e.Err != nil {
			t.Errorf("%+v", e)
		}
	case <-time.After(patience):
		t.Fatal("the call goes on")
	}
}

func TestOffersWithinACall(t *testing.T) {
	digits := make(chan byte, 10)
	answers := make(chan string, 1)
	a := open(t, ua.Options{Invite: func(i *ua.Invitation) {
		_, err := i.Accept([]byte("v=0 first\r\n"), ua.Handlers{
			Offer: func(offer []byte) ([]byte, error) {
				switch string(offer) {
				case "":
					return []byte("our offer"), nil
				case "bad":
					return nil, errors.New(`no "codec"`)
				}
				return []byte("answer to " + string(offer)), nil
			},
			Answer: func(answer []byte) error { answers <- string(answer); return nil },
			Digit:  func(d byte) { digits <- d },
		})
		if err != nil {
			t.Error(err)
		}
	}})
	w := dial(t, a)
	w.send(w.request("INVITE", "c1", "v=0\r\n", "Content-Type: application/sdp"))
	to := "To: " + header(w.until("SIP/2.0 200"), "To")
	branch := func(n int) string { return fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=z9hG4bK-%d", w.conn.LocalAddr(), n) }
	w.send(w.request("ACK", "c1", "", to, branch(1)))

	offer := func(n int, method, body string) string {
		w.send(w.request(method, "c1", body, to, branch(n), fmt.Sprintf("CSeq: %d %s", n, method), "Content-Type: application/sdp"))
		for {
			m := w.next()
			if header(m, "CSeq") == fmt.Sprintf("%d %s", n, method) && !strings.HasPrefix(m, "SIP/2.0 100") {
				return m
			}
		}
	}
	if m := offer(2, "INVITE", "hold"); !strings.HasSuffix(m, "answer to hold") {
		t.Errorf("re-INVITE: %s", m)
	}
	if m := offer(3, "INVITE", "again"); !strings.HasSuffix(m, "answer to again") { // its ACK is late
		t.Errorf("a second one before the ACK: %s", m)
	}
	w.send(w.request("ACK", "c1", "", to, branch(30), "CSeq: 2 ACK"))
	w.send(w.request("ACK", "c1", "", to, branch(31), "CSeq: 3 ACK"))
	if m := offer(4, "UPDATE", "update"); !strings.HasSuffix(m, "answer to update") {
		t.Errorf("UPDATE: %s", m)
	}
	if m := offer(5, "INVITE", "bad"); !strings.HasPrefix(m, "SIP/2.0 488") || !strings.Contains(m, "no 'codec'") {
		t.Errorf("an offer that cannot be met: %s", m)
	}
	w.send(w.request("ACK", "c1", "", to, branch(5), "CSeq: 5 ACK"))
	if m := offer(6, "INVITE", ""); !strings.HasSuffix(m, "our offer") {
		t.Errorf("without an offer: %s", m)
	}
	w.send(w.request("ACK", "c1", "their answer", to, branch(60), "CSeq: 6 ACK"))
	if got := <-answers; got != "their answer" {
		t.Errorf("the answer in the ACK: %q", got)
	}
	if m := offer(4, "INVITE", "late"); !strings.HasPrefix(m, "SIP/2.0 500") {
		t.Errorf("out of order: %s", m)
	}
	for i, c := range []struct{ kind, body, status string }{
		{"application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "200"}, {"application/dtmf-relay; x=y", "signal= *\r\n", "200"}, {"application/dtmf", "11", "200"},
		{"application/dtmf", "flash", "200"}, {"text/plain", "1", "415"}, {"application/dtmf-relay", "", "200"},
	} {
		w.send(w.request("INFO", "c1", c.body, to, branch(10+i), fmt.Sprintf("CSeq: %d INFO", 10+i), "Content-Type: "+c.kind))
		for {
			if m := w.next(); header(m, "CSeq") == fmt.Sprintf("%d INFO", 10+i) {
				if !strings.HasPrefix(m, "SIP/2.0 "+c.status) {
					t.Errorf("%q: %s", c.body, m)
				}
				break
			}
		}
	}
	for _, want := range []byte("5*#") {
		if got := <-digits; got != want {
			t.Errorf("digit %q, want %q", got, want)
		}
	}
}

func TestRejected(t *testing.T) {
	callee := open(t, ua.Options{Invite: func(i *ua.Invitation) { i.Reject(603, "Decline", `Q.850;cause=21`) }})
	caller := open(t, ua.Options{})
	_, _, err := caller.Invite(t.Context(), ua.Outgoing{URI: uri(callee), From: "al", Offer: []byte("v=0\r\n")})
	var rejected *ua.Rejected
	if !errors.As(err, &rejected) || rejected.Status != 603 || rejected.Reason != "Q.850;cause=21" {
		t.Errorf("got %v", err)
	}
	for name, bad := range map[string]ua.Outgoing{
		"no URI": {URI: "bob"}, "a number": {URI: "tel:+1555"}, "TLS": {URI: "sip:a@h;transport=tls"}, "a line too many": {URI: uri(callee), From: "al\r\nX: y"},
		"a header too many": {URI: uri(callee), Headers: map[string]string{"X-A": "b\r\nVia: c"}},
	} {
		if _, _, err := caller.Invite(t.Context(), bad); err == nil || errors.As(err, &rejected) && false {
			t.Errorf("%s: %v", name, err)
		}
	}
}
