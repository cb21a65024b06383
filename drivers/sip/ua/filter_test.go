package ua_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// count sends requests and returns how many are answered.
func (w *wire) count(n int, each func(i int) string) (answered int) {
	w.t.Helper()
	for i := range n {
		w.send(each(i))
	}
	buf := make([]byte, 4096)
	for {
		_ = w.conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		m, err := w.conn.Read(buf)
		if err != nil {
			return answered
		}
		if strings.HasPrefix(string(buf[:m]), "SIP/2.0 200") {
			answered++
		}
	}
}

func TestPerSource(t *testing.T) {
	a := open(t, ua.Options{PerSource: 10})
	w := dial(t, a)
	options := func(i int) string { return w.request("OPTIONS", fmt.Sprint("o", i), "") }
	if n := w.count(200, options); n < 20 || n > 40 {
		t.Errorf("%d of 200 at once are answered", n)
	}
	other := newPhone(t, a, "127.0.0.9", "al")
	other.send(other.request("OPTIONS", "other", ""))
	other.answer("other") // another address has its own share
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", a.Port()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for i := range 200 {
		_, _ = fmt.Fprintf(conn, "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKt%d\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: t%d\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", i, i)
	}
	text := ""
	buf := make([]byte, 65536)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		m, err := conn.Read(buf)
		if err != nil {
			break
		}
		text += string(buf[:m])
	}
	if n := strings.Count(text, "SIP/2.0 200"); n > 40 {
		t.Errorf("%d of 200 over TCP are answered", n)
	}
}

func TestScannersAreDropped(t *testing.T) {
	a := open(t, ua.Options{})
	w := dial(t, a)
	for _, agent := range []string{"friendly-scanner", "sipvicious", "sipcli/v1.8", "VaxSIPUserAgent/3.1"} {
		if n := w.count(1, func(int) string { return w.request("OPTIONS", agent[:5], "", "User-Agent: "+agent) }); n != 0 {
			t.Errorf("%s is answered", agent)
		}
	}
	w.alive("scanners")
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", a.Port()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	head := "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKs\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: s\r\nCSeq: 1 OPTIONS\r\nUser-Agent: friendly-"
	for _, piece := range []string{head, "scanner\r\nContent-Length: 0\r\n\r\n"} {
		_, _ = conn.Write([]byte(piece))
	}
	_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if n, err := conn.Read(make([]byte, 100)); err == nil {
		t.Errorf("answered over TCP with %d octets", n)
	}
}

// TestNobodyMakesUsConnect sends a request over TCP, does not wait for the answer, and names somebody else for it.
func TestNobodyMakesUsConnect(t *testing.T) {
	a := open(t, ua.Options{})
	victim, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = victim.Close() }()
	for i := range 50 {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", a.Port()))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(conn, "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP %s;branch=z9hG4bKv%d\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: v%d\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", victim.Addr(), i, i)
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
	_ = victim.(*net.TCPListener).SetDeadline(time.Now().Add(500 * time.Millisecond))
	if conn, err := victim.Accept(); err == nil {
		_ = conn.Close()
		t.Error("the agent has connected to what a Via names")
	}
	// What we send ourselves may connect.
	b := open(t, ua.Options{})
	_, _, err = a.Invite(t.Context(), ua.Outgoing{URI: uri(b) + ";transport=tcp", From: "al", Offer: []byte("v=0\r\n")})
	var busy *ua.Rejected
	if !errors.As(err, &busy) || busy.Status != 486 {
		t.Errorf("a call of ours: %v", err)
	}
}

// TestLargeMessages sends messages that are too large.
func TestLargeMessages(t *testing.T) {
	a := open(t, ua.Options{})
	w := dial(t, a)
	if n := w.count(1, func(int) string { return w.request("OPTIONS", "large", "", "X: "+strings.Repeat("x", 9000)) }); n != 0 {
		t.Error("a large datagram is answered")
	}
	if n := w.count(1, func(int) string {
		return w.request("OPTIONS", "many", "", "X: 1"+strings.Repeat("\r\nY: 2", 200))
	}); n != 0 {
		t.Error("200 headers are taken")
	}
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", a.Port()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	line := []byte("X: " + strings.Repeat("x", 1000) + "\r\n")
	_, _ = conn.Write([]byte("OPTIONS sip:x SIP/2.0\r\n"))
	for range 1000 {
		if _, err = conn.Write(line); err != nil {
			break
		}
	}
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("a message without end: %v", err)
	}
	w.alive("large")
}

// TestNumberScan calls numbers that nobody has, one after the other.
func TestNumberScan(t *testing.T) {
	a := open(t, ua.Options{Invite: func(i *ua.Invitation) { i.Reject(404, "Not Found", "") }})
	p := newPhone(t, a, "127.0.0.7", "eve")
	for i := range 60 {
		p.send(p.request("INVITE", fmt.Sprint("scan", i), "v=0\r\n"))
		p.until("SIP/2.0 404")
	}
	if !p.silent() {
		t.Error("it may go on")
	}
	dial(t, a).alive("scan")
}
