package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/siptest"
)

// TestTrunk lets one piopiyd be the other's carrier, which takes calls of those it knows only: a phone of the other
// reaches a number of it, and the other registers there to be called. Numbers beyond the allowed prefixes, and more
// calls than allowed, are refused.
func TestTrunk(t *testing.T) {
	siptest.Program(t, "baresip", "baresip-core")
	carrierDir, officeDir := t.TempDir(), t.TempDir()
	lay(t, carrierDir, map[string]string{
		"media/tone.wav": string(media.EncodeWAV(media.Tone(660, 30*time.Second))),
		"scripts/far.js": "exports.answer = () => [{ action: 'play', file_name: 'tone.wav' }]",
		"scripts/in.js":  "exports.answer = () => [{ action: 'connect', timeout: 10, connect: [{ type: 'sip', user: 'desk' }] }]",
		"piopiyd.yaml": `
sip:
  users: {desk: desk-password, pat: pat-password}
  trunks:
    office: {address: "office.invalid:5060", user: office, password: office-password}
  known_only: true
apps:
  far: {numbers: ["14155550123"]}
`})
	carrier := startSIP(t, carrierDir)
	lay(t, officeDir, map[string]string{
		"media/sorry.wav": string(media.EncodeWAV(media.Tone(440, 30*time.Second))),
		"media/hello.wav": string(media.EncodeWAV(media.Tone(550, 30*time.Second))),
		"scripts/desk.js": "exports.answer = () => [{ action: 'play', file_name: 'hello.wav' }]",
		"scripts/out.js": `
			exports.answer = (call) => [
				{ action: 'connect', timeout: 10, connect: [{ type: 'pstn', number: call.to === 'out' ? 14155550123 : 442055550123 }] },
				{ action: 'play', file_name: 'sorry.wav' },
			]`,
		"piopiyd.yaml": fmt.Sprintf(`
sip:
  trunks:
    carrier: {address: "%[1]s", user: office, password: office-password, prefixes: ["*"], caller_id: "14155550100"}
    line: {address: "%[1]s", transport: tcp, user: desk, password: desk-password, register: true}
    nobody: {address: "%[1]s", user: nobody, password: wrong-password, register: true}
  allow_prefixes: ["1415"]
apps:
  out: {numbers: ["14155550199"], dial: {calls: 1}}
`, carrier.sip)})
	office := startSIP(t, officeDir)

	phone := siptest.StartPhone(t, siptest.Account{User: "alice", Server: office.sip}, 1000)
	phone.Dial("sip:out@" + office.sip)
	phone.Hears(660)
	siptest.Wait(t, "the carrier shows the call", func() bool { return strings.Contains(carrier.get("/metrics"), "\npiopiyd_sip_calls 1\n") })

	// The limit: one leg at a time.
	second := siptest.StartPhone(t, siptest.Account{User: "bob", Server: office.sip}, 1000)
	second.Dial("sip:out@" + office.sip)
	second.Hears(440)
	second.Quit()
	phone.Hangup()
	phone.Quit()
	siptest.Wait(t, "the calls are over", func() bool { return strings.Contains(office.get("/metrics"), "\npiopiyd_sip_calls 0\n") })

	// The prefixes: no number abroad.
	third := siptest.StartPhone(t, siptest.Account{User: "carol", Server: office.sip}, 1000)
	third.Dial("sip:14155550199@" + office.sip)
	third.Hears(440)
	third.Quit()
	if calls := strings.Count(carrier.run("calls"), " far "); calls != 1 {
		t.Errorf("the carrier had %d calls, want 1", calls)
	}

	// In: what the carrier brings to the registered line.
	pat := siptest.StartPhone(t, siptest.Account{User: "pat", Password: "pat-password", Server: carrier.sip}, 1000)
	siptest.Wait(t, "the line is registered", func() bool {
		return strings.Contains(office.get("/metrics"), `piopiyd_sip_trunk_registered{trunk="line"} 1`)
	})
	if !strings.Contains(office.get("/metrics"), `piopiyd_sip_trunk_registered{trunk="nobody"} 0`) {
		t.Error("the metrics do not show the trunk whose password is wrong")
	}
	pat.Dial("sip:in@" + carrier.sip)
	pat.Hears(550)
	pat.Hangup()
	pat.Quit()
	office.stop()
	carrier.stop()
}
