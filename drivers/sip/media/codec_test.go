package media_test

import (
	"hash/crc32"
	"math"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// wideTone is a tone at 16000 Hz.
func wideTone(hz float64, length time.Duration) []int16 {
	out := make([]int16, int(length*media.WideRate/time.Second))
	for i := range out {
		out[i] = int16(8192 * math.Sin(2*math.Pi*hz*float64(i)/media.WideRate))
	}
	return out
}

// snr is the level of a tone over everything else in samples, in dB.
func snr(samples []int16, hz float64, rate int) float64 {
	tone := audio.Level(samples, hz, rate)
	all := 0.0
	for _, v := range samples {
		all += float64(v) * float64(v)
	}
	all /= float64(len(samples))
	signal := tone * tone / 2
	return 10 * math.Log10(signal/max(all-signal, 1e-9))
}

func TestG722(t *testing.T) {
	for hz, least := range map[float64]float64{300: 30, 1000: 30, 3000: 30, 5000: 14, 6500: 14} {
		said := wideTone(hz, time.Second)
		enc, dec := media.G722.NewEncoder(), media.G722.NewDecoder()
		var heard []int16
		for i := 0; i < len(said); i += 320 {
			coded := enc.Encode([]byte{1, 2}, said[i:i+320])
			if len(coded) != 162 || coded[0] != 1 {
				t.Fatalf("a frame has %d octets", len(coded)-2)
			}
			heard = dec.Decode(heard, coded[2:])
		}
		if len(heard) != len(said) {
			t.Fatalf("%d samples came back, of %d", len(heard), len(said))
		}
		if got := snr(heard[3200:6400], hz, media.WideRate); got < least {
			t.Errorf("%g Hz: %.1f dB, at least %g are wanted", hz, got, least)
		}
	}
}

// TestG722Bits compares the coder with itself as it was when its every bit was that of another implementation.
func TestG722Bits(t *testing.T) {
	samples, state := make([]int16, 32000), uint32(1)
	for i := range samples {
		state = state*1664525 + 1013904223
		samples[i] = int16(int32(state)>>16) >> (i / 4000)
	}
	coded := media.G722.Encode(nil, samples)
	if got := crc32.ChecksumIEEE(coded); got != 0xA3E62300 {
		t.Errorf("coded: %#x", got)
	}
	hash := crc32.NewIEEE()
	for _, v := range media.G722.Decode(nil, coded) {
		_, _ = hash.Write([]byte{byte(v), byte(v >> 8)})
	}
	if got := hash.Sum32(); got != 0xD524587D {
		t.Errorf("decoded: %#x", got)
	}
}

// TestG722Silence has the coder settle on silence: what is quiet must not hiss.
func TestG722Silence(t *testing.T) {
	heard := media.G722.Decode(nil, media.G722.Encode(nil, make([]int16, 16000)))
	for i, v := range heard {
		if abs(int(v)) > 16 {
			t.Fatalf("sample %d of silence is %d", i, v)
		}
	}
}

func FuzzG722(f *testing.F) {
	f.Add([]byte("\x00\xff\x80\x7f hello"))
	f.Fuzz(func(t *testing.T, coded []byte) {
		if got := media.G722.NewDecoder().Decode(nil, coded); len(got) != 2*len(coded) {
			t.Errorf("%d samples of %d octets", len(got), len(coded))
		}
	})
}

func TestCodecNamed(t *testing.T) {
	for _, c := range media.Codecs {
		if got, ok := media.CodecNamed(c.Name()); !ok || got != c {
			t.Errorf("%s is %v", c.Name(), got)
		}
	}
	if c, ok := media.CodecNamed("G729"); ok {
		t.Errorf("G729 is %v", c)
	}
}

func BenchmarkG722Encode(b *testing.B) {
	samples, enc := wideTone(440, media.FrameTime), media.G722.NewEncoder()
	buf := make([]byte, 0, 160)
	b.ReportAllocs()
	for b.Loop() {
		enc.Encode(buf, samples)
	}
}

func BenchmarkG722Decode(b *testing.B) {
	coded, dec := media.G722.Encode(nil, wideTone(440, media.FrameTime)), media.G722.NewDecoder()
	buf := make([]int16, 0, 320)
	b.ReportAllocs()
	for b.Loop() {
		dec.Decode(buf, coded)
	}
}

func BenchmarkResample(b *testing.B) {
	for name, rates := range map[string][2]int{"8 to 16": {8000, 16000}, "16 to 8": {16000, 8000}, "24 to 8": {24000, 8000}, "44.1 to 8": {44100, 8000}} {
		b.Run(name, func(b *testing.B) {
			r := audio.NewResampler(rates[0], rates[1])
			in, out := make([]int16, rates[0]/50), make([]int16, 0, 400)
			for i := range in {
				in[i] = int16(i * 20)
			}
			b.ReportAllocs()
			for b.Loop() {
				out = r.Append(out[:0], in)
			}
		})
	}
}
