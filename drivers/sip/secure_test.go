package sip_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/sdp"
	"github.com/piopiy/piopiyd/drivers/sip/siptest"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// overTLS gives an exchange a certificate.
func overTLS(t *testing.T, mode sip.SRTPMode) func(*sip.Options) {
	t.Helper()
	ca := siptest.NewAuthority(t)
	ca.Sign(1)
	return func(o *sip.Options) {
		o.TLSListen, o.TLSCert, o.TLSKey, o.TLSRoots, o.SRTP = "127.0.0.1:0", ca.CertFile(), ca.KeyFile(), ca.Roots(), mode
	}
}

const askAndConnect = `
	const { PiopiyAction } = require('piopiy')
	exports.answer = () => {
		const action = new PiopiyAction()
		action.record()
		action.playGetInput(chosen, 'menu.wav', { max_digit: 1, timeout: 5 })
		return action.PCMO()
	}
	function chosen({ dtmf }) {
		return [{ action: 'connect', timeout: 10, connect: [{ type: 'sip', user: dtmf === '5' ? 'bob' : 'nobody' }] }, { action: 'hangup' }]
	}
`

// TestBaresipEncrypted has one real phone call another through us; both accept nothing but encrypted sound.
func TestBaresipEncrypted(t *testing.T) {
	t.Parallel()
	siptest.Program(t, "baresip", "baresip-core")
	for _, tt := range []struct {
		mode      sip.SRTPMode
		transport string
	}{{sip.SRTPOptional, "tls"}, {sip.SRTPRequired, "tls"}, {sip.SRTPRequired, "udp"}} {
		t.Run(string(tt.mode)+" "+tt.transport, func(t *testing.T) {
			x := open(t, map[string]string{"support": askAndConnect}, overTLS(t, tt.mode), func(o *sip.Options) {
				o.Users = map[string]string{"bob": "s3cret"}
			})
			x.file("menu.wav", 880, 20e9)
			server := fmt.Sprintf("127.0.0.1:%d", x.Port())
			if tt.transport == "tls" {
				server = fmt.Sprintf("127.0.0.1:%d", x.TLSPort())
			}
			account := func(user, password string) siptest.Account {
				return siptest.Account{User: user, Password: password, Server: server, Transport: tt.transport, More: "mediaenc=srtp-mand", Modules: []string{"srtp"}}
			}
			bob := siptest.StartPhone(t, account("bob", "s3cret"), 1500)
			siptest.Wait(t, "bob has registered", func() bool { return x.Registered("bob") })
			caller := siptest.StartPhone(t, account("alice", ""), 1000)
			caller.Dial(fmt.Sprintf("sip:support@%s;transport=%s", server, tt.transport))
			x.has("a in_answered")
			caller.Hears(880)
			caller.Press("5")
			x.has("b in_bridged")
			bob.Hears(1000)
			caller.Hears(1500)
			bob.Hangup()
			x.has("a cdr answered NORMAL_CLEARING")
			x.has("b cdr answered NORMAL_CLEARING")
			if x.faults() != "" {
				t.Errorf("faults: %s", x.faults())
			}
		})
	}
}

// TestWhoMayEncrypt offers each kind of sound by each transport.
func TestWhoMayEncrypt(t *testing.T) {
	t.Parallel()
	plain := "m=audio 4000 RTP/AVP 0\r\n"
	key := "a=crypto:7 AES_CM_128_HMAC_SHA1_32 inline:" + strings.Repeat("QUJD", 10) + "\r\n"
	secured := "m=audio 4000 RTP/SAVP 0\r\n" + key
	either := plain + key
	for _, tt := range []struct {
		mode       sip.SRTPMode
		overUDP    [3]string // plain, secured, either
		overTLS    [3]string
		orPlainTLS string // an offer of both streams
	}{
		{sip.SRTPOff, [3]string{"RTP/AVP", "488", "RTP/AVP"}, [3]string{"RTP/AVP", "488", "RTP/AVP"}, "RTP/AVP"},
		{sip.SRTPOptional, [3]string{"RTP/AVP", "488", "RTP/AVP"}, [3]string{"RTP/AVP", "RTP/SAVP 7", "RTP/AVP 7"}, "RTP/SAVP 7"},
		{sip.SRTPRequired, [3]string{"488", "RTP/SAVP 7", "RTP/AVP 7"}, [3]string{"488", "RTP/SAVP 7", "RTP/AVP 7"}, "RTP/SAVP 7"},
	} {
		t.Run(string(tt.mode), func(t *testing.T) {
			secure := overTLS(t, tt.mode)
			x := open(t, map[string]string{"yes": `exports.answer = () => [{ action: 'record' }]`}, secure)
			var o sip.Options
			secure(&o)
			agent, err := ua.Open(ua.Options{Listen: "127.0.0.1:0", TLSListen: "127.0.0.1:0", TLSCert: o.TLSCert, TLSKey: o.TLSKey, TLSRoots: o.TLSRoots, Invite: func(*ua.Invitation) {}})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = agent.Close(t.Context()) }()
			try := func(port int, transport, streams string) string {
				dialog, answer, err := agent.Invite(t.Context(), ua.Outgoing{
					URI: fmt.Sprintf("sip:yes@127.0.0.1:%d;transport=%s", port, transport), From: "1",
					Offer: []byte("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" + streams),
				})
				var no *ua.Rejected
				if errors.As(err, &no) {
					return fmt.Sprint(no.Status)
				}
				if err != nil {
					return err.Error()
				}
				defer dialog.Bye(t.Context(), "")
				got := ""
				for line := range strings.Lines(string(answer)) {
					if rest, ok := strings.CutPrefix(line, "m=audio "); ok && !strings.HasPrefix(rest, "0 ") {
						got += strings.Fields(rest)[1]
					}
					if rest, ok := strings.CutPrefix(line, "a=crypto:"); ok {
						got += " " + strings.Fields(rest)[0]
						if strings.Contains(rest, "QUJDQUJD") {
							t.Error("our key is theirs")
						}
					}
				}
				return got
			}
			for i, streams := range []string{plain, secured, either} {
				if got := try(x.Port(), "udp", streams); got != tt.overUDP[i] {
					t.Errorf("offer %d over UDP: %s, want %s", i, got, tt.overUDP[i])
				}
				if got := try(x.TLSPort(), "tls", streams); got != tt.overTLS[i] {
					t.Errorf("offer %d over TLS: %s, want %s", i, got, tt.overTLS[i])
				}
			}
			if got := try(x.TLSPort(), "tls", plain+secured); got != tt.orPlainTLS {
				t.Errorf("both: %s, want %s", got, tt.orPlainTLS)
			}
		})
	}
	if _, err := sip.New(sip.Options{Listen: "127.0.0.1:0", Inbox: &exchange{}, SRTP: "maybe"}); err == nil || !strings.Contains(err.Error(), "sip.srtp") {
		t.Errorf("a mode that is none: %v", err)
	}
}

