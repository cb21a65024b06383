package main

import (
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/siptest"
)

// TestDrain stops the daemon while somebody is on the phone: new calls are refused, his goes on to its end, or to
// the end of the drain time.
func TestDrain(t *testing.T) {
	siptest.Program(t, "baresip", "baresip-core")
	begin := func(t *testing.T, timeout string) (*daemon, *siptest.Phone) {
		dir := t.TempDir()
		lay(t, dir, map[string]string{
			"media/tone.wav":   string(media.EncodeWAV(media.Tone(660, 60*time.Second))),
			"scripts/hello.js": "exports.answer = () => [{ action: 'play', file_name: 'tone.wav' }]",
			"piopiyd.yaml":     "drain: {timeout: " + timeout + "}\n",
		})
		d := startSIP(t, dir)
		alice := siptest.StartPhone(t, siptest.Account{User: "alice", Server: d.sip}, 1000)
		alice.Dial("sip:hello@" + d.sip)
		alice.Hears(660)
		return d, alice
	}
	t.Run("to the end of the call", func(t *testing.T) {
		d, alice := begin(t, "30s")
		if calls := d.run("calls"); !strings.Contains(calls, " hello ") || strings.Contains(calls, "ended") {
			t.Errorf("the call is under way, but: %s", calls)
		}
		bob := siptest.StartPhone(t, siptest.Account{User: "bob", Server: d.sip}, 1000)
		d.term()
		d.logged("draining: new calls are refused")
		bob.Dial("sip:hello@" + d.sip)
		siptest.Wait(t, "a new call is refused", func() bool { return strings.Contains(bob.Says(), "503") })
		before := len(alice.Heard())
		siptest.Wait(t, "the call goes on", func() bool { return len(alice.Heard()) > before+media.Rate/2 })
		alice.Hangup()
		d.ends(0)
	})
	t.Run("to the end of the time", func(t *testing.T) {
		d, alice := begin(t, "300ms")
		d.term()
		d.ends(1)
		d.logged("SIP calls under way were ended because drain.timeout was over")
		siptest.Wait(t, "the phone is told", func() bool {
			return strings.Contains(alice.Says(), "closed") || strings.Contains(alice.Says(), "terminated")
		})
	})
}
