package ua_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/siptest"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

func TestSplitAddress(t *testing.T) {
	for address, want := range map[string]struct {
		host string
		port uint16
	}{
		"sip.example.com":       {"sip.example.com", 0},
		"sip.example.com:5080":  {"sip.example.com", 5080},
		"192.0.2.7":             {"192.0.2.7", 0},
		"192.0.2.7:65535":       {"192.0.2.7", 65535},
		"[2001:db8::7]":         {"2001:db8::7", 0},
		"[2001:db8::7]:5060":    {"2001:db8::7", 5060},
		"":                      {},
		":5060":                 {},
		"[]:5060":               {},
		"sip.example.com:":      {},
		"sip.example.com:0":     {},
		"sip.example.com:65536": {},
		"sip.example.com:-1":    {},
		"a:b:c":                 {},
		"[2001:db8::7]5060":     {},
		"user@example.com":      {},
		"sip.example.com\r\nX":  {},
	} {
		host, port, err := ua.SplitAddress(address)
		if host != want.host || port != want.port || (err == nil) != (want.host != "") {
			t.Errorf("%q: %q, %d, %v", address, host, port, err)
		}
	}
}

func TestLocate(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		names := siptest.NewNames()
		names.Host("one.example", "192.0.2.1")
		names.Host("two.example", "2001:db8::2", "192.0.2.2")
		names.Servers("_sip._udp.carrier.example", net.SRV{Priority: 20, Port: 5062, Target: "two.example"}, net.SRV{Priority: 10, Port: 5061, Target: "one.example"})
		names.Servers("_sip._tcp.carrier.example", net.SRV{Port: 5070, Target: "one.example"})
		names.Servers("_sip._udp.half.example", net.SRV{Priority: 1, Port: 5060, Target: "gone.example"}, net.SRV{Priority: 2, Port: 5060, Target: "one.example"})
		names.Host("plain.example", "192.0.2.9")
		names.Host("large.example", "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6")
		a := n.agent(t, ua.Options{DialDNS: names.Dial})
		for _, tt := range []struct{ address, transport, want string }{
			{"192.0.2.7", "UDP", "192.0.2.7:5060"},
			{"192.0.2.7:5080", "TCP", "192.0.2.7:5080"},
			{"192.0.2.7", "TLS", "192.0.2.7:5061"},
			{"[2001:db8::7]:5080", "UDP", "[2001:db8::7]:5080"},
			{"carrier.example", "UDP", "192.0.2.1:5061 192.0.2.2:5062 [2001:db8::2]:5062"},
			{"carrier.example", "TCP", "192.0.2.1:5070"},
			{"half.example", "UDP", "192.0.2.1:5060"},
			{"plain.example", "UDP", "192.0.2.9:5060"},
			{"plain.example:5080", "UDP", "192.0.2.9:5080"},
			{"plain.example", "TLS", "plain.example:5061"},
			{"plain.example:5081", "TLS", "plain.example:5081"},
			{"large.example", "UDP", "192.0.2.1:5060 192.0.2.2:5060 192.0.2.3:5060 192.0.2.4:5060"},
			{"nobody.example", "UDP", "the host cannot be found: lookup nobody.example"},
			{"nobody.example", "TLS", "the host cannot be found: lookup nobody.example"},
			{"no such host", "UDP", "is neither host nor host:port"},
		} {
			places, err := a.Locate(t.Context(), tt.address, tt.transport)
			got := strings.Join(places, " ")
			if err != nil {
				got = err.Error()
			}
			if got != tt.want && (err == nil || !strings.Contains(got, tt.want)) {
				t.Errorf("%s over %s: %s, want %s", tt.address, tt.transport, got, tt.want)
			}
		}
	})
}

