package ua_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/siptest"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// line are the headers of SIPp's requests.
const line = `Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]t[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70`

// sends is a scenario's step that sends a request; a 0 for cseq acknowledges the first INVITE.
func sends(method string, cseq int, body string, headers ...string) string {
	target := "[next_url]"
	if method == "INVITE" && cseq == 1 {
		target = "sip:[service]@[remote_ip]:[remote_port]"
	}
	retrans := ` retrans="500"`
	if method == "ACK" {
		retrans = ""
	}
	if body != "" {
		headers = append(headers, "Content-Type: application/sdp")
	}
	more := strings.Join(append(headers, "Content-Length: [len]"), "\n")
	return fmt.Sprintf("<send%s><![CDATA[\n%s %s SIP/2.0\n%s\nCSeq: %d %s\n[routes]\n%s\n\n%s\n]]></send>", retrans, method, target, line, cseq, method, more, body)
}

// answers is a step that answers the last request.
func answers(status, body string, headers ...string) string {
	if body != "" {
		headers = append(headers, "Content-Type: application/sdp")
	}
	more := strings.Join(append(headers, "Content-Length: [len]"), "\n")
	return "<send><![CDATA[\nSIP/2.0 " + status + `
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
` + more + "\n\n" + body + "\n]]></send>"
}

// tagged is a step that answers an INVITE, and makes the dialog.
func tagged(status, body string, headers ...string) string {
	return strings.Replace(answers(status, body, headers...), "[last_To:]", "[last_To:];tag=[pid]t[call_number]", 1)
}

