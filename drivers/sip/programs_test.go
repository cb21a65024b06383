package sip_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/siptest"
)

// Pieces of SIPp scenarios.
const (
	sippHead = `<?xml version="1.0" encoding="UTF-8"?><scenario name="call">`
	sippLine = `Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:15550001111@[local_ip]:[local_port]>;tag=[pid]t[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70`
	sippSDP = `Content-Type: application/sdp
Content-Length: [len]

v=0
o=sipp 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP %s
a=rtpmap:101 telephone-event/8000
`
	sippAnswered = `<recv response="100" optional="true"/><recv response="180" optional="true"/><recv response="200" rtd="true" rrs="true"/>` +
		`<send><![CDATA[
ACK [next_url] SIP/2.0
` + sippLine + `
CSeq: 1 ACK
[routes]
Content-Length: 0

]]></send>`
	sippHungUp = `<recv request="BYE"/><send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>`
	sippHangsUp = `<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
` + sippLine + `
CSeq: 9 BYE
[routes]
Content-Length: 0

]]></send><recv response="200"/>`
	sippTail = `</scenario>`
)

func sippInvite(formats string) string {
	return `<send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
` + sippLine + `
CSeq: 1 INVITE
` + fmt.Sprintf(sippSDP, formats) + `
]]></send>`
}

func sippInfo(cseq int, digit string) string {
	return fmt.Sprintf(`<send retrans="500"><![CDATA[
INFO [next_url] SIP/2.0
`+sippLine+`
CSeq: %d INFO
[routes]
Content-Type: application/dtmf-relay
Content-Length: [len]

Signal=%s
Duration=160
]]></send><recv response="200"/>`, cseq, digit)
}

// sipp runs a scenario against an exchange.
func (x *exchange) sipp(app, scenario string, args ...string) {
	x.t.Helper()
	dir := x.t.TempDir()
	file := filepath.Join(dir, "call.xml")
	if err := os.WriteFile(file, []byte(sippHead+scenario+sippTail), 0o600); err != nil {
		x.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sipp", append([]string{
		fmt.Sprintf("127.0.0.1:%d", x.Port()), "-sf", file, "-s", app, "-i", "127.0.0.1", "-p", fmt.Sprint(siptest.FreePort(x.t)), "-mi", "127.0.0.1",
		"-mp", fmt.Sprint(siptest.FreePort(x.t) &^ 1), "-m", "1", "-nostdin", "-trace_err", "-timeout", "40", "-timeout_error",
	}, args...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		errors, _ := filepath.Glob(filepath.Join(dir, "*errors.log"))
		log := ""
		for _, f := range errors {
			data, _ := os.ReadFile(f)
			log += string(data)
		}
		x.t.Fatalf("sipp: %v\n%s\n%s", err, tail(string(out), 1500), tail(log, 3000))
	}
}

func tail(s string, n int) string {
	if len(s) > n {
		return s[len(s)-n:]
	}
	return s
}

const readOne = `
	const { PiopiyAction } = require('piopiy')
	exports.answer = () => {
		const action = new PiopiyAction()
		action.playGetInput(got, 'menu.wav', { max_digit: 2, timeout: 3 })
		return action.PCMO()
	}
	function got({ dtmf }) { return [{ action: 'hangup', cause: { '5#': 'USER_BUSY', '7*': 'CALL_REJECTED' }[dtmf] ?? 'NO_ANSWER' }] }
`

func TestSIPp(t *testing.T) {
	t.Parallel()
	siptest.Program(t, "sipp", "sip-tester")
	x := open(t, map[string]string{
		"menu": readOne, "busy": `exports.answer = () => [{ action: 'hangup', cause: 'USER_BUSY' }]`, "yes": `exports.answer = () => [{ action: 'record' }]`,
		"ring": `exports.answer = () => [{ action: 'connect', timeout: 20, connect: [{ type: 'sip', user: 'sip:a@127.0.0.1:9' }] }]`,
	})
	x.file("menu.wav", 880, 20*time.Second)
	pcap := func(digit string) string {
		return `<nop><action><exec play_pcap_audio="/usr/share/sip-tester/dtmf_2833_` + digit + `.pcap"/></action></nop>`
	}
	t.Run("RFC 4733", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("SKIPPED: SIPp plays pcap files as root only")
		}
		x.t = t
		x.sipp("menu", sippInvite("0 101")+sippAnswered+`<pause milliseconds="300"/>`+pcap("5")+`<pause milliseconds="400"/>`+pcap("pound")+sippHungUp)
		x.last("a cdr answered USER_BUSY")
	})
	t.Run("INFO", func(t *testing.T) {
		x.t = t
		x.sipp("menu", sippInvite("8")+sippAnswered+sippInfo(2, "7")+sippInfo(3, "*")+sippHungUp)
		x.last("a cdr answered CALL_REJECTED")
	})
	t.Run("hold", func(t *testing.T) {
		x.t = t
		hold := strings.Replace(strings.Replace(sippInvite("0"), "CSeq: 1", "CSeq: 2", 1), "m=audio", "a=sendonly\nm=audio", 1)
		hold = strings.Replace(hold, "INVITE sip:[service]@[remote_ip]:[remote_port]", "INVITE [next_url]", 1)
		x.sipp("yes", sippInvite("0")+sippAnswered+hold+
			`<recv response="100" optional="true"/><recv response="200"><action><ereg regexp="a=recvonly" search_in="body" check_it="true" assign_to="1"/></action></recv><Reference variables="1"/>`+
			`<send><![CDATA[
ACK [next_url] SIP/2.0
`+sippLine+`
CSeq: 2 ACK
[routes]
Content-Length: 0

]]></send>`+sippHangsUp)
	})
	t.Run("a refusal", func(t *testing.T) {
		x.t = t
		x.sipp("busy", sippInvite("0")+`<recv response="100" optional="true"/><recv response="180" optional="true"/><recv response="486"/>`+sippAckFailure)
		x.last("a cdr missed USER_BUSY")
	})
	t.Run("no codec in common", func(t *testing.T) {
		x.t = t
		x.sipp("yes", sippInvite("3 18")+`<recv response="100" optional="true"/><recv response="488"/>`+sippAckFailure)
	})
	t.Run("nobody", func(t *testing.T) {
		x.t = t
		x.sipp("nobody", sippInvite("0")+`<recv response="100" optional="true"/><recv response="180" optional="true"/><recv response="404"/>`+sippAckFailure)
	})
	t.Run("CANCEL", func(t *testing.T) {
		x.t = t
		x.sipp("ring", sippInvite("0")+`<recv response="100" optional="true"/><recv response="180"/><send retrans="500"><![CDATA[
CANCEL sip:[service]@[remote_ip]:[remote_port] SIP/2.0
`+strings.Replace(sippLine, "[branch]", "[branch-3]", 1)+`
CSeq: 1 CANCEL
Content-Length: 0

]]></send><recv response="200"/><recv response="487"/>`+strings.Replace(sippAckFailure, "[branch-3]", "[branch-6]", 1))
		x.last("a cdr missed ORIGINATOR_CANCEL")
	})
	t.Run("many", func(t *testing.T) {
		x.t = t
		x.sipp("yes", sippInvite("0")+sippAnswered+sippHangsUp, "-m", "200", "-r", "200")
	})
}

