package main

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/siptest"
	"github.com/piopiy/piopiyd/scripts"
	"github.com/piopiy/piopiyd/scripts/realtimetest"
)

// TestVoicebot is the template's main job over SIP: a phone hears the greeting and asks, the AI server answers, the caller
// interrupts it and there is silence at once, asks for a person and is connected, and the CDRs come to a web server.
func TestVoicebot(t *testing.T) {
	script, err := fs.ReadFile(scripts.Files(), "voicebot/main.ts")
	if err != nil {
		t.Fatal(err)
	}
	ai := realtimetest.Start(t, realtimetest.Options{Key: "sk-test", Tone: 600, Human: 3})
	crm := startCRM(t)
	human, caller := siptest.StartSoftphone(t), siptest.StartSoftphone(t)
	dir := t.TempDir()
	lay(t, dir, map[string]string{"scripts/voicebot/main.ts": string(script), "piopiyd.yaml": fmt.Sprintf(`
fetch: {allow: ["127.0.0.1:%s", "127.0.0.1:%s"]}
sip: {allow_hosts: ["127.0.0.1"]}
apps:
  voicebot: {env: {OPENAI_URL: %q, OPENAI_API_KEY: sk-test, HUMAN: %q, CDR_URL: "%s/cdr"}}
`, ai.Port(), crm.port(), ai.URL, human.URI("human"), crm.URL)})
	d := startSIP(t, dir)

	caller.Dial("sip:voicebot@"+d.sip, "+15550001111")
	began := time.Now()
	caller.Until("the greeting", func(heard []siptest.HeardFrame) bool {
		loud := 0
		for _, f := range heard {
			if !f.IsSilent() {
				loud++
			}
		}
		return loud > 25
	})
	ai.Await("session.updated", 1)
	caller.Silence(200*time.Millisecond, began)

	asked := caller.Say(300, time.Second)
	<-asked.Done()
	answered := caller.Hears(600, asked.Begun())
	t.Logf("the bot answers %v after the caller fell silent, %v of it the server's own wait for silence", answered.Sub(asked.Begun().Add(time.Second)).Round(time.Millisecond), 500*time.Millisecond)
	caller.Until("two seconds of 20", func(heard []siptest.HeardFrame) bool {
		return heard[len(heard)-1].At.After(answered.Add(2 * time.Second))
	})

	barge := caller.Say(300, time.Second)
	siptest.Wait(t, "the caller speaks", func() bool { return !barge.Begun().IsZero() })
	silent := caller.Silence(300*time.Millisecond, barge.Begun())
	late := silent.Sub(barge.Begun())
	t.Logf("from the first frame of the caller's speech to silence in his ear: %v", late.Round(time.Millisecond))
	if late > time.Second {
		t.Errorf("the bot fell silent only after %v", late)
	}
	cut := ai.Await("conversation.item.truncate", 1)
	if cut.Item != "answer_1" || cut.Heard < 1900*time.Millisecond || cut.Heard > 4*time.Second {
		t.Errorf("the server was told that %v of %s was heard", cut.Heard, cut.Item)
	}
	ai.Await("conversation.item.truncated", 1)

	again := caller.Hears(600, barge.Begun().Add(time.Second)) // the second answer
	wants := caller.Say(300, time.Second)
	siptest.Wait(t, "the caller speaks", func() bool { return !wants.Begun().IsZero() })
	caller.Silence(300*time.Millisecond, again)
	caller.Hears(600, wants.Begun().Add(1200*time.Millisecond)) // the last words
	human.Until("the line", func(heard []siptest.HeardFrame) bool { return len(heard) > 0 })
	ai.Await("closed", 1)
	connected := time.Now()
	human.Say(1500, 3*time.Second)
	caller.Hears(1500, connected)
	caller.Say(1000, 3*time.Second)
	human.Hears(1000, connected)
	human.HangUp()
	caller.Ends()

	siptest.Wait(t, "CDRs of both legs", func() bool { return len(crm.all("/cdr")) == 2 })
	a, b := crm.cdr("A"), crm.cdr("B")
	if a.text("status") != "answered" || b.text("status") != "answered" || a.number("duration") <= b.number("duration") || b.number("duration") <= 0 {
		t.Errorf("the CDRs are %v and %v", a, b)
	}
	if events := realtimetest.Types(ai.Events()); strings.Contains(strings.Join(events, " "), "error") {
		t.Errorf("the server had to complain: %v", events)
	}
	d.stop()
}
