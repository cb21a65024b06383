package media_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// voice is a sound like a vowel: many harmonics of a pitch.
func voice(hz float64, rate int, length time.Duration) []int16 {
	out := make([]int16, int(length*time.Duration(rate)/time.Second))
	for i := range out {
		v := 0.0
		for h := 1.0; h*hz < 3400; h++ {
			v += math.Sin(2*math.Pi*h*hz*float64(i)/float64(rate)+h*h) / (1 + h/3)
		}
		out[i] = int16(2500 * v)
	}
	return out
}

// TestConcealment loses packets of voices: what stands in for the first frame lost is close to what was lost, and
// nothing jumps, neither there nor where sound comes back.
func TestConcealment(t *testing.T) {
	for _, codec := range []media.Codec{media.PCMU, media.G722} {
		for _, hz := range []float64{75, 110, 133, 180, 237, 310} {
			t.Run(fmt.Sprintf("%s at %g Hz", codec, hz), func(t *testing.T) {
				rate := codec.SampleRate()
				n := rate / 50
				said := voice(hz, rate, 4*time.Second)
				enc := codec.NewEncoder()
				var j media.Jitter
				j.Reset(codec)
				f := media.NewFrame(rate)
				var heard []int16
				gaps := 0
				for i := range len(said) / n {
					p := media.Packet{Sequence: uint16(i), Timestamp: uint32(i * 160), Payload: enc.Encode(nil, said[i*n:(i+1)*n])}
					if i%20 != 13 {
						j.Put(p, time.Unix(0, int64(i)*2e7))
					}
					if j.ReadFrame(f); i < 1 {
						continue // it fills
					}
					heard = append(heard, f...)
				}
				whole := codec.Decode(nil, codec.Encode(nil, said))
				steepest := 0
				for i := n; i < len(whole); i++ {
					steepest = max(steepest, abs(int(whole[i])-int(whole[i-1])))
				}
				jump := 0
				for i := n; i < len(heard); i++ {
					jump = max(jump, abs(int(heard[i])-int(heard[i-1])))
				}
				if jump > steepest*3/2 {
					t.Errorf("the sound jumps by %d, the voice by %d", jump, steepest)
				}
				for k := 13; (k+1)*n < len(heard); k += 20 {
					// The first half of the frame, while it has hardly faded.
					var signal, noise float64
					for i := k * n; i < k*n+n/2; i++ {
						want := float64(whole[i])
						signal += want * want
						d := want - float64(heard[i])
						noise += d * d
					}
					if ratio := 10 * math.Log10(signal/noise); ratio < 10 {
						t.Errorf("gap %d: %.1f dB", gaps, ratio)
					}
					gaps++
				}
				if s := j.Stats(); s.Lost != uint64(gaps) && s.Lost != uint64(gaps+1) || gaps < 8 {
					t.Errorf("%d gaps, %+v", gaps, s)
				}
			})
		}
	}
}
