package sip_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/siptest"
)

// TestWideband has a real phone call that speaks a wideband codec: it hears what a narrowband phone could not, and so does
// who listens to the recording.
func TestWideband(t *testing.T) {
	for _, tt := range []struct {
		codec, module string
		rate          int // of the phone
		channels      int
	}{{"g722/16000/1", "g722", media.WideRate, 1}, {"opus/48000/2", "opus", 48000, 2}} {
		t.Run(tt.module, func(t *testing.T) {
			t.Parallel()
			if tt.module == "opus" {
				speaksOpus(t)
			}
			x := open(t, map[string]string{"wide": `exports.answer = () => [{ action: 'record' }, { action: 'play', file_name: 'wide.wav' }]`}, withOpus)
			high := media.Sound{Samples: audio.Tone(5000, 2*time.Second, media.WideRate), Rate: media.WideRate}
			if err := os.WriteFile(filepath.Join(x.dir, "wide.wav"), high.WAV(), 0o600); err != nil {
				t.Fatal(err)
			}
			server := fmt.Sprintf("127.0.0.1:%d", x.Port())
			alice := siptest.StartPhone(t, siptest.Account{User: "alice", Server: server, Codec: tt.codec, Modules: []string{tt.module}, Rate: tt.rate}, 1000)
			alice.Dial("sip:wide@" + server)
			x.has("a in_answered")
			x.has("a cdr answered NORMAL_CLEARING")
			alice.Quit()
			heard := alice.Heard()
			if tt.channels == 2 {
				heard = left(heard)
			}
			if level := loudest(heard, 5000, tt.rate); level < 4000 {
				t.Errorf("the phone hears 5000 Hz at a level of %.0f\n%s", level, alice.Says())
			}
			x.close()
			said := recorded(t, x, media.WideRate)
			for _, hz := range []float64{1000, 5000} { // of the phone, and of the file
				if level := loudest(said, hz, media.WideRate); level < 4000 {
					t.Errorf("the recording has %g Hz at a level of %.0f", hz, level)
				}
			}
		})
	}
}

// recorded is the only recording of an exchange, at a rate.
func recorded(t *testing.T, x *exchange, rate int) []int16 {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(x.dir, "recordings", "*.wav"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the recordings are %q: %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	s, err := media.Decode(t.Context(), data, rate)
	if err != nil {
		t.Fatal(err)
	}
	return s.Samples
}

// loudest is the level of a tone in those 100 ms where it is loudest.
func loudest(samples []int16, hz float64, rate int) (level float64) {
	for n := rate / 10; len(samples) >= n; samples = samples[n/2:] {
		level = max(level, audio.Level(samples[:n], hz, rate))
	}
	return level
}
