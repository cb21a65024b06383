package audio_test

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/audio"
)

func TestResample(t *testing.T) {
	for _, rates := range [][2]int{{8000, 16000}, {8000, 24000}, {8000, 48000}, {16000, 48000}, {24000, 16000}, {48000, 24000}, {16000, 8000}, {44100, 8000}, {22050, 8000}, {48000, 8000}, {24000, 8000}} {
		from, to := rates[0], rates[1]
		sine := func(hz float64) []int16 {
			out := make([]int16, from)
			for i := range out {
				out[i] = int16(16000 * math.Sin(2*math.Pi*hz*float64(i)/float64(from)))
			}
			return out
		}
		whole := audio.Resample(sine(1000), from, to)
		if d := len(whole) - to; d < -1 || d > 0 {
			t.Errorf("%d to %d: %d samples for a second", from, to, len(whole))
		}
		got := whole[to/4 : 3*to/4]
		level := audio.Level(got, 1000, to)
		noise := 0.0
		for i, v := range got {
			want := 16000 * math.Sin(2*math.Pi*1000*float64(i+to/4)/float64(to))
			noise += (float64(v) - want) * (float64(v) - want)
		}
		snr := 10 * math.Log10(16000*16000/2/(noise/float64(len(got))))
		if level < 15990 || level > 16010 || snr < 75 {
			t.Errorf("%d to %d: level %.1f, signal to noise %.1f dB", from, to, level, snr)
		}
		if from > to { // what is above half the new rate must not come back as something else
			var peak int16
			for _, v := range audio.Resample(sine(float64(to)/2+600), from, to)[to/4 : 3*to/4] {
				peak = max(peak, v, -v)
			}
			if peak > 8 {
				t.Errorf("%d to %d: an alias of %d", from, to, peak)
			}
		}
	}
	// In pieces it is the same as at once.
	sound := audio.Tone(700, 300*time.Millisecond, 8000)
	r := audio.NewResampler(8000, 16000)
	var pieces []int16
	for i := 0; i < len(sound); i += 37 {
		pieces = r.Append(pieces, sound[i:min(i+37, len(sound))])
	}
	pieces = r.Flush(pieces)
	whole := audio.Resample(sound, 8000, 16000)
	for i := range whole {
		if whole[i] != pieces[i] {
			t.Fatalf("sample %d is %d in pieces, %d at once", i, pieces[i], whole[i])
		}
	}
}

func TestLevels(t *testing.T) {
	sine := make([]int16, 8000)
	for i := range sine {
		sine[i] = int16(math.Round(32767 * math.Sin(2*math.Pi*1000*(float64(i)+0.5)/8000)))
	}
	for _, tt := range []struct {
		name string
		in   []int16
		want float64
	}{
		{"nothing", nil, audio.Quietest}, {"silence", make([]int16, 160), audio.Quietest}, {"an offset", []int16{5000, 5000, 5000}, audio.Quietest},
		{"a square wave", []int16{32767, -32767, 32767, -32767}, 0}, {"a sine", sine, -3.01}, {"the last bit", []int16{1, -1}, -90.31},
	} {
		if got := audio.Energy(tt.in); math.Abs(got-tt.want) > 0.01 {
			t.Errorf("%s: %.2f dB, want %.2f", tt.name, got, tt.want)
		}
	}
	softer := append([]int16{}, sine...)
	audio.Gain(softer, -20)
	if got := audio.Energy(softer); math.Abs(got+23.01) > 0.01 {
		t.Errorf("20 dB softer is %.2f dB", got)
	}
	extremes := []int16{-32768, -1, 0, 1, 32767}
	audio.Gain(extremes, 200)
	if extremes[0] != -32768 || extremes[1] != -32768 || extremes[2] != 0 || extremes[4] != 32767 {
		t.Errorf("200 dB louder: %v", extremes)
	}
	audio.Mix(extremes, []int16{-5, 5})
	if extremes[0] != -32768 || extremes[1] != -32763 {
		t.Errorf("mixed: %v", extremes)
	}
	if got := audio.FromPCM(nil, audio.AppendPCM(nil, []int16{-32768, 256, 1})); len(got) != 3 || got[0] != -32768 || got[1] != 256 || got[2] != 1 {
		t.Errorf("there and back: %v", got)
	}
}

