package ua_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// register sends a REGISTER for al, in virtual time, and returns its answer.
func (p *peer) register(headers ...string) string {
	p.t.Helper()
	p.request("REGISTER", "", append([]string{"To: <sip:al@h>"}, headers...)...)
	return p.expect("SIP/2.0")
}

// prove answers a challenge with MD5, and returns the status.
func (p *peer) prove(challenge *digest.Challenge, password string, count int, headers ...string) string {
	p.t.Helper()
	answer, err := digest.Digest(challenge, digest.Options{Method: "REGISTER", URI: p.target, Username: "al", Password: password, Count: count})
	if err != nil {
		p.t.Fatal(err)
	}
	return p.register(append(headers, "Authorization: "+answer.String())...)
}

// TestBansInTime takes the minutes that real bans do.
func TestBansInTime(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		a := n.agent(t, ua.Options{Users: map[string]string{"al": "s3cret"}})
		p := n.peer(t, a)
		guess := func(password string) string {
			m := p.register()
			if status(m) != "401" {
				return status(m)
			}
			return status(p.prove(challengeIn(t, m, "MD5"), password, 1))
		}
		// Who errs now and then is never banned.
		for range 5 {
			for range 7 {
				if s := guess("wrong"); s != "401" {
					t.Fatalf("after few errors: %s", s)
				}
			}
			time.Sleep(61 * time.Second) // virtual
		}
		for range 8 {
			guess("wrong")
		}
		for _, wait := range []time.Duration{0, time.Minute, 3 * time.Minute, 50 * time.Second} {
			time.Sleep(wait)
			if s := guess("s3cret"); s != "403" {
				t.Errorf("after %v more: %s", wait, s)
			}
		}
		time.Sleep(11 * time.Second)
		if s := guess("s3cret"); s != "200" {
			t.Errorf("after five minutes: %s", s)
		}

		// A nonce lives for five minutes.
		c := challengeIn(t, p.register(), "MD5")
		time.Sleep(4*time.Minute + 50*time.Second)
		if m := p.prove(c, "s3cret", 1); status(m) != "200" {
			t.Errorf("a nonce of almost five minutes: %s", m)
		}
		time.Sleep(11 * time.Second)
		m := p.prove(c, "s3cret", 2)
		if status(m) != "401" || !challengeIn(t, m, "MD5").Stale {
			t.Errorf("an old nonce: %s", m)
		}
		if m := p.prove(challengeIn(t, m, "MD5"), "s3cret", 1, "Expires: 60"); status(m) != "200" {
			t.Errorf("its successor: %s", m)
		}
		if len(a.Contacts("al")) != 1 {
			t.Error("al is not registered")
		}
		time.Sleep(61 * time.Second)
		if len(a.Contacts("al")) != 0 {
			t.Error("a registration has no end")
		}
	})
}

// TestTrunkForHours is registered for long, with a carrier that is away in between.
func TestTrunkForHours(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		carrier := n.agent(t, ua.Options{Users: map[string]string{"acme": "s3cret"}})
		us := n.agent(t, ua.Options{})
		sent, away := 0, false
		n.lose = func(_, _, m string) bool {
			if strings.HasPrefix(m, "REGISTER") {
				sent++
			}
			return away
		}
		count := func() int {
			n.mu.Lock()
			defer n.mu.Unlock()
			was := sent
			sent = 0
			return was
		}
		leave := func(is bool) {
			n.mu.Lock()
			defer n.mu.Unlock()
			away = is
		}
		if err := us.Register(ua.Trunk{Name: "acme", Address: fmt.Sprintf("127.0.0.1:%d", carrier.Port()), User: "acme", Password: "s3cret", Expires: 10 * time.Minute}); err != nil {
			t.Fatal(err)
		}
		for i := range 6 * 24 {
			time.Sleep(10 * time.Minute)
			if s := us.Trunks()[0]; !s.Registered || len(carrier.Contacts("acme")) != 1 || s.LastError != "" {
				t.Fatalf("after %d minutes: %+v", 10*i, s)
			}
		}
		// Each term one REGISTER, and another since the nonce is old.
		if c := count(); c < 2*24*6 || c > 4*24*6 {
			t.Errorf("%d REGISTERs a day", c)
		}
		leave(true)
		time.Sleep(time.Hour)
		s := us.Trunks()[0]
		if s.Registered || s.LastError == "" || time.Since(s.FailingSince) < 50*time.Minute || time.Until(s.Next) > 5*time.Minute {
			t.Errorf("without a carrier: %+v", s)
		}
		if c := count(); c < 30 || c > 400 { // an attempt is eleven datagrams
			t.Errorf("%d REGISTERs an hour to nobody", c)
		}
		leave(false)
		time.Sleep(6 * time.Minute)
		if s := us.Trunks()[0]; !s.Registered || !s.FailingSince.IsZero() {
			t.Errorf("the carrier is back: %+v", s)
		}
	})
}

// TestDoor opens connections that say nothing.
func TestDoor(t *testing.T) {
	t.Parallel()
	a := open(t, ua.Options{})
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", a.Port()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	began := time.Now()
	_ = conn.SetReadDeadline(began.Add(patience))
	if _, err := conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") || time.Since(began) < 5*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}
