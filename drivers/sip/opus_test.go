package sip_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/siptest"
)

// speaksOpus skips the test, aloud, where the phone cannot.
func speaksOpus(t *testing.T) {
	t.Helper()
	siptest.Program(t, "baresip", "baresip-core")
	if _, err := os.Stat("/usr/lib/baresip/modules/opus.so"); err != nil {
		t.Skipf("SKIPPED: this baresip has no module for Opus: %v", err)
	}
}

func withOpus(o *sip.Options) { o.Codecs = []string{"PCMU", "PCMA", "G722", "OPUS"} }

// left is one of two channels: to baresip, Opus has two always.
func left(samples []int16) (out []int16) {
	for i := 0; i < len(samples); i += 2 {
		out = append(out, samples[i])
	}
	return out
}

// TestOpusBridge connects a phone that speaks Opus with one that does not: one of them calls and presses a key, the other
// is called, each hears the other, and the recording has both.
func TestOpusBridge(t *testing.T) {
	for _, tt := range []struct{ name, caller, called string }{{"the caller speaks Opus", "opus/48000/2", "pcma"}, {"the called party speaks Opus", "pcmu", "opus/48000/2"}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			speaksOpus(t)
			x := open(t, map[string]string{"desk": `
				exports.answer = () => [
					{ action: 'record' },
					{ action: 'play_get_input', file_name: 'menu.wav', max_digit: 1, timeout: 5, action_url: chosen },
				]
				function chosen({ dtmf }) {
					return [{ action: 'connect', timeout: 10, connect: [{ type: 'sip', user: dtmf === '5' ? 'bob' : 'nobody' }] }, { action: 'hangup' }]
				}
			`}, withOpus, func(o *sip.Options) { o.Users = map[string]string{"bob": "s3cret"} })
			x.file("menu.wav", 880, 20*time.Second)
			server := fmt.Sprintf("127.0.0.1:%d", x.Port())
			start := func(a siptest.Account, hz float64) *siptest.Phone {
				if a.Server = server; a.Codec == "opus/48000/2" {
					a.Rate, a.Modules = 48000, []string{"opus"}
				}
				return siptest.StartPhone(t, a, hz)
			}
			hears := func(who string, p *siptest.Phone, codec string, hz float64) {
				t.Helper()
				siptest.Wait(t, fmt.Sprintf("%s hears %g Hz", who, hz), func() bool {
					heard := p.Heard()
					if codec != "opus/48000/2" {
						return siptest.Contains(heard, hz)
					}
					end := left(heard[max(0, len(heard)/2*2-2*48000):]) // the last second
					return siptest.Contains(audio.Resample(end, 48000, media.Rate), hz)
				})
			}
			bob := start(siptest.Account{User: "bob", Password: "s3cret", Codec: tt.called}, 1500)
			siptest.Wait(t, "bob has registered", func() bool { return x.Registered("bob") })
			alice := start(siptest.Account{User: "alice", Codec: tt.caller}, 1000)
			alice.Dial("sip:desk@" + server)
			x.has("a in_answered")
			hears("alice", alice, tt.caller, 880)
			alice.Press("5")
			x.has("b in_bridged")
			hears("bob", bob, tt.called, 1000)
			hears("alice", alice, tt.caller, 1500)
			bob.Hangup()
			x.has("a cdr answered NORMAL_CLEARING")
			alice.Quit()
			bob.Quit()
			x.close()
			heard := recorded(t, x, media.Rate)
			for _, hz := range []float64{880, 1000, 1500} {
				if !siptest.Contains(heard, hz) {
					t.Errorf("the recording lacks %g Hz in %d samples", hz, len(heard))
				}
			}
			if x.faults() != "" {
				t.Errorf("faults: %s", x.faults())
			}
		})
	}
}
