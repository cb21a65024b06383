package ua_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

func TestRegister(t *testing.T) {
	a := open(t, ua.Options{Users: map[string]string{"al": "s3cret", "eve": "3ve"}})
	p := newPhone(t, a, "127.0.0.1", "al")
	challenge := p.challenge("SHA-256")
	count := 0
	register := func(headers ...string) string {
		count++
		return p.register(append(headers, p.credentials(challenge, "s3cret", count))...)
	}
	uris := func() string {
		var all []string
		for _, c := range a.Contacts("al") {
			all = append(all, c.URI)
		}
		return strings.Join(all, " ")
	}
	if m := register("Expires: 300", "Contact: <sip:al@192.0.2.1>, <sip:al@192.0.2.2>;expires=120"); status(m) != "200" ||
		!strings.Contains(m, "<sip:al@192.0.2.1>;expires=300") || !strings.Contains(m, "<sip:al@192.0.2.2>;expires=120") {
		t.Errorf("two contacts: %s", m)
	}
	c := a.Contacts("al")
	if len(c) != 2 || c[0].Source != p.conn.LocalAddr().String() || c[0].Transport != "UDP" {
		t.Errorf("contacts %+v", c)
	}
	for _, tt := range []struct {
		name    string
		headers []string
		want    string
		uris    string
	}{
		{"asking", []string{"Contact:"}, "200", "sip:al@192.0.2.1 sip:al@192.0.2.2"},
		{"one more", []string{"Contact: <sip:al@192.0.2.3>"}, "200", "sip:al@192.0.2.1 sip:al@192.0.2.2 sip:al@192.0.2.3"},
		{"one away", []string{"Contact: <sip:al@192.0.2.1>;expires=0"}, "200", "sip:al@192.0.2.2 sip:al@192.0.2.3"},
		{"too brief", []string{"Contact: <sip:al@192.0.2.4>", "Expires: 59"}, "423", "sip:al@192.0.2.2 sip:al@192.0.2.3"},
		{"one of two too brief", []string{"Contact: <sip:al@192.0.2.4>, <sip:al@192.0.2.5>;expires=1"}, "423", "sip:al@192.0.2.2 sip:al@192.0.2.3"},
		{"all away, with time", []string{"Contact: *", "Expires: 100"}, "400", "sip:al@192.0.2.2 sip:al@192.0.2.3"},
		{"all away, without", []string{"Contact: *"}, "400", "sip:al@192.0.2.2 sip:al@192.0.2.3"},
		{"not a phone", []string{"Contact: <mailto:al@192.0.2.4>"}, "400", "sip:al@192.0.2.2 sip:al@192.0.2.3"},
		{"somebody else", []string{"Contact: <sip:al@192.0.2.4>", "To: <sip:eve@h>"}, "403", "sip:al@192.0.2.2 sip:al@192.0.2.3"},
		{"a time that is none", []string{"Contact: <sip:al@192.0.2.4>", "Expires: soon"}, "200", "sip:al@192.0.2.2 sip:al@192.0.2.3 sip:al@192.0.2.4"},
		{"all away", []string{"Contact: *", "Expires: 0"}, "200", ""},
	} {
		m := register(tt.headers...)
		if status(m) != tt.want || uris() != tt.uris {
			t.Errorf("%s: %s, contacts %q", tt.name, status(m), uris())
		}
		if tt.want == "423" && header(m, "Min-Expires") != "60" {
			t.Errorf("%s: %s", tt.name, m)
		}
	}
	if len(a.Contacts("eve")) != 0 {
		t.Error("eve is registered")
	}
	for i := range 20 {
		register(fmt.Sprintf("Contact: <sip:al@192.0.2.%d>", 100+i))
	}
	if n := len(a.Contacts("al")); n != 8 {
		t.Errorf("%d contacts are kept", n)
	}
	if m := register("Contact: <sip:al@192.0.2.119>", "Expires: 86400"); !strings.Contains(m, "<sip:al@192.0.2.119>;expires=3600") {
		t.Errorf("a day: %s", m)
	}

	// Of the REGISTERs of one phone the later counts.
	ordered := func(cseq int, expires int) string {
		count++
		p.send(p.request("REGISTER", "ordered", "", "To: <sip:al@h>", fmt.Sprintf("CSeq: %d REGISTER", cseq), fmt.Sprintf("Expires: %d", expires),
			fmt.Sprintf("Via: SIP/2.0/UDP %s;rport;branch=z9hG4bK%d", p.conn.LocalAddr(), cseq), "Contact: <sip:al@192.0.2.200>", p.credentials(challenge, "s3cret", count)))
		for {
			if m := p.answer("ordered"); header(m, "CSeq") == fmt.Sprintf("%d REGISTER", cseq) {
				return status(m)
			}
		}
	}
	if got := ordered(5, 600) + ordered(4, 0) + ordered(6, 0); got != "200500200" {
		t.Errorf("in order: %s", got)
	}
}
