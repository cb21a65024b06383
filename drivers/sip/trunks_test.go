package sip_test

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/siptest"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// numbers is a script that calls numbers, one after the other.
func numbers(all ...string) string {
	targets := make([]string, len(all))
	for i, n := range all {
		targets[i] = "{ type: 'pstn', number: '" + n + "' }"
	}
	return `exports.answer = () => [{ action: 'connect', timeout: 15, connect: [` + strings.Join(targets, ", ") + `] }, { action: 'hangup' }]`
}

// refusing is a carrier that answers everything with a status, and tells what it was asked for.
func refusing(t *testing.T, status int, asked chan<- string) string {
	t.Helper()
	p := newPhone(t, func(_ *phone, i *ua.Invitation) {
		asked <- fmt.Sprint(status)
		i.Reject(status, "No", "")
	})
	return fmt.Sprintf("127.0.0.1:%d", p.agent.Port())
}

func TestTrunkFailover(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 100)
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	good := newPhone(t, func(p *phone, i *ua.Invitation) {
		asked <- "good"
		p.pickUp(i)
	})
	works := fmt.Sprintf("127.0.0.1:%d", good.agent.Port())
	names := siptest.NewNames()
	names.Host("local.example", "127.0.0.1")
	server := func(priority uint16, address string) net.SRV {
		return net.SRV{Priority: priority, Port: netip.MustParseAddrPort(address).Port(), Target: "local.example"}
	}
	names.Servers("_sip._udp.several.example", server(1, silent.LocalAddr().String()), server(2, refusing(t, 503, asked)), server(3, works))
	names.Servers("_sip._udp.failing.example", server(1, refusing(t, 503, asked)), server(2, refusing(t, 500, asked)))
	names.Servers("_sip._udp.busy.example", server(1, refusing(t, 486, asked)), server(2, works))
	for _, tt := range []struct {
		name   string
		first  string
		want   string // who was asked
		answer bool
		again  string // and in the next call
	}{
		{"503", refusing(t, 503, asked), "503 good", true, "good"},
		{"500", refusing(t, 500, asked), "500 good", true, "good"},
		{"no answer", silent.LocalAddr().String(), "good", true, "good"},
		{"no such host", "carrier.example:5060", "good", true, "good"},
		{"its third server", "several.example", "503 good", true, "good"},
		{"all its servers fail", "failing.example", "503 500 good", true, "good"},
		{"its first server is busy", "busy.example", "486", false, "486"},
		{"busy is busy", refusing(t, 486, asked), "486", false, "486"},
		{"nobody there", refusing(t, 404, asked), "404", false, "404"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := open(t, map[string]string{"desk": numbers("14155550101")}, sip.Hurry(0.25), sip.AskNames(names), func(o *sip.Options) {
				o.Trunks = []sip.Trunk{
					{Name: "wide", Address: works, Prefixes: []string{"*"}}, {Name: "close", Address: tt.first, Prefixes: []string{"1415"}},
					{Name: "elsewhere", Address: "127.0.0.1:9", Prefixes: []string{"49"}},
				}
			})
			for _, want := range []string{tt.want, tt.again} {
				p := newPhone(t, nil)
				began := time.Now()
				err := p.call(t.Context(), x, "desk")
				if tt.answer {
					if err != nil {
						t.Fatal(err)
					}
					good.talk.Loop(tone(1500, time.Second))
					p.hears(1500)
					p.hangUp()
					good.ends()
				} else if err == nil {
					p.ends()
				}
				if took := time.Since(began); took > 20*time.Second { // RFC 3261 would have us wait 32
					t.Errorf("it took %v", took)
				}
				for _, who := range strings.Fields(want) {
					if got := <-asked; got != who {
						t.Errorf("asked %s, want %s", got, who)
					}
				}
			}
			select {
			case more := <-asked:
				t.Errorf("asked %s too", more)
			default:
			}
		})
	}
}

