package sip_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/siptest"
)

// TestWideband has a real phone call that speaks G.722: it hears what a narrowband phone could not, and so does who
// listens to the recording.
func TestWideband(t *testing.T) {
	t.Parallel()
	x := open(t, map[string]string{"wide": `exports.answer = () => [{ action: 'record' }, { action: 'play', file_name: 'wide.wav' }]`})
	high := make([]int16, 2*media.WideRate)
	for i := range high {
		high[i] = int16(8000 * math.Sin(2*math.Pi*5000*float64(i)/media.WideRate))
	}
	if err := os.WriteFile(filepath.Join(x.dir, "wide.wav"), media.Sound{Samples: high, Rate: media.WideRate}.WAV(), 0o600); err != nil {
		t.Fatal(err)
	}
	server := fmt.Sprintf("127.0.0.1:%d", x.Port())
	alice := siptest.StartPhone(t, siptest.Account{User: "alice", Server: server, Codec: "g722/16000/1", Modules: []string{"g722"}, Rate: media.WideRate}, 1000)
	alice.Dial("sip:wide@" + server)
	x.has("a in_answered")
	x.has("a cdr answered NORMAL_CLEARING")
	alice.Quit()
	if level := audio.Level(alice.Heard(), 5000, media.WideRate); level < 4000 {
		t.Errorf("the phone hears 5000 Hz at a level of %.0f\n%s", level, alice.Says())
	}
	x.close()
	files, err := filepath.Glob(filepath.Join(x.dir, "recordings", "*.wav"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the recordings are %q: %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if rate := binary.LittleEndian.Uint32(data[24:]); rate != media.WideRate {
		t.Errorf("the recording has %d Hz", rate)
	}
	s, err := media.Decode(t.Context(), data, media.WideRate)
	if err != nil {
		t.Fatal(err)
	}
	for _, hz := range []float64{1000, 5000} { // of the phone, and of the file
		if level := audio.Level(s.Samples, hz, media.WideRate); level < 4000 {
			t.Errorf("the recording has %g Hz at a level of %.0f", hz, level)
		}
	}
}
