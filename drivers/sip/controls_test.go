package sip_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
	"github.com/piopiy/piopiyd/pcmo"
)

// answers is a phone that takes calls.
func answers(t *testing.T) *phone {
	return newPhone(t, func(p *phone, i *ua.Invitation) { p.pickUp(i) })
}

// bridged connects a caller and a callee.
func bridged(t *testing.T, change ...func(*sip.Options)) (x *exchange, caller, callee *phone, c *call.Control) {
	t.Helper()
	callee = answers(t)
	x = performs(t, documents{"desk": `[{"action":"connect","timeout":5,"connect":[{"type":"sip","user":"` + callee.uri() + `"}]},{"action":"speak","text":"hz 1000"}]`}, change...)
	caller = newPhone(t, nil)
	if err := caller.call(t.Context(), x, "desk"); err != nil {
		t.Fatal(err)
	}
	c = x.control()
	wait(t, "the bridge", func() bool { return c.State().Status == call.StatusBridged })
	caller.talk.Loop(tone(700, time.Second))
	callee.talk.Loop(tone(1500, time.Second))
	callee.hears(700)
	caller.hears(1500)
	return x, caller, callee, c
}

// silent waits until 200 ms of silence were heard.
func (p *phone) silent() {
	p.t.Helper()
	p.until("silence", func() bool {
		n := len(p.heard)
		if n < 1600 {
			return false
		}
		for _, v := range p.heard[n-1600:] {
			if v > 200 || v < -200 {
				return false
			}
		}
		p.heard = nil
		return true
	})
}

// says is a prompt of the voice of these tests.
func says(hz float64) call.Prompt { return call.Prompt{Say: fmt.Sprintf("hz %g", hz)} }

