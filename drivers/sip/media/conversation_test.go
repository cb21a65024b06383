package media_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

func tone(hz float64, length time.Duration) media.Sound {
	return media.Sound{Samples: media.Tone(hz, length), Rate: media.Rate}
}

// samplesOf returns the sound of a WAV file, mono.
func samplesOf(t *testing.T, path string) []int16 {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	samples, err := media.DecodeWAV(data)
	if err != nil {
		t.Fatal(err)
	}
	return samples
}

// TestBridgeOfRates bridges narrowband and wideband, and back: the conversation follows, and both hear each other.
func TestBridgeOfRates(t *testing.T) {
	tones := []float64{450, 1000, 5000}
	narrow, wide := newGuest(t, media.PCMU, 450), newGuest(t, media.G722, 1000)
	recorder, err := media.NewRecorder(filepath.Join(t.TempDir(), "a.wav"), media.RecorderOptions{Channels: media.Separate})
	if err != nil {
		t.Fatal(err)
	}
	narrow.Record(recorder)
	narrow.Loop(media.Sound{Samples: wideTone(5000, time.Second), Rate: media.WideRate})
	talk(t, 20, narrow.Tick, narrow)
	if narrow.Rate() != media.Rate {
		t.Errorf("one alone runs at %d", narrow.Rate())
	}
	narrow.hears(t, "narrow, to which 5000 Hz are nothing,", tones)
	narrow.Stop()
	narrow.Bridge(wide.ours.Session)
	talk(t, 40, narrow.Tick, narrow, wide)
	if narrow.Rate() != media.WideRate {
		t.Errorf("the two run at %d", narrow.Rate())
	}
	narrow.hears(t, "narrow", tones, 1000)
	wide.hears(t, "wide", tones, 450)
	narrow.Bridge(nil)
	talk(t, 20, narrow.Tick, narrow)
	if narrow.Rate() != media.Rate {
		t.Errorf("the one who is left runs at %d", narrow.Rate())
	}
	if err := recorder.Close(); err != nil || recorder.Length() != 1600*time.Millisecond {
		t.Errorf("the recording: %v, %v", recorder.Length(), err)
	}
}

// TestWideSource has a source that asks for wideband.
func TestWideSource(t *testing.T) {
	g := newGuest(t, media.PCMU, 450)
	q := media.NewQueue(media.WideRate, 2*media.WideRate)
	q.Write(wideTone(1500, time.Second))
	remove := g.AddSource(q)
	if g.Rate() != media.WideRate {
		t.Errorf("it runs at %d", g.Rate())
	}
	talk(t, 30, g.Tick, g)
	g.hears(t, "the caller", []float64{450, 750, 1500, 3000}, 1500)
	remove()
	remove()
	if g.Rate() != media.Rate {
		t.Errorf("afterwards it runs at %d", g.Rate())
	}
	if n := q.Played(); n != 30*320 {
		t.Errorf("%d samples were played", n)
	}
}

func TestPromptsDuringABridge(t *testing.T) {
	tones := []float64{450, 650, 1200, 1800}
	a, b := newGuest(t, media.PCMU, 450), newGuest(t, media.PCMU, 650)
	a.Bridge(b.ours.Session)
	talk(t, 20, a.Tick, a, b)
	one := a.PlayWith(tone(1200, 5*time.Second), media.PlayOptions{To: media.ToBoth})
	two := a.PlayWith(tone(1800, 5*time.Second), media.PlayOptions{To: media.ToCallee, Beside: true})
	talk(t, 40, a.Tick, a, b)
	// The callee is less loud to the caller meanwhile; the caller is as loud to the callee.
	if level := audio.Level(a.heard, 650, media.Rate); level < 1500 || level > 2600 {
		t.Errorf("the caller hears the callee at %.0f", level)
	}
	if level := audio.Level(a.heard, 1200, media.Rate); level < 7000 || audio.Level(a.heard, 1800, media.Rate) > 300 {
		t.Errorf("the caller hears the announcement at %.0f", level)
	}
	b.hears(t, "the callee", tones, 450, 1200, 1800)
	if one.Played() != 800*time.Millisecond {
		t.Errorf("%v were played", one.Played())
	}
	two.Stop()
	talk(t, 30, a.Tick, a, b)
	b.hears(t, "the callee, without the second,", tones, 450, 1200)
	a.Stop()
	talk(t, 40, a.Tick, a, b)
	a.hears(t, "the caller afterwards", tones, 650)
	b.hears(t, "the callee afterwards", tones, 450)
	for _, p := range []*media.Playback{one, two} {
		select {
		case <-p.Done():
		default:
			t.Error("it is not done")
		}
	}
}

func TestMute(t *testing.T) {
	tones := []float64{450, 650}
	a, b := newGuest(t, media.PCMU, 450), newGuest(t, media.PCMU, 650)
	a.Bridge(b.ours.Session)
	a.Mute(true, false)
	talk(t, 40, a.Tick, a, b)
	a.hears(t, "a who is not heard", tones, 650)
	b.hears(t, "b who does not hear a", tones)
	a.Mute(false, true)
	talk(t, 40, a.Tick, a, b)
	a.hears(t, "a who hears nothing", tones)
	b.hears(t, "b who hears a", tones, 450)
	if in, out := a.Muted(); in || !out {
		t.Errorf("muted: %v, %v", in, out)
	}
}

func TestPlayFromTheMiddle(t *testing.T) {
	g := newGuest(t, media.PCMU, 450)
	s := media.Sound{Samples: append(media.Tone(700, time.Second), media.Tone(1300, time.Second)...), Rate: media.Rate}
	p := g.PlayWith(s, media.PlayOptions{Start: time.Second})
	talk(t, 30, g.Tick, g)
	g.hears(t, "from the middle: the caller", []float64{700, 1300}, 1300)
	if p.Played() != 600*time.Millisecond {
		t.Errorf("%v were played", p.Played())
	}
	if p := g.PlayWith(s, media.PlayOptions{Start: time.Hour}); p.Played() != 0 {
		t.Errorf("%v were played", p.Played())
	} else {
		<-p.Done() // there is nothing
	}
	<-p.Done() // something else plays
	// A loop has no gap, and goes back to the very beginning.
	short := media.Sound{Samples: media.Tone(1000, 30*time.Millisecond)[40:200], Rate: media.Rate} // 20 whole periods
	l := g.PlayWith(short, media.PlayOptions{Loop: true, Start: 10 * time.Millisecond})
	talk(t, 40, g.Tick, g)
	if got := snr(g.heard, 1000, media.Rate); got < 20 {
		t.Errorf("the loop is not smooth: %.0f dB", got)
	}
	if l.Played() != 800*time.Millisecond {
		t.Errorf("%v were played", l.Played())
	}
	l.Stop()
	<-l.Done()
}
