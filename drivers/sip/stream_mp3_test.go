package sip

import (
	"context"
	"os"
	"testing"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

func spokenMP3(t testing.TB) []byte {
	t.Helper()
	// Six seconds of speech, 22.05 kHz, 32 kbit/s: what speech services send. Made with flite and lame.
	data, err := os.ReadFile("testdata/speech22050.mp3")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestMP3InPieces cuts a file at any place: what is heard is the same as that of the whole file.
func TestMP3InPieces(t *testing.T) {
	t.Parallel()
	data := spokenMP3(t)
	const rate = media.WideRate
	whole, err := media.Decode(t.Context(), data, rate)
	if err != nil {
		t.Fatal(err)
	}
	for _, length := range []int{len(data), 13_000, 8192, 4096, 4095, 4094, 4097, 4098, 4099} {
		var seam mp3Seam
		var got []int16
		for rest := data; len(rest) > 0; {
			n := min(length, len(rest))
			s, err := seam.decode(t.Context(), rest[:n], rate)
			if err != nil {
				t.Fatalf("pieces of %d: %v", length, err)
			}
			got = append(got, s...)
			rest = rest[n:]
		}
		got = append(got, seam.flush()...)
		if diff := len(whole.Samples) - len(got); diff < -rate/50 || diff > rate/50 {
			t.Errorf("pieces of %d: %d samples, the whole has %d", length, len(got), len(whole.Samples))
		}
		if snr := ratio(whole.Samples, got); snr < 1000 {
			t.Errorf("pieces of %d: %.0f times the power of what is wrong", length, snr)
		}
	}
}

// ratio is the power of want beside that of the difference.
func ratio(want, got []int16) float64 {
	var signal, noise float64
	for i := range min(len(want), len(got)) {
		signal += float64(want[i]) * float64(want[i])
		noise += float64(want[i]-got[i]) * float64(want[i]-got[i])
	}
	return signal / (noise + 1)
}

// TestMP3PiecesOfTwoFiles sends whole files, and a file whose end is missing: the next one begins anew.
func TestMP3PiecesOfTwoFiles(t *testing.T) {
	t.Parallel()
	data := spokenMP3(t)
	whole, err := media.Decode(t.Context(), data, media.Rate)
	if err != nil {
		t.Fatal(err)
	}
	var seam mp3Seam
	for i, piece := range [][]byte{data, data, data[:5000], data, append([]byte("ID3\x03\x00\x00\x00\x00\x00\x10"), append(make([]byte, 16), data...)...)} {
		s, err := seam.decode(t.Context(), piece, media.Rate)
		if err != nil {
			t.Fatal(err)
		}
		if diff := len(s) - len(whole.Samples); i != 2 && (diff < -media.Rate/100 || diff > media.Rate/100) {
			t.Errorf("file %d: %d samples, want %d", i, len(s), len(whole.Samples))
		}
	}
}

func FuzzMP3Pieces(f *testing.F) {
	data := spokenMP3(f)
	f.Add(data[:3000], data[3000:6000])
	f.Add(data[:1000], []byte("ID3\x03\x00\x00\xff\xff\xff\xff"))
	f.Add([]byte{0xFF, 0xF3, 0x10, 0}, []byte{0xFF})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		if len(first)+len(second) > 20_000 {
			return
		}
		var seam mp3Seam
		for _, piece := range [][]byte{first, second, first} {
			_, _ = seam.decode(context.Background(), piece, media.Rate)
			if len(seam.lead)+len(seam.rest) > len(first)+len(second)+len(first) {
				t.Fatalf("%d and %d octets are kept", len(seam.lead), len(seam.rest))
			}
		}
	})
}