// sippAckFailure acknowledges a refusal: its branch is the INVITE's.
var sippAckFailure = `<send><![CDATA[
ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
` + strings.Replace(sippLine, "[branch]", "[branch-3]", 1) + `
CSeq: 1 ACK
Content-Length: 0

]]></send>`

// last waits until the newest report is this one.
func (x *exchange) last(want string) {
	x.t.Helper()
	got := ""
	if !x.mu.Until(patience, func() bool {
		if n := len(x.reports); n > 0 {
			got = x.reports[n-1]
		}
		return got == want
	}) {
		x.t.Fatalf("the last report is %q, want %q", got, want)
	}
}

// TestBaresip is the whole walk: a phone calls, hears a prompt, presses a key, is connected to a second phone that
// has registered, is recorded, and both hear each other.
func TestBaresip(t *testing.T) {
	t.Parallel()
	siptest.Program(t, "baresip", "baresip-core")
	x := open(t, map[string]string{"support": `
		const { PiopiyAction } = require('piopiy')
		exports.answer = () => {
			const action = new PiopiyAction()
			action.record()
			action.speak('hz 440')
			action.playGetInput(chosen, 'menu.wav', { max_digit: 1, timeout: 5 })
			return action.PCMO()
		}
		function chosen({ dtmf }) {
			return [{ action: 'connect', timeout: 10, connect: [{ type: 'sip', user: dtmf === '5' ? 'bob' : 'nobody' }] }, { action: 'hangup' }]
		}
	`}, func(o *sip.Options) {
		o.Users = map[string]string{"bob": "s3cret", "mallory": "right"}
		o.Fault = call.FaultPolicy{Say: "hz 300"}
	})
	x.file("menu.wav", 880, 20*time.Second)
	account := func(user, password, codec string) siptest.Account {
		return siptest.Account{User: user, Password: password, Server: fmt.Sprintf("127.0.0.1:%d", x.Port()), Codec: codec}
	}
	bob := siptest.StartPhone(t, account("bob", "s3cret", "pcma"), 1500)
	mallory := siptest.StartPhone(t, account("mallory", "wrong", "pcmu"), 100)
	siptest.Wait(t, "bob has registered", func() bool { return x.Registered("bob") })
	caller := siptest.StartPhone(t, account("alice", "", "pcmu"), 1000)
	caller.Dial(fmt.Sprintf("sip:support@127.0.0.1:%d", x.Port()))
	x.has("a in_answered")
	caller.Hears(880)
	caller.Press("5")
	x.has("b in_bridged")
	bob.Hears(1000)
	caller.Hears(1500)
	bob.Hangup()
	x.has("a cdr answered NORMAL_CLEARING")
	x.has("b cdr answered NORMAL_CLEARING")
	if x.Registered("mallory") {
		t.Error("mallory has registered with a wrong password")
	}
	mallory.Quit()
	caller.Quit()
	bob.Quit()
	x.close()
	for name, check := range map[string]struct {
		samples []int16
		hz      []float64
	}{
		"the caller": {caller.Heard(), []float64{440, 880, 1500}}, "bob": {bob.Heard(), []float64{1000}},
		"the recording": {x.recording(), []float64{440, 880, 1000, 1500}},
	} {
		for _, hz := range check.hz {
			if !siptest.Contains(check.samples, hz) {
				t.Errorf("%s lacks %g Hz in %v", name, hz, media.Duration(len(check.samples)))
			}
		}
	}
	if x.faults() != "" {
		t.Errorf("faults: %s", x.faults())
	}
}

func (x *exchange) saw(report string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range x.reports {
		if r == report {
			return true
		}
	}
	return false
}

// has waits until something was reported.
func (x *exchange) has(report string) {
	x.t.Helper()
	siptest.Wait(x.t, "reported "+report, func() bool { return x.saw(report) })
}