// TestNameServerThatIsDown: a call does not wait for it while another trunk is there.
func TestNameServerThatIsDown(t *testing.T) {
	t.Parallel()
	good := newPhone(t, func(p *phone, i *ua.Invitation) { p.pickUp(i) })
	names := siptest.NewNames()
	names.Fail(true)
	x := open(t, map[string]string{"desk": numbers("14155550101")}, sip.Hurry(0.25), sip.AskNames(names), func(o *sip.Options) {
		o.Trunks = []sip.Trunk{
			{Name: "close", Address: "carrier.example", Prefixes: []string{"1415"}},
			{Name: "wide", Address: fmt.Sprintf("127.0.0.1:%d", good.agent.Port()), Prefixes: []string{"*"}},
		}
	})
	p := newPhone(t, nil)
	began := time.Now()
	if err := p.call(t.Context(), x, "desk"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 8*time.Second { // the resolver takes 10
		t.Errorf("it took %v", took)
	}
	good.talk.Loop(tone(1500, time.Second))
	p.hears(1500)
	p.hangUp()
	good.ends()
}

func TestWhatMayBeCalled(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 100)
	carrier := refusing(t, 486, asked)
	trunks := func(o *sip.Options) {
		o.Trunks = []sip.Trunk{{Name: "all", Address: carrier, Prefixes: []string{"*"}}}
	}
	for _, tt := range []struct {
		name, app, number string
		allow             map[string][]string
		may               bool
	}{
		{"no rules", "desk", "14155550101", nil, true},
		{"rules, and none for it", "desk", "14155550101", map[string][]string{}, false},
		{"another app's", "desk", "14155550101", map[string][]string{"shop": {"1"}}, false},
		{"its own", "desk", "14155550101", map[string][]string{"desk": {"+1415"}}, true},
		{"everybody's", "desk", "14155550101", map[string][]string{"": {"1"}, "desk": {"44"}}, true},
		{"not in it", "desk", "19005550101", map[string][]string{"desk": {"1415", "1416"}}, false},
		{"all", "desk", "19005550101", map[string][]string{"desk": {"*"}}, true},
		{"an empty prefix is none", "desk", "19005550101", map[string][]string{"desk": {""}}, false},
		{"far too long", "desk", strings.Repeat("1", 30), nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := open(t, map[string]string{"desk": numbers(tt.number), "shop": numbers(tt.number)}, trunks, func(o *sip.Options) { o.AllowPrefixes = tt.allow })
			p := newPhone(t, nil)
			if err := p.call(t.Context(), x, tt.app); err == nil {
				p.ends()
			}
			was := false
			select {
			case <-asked:
				was = true
			default:
			}
			if was != tt.may {
				t.Errorf("called: %v; faults: %s", was, x.faults())
			}
			if strings.Contains(x.faults(), tt.number) {
				t.Errorf("the number is in the log: %s", x.faults())
			}
		})
	}
}

func TestAppLimits(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	ringing := make(chan struct{}, 100)
	carrier := newPhone(t, func(_ *phone, i *ua.Invitation) {
		i.Ring()
		ringing <- struct{}{}
		<-release
		i.Reject(486, "Busy Here", "")
	})
	x := open(t, map[string]string{"desk": numbers("14155550101"), "shop": numbers("14155550102"), "free": numbers("14155550103")}, func(o *sip.Options) {
		o.Trunks = []sip.Trunk{{Name: "all", Address: fmt.Sprintf("127.0.0.1:%d", carrier.agent.Port()), Prefixes: []string{"*"}}}
		o.AppLimits = map[string]sip.AppLimit{"": {Calls: 2}, "shop": {PerMinute: 3}, "free": {}}
	})
	results := make(chan error, 10)
	begin := func(app string) {
		p := newPhone(t, nil)
		go func() { results <- p.call(t.Context(), x, app) }()
	}
	begin("desk")
	begin("desk")
	<-ringing
	<-ringing
	begin("desk") // too many at a time
	if err := <-results; err == nil {
		t.Error("a third call is made")
	}
	x.has("b cdr missed SWITCH_CONGESTION")
	for range 4 { // another app does not care
		begin("free")
		<-ringing
	}
	close(release)
	for range 6 {
		<-results
	}
	begin("desk")
	<-ringing
	<-results
	for range 3 {
		begin("shop")
		<-ringing
		<-results
	}
	begin("shop") // too many in a minute
	<-results
	select {
	case <-ringing:
		t.Error("a fourth call is made within a minute")
	default:
	}
}

// TestRegisteredTrunk has a carrier that knows us by our registration, and proves who it is with the same password.
func TestRegisteredTrunk(t *testing.T) {
	t.Parallel()
	carrier, err := ua.Open(ua.Options{Listen: "127.0.0.1:0", Users: map[string]string{"acme": "s3cret"}, Invite: func(*ua.Invitation) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = carrier.Close(t.Context()) }()
	x := open(t, map[string]string{"14155550101": `exports.answer = () => [{ action: 'hangup', cause: 'USER_BUSY' }]`}, func(o *sip.Options) {
		o.KnownOnly = true
		// Its address is not known in advance: it comes by name.
		o.Trunks = []sip.Trunk{{Name: "acme", Address: fmt.Sprintf("localhost:%d", carrier.Port()), User: "acme", Password: "s3cret", Register: true}}
	})
	siptest.Wait(t, "the trunk is registered", func() bool { return len(x.Trunks()) == 1 && x.Trunks()[0].Registered })
	contact := carrier.Contacts("acme")[0]
	try := func(password string) string {
		_, _, err := carrier.Invite(t.Context(), ua.Outgoing{
			URI: strings.Replace(contact.URI, "acme@", "14155550101@", 1), To: contact.Source, From: "+4930123456", User: "acme", Password: password,
			Offer: []byte("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"),
		})
		if err == nil {
			return "answered"
		}
		return err.Error()
	}
	if got := try("s3cret"); !strings.Contains(got, "486") {
		t.Errorf("the carrier calls: %s", got)
	}
	if got := try("wrong"); !strings.Contains(got, "407") {
		t.Errorf("somebody else calls: %s", got)
	}
}
