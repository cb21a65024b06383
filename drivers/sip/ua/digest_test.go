package ua_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icholy/digest"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// phone registers by hand, from an address of its own.
type phone struct {
	*wire
	user string
	n    int
}

func newPhone(t *testing.T, a *ua.Agent, ip, user string) *phone {
	t.Helper()
	conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip)}, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: a.Port()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &phone{wire: &wire{t, conn, a.Port()}, user: user}
}

// register sends a REGISTER and returns its answer.
func (p *phone) register(headers ...string) string {
	p.t.Helper()
	p.n++
	id := fmt.Sprintf("r%d-%s-%s", p.n, p.user, p.conn.LocalAddr())
	p.send(p.request("REGISTER", id, "", append([]string{"To: <sip:" + p.user + "@h>", "From: <sip:" + p.user + "@h>;tag=1"}, headers...)...))
	return p.answer(id)
}

// answer waits for the answer with a Call-ID.
func (p *phone) answer(id string) string {
	p.t.Helper()
	for {
		if m := p.next(); header(m, "Call-ID") == id {
			return m
		}
	}
}

// challenge asks for a challenge with an algorithm.
func (p *phone) challenge(algorithm string) *digest.Challenge {
	p.t.Helper()
	return challengeIn(p.t, p.register(), algorithm)
}

func challengeIn(t *testing.T, m, algorithm string) *digest.Challenge {
	t.Helper()
	for line := range strings.Lines(m) {
		name, value, _ := strings.Cut(line, ": ")
		if !strings.HasSuffix(name, "Authenticate") {
			continue
		}
		c, err := digest.ParseChallenge(strings.TrimSpace(value))
		if err != nil {
			t.Fatal(err)
		}
		if c.Algorithm == algorithm {
			return c
		}
	}
	t.Fatalf("no challenge with %s:\n%s", algorithm, m)
	return nil
}

// credentials answer a challenge.
func (p *phone) credentials(c *digest.Challenge, password string, count int) string {
	p.t.Helper()
	answer, err := digest.Digest(c, digest.Options{Method: "REGISTER", URI: p.uri("bob"), Username: p.user, Password: password, Count: count})
	if err != nil {
		p.t.Fatal(err)
	}
	return "Authorization: " + answer.String()
}

// guess tries a password, and returns the status.
func (p *phone) guess(password string) string {
	p.t.Helper()
	m := p.register()
	if !strings.HasPrefix(m, "SIP/2.0 401") {
		return status(m)
	}
	return status(p.register(p.credentials(challengeIn(p.t, m, "MD5"), password, 1)))
}

// silent reports whether nothing answers; what has come before does not count.
func (p *phone) silent() bool {
	p.t.Helper()
	p.n++
	id := fmt.Sprint("silence", p.n)
	p.send(p.request("OPTIONS", id, ""))
	buf := make([]byte, 4096)
	for {
		_ = p.conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		n, err := p.conn.Read(buf)
		if err != nil {
			return true
		}
		if header(string(buf[:n]), "Call-ID") == id {
			return false
		}
	}
}

func status(m string) string {
	if len(m) < 11 {
		return m
	}
	return m[8:11]
}