// TestLocateWhileTheNameServerFails: it is asked only so often, and what it said last counts while it says nothing.
func TestLocateWhileTheNameServerFails(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		names := siptest.NewNames()
		names.Host("carrier.example", "192.0.2.1")
		a := n.agent(t, ua.Options{DialDNS: names.Dial})
		is := func(want string) {
			t.Helper()
			if places, err := a.Locate(t.Context(), "carrier.example:5060", "UDP"); err != nil || places[0] != want {
				t.Fatalf("%v, %v; want %s", places, err, want)
			}
		}
		is("192.0.2.1:5060")
		asked := names.Asked()
		names.Host("carrier.example", "192.0.2.2")
		is("192.0.2.1:5060")
		if names.Asked() != asked {
			t.Errorf("it was asked again")
		}
		time.Sleep(31 * time.Second)
		is("192.0.2.2:5060")
		names.Fail(true)
		time.Sleep(31 * time.Second)
		is("192.0.2.2:5060")
		began := time.Now()
		is("192.0.2.2:5060")
		if took := time.Since(began); took > 0 {
			t.Errorf("it was asked again at once, for %v", took)
		}
		names.Fail(false)
		names.Host("carrier.example", "192.0.2.3")
		time.Sleep(6 * time.Second)
		is("192.0.2.3:5060")

		names.Fail(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		if _, err := a.Locate(ctx, "other.example", "UDP"); err == nil || time.Since(began) > time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		names.Fail(false)
		names.Host("other.example", "192.0.2.4")
		if _, err := a.Locate(t.Context(), "other.example:5060", "UDP"); err != nil {
			t.Errorf("what nobody could tell is taken for an answer: %v", err)
		}
		time.Sleep(time.Minute) // the resolver has given up everything
	})
}

func TestAvoid(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		names := siptest.NewNames()
		names.Host("carrier.example", "192.0.2.1", "192.0.2.2")
		a := n.agent(t, ua.Options{DialDNS: names.Dial})
		is := func(want string) {
			t.Helper()
			if places, err := a.Locate(t.Context(), "carrier.example:5060", "UDP"); err != nil || strings.Join(places, " ") != want {
				t.Fatalf("%v, %v; want %s", places, err, want)
			}
		}
		is("192.0.2.1:5060 192.0.2.2:5060")
		a.Avoid("192.0.2.1:5060")
		is("192.0.2.2:5060 192.0.2.1:5060")
		time.Sleep(time.Minute)
		is("192.0.2.1:5060 192.0.2.2:5060")
	})
}

// TestInviteByName: the INVITE goes where the domain's servers are, says so in no header, and names a host of ours
// that the other side reaches.
func TestInviteByName(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		names := siptest.NewNames()
		a := n.agent(t, ua.Options{DialDNS: names.Dial})
		p := n.peer(t, a)
		at := netip.MustParseAddrPort(p.conn.at.String())
		names.Host("one.example", at.Addr().String())
		names.Servers("_sip._udp.carrier.example", net.SRV{Port: at.Port(), Target: "one.example"})
		done := make(chan error)
		go func() {
			_, _, err := a.Invite(t.Context(), ua.Outgoing{URI: "sip:bob@carrier.example", From: "al", Offer: []byte("v=0\r\n")})
			done <- err
		}()
		invite := p.expect("INVITE")
		if line, _, _ := strings.Cut(invite, "\r\n"); line != "INVITE sip:bob@carrier.example SIP/2.0" {
			t.Error(line)
		}
		if contact := header(invite, "Contact"); contact != fmt.Sprintf("<sip:piopiyd@127.0.0.1:%d>", a.Port()) {
			t.Error(contact)
		}
		p.respond(invite, "486 Busy Here", "")
		p.expect("ACK")
		if err := <-done; err == nil || !strings.Contains(err.Error(), "486") {
			t.Error(err)
		}
	})
}

// TestRegistrarThatIsGone: the next of a domain's servers is registered with.
func TestRegistrarThatIsGone(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		names := siptest.NewNames()
		a := n.agent(t, ua.Options{DialDNS: names.Dial})
		carrier := n.agent(t, ua.Options{Users: map[string]string{"acme": "s3cret"}})
		names.Host("one.example", "127.0.0.1")
		names.Servers("_sip._udp.carrier.example", net.SRV{Priority: 1, Port: 9, Target: "one.example"}, net.SRV{Priority: 2, Port: uint16(carrier.Port()), Target: "one.example"})
		if err := a.Register(ua.Trunk{Name: "acme", Address: "carrier.example", User: "acme", Password: "s3cret"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(40 * time.Second) // 32 of them until the first is given up (RFC 3261 section 17.1.2.2)
		if s := a.Trunks()[0]; !s.Registered {
			t.Errorf("%+v", s)
		}
	})
}
