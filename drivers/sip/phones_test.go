package sip_test

import (
	"fmt"
	"testing"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/siptest"
	"github.com/piopiy/piopiyd/pcmo"
)

// fresh are the samples that a phone has heard since a moment.
func fresh(p *siptest.Phone, since int) []int16 {
	heard := p.Heard()
	return heard[min(since, len(heard)):]
}

// hearsAnew waits until a real phone hears a tone that it may have heard before.
func hearsAnew(t *testing.T, who string, p *siptest.Phone, hz float64) {
	t.Helper()
	since := len(p.Heard())
	siptest.Wait(t, fmt.Sprintf("%s hears %g Hz", who, hz), func() bool { return siptest.Contains(fresh(p, since), hz) })
}

// isQuiet waits until a real phone has heard no sound for 300 ms.
func isQuiet(t *testing.T, who string, p *siptest.Phone) {
	t.Helper()
	siptest.Wait(t, who+" hears nothing", func() bool {
		heard := p.Heard()
		if len(heard) < 2400 {
			return false
		}
		for _, v := range heard[len(heard)-2400:] {
			if v > 300 || v < -300 {
				return false
			}
		}
		return true
	})
}

// TestBaresipUnderControl calls a real phone, connects it with another, and does to their call what can be done.
func TestBaresipUnderControl(t *testing.T) {
	t.Parallel()
	siptest.Program(t, "baresip", "baresip-core")
	x := performs(t, documents{"desk": `[]`}, func(o *sip.Options) {
		o.Users = map[string]string{"alice": "s3cret", "bob": "s3cret", "carol": "s3cret"}
		o.AllowRefer = true
	})
	phones := map[string]*siptest.Phone{}
	for name, hz := range map[string]float64{"alice": 1000, "bob": 1500, "carol": 1900} {
		phones[name] = siptest.StartPhone(t, siptest.Account{User: name, Password: "s3cret", Server: fmt.Sprintf("127.0.0.1:%d", x.Port())}, hz)
		siptest.Wait(t, name+" has registered", func() bool { return x.Registered(name) })
	}
	alice, bob, carol := phones["alice"], phones["bob"], phones["carol"]
	if _, err := x.Originate(t.Context(), call.Order{
		App: "desk", From: "15550002222", To: "alice",
		Document: decode(t, `[{"action":"speak","text":"hz 440"},{"action":"connect","timeout":10,"connect":[{"type":"sip","user":"bob"}]},{"action":"speak","text":"hz 550 long"}]`),
	}); err != nil {
		t.Fatal(err)
	}
	c := x.control()
	do := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	alice.Hears(440)
	siptest.Wait(t, "the bridge", func() bool { return c.State().Status == call.StatusBridged })
	hearsAnew(t, "alice", alice, 1500)
	hearsAnew(t, "bob", bob, 1000)

	do("mute", c.Mute(t.Context(), call.LegA, true))
	isQuiet(t, "bob", bob)
	do("unmute", c.Mute(t.Context(), call.LegA, false))
	hearsAnew(t, "bob", bob, 1000)

	do("record", c.ControlRecording(t.Context(), call.RecordingStart))
	do("announce", c.Announce(t.Context(), says(700), call.LegA))
	do("pause", c.ControlRecording(t.Context(), call.RecordingPause))
	do("announce", c.Announce(t.Context(), says(800), ""))
	do("resume", c.ControlRecording(t.Context(), call.RecordingResume))
	do("announce", c.Announce(t.Context(), says(900), call.LegB))
	if !siptest.Contains(alice.Heard(), 700) || !siptest.Contains(alice.Heard(), 800) || siptest.Contains(bob.Heard(), 700) {
		t.Error("what was announced was not heard, or by the other one")
	}
	bob.Hears(900)
	do("digits", c.SendDigits(t.Context(), "12", call.LegB))

	// baresip records nothing any more once its player was restarted by an offer; that it has taken ours shows in
	// what the other one hears.
	do("hold", c.Hold(t.Context(), true, call.Prompt{Say: "hz 2600 long"}))
	hearsAnew(t, "bob", bob, 2600)
	do("unhold", c.Hold(t.Context(), false, call.Prompt{}))
	hearsAnew(t, "bob", bob, 1000)

	// alice's call is transferred by bob's phone, blind.
	bob.Command("transfer", fmt.Sprintf("sip:carol@127.0.0.1:%d", x.Port()))
	hearsAnew(t, "carol", carol, 1000)
	do("stop", c.ControlRecording(t.Context(), call.RecordingStop))
	do("hang up", c.Hangup(call.Ending{By: call.SideApp, Cause: call.CauseNormal}))
	x.has("a cdr answered NORMAL_CLEARING")
	for _, p := range phones {
		p.Quit()
	}
	x.close()
	recorded := x.recorded(c.Call().ID + ".wav")
	for hz, want := range map[float64]bool{700: true, 800: false, 1900: true} {
		if contains(recorded, hz) != want {
			t.Errorf("the recording of %v: %g Hz is %v", media.Duration(len(recorded)), hz, !want)
		}
	}
	if x.faults() != "" {
		t.Errorf("faults: %s", x.faults())
	}
}

// TestBaresipIsReferred sends a real phone to somebody else (SIP REFER).
func TestBaresipIsReferred(t *testing.T) {
	t.Parallel()
	siptest.Program(t, "baresip", "baresip-core")
	x := performs(t, documents{"desk": `[{"action":"speak","text":"hz 440 long"}]`, "sales": `[{"action":"speak","text":"hz 880 long"}]`}, func(o *sip.Options) {
		o.Users = map[string]string{"sales": "x"} // somebody who may be called
	})
	caller := siptest.StartPhone(t, siptest.Account{User: "alice", Server: fmt.Sprintf("127.0.0.1:%d", x.Port())}, 1000)
	caller.Dial(fmt.Sprintf("sip:desk@127.0.0.1:%d", x.Port()))
	x.has("a in_answered")
	caller.Hears(440)
	if err := x.control().Refer(t.Context(), call.Target{Target: pcmo.SIP("sales")}); err != nil {
		t.Fatal(err)
	}
	caller.Hears(880)
	x.has("a cdr answered NORMAL_CLEARING")
	caller.Hangup()
	caller.Quit()
	x.close()
}
