package ua_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/siptest"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// trunkIs waits until the only trunk of an agent is so.
func trunkIs(t *testing.T, a *ua.Agent, what string, ok func(ua.TrunkState) bool) ua.TrunkState {
	t.Helper()
	siptest.Wait(t, "the trunk is "+what, func() bool { return len(a.Trunks()) == 1 && ok(a.Trunks()[0]) })
	return a.Trunks()[0]
}

func registered(s ua.TrunkState) bool { return s.Registered }

func TestTrunkRegisters(t *testing.T) {
	ca := siptest.NewAuthority(t)
	ca.Sign(1)
	for _, transport := range []string{"udp", "tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			carrier := open(t, secured(ca, ua.Options{Users: map[string]string{"acme": "s3cret"}}))
			called := make(chan string, 1)
			us := open(t, secured(ca, ua.Options{Invite: func(i *ua.Invitation) {
				called <- i.To
				i.Reject(486, "Busy Here", "")
			}}))
			port := carrier.Port()
			if transport == "tls" {
				port = carrier.TLSPort()
			}
			if err := us.Register(ua.Trunk{Name: "acme", Address: fmt.Sprintf("127.0.0.1:%d", port), Transport: transport, User: "acme", Password: "s3cret", Expires: 30 * time.Second}); err != nil {
				t.Fatal(err)
			}
			s := trunkIs(t, us, "registered", registered)
			// 30 s are too brief for the carrier; it says so, and gets a minute.
			if left := time.Until(s.Until); left < 50*time.Second || left > time.Minute || s.LastError != "" || !s.FailingSince.IsZero() || time.Until(s.Next) > left {
				t.Errorf("%+v", s)
			}
			contacts := carrier.Contacts("acme")
			if len(contacts) != 1 || contacts[0].Transport != strings.ToUpper(transport) {
				t.Fatalf("contacts %+v", contacts)
			}
			// A call to the Contact: To has the number that was dialled.
			w := dial(t, us)
			w.send(strings.Replace(w.request("INVITE", "in", "v=0\r\n", "To: <sip:+14155550101@h>"), "INVITE "+w.uri("bob"), "INVITE "+contacts[0].URI, 1))
			w.until("SIP/2.0 486")
			if got := <-called; got != "+14155550101" {
				t.Errorf("called %q", got)
			}
			closeNow(t, us)
			if n := len(carrier.Contacts("acme")); n != 0 {
				t.Errorf("%d contacts are left", n)
			}
		})
	}
}

func TestTrunkThatFails(t *testing.T) {
	us := open(t, ua.Options{})
	// Nobody is there yet.
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	address := conn.LocalAddr().String()
	if err := us.Register(ua.Trunk{Name: "acme", Address: address, Transport: "tcp", User: "acme", Password: "s3cret"}); err != nil {
		t.Fatal(err)
	}
	s := trunkIs(t, us, "failing", func(s ua.TrunkState) bool { return s.LastError != "" })
	if s.Registered || s.FailingSince.IsZero() || s.Next.Before(s.FailingSince) {
		t.Errorf("%+v", s)
	}
	o := ua.Options{Listen: address, Users: map[string]string{"acme": "s3cret"}, Invite: func(*ua.Invitation) {}}
	carrier, err := ua.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(t, carrier) })
	s = trunkIs(t, us, "registered", registered)
	if !s.FailingSince.IsZero() || s.LastError != "" {
		t.Errorf("%+v", s)
	}

	wrong := open(t, ua.Options{})
	if err := wrong.Register(ua.Trunk{Name: "acme", Address: address, User: "acme", Password: "0ops"}); err != nil {
		t.Fatal(err)
	}
	s = trunkIs(t, wrong, "refused", func(s ua.TrunkState) bool { return s.LastError != "" })
	if !strings.Contains(s.LastError, "401") || time.Until(s.Next) < 20*time.Second || strings.Contains(s.LastError, "0ops") {
		t.Errorf("%+v", s)
	}

	for name, bad := range map[string]ua.Trunk{
		"a user is needed": {Address: address}, "the port is not": {Address: "carrier:sip", User: "a"}, "none of udp": {Address: address, User: "a", Transport: "sctp"},
		"sip.tls": {Address: address, User: "a", Transport: "tls"}, "characters": {Address: address, User: "a\r\nb"},
	} {
		if err := us.Register(bad); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRegistrarByHand has a registrar that says what it likes.
func TestRegistrarByHand(t *testing.T) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	us := open(t, ua.Options{})
	if err := us.Register(ua.Trunk{Name: "acme", Address: conn.LocalAddr().String(), User: "acme", Password: "s3cret", Expires: 2 * time.Minute}); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 8192)
	next := func() (request string, reply func(status string, headers ...string)) {
		t.Helper()
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		n, from, err := conn.ReadFromUDP(buf)
		if err != nil {
			t.Fatal(err)
		}
		request = string(buf[:n])
		return request, func(status string, headers ...string) {
			lines := "SIP/2.0 " + status + "\r\n"
			for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
				lines += name + ": " + header(request, name) + "\r\n"
			}
			for _, h := range headers {
				lines += h + "\r\n"
			}
			_, _ = conn.WriteToUDP([]byte(lines+"Content-Length: 0\r\n\r\n"), from)
		}
	}
	_, reply := next()
	reply("401 Unauthorized", `WWW-Authenticate: Digest realm="x", nonce="n1", algorithm=SHA3, qop="auth"`, `WWW-Authenticate: Digest realm="x", nonce="n1", algorithm=SHA-256, qop="auth"`)
	request, reply := next()
	if h := header(request, "Authorization"); !strings.Contains(h, "SHA-256") || !strings.Contains(h, "nc=00000001") || !strings.Contains(h, `nonce="n1"`) {
		t.Errorf("answered %s", h)
	}
	// For five seconds only: it is renewed soon, with the same nonce.
	reply("200 OK", "Contact: "+header(request, "Contact")+";expires=5")
	trunkIs(t, us, "registered", registered)
	request, reply = next()
	if h := header(request, "Authorization"); !strings.Contains(h, "nc=00000002") {
		t.Errorf("renewed with %s", h)
	}
	reply("401 Unauthorized", `WWW-Authenticate: Digest realm="x", nonce="n2", stale=true, algorithm=MD5, qop="auth"`)
	request, reply = next()
	if h := header(request, "Authorization"); !strings.Contains(h, `nonce="n2"`) || !strings.Contains(h, "nc=00000001") {
		t.Errorf("after a stale nonce: %s", h)
	}
	reply("503 Service Unavailable", "Retry-After: 2")
	s := trunkIs(t, us, "failing", func(s ua.TrunkState) bool { return s.LastError != "" })
	if left := time.Until(s.Next); !s.Registered || left > 2*time.Second || left < time.Second/2 {
		t.Errorf("after a Retry-After: %+v", s)
	}
	request, reply = next()
	reply("200 OK", "Contact: "+header(request, "Contact"), "Expires: 60")
	trunkIs(t, us, "registered again", func(s ua.TrunkState) bool { return s.LastError == "" })
}

func closeNow(t *testing.T, a *ua.Agent) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = a.Close(ctx)
}