// takes is a step that takes a request or a status; each of checks must match the message.
func takes(what string, checks ...string) string {
	kind := "request"
	if what[0] <= '9' {
		kind = "response"
	}
	if len(checks) == 0 {
		return fmt.Sprintf(`<recv %s="%s" rrs="true"/>`, kind, what)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<recv %s="%s" rrs="true"><action>`, kind, what)
	for i, c := range checks {
		fmt.Fprintf(&b, `<ereg regexp="%s" search_in="msg" check_it="true" assign_to="%d"/>`, c, i+1)
	}
	b.WriteString(`</action></recv>`)
	for i := range checks {
		fmt.Fprintf(&b, `<Reference variables="%d"/>`, i+1)
	}
	return b.String()
}

// remembers is a step that takes an INVITE and remembers who sent it, for steps that come after other requests.
const remembers = `<recv request="INVITE" rrs="true"><action>
<ereg regexp=".*" search_in="hdr" header="Via:" assign_to="5"/><ereg regexp=".*" search_in="hdr" header="From:" assign_to="6"/>
<ereg regexp=".*" search_in="hdr" header="To:" assign_to="7"/></action></recv><Reference variables="5,6,7"/>`

// remembered is a step that answers that INVITE.
func remembered(status, body string) string {
	return "<send><![CDATA[\nSIP/2.0 " + status + `
Via:[$5]
From:[$6]
To:[$7];tag=[pid]t[call_number]
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Content-Type: application/sdp
Content-Length: [len]

` + body + "\n]]></send>"
}

// notifies is a step that sends a NOTIFY to that INVITE's sender.
func notifies(cseq int, state, frag string) string {
	return fmt.Sprintf(`<send retrans="500"><![CDATA[
NOTIFY [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From:[$7];tag=[pid]t[call_number]
To:[$6]
Call-ID: [call_id]
CSeq: %d NOTIFY
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
Event: refer
Subscription-State: %s
Content-Type: message/sipfrag
Content-Length: [len]

SIP/2.0 %s
]]></send>`, cseq, state, frag)
}

const (
	trying = `<recv response="100" optional="true"/><recv response="180" optional="true"/>`
	held   = "v=0\no=sipp 1 2 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 6000 RTP/AVP 0\na=sendonly"
	sound  = "v=0\no=sipp 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 6000 RTP/AVP 0"
)

// sipp runs a scenario; it calls the agent unless it listens at a port of its own.
func sipp(t *testing.T, a *ua.Agent, port int, steps ...string) error {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "call.xml")
	xml := `<?xml version="1.0" encoding="UTF-8"?><scenario name="call">` + strings.Join(steps, "\n") + `</scenario>`
	if err := os.WriteFile(file, []byte(xml), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sipp", fmt.Sprintf("127.0.0.1:%d", a.Port()), "-sf", file, "-s", "bob", "-i", "127.0.0.1", "-p", fmt.Sprint(port),
		"-mp", fmt.Sprint(siptest.FreePort(t)&^1), "-m", "1", "-nostdin", "-trace_err", "-timeout", "30", "-timeout_error")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		logs, _ := filepath.Glob(filepath.Join(dir, "*errors.log"))
		text := string(out[max(0, len(out)-600):])
		for _, f := range logs {
			data, _ := os.ReadFile(f)
			text += string(data)
		}
		return fmt.Errorf("sipp: %w\n%s", err, text)
	}
	return nil
}

// TestSIPpCalls lets SIPp call the agent.
func TestSIPpCalls(t *testing.T) {
	siptest.Program(t, "sipp", "sip-tester")
	for name, c := range map[string]struct {
		invite func(i *ua.Invitation, h ua.Handlers) error
		steps  []string
	}{
		"hold": {nil, []string{
			sends("INVITE", 1, sound), trying, takes("200"), sends("ACK", 1, ""),
			sends("INVITE", 2, held), trying, takes("200", "held: .*sendonly"), sends("ACK", 2, ""),
			sends("UPDATE", 3, sound), takes("200", "RTP/AVP 0"), sends("BYE", 4, ""), takes("200"),
		}},
		"PRACK": {func(i *ua.Invitation, h ua.Handlers) error {
			i.Ring()
			if err := i.Progress([]byte(sound), h); err != nil {
				return err
			}
			_, err := i.Accept([]byte(sound), h)
			return err
		}, []string{
			sends("INVITE", 1, sound, "Require: 100rel"), `<recv response="100" optional="true"/>`,
			`<recv response="180" rrs="true"><action><ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" check_it="true" assign_to="1"/></action></recv>`,
			sends("PRACK", 2, "", "RAck: [$1] 1 INVITE"), takes("200"),
			`<recv response="183" rrs="true"><action><ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" check_it="true" assign_to="1"/></action></recv>`,
			sends("PRACK", 3, "", "RAck: [$1] 1 INVITE"), takes("200"), takes("200"), sends("ACK", 1, ""), sends("BYE", 4, ""), takes("200"),
		}},
		"session timer": {nil, []string{
			sends("INVITE", 1, sound, "Supported: timer", "Session-Expires: 60"), trying, takes("422", "Min-SE: 90"),
			strings.Replace(strings.Replace(sends("ACK", 1, ""), "[branch]", "[branch-4]", 1), "[next_url]", "sip:[service]@[remote_ip]:[remote_port]", 1),
			strings.Replace(strings.Replace(sends("INVITE", 2, sound, "Supported: timer", "Session-Expires: 90"), "[next_url]", "sip:[service]@[remote_ip]:[remote_port]", 1), "[peer_tag_param]", "", 1),
			trying, takes("200", "Session-Expires: 90;refresher=uac", "Require: timer"), sends("ACK", 2, ""),
			sends("UPDATE", 3, "", "Supported: timer", "Session-Expires: 90;refresher=uac"), takes("200", "Session-Expires: 90;refresher=uac"), sends("BYE", 4, ""), takes("200"),
		}},
		"REFER": {nil, []string{
			sends("INVITE", 1, sound), trying, takes("200"), sends("ACK", 1, ""), sends("REFER", 2, "", "Refer-To: <sip:carol@127.0.0.1>"), takes("202"),
			takes("NOTIFY", "Subscription-State: active", "SIP/2.0 100 Trying"), answers("200 OK", ""), takes("NOTIFY", "SIP/2.0 180 Ringing"), answers("200 OK", ""),
			takes("NOTIFY", "Subscription-State: terminated", "SIP/2.0 486 Busy Here"), answers("200 OK", ""), sends("BYE", 3, ""), takes("200"),
		}},
		"CANCEL": {func(i *ua.Invitation, _ ua.Handlers) error {
			i.Ring()
			<-i.Cancelled
			if got := i.CancelReason(); !strings.Contains(got, "elsewhere") {
				return fmt.Errorf("cancelled because of %q", got)
			}
			return nil
		}, []string{
			sends("INVITE", 1, sound), `<recv response="100" optional="true"/>`, takes("180"),
			strings.NewReplacer("[branch]", "[branch-3]", "[next_url]", "sip:[service]@[remote_ip]:[remote_port]", "[peer_tag_param]", "").Replace(sends("CANCEL", 1, "", `Reason: SIP;cause=200;text="elsewhere"`)),
			takes("200"), takes("487"), strings.NewReplacer("[branch]", "[branch-6]", "[next_url]", "sip:[service]@[remote_ip]:[remote_port]").Replace(sends("ACK", 1, "")),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults := make(chan error, 4)
			h := ua.Handlers{
				Offer: func(o []byte) ([]byte, error) { return []byte("held: " + string(o)), nil },
				Refer: func(_ context.Context, r *ua.Referral) {
					faults <- r.Accept()
					r.Notify(180, "Ringing")
					r.Notify(486, "Busy Here")
				},
			}
			if c.invite == nil {
				c.invite = func(i *ua.Invitation, h ua.Handlers) error {
					_, err := i.Accept([]byte(sound), h)
					return err
				}
			}
			a := open(t, ua.Options{Invite: func(i *ua.Invitation) { faults <- c.invite(i, h) }})
			if err := sipp(t, a, siptest.FreePort(t), c.steps...); err != nil {
				t.Error(err)
			}
			for len(faults) > 0 {
				if err := <-faults; err != nil {
					t.Error(err)
				}
			}
			siptest.Wait(t, "the call is forgotten", func() bool { return a.Dialogs() == 0 })
		})
	}
}

