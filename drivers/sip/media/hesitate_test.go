package media_test

import (
	"slices"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// TestHesitate lets a prompt wait: nothing of it is lost, nothing comes twice.
func TestHesitate(t *testing.T) {
	for _, rate := range []int{media.Rate, media.WideRate} {
		g := newGuest(t, media.PCMU, 450)
		p := g.PlayWith(media.Sound{Samples: audio.Tone(1000, 400*time.Millisecond, rate), Rate: rate}, media.PlayOptions{})
		played := func(ticks int, want time.Duration) {
			t.Helper()
			talk(t, ticks, g.Tick, g)
			if got := p.Played(); got != want {
				t.Errorf("at %d Hz: %v were played, want %v", rate, got, want)
			}
		}
		played(5, 100*time.Millisecond)
		p.Hesitate(100 * time.Millisecond)
		played(1, 110*time.Millisecond) // it fades away
		played(3, 110*time.Millisecond)
		p.Hesitate(60 * time.Millisecond) // from now on: two frames more than before
		played(2, 110*time.Millisecond)
		played(1, 130*time.Millisecond)
		p.Hesitate(time.Hour)
		played(10, 140*time.Millisecond)
		select {
		case <-p.Done():
			t.Error("a prompt that waits has ended")
		default:
		}
		p.Stop()
		<-p.Done()
		played(1, 140*time.Millisecond)
		p.Hesitate(time.Second) // of no use
		g.Tick()
	}
	// To its end, after a wait at the very beginning.
	g := newGuest(t, media.PCMU, 450)
	p := g.Play(tone(1000, 100*time.Millisecond))
	p.Hesitate(40 * time.Millisecond)
	talk(t, 7, g.Tick, g)
	if <-p.Done(); p.Played() != 100*time.Millisecond {
		t.Errorf("%v were played", p.Played())
	}
}

// TestQueueHesitates lets sound that somebody sends wait.
func TestQueueHesitates(t *testing.T) {
	q, f := media.NewQueue(media.Rate, media.Rate), media.NewFrame(media.Rate)
	q.Hesitate(time.Second) // nothing waits to be heard
	q.Write(media.Tone(1000, 100*time.Millisecond))
	for i, want := range []struct {
		played int // ms
		sound  bool
	}{{20, true}, {30, true}, {30, false}, {30, false}, {50, true}, {70, true}, {90, true}, {100, true}, {100, false}} {
		if i == 1 {
			q.Hesitate(60 * time.Millisecond)
		}
		if got := q.ReadFrame(f); got != want.sound || int(q.Played()) != want.played*media.Rate/1000 {
			t.Errorf("frame %d: %v, %d samples played; want %v, %d ms", i, got, q.Played(), want.sound, want.played)
		}
	}
	q.Write(media.Tone(1000, 100*time.Millisecond))
	q.Hesitate(time.Hour)
	q.ReadFrame(f)
	q.Clear()
	q.Write(media.Tone(1000, 100*time.Millisecond))
	if !q.ReadFrame(f) {
		t.Error("what comes after Clear waits as well")
	}
}

// TestOverhear hears a frame before the jitter buffer gives it away.
func TestOverhear(t *testing.T) {
	for _, codec := range media.Codecs {
		a, b := newParty(t, false), newParty(t, false)
		a.start(b.addr, codec)
		b.start(a.addr, codec)
		heard, other := make(chan []int16, 20), make(chan bool, 20)
		stop := b.Overhear(func(f media.Frame) { heard <- slices.Clone(f) })
		stopOther := b.Overhear(func(media.Frame) { other <- true })
		n := codec.SampleRate() / 50
		said := audio.Tone(1000, 120*time.Millisecond, codec.SampleRate())
		for i := range 6 {
			if i == 5 {
				stop()
				stop() // once more does nothing
			}
			a.WriteFrame(said[i*n : (i+1)*n])
			<-other
			if i == 5 {
				break
			}
			f := <-heard
			if level := audio.Level(f, 1000, codec.SampleRate()); len(f) != n || i > 0 && level < 5000 { // G.722 needs some time
				t.Errorf("%v, frame %d: %d samples, level %.0f", codec, i, len(f), level)
			}
		}
		if stopOther(); len(heard) != 0 {
			t.Errorf("%v: heard after the end", codec)
		}
	}
}