func TestDigest(t *testing.T) {
	a := open(t, ua.Options{Users: map[string]string{"al": "s3cret"}})
	p := newPhone(t, a, "127.0.0.1", "al")
	first := p.register()
	if i, j := strings.Index(first, "SHA-256"), strings.Index(first, "MD5"); i < 0 || j < i {
		t.Errorf("asked with\n%s", first)
	}
	for _, algorithm := range []string{"SHA-256", "MD5"} {
		t.Run(algorithm, func(t *testing.T) {
			p := newPhone(t, a, "127.0.0.1", "al")
			c := challengeIn(t, first, algorithm)
			count := map[string]int{"SHA-256": 100, "MD5": 200}[algorithm]
			if s := status(p.register(p.credentials(c, "s3cret", count))); s != "200" {
				t.Errorf("the right password: %s", s)
			}
			if s := status(p.register(p.credentials(c, "s3cret", count+2))); s != "200" {
				t.Errorf("another count: %s", s)
			}
			if s := status(p.register(p.credentials(c, "s3cret", count+1))); s != "200" {
				t.Errorf("overtaken: %s", s)
			}
			for _, again := range []int{count, count + 1, count + 2, 1} {
				if m := p.register(p.credentials(c, "s3cret", again)); status(m) != "401" || !challengeIn(t, m, "MD5").Stale {
					t.Errorf("count %d again: %s", again, m)
				}
			}
			if m := p.register(p.credentials(c, "wrong", count+3)); status(m) != "401" || challengeIn(t, m, "MD5").Stale {
				t.Errorf("a wrong password: %s", m)
			}
		})
	}
	c := p.challenge("MD5")
	for name, change := range map[string]func(*digest.Challenge){
		"a nonce that is made up": func(c *digest.Challenge) { c.Nonce = strings.Repeat("A", len(c.Nonce)) },
		"a nonce that is changed": func(c *digest.Challenge) { c.Nonce = "X" + c.Nonce[1:] },
		"no nonce":                func(c *digest.Challenge) { c.Nonce = "" },
		"another realm":           func(c *digest.Challenge) { c.Realm = "h" },
		"another algorithm":       func(c *digest.Challenge) { c.Algorithm = "SHA-512" },
		"another quality":         func(c *digest.Challenge) { c.QOP = []string{"auth-int"} },
	} {
		changed := *c
		change(&changed)
		if s := status(p.register(p.credentials(&changed, "s3cret", 1))); s != "401" {
			t.Errorf("%s: %s", name, s)
		}
	}
	for name, h := range map[string]string{
		"another scheme": "Authorization: Basic YWw6czNjcmV0", "nothing": "Authorization: Digest", "garbage": "Authorization: Digest ,,=\"", "a count that is none": "Authorization: Digest nc=zz",
	} {
		if s := status(p.register(h)); s != "401" {
			t.Errorf("%s: %s", name, s)
		}
	}
	elsewhere := newPhone(t, a, "127.0.0.2", "al")
	if s := status(elsewhere.register(p.credentials(c, "s3cret", 1))); s != "401" {
		t.Errorf("another's nonce: %s", s)
	}
	legacy := *c
	legacy.QOP = nil
	if s := status(p.register(p.credentials(&legacy, "s3cret", 0))); s != "200" {
		t.Errorf("without qop: %s", s)
	}
	if s := status(p.register(p.credentials(&legacy, "s3cret", 0))); s != "401" {
		t.Errorf("without qop, again: %s", s)
	}
}

// TestPhoneThatGivesUp is asked with SHA-256 and MD5, does not answer, and asks again: it may know MD5 only.
func TestPhoneThatGivesUp(t *testing.T) {
	a := open(t, ua.Options{Users: map[string]string{"al": "s3cret"}})
	p := newPhone(t, a, "127.0.0.1", "al")
	if m := p.register("User-Agent: baresip v1.0.0 (x86_64/linux)"); strings.Contains(m, "SHA-256") {
		t.Errorf("a phone that is known to give up: %s", m)
	}
	if m := p.register(); !strings.Contains(m, "SHA-256") {
		t.Errorf("another: %s", m)
	}
	p.sometime(t, "it is asked with SHA-256 for ever", func() bool { return !strings.Contains(p.register(), "SHA-256") })
	if s := p.guess("s3cret"); s != "200" {
		t.Errorf("then: %s", s)
	}
	if m := p.register(); strings.Contains(m, "SHA-256") {
		t.Errorf("and later: %s", m)
	}
}

// sometime asks until something holds, not too often.
func (p *phone) sometime(t *testing.T, otherwise string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(1200 * time.Millisecond)
	defer tick.Stop()
	for range 8 {
		<-tick.C
		if ok() {
			return
		}
	}
	t.Fatal(otherwise)
}

func TestInviteNeedsProof(t *testing.T) {
	var called atomic.Int32
	callee := open(t, ua.Options{
		Users: map[string]string{"al": "s3cret"}, Peers: map[string]string{"carrier": "pe3r"}, KnownOnly: true,
		Invite: func(i *ua.Invitation) {
			called.Add(1)
			i.Reject(486, i.User+fmt.Sprint(i.Trusted), "")
		},
	})
	caller := open(t, ua.Options{})
	try := func(from, user, password string) string {
		_, _, err := caller.Invite(t.Context(), ua.Outgoing{URI: uri(callee), From: from, User: user, Password: password, Offer: []byte("v=0\r\n")})
		var rejected *ua.Rejected
		if !errors.As(err, &rejected) {
			t.Fatal(err)
		}
		return fmt.Sprint(rejected.Status, " ", rejected.Phrase)
	}
	for _, tt := range []struct{ from, user, password, want string }{
		{"al", "al", "s3cret", "486 alfalse"},
		{"eve", "", "", "407 Proxy Authentication Required"}, // as a user who gives no password
		{"al", "", "", "407 Proxy Authentication Required"},
		{"al", "al", "wrong", "407 Proxy Authentication Required"},
		{"other", "al", "s3cret", "407 Proxy Authentication Required"}, // not the user that it claims to be
		{"+14155550101", "carrier", "pe3r", "486 true"},
		{"+14155550101", "carrier", "s3cret", "407 Proxy Authentication Required"},
	} {
		if got := try(tt.from, tt.user, tt.password); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
	if called.Load() != 2 {
		t.Errorf("called %d times", called.Load())
	}
}
