package media_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// recording is a conversation that is recorded; nobody is on the telephone.
func recording(t *testing.T, o media.RecorderOptions) (*media.Conversation, *media.Recorder) {
	t.Helper()
	s := media.NewSession(open(t), media.SessionOptions{})
	t.Cleanup(s.Close)
	r, err := media.NewRecorder(filepath.Join(t.TempDir(), "a.wav"), o)
	if err != nil {
		t.Fatal(err)
	}
	c := media.NewConversation(s)
	c.Record(r)
	return c, r
}

// keepsUp waits until the file holds what was recorded, but for what is written at a time, 200 ms. Ticks come faster
// here than the disk may follow.
func keepsUp(t *testing.T, r *media.Recorder, octetsPerFrame int) {
	t.Helper()
	frames := int(r.Length() / media.FrameTime)
	eventually(t, "the file holds what was recorded", func() bool {
		info, err := os.Stat(r.Path())
		return err == nil && int(info.Size()) >= 44+(frames-10)*octetsPerFrame
	})
}

func TestRecorderPauses(t *testing.T) {
	c, r := recording(t, media.RecorderOptions{})
	ticks := func(n int, hz float64) {
		c.Play(tone(hz, time.Duration(n)*media.FrameTime))
		for range n {
			c.Tick()
		}
		keepsUp(t, r, 320)
	}
	ticks(50, 500)
	r.Pause()
	if !r.Paused() {
		t.Error("it is not paused")
	}
	ticks(50, 1000)
	r.Resume()
	ticks(50, 1500)
	if r.Length() != 2*time.Second {
		t.Errorf("%v were recorded", r.Length())
	}
	// The recording ends, the conversation does not notice.
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c.Play(tone(2000, time.Second))
	c.Tick()
	if err := r.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	<-r.Done()
	heard := samplesOf(t, r.Path())
	if len(heard) != 2*media.Rate || r.Length() != 2*time.Second || r.Lost() != 0 {
		t.Fatalf("the file has %d samples; length %v, lost %v", len(heard), r.Length(), r.Lost())
	}
	for i, part := range [][]int16{heard[400:7600], heard[8400:15600]} {
		for hz, want := range map[float64]bool{500: i == 0, 1000: false, 1500: i == 1, 2000: false} {
			if level := audio.Level(part, hz, media.Rate); level > 4000 != want {
				t.Errorf("second %d: %g Hz has a level of %.0f", i+1, hz, level)
			}
		}
	}
}

func TestRecorderEndsByItself(t *testing.T) {
	c, r := recording(t, media.RecorderOptions{Channels: media.Separate, MaxLength: 505 * time.Millisecond})
	for range 50 {
		c.Tick()
	}
	<-r.Done()
	info, err := os.Stat(r.Path())
	if err != nil || info.Size() != 44+25*160*4 || r.Length() != 500*time.Millisecond {
		t.Errorf("%v, %v: %v", info.Size(), r.Length(), err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestRecorderFileIsWholeMeanwhile looks at the file of a recording that goes on, as after a crash.
func TestRecorderFileIsWholeMeanwhile(t *testing.T) {
	c, r := recording(t, media.RecorderOptions{Rate: media.WideRate})
	defer func() { _ = r.Close() }()
	for range 6 {
		for range 50 {
			c.Tick()
		}
		keepsUp(t, r, 640)
	}
	eventually(t, "the header is right after five seconds", func() bool {
		data, err := os.ReadFile(r.Path())
		if err != nil {
			t.Fatal(err)
		}
		s, err := media.Decode(t.Context(), data, media.WideRate)
		return err == nil && s.Duration() >= 5*time.Second && int(data[4])|int(data[5])<<8|int(data[6])<<16 > 5*media.WideRate*2
	})
}

// TestRecorderOfRates records a conversation that becomes wideband on the way.
func TestRecorderOfRates(t *testing.T) {
	for _, rate := range []int{media.Rate, media.WideRate} {
		c, r := recording(t, media.RecorderOptions{Rate: rate})
		c.Loop(tone(1000, time.Second))
		q := media.NewQueue(media.WideRate, 1)
		for i := range 3 {
			remove := func() {}
			if i == 1 {
				remove = c.AddSource(q)
			}
			for range 50 {
				c.Tick()
			}
			remove()
			keepsUp(t, r, rate/25)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(r.Path())
		if err != nil {
			t.Fatal(err)
		}
		s, err := media.Decode(t.Context(), data, rate)
		if err != nil || s.Duration() != 3*time.Second {
			t.Fatalf("%v, %v", s.Duration(), err)
		}
		for i := range 3 {
			part := s.Samples[i*rate+rate/10 : (i+1)*rate-rate/10]
			if level := audio.Level(part, 1000, rate); level < 8000 || level > 8400 {
				t.Errorf("at %d, second %d: level %.0f", rate, i+1, level)
			}
		}
	}
}

func TestRecorderCannotBegin(t *testing.T) {
	dir := t.TempDir()
	if _, err := media.NewRecorder(filepath.Join(dir, "no", "such.wav"), media.RecorderOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	path := filepath.Join(dir, "a.wav")
	r, err := media.NewRecorder(path, media.RecorderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := media.NewRecorder(path, media.RecorderOptions{}); !errors.Is(err, os.ErrExist) {
		t.Errorf("a recording is overwritten: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