func TestWAVTooLong(t *testing.T) {
	file := audio.EncodeWAV(make([]int16, 8000), 8000)
	if _, _, err := audio.DecodeWAV(file, 999*time.Millisecond); !errors.Is(err, audio.ErrTooLong) {
		t.Error(err)
	}
	if samples, rate, err := audio.DecodeWAV(file, time.Second); err != nil || len(samples) != 8000 || rate != 8000 {
		t.Error(len(samples), rate, err)
	}
	if n := binary.LittleEndian.Uint32(file[40:]); n != 16000 || len(file) != audio.WAVHeaderSize+16000 {
		t.Errorf("%d octets of sound in %d", n, len(file))
	}
}

// A file yields sound or an error, and never more than was asked for. What was encoded comes back as it was.
func FuzzWAV(f *testing.F) {
	f.Add(audio.EncodeWAV(audio.Tone(440, 10*time.Millisecond, 16000), 16000))
	f.Add([]byte("RIFF\xff\xff\xff\xffWAVEdata\xff\xff\xff\xff"))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEfmt \x28\x00\x00\x00\xfe\xff\x02\x00\x40\x1f\x00\x00\x00\x00\x00\x00\x04\x00\x10\x00\x16\x00\x10\x00\x00\x00\x00\x00\x01\x00data\x04\x00\x00\x00abcd"))
	f.Fuzz(func(t *testing.T, data []byte) {
		samples, rate, err := audio.DecodeWAV(data, time.Second)
		if err != nil {
			return
		}
		if rate < 4000 || rate > 192000 || len(samples) > rate {
			t.Fatalf("%d samples at %d Hz", len(samples), rate)
		}
		again, at, err := audio.DecodeWAV(audio.EncodeWAV(samples, rate), time.Second)
		if err != nil || at != rate || len(again) != len(samples) {
			t.Fatalf("%d samples at %d Hz come back as %d at %d: %v", len(samples), rate, len(again), at, err)
		}
		for i := range samples {
			if samples[i] != again[i] {
				t.Fatalf("sample %d is %d, then %d", i, samples[i], again[i])
			}
		}
	})
}

// A resampler takes any pieces, and what comes out does not depend on how they were cut.
func FuzzResampler(f *testing.F) {
	f.Add([]byte("some sound, or noise"), uint8(0), uint8(7))
	rates := []int{8000, 16000, 24000, 48000, 44100, 11025}
	f.Fuzz(func(t *testing.T, data []byte, pair, piece uint8) {
		from, to := rates[int(pair)%6], rates[int(pair)/6%6]
		sound := audio.FromPCM(nil, data)
		once := audio.NewResampler(from, to)
		want := once.Flush(once.Append(nil, sound))
		r := audio.NewResampler(from, to)
		var got []int16
		for n := int(piece) + 1; len(sound) > 0; sound = sound[min(n, len(sound)):] {
			got = r.Append(got, sound[:min(n, len(sound))])
		}
		if got = r.Flush(got); len(got) != len(want) {
			t.Fatalf("%d samples, at once %d", len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("sample %d is %d, at once %d", i, got[i], want[i])
			}
		}
	})
}

func BenchmarkResampler(b *testing.B) {
	frame := audio.Tone(440, 20*time.Millisecond, 8000)
	for _, to := range []int{16000, 24000, 48000} {
		b.Run("20 ms to "+map[int]string{16000: "16", 24000: "24", 48000: "48"}[to]+" kHz", func(b *testing.B) {
			r := audio.NewResampler(8000, to)
			var out []int16
			for b.Loop() {
				out = r.Append(out[:0], frame)
			}
		})
	}
}