// TestSIPpIsCalled lets the agent call SIPp.
func TestSIPpIsCalled(t *testing.T) {
	siptest.Program(t, "sipp", "sip-tester")
	answered := []string{takes("INVITE"), tagged("180 Ringing", ""), tagged("200 OK", sound), takes("ACK")}
	over := []string{takes("BYE"), answers("200 OK", "")}
	for name, c := range map[string]struct {
		steps []string
		call  func(ctx context.Context, a *ua.Agent, o ua.Outgoing) error
	}{
		"hold": {append(append(answered, takes("INVITE", "our hold"), answers("200 OK", held), takes("ACK"), takes("INVITE"), answers("491 Request Pending", ""),
			takes("ACK"), takes("INVITE", "resume"), answers("200 OK", sound), takes("ACK")), over...),
			func(ctx context.Context, a *ua.Agent, o ua.Outgoing) error {
				d, _, err := a.Invite(ctx, o)
				if err != nil {
					return err
				}
				answer, err := d.Reinvite(ctx, []byte("our hold"))
				if err != nil || !strings.Contains(string(answer), "sendonly") {
					return fmt.Errorf("%q, %w", answer, err)
				}
				if _, err := d.Reinvite(ctx, []byte("resume")); err != nil {
					return err
				}
				d.Bye(ctx, "")
				return nil
			}},
		"PRACK": {append([]string{
			remembers, tagged("183 Session Progress", sound, "Require: 100rel", "RSeq: 41"), takes("PRACK", "RAck: 41 1 INVITE"), answers("200 OK", ""),
			remembered("200 OK", sound), takes("ACK"),
		}, over...), func(ctx context.Context, a *ua.Agent, o ua.Outgoing) error {
			early := make(chan string, 8)
			o.Progress = func(_ int, b []byte) { early <- string(b) }
			d, _, err := a.Invite(ctx, o)
			if err != nil {
				return err
			}
			if got := <-early; !strings.Contains(got, "RTP/AVP 0") {
				return fmt.Errorf("early: %q", got)
			}
			d.Bye(ctx, "")
			return nil
		}},
		"REFER": {append([]string{
			remembers, tagged("200 OK", sound), takes("ACK"), takes("REFER", "Refer-To: .sip:carol@h", "Referred-By: .sip:boss@h"), answers("202 Accepted", ""),
			notifies(1, "active;expires=60", "100 Trying"), takes("200"), notifies(2, "terminated;reason=noresource", "486 Busy Here"), takes("200"),
		}, over...), func(ctx context.Context, a *ua.Agent, o ua.Outgoing) error {
			d, _, err := a.Invite(ctx, o)
			if err != nil {
				return err
			}
			out, err := d.Refer(ctx, ua.Transfer{To: "sip:carol@h", ReferredBy: "sip:boss@h"})
			if err != nil || out.Status != 486 {
				return fmt.Errorf("%+v, %w", out, err)
			}
			d.Bye(ctx, "")
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := open(t, ua.Options{})
			port := siptest.FreePort(t)
			ran := make(chan error, 1)
			go func() { ran <- sipp(t, a, port, c.steps...) }()
			ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
			defer cancel()
			if err := c.call(ctx, a, ua.Outgoing{URI: fmt.Sprintf("sip:sipp@127.0.0.1:%d", port), From: "bob", Offer: []byte(sound)}); err != nil {
				t.Error(err)
			}
			if err := <-ran; err != nil {
				t.Error(err)
			}
		})
	}
}