// TestEncryptedOffer looks at what we offer to others.
func TestEncryptedOffer(t *testing.T) {
	t.Parallel()
	for mode, want := range map[sip.SRTPMode]string{sip.SRTPOff: "RTP/AVP", sip.SRTPOptional: "RTP/AVP", sip.SRTPRequired: "RTP/SAVP 1 2"} {
		t.Run(string(mode), func(t *testing.T) {
			offers := make(chan string, 1)
			callee := newPhone(t, func(_ *phone, i *ua.Invitation) {
				offers <- string(i.Offer)
				i.Reject(486, "Busy Here", "")
			})
			x := open(t, map[string]string{"desk": fmt.Sprintf(`exports.answer = () => [{ action: 'connect', timeout: 5, connect: [{ type: 'sip', user: 'b@127.0.0.1:%d' }] }]`, callee.agent.Port())},
				overTLS(t, mode))
			caller := newPhone(t, nil)
			local := sdp.Local{Addr: netip.MustParseAddr("127.0.0.1"), Port: 4000, ID: 1}
			if mode == sip.SRTPRequired {
				local = local.WithSecurity(sdp.Required)
			}
			if err := caller.invite(t.Context(), ua.Outgoing{URI: fmt.Sprintf("sip:desk@127.0.0.1:%d", x.Port()), From: "1", Offer: local.Offer()}); err == nil {
				t.Error("nobody answers, and yet")
			}
			offer, got := <-offers, ""
			for line := range strings.Lines(offer) {
				if rest, ok := strings.CutPrefix(line, "m=audio "); ok {
					got += strings.Fields(rest)[1]
				}
				if rest, ok := strings.CutPrefix(line, "a=crypto:"); ok {
					got += " " + strings.Fields(rest)[0]
				}
			}
			if got != want {
				t.Errorf("offered %q, want %q", got, want)
			}
		})
	}
}

// TestEncryptedOfferIsRefused calls phones over TLS that accept only one kind of sound.
func TestEncryptedOfferIsRefused(t *testing.T) {
	t.Parallel()
	for accepted, want := range map[string]string{"RTP/SAVP": "RTP/SAVP", "RTP/AVP": "RTP/SAVP RTP/AVP", "none": "RTP/SAVP RTP/AVP"} {
		t.Run(accepted, func(t *testing.T) {
			secure := overTLS(t, sip.SRTPOptional)
			var o sip.Options
			secure(&o)
			offers := make(chan string, 10)
			local := sdp.Local{Addr: netip.MustParseAddr("127.0.0.1"), Port: 4000, ID: 1}
			if accepted == "RTP/SAVP" {
				local = local.WithSecurity(sdp.Required)
			}
			callee, err := ua.Open(ua.Options{Listen: "127.0.0.1:0", TLSListen: "127.0.0.1:0", TLSCert: o.TLSCert, TLSKey: o.TLSKey, Invite: func(i *ua.Invitation) {
				protocol := strings.Fields(string(i.Offer[strings.Index(string(i.Offer), "m=audio"):]))[2]
				offers <- protocol
				d, err := local.Parse(i.Offer)
				if protocol != accepted || err != nil {
					i.Reject(488, "Not Acceptable Here", "")
					return
				}
				if _, err := i.Accept(local.Answer(d), ua.Handlers{}); err != nil {
					t.Error(err)
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = callee.Close(t.Context()) }()
			x := open(t, map[string]string{"desk": fmt.Sprintf(`exports.answer = () => [{ action: 'connect', timeout: 5, connect: [{ type: 'sip', user: 'b@127.0.0.1:%d;transport=tls' }] }]`, callee.TLSPort())}, secure)
			caller := newPhone(t, nil)
			if err := caller.call(t.Context(), x, "desk"); (err == nil) != (accepted != "none") {
				t.Errorf("the call: %v; faults: %s", err, x.faults())
			} else if err == nil {
				caller.hangUp()
			}
			for _, protocol := range strings.Fields(want) {
				if got := <-offers; got != protocol {
					t.Errorf("offered %s, want %s", got, protocol)
				}
			}
			select {
			case more := <-offers:
				t.Errorf("offered %s too", more)
			default:
			}
		})
	}
}
