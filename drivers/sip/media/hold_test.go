package media_test

import (
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

func TestHold(t *testing.T) {
	tones := []float64{450, 650, 1000, 1500}
	a, b := newGuest(t, media.PCMU, 450), newGuest(t, media.PCMU, 650)
	a.Bridge(b.ours.Session)
	unheard := a.PlayWith(tone(1000, 600*time.Millisecond), media.PlayOptions{To: media.ToBoth})
	a.Hold(tone(1500, 100*time.Millisecond)) // over and over
	talk(t, 32, a.Tick, a, b)
	a.hears(t, "the caller", tones, 1500)
	b.hears(t, "the callee", tones, 1500)
	if !a.Held() {
		t.Error("it is not held")
	}
	select {
	case <-unheard.Done():
	default:
		t.Error("what plays waits for the end of the hold")
	}
	a.Hold(media.Sound{})
	talk(t, 30, a.Tick, a, b)
	a.hears(t, "the caller", tones)
	b.hears(t, "the callee", tones)
	a.Resume()
	talk(t, 30, a.Tick, a, b)
	a.hears(t, "the caller", tones, 650)
	b.hears(t, "the callee", tones, 450)
}

func TestMuteCallee(t *testing.T) {
	tones := []float64{450, 650}
	a, b := newGuest(t, media.PCMU, 450), newGuest(t, media.PCMU, 650)
	a.Bridge(b.ours.Session)
	a.MuteCallee(true)
	talk(t, 30, a.Tick, a, b)
	a.hears(t, "the caller", tones)
	b.hears(t, "the callee", tones, 450)
	a.Bridge(b.ours.Session) // another one is heard
	talk(t, 30, a.Tick, a, b)
	a.hears(t, "the caller", tones, 650)
}

func TestSetCaller(t *testing.T) {
	tones := []float64{450, 650, 1000}
	a, b, c := newGuest(t, media.PCMU, 450), newGuest(t, media.PCMU, 650), newGuest(t, media.G722, 1000)
	a.Bridge(b.ours.Session)
	a.SetCaller(c.ours.Session)
	talk(t, 40, a.Tick, c, b)
	b.hears(t, "the callee", tones, 1000)
	c.hears(t, "the new caller", tones, 650)
	if a.Rate() != media.WideRate {
		t.Errorf("with a wideband caller it runs at %d", a.Rate())
	}
}