func TestAnnounce(t *testing.T) {
	t.Parallel()
	_, caller, callee, c := bridged(t)
	if err := c.Announce(t.Context(), says(400), call.LegA); err != nil {
		t.Fatal(err)
	}
	if !caller.heardAlready(400) || callee.heardAlready(400) {
		t.Error("what was announced to a was not heard by a alone")
	}
	if err := c.Announce(t.Context(), says(500), call.LegB); err != nil {
		t.Fatal(err)
	}
	if caller.heardAlready(500) || !callee.heardAlready(500) {
		t.Error("what was announced to b was not heard by b alone")
	}
	if err := c.Announce(t.Context(), says(600), ""); err != nil {
		t.Fatal(err)
	}
	if !caller.heardAlready(600) || !callee.heardAlready(600) {
		t.Error("what was announced to both was not heard by both")
	}
	done := make(chan error, 1)
	go func() { done <- c.Announce(t.Context(), call.Prompt{Say: "hz 2000 long"}, call.LegA) }()
	caller.hears(2000)
	if err := c.Silence(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	caller.hangUp()
}

// heardAlready reports whether a tone is in what was heard so far.
func (p *phone) heardAlready(hz float64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return contains(p.heard, hz)
}

func TestMute(t *testing.T) {
	t.Parallel()
	_, caller, callee, c := bridged(t)
	if err := c.Mute(t.Context(), call.LegA, true); err != nil {
		t.Fatal(err)
	}
	callee.silent()
	caller.hears(1500)
	if err := c.Mute(t.Context(), call.LegB, true); err != nil {
		t.Fatal(err)
	}
	caller.silent()
	if err := c.Mute(t.Context(), "", false); err != nil {
		t.Fatal(err)
	}
	caller.hears(1500)
	callee.hears(700)
	caller.hangUp()
}

func TestHold(t *testing.T) {
	t.Parallel()
	_, caller, callee, c := bridged(t)
	if err := c.Hold(t.Context(), true, call.Prompt{Say: "hz 2000 long"}); err != nil {
		t.Fatal(err)
	}
	if d := caller.direction(); d != "sendonly" {
		t.Errorf("the phone was offered %s", d)
	}
	if !c.State().Held {
		t.Error("the call is not held")
	}
	caller.hears(2000)
	callee.hears(2000)
	if caller.heardAlready(1500) && callee.heardAlready(700) {
		t.Error("they still hear each other")
	}
	if err := c.Hold(t.Context(), false, call.Prompt{}); err != nil {
		t.Fatal(err)
	}
	if d := caller.direction(); d != "sendrecv" {
		t.Errorf("the phone was offered %s", d)
	}
	caller.hears(1500)
	callee.hears(700)
	if err := c.Hold(t.Context(), true, call.Prompt{}); err != nil {
		t.Fatal(err)
	}
	caller.silent()
	caller.hangUp()
}

// TestHoldWithoutReinvite holds a phone that takes no second offer.
func TestHoldWithoutReinvite(t *testing.T) {
	t.Parallel()
	callee := answers(t)
	x := performs(t, documents{"desk": `[{"action":"connect","timeout":5,"connect":[{"type":"sip","user":"` + callee.uri() + `"}]}]`})
	caller := newPhone(t, nil)
	caller.stubborn = true
	if err := caller.call(t.Context(), x, "desk"); err != nil {
		t.Fatal(err)
	}
	c := x.control()
	wait(t, "the bridge", func() bool { return c.State().Status == call.StatusBridged })
	caller.talk.Loop(tone(700, time.Second))
	callee.hears(700)
	if err := c.Hold(t.Context(), true, says(2000)); err != nil {
		t.Fatal(err)
	}
	caller.hears(2000)
	callee.mu.Lock()
	callee.heard = nil
	callee.mu.Unlock()
	callee.hears(2000)
	if err := c.Hold(t.Context(), false, call.Prompt{}); err != nil {
		t.Fatal(err)
	}
	callee.hears(700)
	caller.hangUp()
}

func TestSendDigits(t *testing.T) {
	t.Parallel()
	_, caller, callee, c := bridged(t)
	for _, bad := range []string{"", "12x", "1 2", strings.Repeat("1", 200)} {
		if err := c.SendDigits(t.Context(), bad, call.LegB); err == nil {
			t.Errorf("%q can be sent", bad)
		}
	}
	if err := c.SendDigits(t.Context(), "42#a", call.LegB); err != nil {
		t.Fatal(err)
	}
	if err := c.SendDigits(t.Context(), "9*", call.LegA); err != nil {
		t.Fatal(err)
	}
	callee.until("42#A", func() bool { return string(callee.digits) == "42#A" })
	caller.until("9*", func() bool { return string(caller.digits) == "9*" })
	caller.hangUp()
}

// TestSendDigitsByInfo sends keys to a phone that knows no telephone events.
func TestSendDigitsByInfo(t *testing.T) {
	t.Parallel()
	x := performs(t, documents{"desk": `[{"action":"record"}]`})
	p := newPhone(t, nil)
	offer := strings.ReplaceAll(string(p.local().Offer()), " 101", "")
	if err := p.invite(t.Context(), ua.Outgoing{URI: fmt.Sprintf("sip:desk@127.0.0.1:%d", x.Port()), From: "1555", Offer: []byte(offer)}); err != nil {
		t.Fatal(err)
	}
	c := x.control()
	wait(t, "the answer", func() bool { return c.State().Status == call.StatusAnswered })
	if err := c.SendDigits(t.Context(), "1*", call.LegA); err != nil {
		t.Fatal(err)
	}
	p.until("1*", func() bool { return string(p.digits) == "1*" })
	p.hangUp()
}

func TestControlRecording(t *testing.T) {
	t.Parallel()
	x, caller, _, c := bridged(t)
	if err := c.ControlRecording(t.Context(), call.RecordingStop); err == nil {
		t.Error("a recording that there is not can be stopped")
	}
	do := func(command call.RecordingCommand) {
		t.Helper()
		if err := c.ControlRecording(t.Context(), command); err != nil {
			t.Fatal(err)
		}
	}
	do(call.RecordingStart)
	if err := c.Announce(t.Context(), says(400), call.LegA); err != nil {
		t.Fatal(err)
	}
	do(call.RecordingPause)
	if err := c.Announce(t.Context(), says(500), call.LegA); err != nil {
		t.Fatal(err)
	}
	do(call.RecordingResume)
	if err := c.Announce(t.Context(), says(600), call.LegA); err != nil {
		t.Fatal(err)
	}
	do(call.RecordingStop)
	do(call.RecordingStart)
	if err := c.Announce(t.Context(), says(800), call.LegA); err != nil {
		t.Fatal(err)
	}
	caller.hangUp()
	x.close()
	first, second := x.recorded(c.Call().ID+".wav"), x.recorded(c.Call().ID+"-2.wav")
	for hz, want := range map[float64]bool{400: true, 500: false, 600: true, 800: false} {
		if contains(first, hz) != want {
			t.Errorf("the first recording: %g Hz", hz)
		}
	}
	if !contains(second, 800) || contains(second, 600) {
		t.Error("the second recording is another one")
	}
	if raw := x.raw(); !strings.Contains(raw, `"recordings":[{"filename":"`+c.Call().ID+`.wav"`) {
		t.Errorf("the CDR tells of %s", raw)
	}
}

func TestConference(t *testing.T) {
	t.Parallel()
	x := performs(t, documents{"desk": `[{"action":"speak","text":"hz 300 long"},{"action":"speak","text":"hz 1000"}]`})
	phones, controls, left := make([]*phone, 3), make([]*call.Control, 3), make([]chan error, 3)
	hz := []float64{500, 900, 1400}
	for i := range phones {
		phones[i] = newPhone(t, nil)
		if err := phones[i].call(t.Context(), x, "desk"); err != nil {
			t.Fatal(err)
		}
		phones[i].hears(300)
		phones[i].talk.Loop(tone(hz[i], time.Second))
		all := x.live.All()
		controls[i] = all[len(all)-1]
		left[i] = make(chan error, 1)
		options := call.JoinOptions{EndOnLeave: i == 0}
		go func() { left[i] <- controls[i].Join(t.Context(), "weekly", options) }()
	}
	for i, p := range phones {
		for j := range phones {
			if i != j {
				p.hears(hz[j])
			}
		}
	}
	controls[1].Leave()
	if err := <-left[1]; err != nil {
		t.Error(err)
	}
	phones[1].hears(300) // the document goes on
	phones[1].hangUp()
	wait(t, "one less", func() bool { return x.live.Len() == 2 })
	phones[2].hears(500)
	phones[0].hangUp() // who ends it for all
	if err := <-left[0]; err == nil {
		t.Error("who has hung up has left without an error")
	}
	if err := <-left[2]; err != nil {
		t.Error(err)
	}
	phones[2].hears(300)
	phones[2].hangUp()
}

func TestConferenceListener(t *testing.T) {
	t.Parallel()
	x := performs(t, documents{"desk": `[{"action":"record"}]`})
	var phones [2]*phone
	for i := range phones {
		phones[i] = newPhone(t, nil)
		if err := phones[i].call(t.Context(), x, "desk"); err != nil {
			t.Fatal(err)
		}
		phones[i].talk.Loop(tone([]float64{500, 900}[i], time.Second))
		c := x.live.All()[i]
		go func() { _ = c.Join(t.Context(), "weekly", call.JoinOptions{Muted: i == 1}) }()
	}
	phones[1].hears(500)
	if phones[0].heardAlready(900) {
		t.Error("a listener is heard")
	}
	phones[0].hangUp()
	phones[1].hangUp()
}

func TestReplaceTheDocument(t *testing.T) {
	t.Parallel()
	x := performs(t, documents{"desk": `[{"action":"speak","text":"hz 440 long"},{"action":"speak","text":"hz 3000"}]`, "other": `[{"action":"speak","text":"hz 1200"}]`})
	p := newPhone(t, nil)
	if err := p.call(t.Context(), x, "desk"); err != nil {
		t.Fatal(err)
	}
	p.hears(440)
	if err := x.control().Perform([]pcmo.Action{&pcmo.Speak{Text: "hz 880 long"}}); err != nil {
		t.Fatal(err)
	}
	p.hears(880)
	if err := x.control().PerformApp(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	p.hears(1200)
	p.ends()
	x.reported("a in_answered", "a in_hangup", "a cdr answered NORMAL_CLEARING")
}

func TestHangupTellsWhy(t *testing.T) {
	t.Parallel()
	x, caller, callee, c := bridged(t)
	if err := c.Hangup(call.Ending{By: call.SideApp, Cause: call.CauseBusy}); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*phone{"a": caller, "b": callee} {
		if e := p.ends(); !strings.Contains(e.Reason, "cause=17") {
			t.Errorf("leg %s was told %+v", name, e)
		}
	}
	<-c.Done()
	x.reported("b in_started", "b in_bridged", "a in_answered", "b in_hangup", "b cdr answered USER_BUSY", "a in_hangup", "a cdr answered USER_BUSY")
}

func (x *exchange) recorded(name string) []int16 {
	x.t.Helper()
	samples, err := media.DecodeWAV(x.read("recordings", name))
	if err != nil {
		x.t.Fatal(err)
	}
	return samples
}
