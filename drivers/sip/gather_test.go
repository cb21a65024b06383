package sip_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// hears is a recognizer that knows two words: "yes" is 500 Hz, "no" is 1000 Hz. At 2000 Hz it fails.
type hears struct{}

func (hears) Recognize(_ context.Context, samples []int16, rate int, lang string) (string, error) {
	at := func(hz float64) bool { return audio.Level(samples, hz, rate) > 2500 }
	switch {
	case lang != "en-IN":
		return "", errors.New("the language is " + lang)
	case at(500):
		return "yes", nil
	case at(1000):
		return "no", nil
	case at(2000):
		return "", errors.New("the recognizer is out of order")
	}
	return "", nil
}

func asks(inputs string) string {
	return `[{"action":"play_get_input","prompt":{"type":"say","say":"hz 440 long","language":"en-IN","voice_id":"any"},"input":[` + inputs + `],
		"dtmf":{"min_digits":1,"max_digits":3,"finish_on_key":"#","first_digit_timeout":2,"inter_digit_timeout":1},
		"on_result":{"type":"url","url":"http://piopiyd.invalid/hooks/desk/input/t"}}]`
}

func word(hz float64) media.Sound { return tone(hz, 600*time.Millisecond) }

func TestGatherSpeech(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		do    func(x *exchange, p *phone)
		then  float64
		fault string
	}{
		"a word stops the prompt": {do: func(_ *exchange, p *phone) { p.talk.Play(word(500)) }, then: 1500},
		"another word":            {do: func(_ *exchange, p *phone) { p.talk.Play(word(1000)) }, then: 1600},
		"digits":                  {do: func(_ *exchange, p *phone) { p.session.SendDigits("12#") }, then: 1700},
		"what fails counts as nothing said, and is said again": {do: func(x *exchange, p *phone) {
			p.talk.Play(word(2000))
			wait(p.t, "the fault", func() bool { return x.faults() != "" })
			p.talk.Play(word(500))
		}, then: 1500, fault: "out of order"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := performs(t, documents{
				"desk": asks(`"dtmf","speech"`), "desk yes": `[{"action":"speak","text":"hz 1500"}]`, "desk no": `[{"action":"speak","text":"hz 1600"}]`,
				"desk 12": `[{"action":"speak","text":"hz 1700"}]`,
			}, func(o *sip.Options) { o.Recognizer = hears{} })
			p := newPhone(t, nil)
			if err := p.call(t.Context(), x, "desk"); err != nil {
				t.Fatal(err)
			}
			p.hears(440)
			tt.do(x, p)
			p.hears(tt.then)
			p.ends()
			if f := x.faults(); !strings.Contains(f, tt.fault) || tt.fault == "" && f != "" {
				t.Errorf("faults: %s", f)
			}
		})
	}
}

// TestGatherSpeechWithoutRecognizer asks for words that nothing understands: digits still count.
func TestGatherSpeechWithoutRecognizer(t *testing.T) {
	t.Parallel()
	x := performs(t, documents{"desk": asks(`"dtmf","speech"`), "desk 5": `[{"action":"speak","text":"hz 1500"}]`})
	p := newPhone(t, nil)
	if err := p.call(t.Context(), x, "desk"); err != nil {
		t.Fatal(err)
	}
	p.hears(440)
	p.session.SendDigits("5")
	p.hears(1500)
	p.ends()
	if f := x.faults(); !strings.Contains(f, "sip.recognition") {
		t.Errorf("faults: %s", f)
	}
}

// TestSilentLegs ends legs that send no sound, and none that are held.
func TestSilentLegs(t *testing.T) {
	t.Parallel()
	timeout := func(o *sip.Options) { o.MediaTimeout = time.Second }
	t.Run("outbound", func(t *testing.T) {
		t.Parallel()
		p := newPhone(t, func(p *phone, i *ua.Invitation) { p.pickUpMute(i) })
		x := performs(t, documents{}, timeout)
		if _, err := x.Originate(t.Context(), call.Order{App: "desk", To: p.uri(), Document: decode(t, `[{"action":"record"}]`)}); err != nil {
			t.Fatal(err)
		}
		p.ends()
		x.reported("a out_started", "a out_answered", "a out_hangup", "a cdr answered RECOVERY_ON_TIMER_EXPIRE")
	})
	t.Run("leg b", func(t *testing.T) {
		t.Parallel()
		callee := newPhone(t, func(p *phone, i *ua.Invitation) { p.pickUpMute(i) })
		x := performs(t, documents{"desk": `[{"action":"connect","timeout":5,"connect":[{"type":"sip","user":"` + callee.uri() + `"}]},{"action":"speak","text":"hz 1000"}]`}, timeout)
		p := newPhone(t, nil)
		if err := p.call(t.Context(), x, "desk"); err != nil {
			t.Fatal(err)
		}
		callee.ends()
		p.hears(1000)
		p.ends()
		if got := x.reportedAll(); !strings.Contains(got, "b cdr answered RECOVERY_ON_TIMER_EXPIRE") {
			t.Errorf("reported %s", got)
		}
	})
	t.Run("held", func(t *testing.T) {
		t.Parallel()
		x := performs(t, documents{"desk": `[{"action":"record"}]`}, timeout)
		p := newPhone(t, nil)
		if err := p.call(t.Context(), x, "desk"); err != nil {
			t.Fatal(err)
		}
		c := x.control()
		wait(t, "the answer", func() bool { return c.State().Status == call.StatusAnswered })
		if err := c.Hold(t.Context(), true, call.Prompt{Say: "hz 2000 long"}); err != nil {
			t.Fatal(err)
		}
		p.untick() // the phone sends no more sound
		p.untick = nil
		select {
		case <-c.Done():
			t.Error("a phone that is held was given up")
		case <-time.After(2 * time.Second):
		}
		p.hangUp()
	})
}

// TestGatherHesitates lets somebody cough while a prompt plays that waits for words: it waits as well, and goes on.
func TestGatherHesitates(t *testing.T) {
	t.Parallel()
	x := performs(t, documents{"desk": asks(`"dtmf","speech"`), "desk 5": `[{"action":"speak","text":"hz 1500"}]`}, func(o *sip.Options) { o.Recognizer = hears{} })
	p := newPhone(t, nil)
	if err := p.call(t.Context(), x, "desk"); err != nil {
		t.Fatal(err)
	}
	p.hears(440)
	p.talk.Play(tone(500, 60*time.Millisecond))
	p.hearsAPause()
	p.session.SendDigits("5#")
	p.hears(1500)
	p.ends()
	if f := x.faults(); f != "" {
		t.Errorf("faults: %s", f)
	}
}

// hearsAPause waits until what is heard has paused for 60 ms and gone on for 200 ms.
func (p *phone) hearsAPause() {
	p.t.Helper()
	wait(p.t, "a pause, and more", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		begun, pause, after := false, 0, 0
		for i := 0; i+media.FrameSamples <= len(p.heard); i += media.FrameSamples {
			switch loud := audio.Energy(p.heard[i:i+media.FrameSamples]) > -40; {
			case loud && begun && pause >= 3:
				after++
			case loud:
				begun, pause = true, 0
			default:
				pause++
			}
		}
		return after >= 10
	})
}
