package media_test

import (
	"testing"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

func TestG711(t *testing.T) {
	// Points of the tables of ITU-T G.711.
	known := []struct {
		codec media.Codec
		octet byte
		want  int16
	}{
		{media.PCMU, 0x00, -32124}, {media.PCMU, 0x80, 32124}, {media.PCMU, 0xFF, 0}, {media.PCMU, 0xFE, 8}, {media.PCMU, 0x7E, -8},
		{media.PCMA, 0xD5, 8}, {media.PCMA, 0x55, -8}, {media.PCMA, 0xAA, 32256}, {media.PCMA, 0x2A, -32256}, {media.PCMA, 0x80, 5504},
	}
	for _, k := range known {
		if got := k.codec.Decode(nil, []byte{k.octet})[0]; got != k.want {
			t.Errorf("%s %#02x is %d, want %d", k.codec.Name(), k.octet, got, k.want)
		}
	}
	for _, c := range []media.Codec{media.PCMU, media.PCMA} {
		for octet := range 256 {
			back := c.Encode(nil, c.Decode(nil, []byte{byte(octet)}))[0]
			if int(back) != octet && !(c == media.PCMU && octet == 0x7F) { // mu-law has two zeros
				t.Errorf("%s %#02x comes back as %#02x", c.Name(), octet, back)
			}
		}
		last := int16(-32768)
		for v := -32768; v <= 32767; v++ {
			got := c.Decode(nil, c.Encode(nil, []int16{int16(v)}))[0]
			if diff, limit := abs(int(got)-v), 8+abs(v)/16; diff > limit && abs(v) < 32256 {
				t.Fatalf("%s: %d comes back as %d", c.Name(), v, got)
			}
			if got < last {
				t.Fatalf("%s is not monotonic at %d", c.Name(), v)
			}
			last = got
		}
	}
}

func abs(v int) int { return max(v, -v) }

func BenchmarkEncode(b *testing.B) {
	samples := media.Tone(440, media.FrameTime)
	var buf [media.FrameSamples]byte
	for b.Loop() {
		media.PCMU.Encode(buf[:0], samples)
	}
}
