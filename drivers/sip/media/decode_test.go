package media_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// The files in testdata are tones of 600 Hz, a second long (stereo44100.ogg: half a second), made with sox and lame.
func file(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestDecode(t *testing.T) {
	wav := media.Sound{Samples: wideTone(600, time.Second), Rate: media.WideRate}.WAV()
	for name, f := range map[string]struct {
		data   []byte
		length time.Duration
	}{
		"wav": {wav, time.Second}, "mp3": {file(t, "stereo44100.mp3"), time.Second}, "mp3, mono": {file(t, "mono22050.mp3"), time.Second},
		"ogg": {file(t, "mono22050.ogg"), time.Second}, "ogg, stereo": {file(t, "stereo44100.ogg"), time.Second / 2},
		"mp3 after a tag":  {append(append([]byte("ID3\x03\x00\x00\x00\x00\x00\x10"), make([]byte, 16)...), file(t, "mono22050.mp3")...), time.Second},
		"half an mp3":      {file(t, "stereo44100.mp3")[:4500], time.Second / 2},
		"half a wav":       {wav[:len(wav)/2], time.Second / 2},
		"mp3, then others": {append(bytes.Clone(file(t, "mono22050.mp3")), make([]byte, 3000)...), time.Second},
	} {
		for _, rate := range []int{media.Rate, media.WideRate} {
			s, err := media.Decode(t.Context(), f.data, rate)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			// MP3 has up to 100 ms of silence around.
			if diff := s.Duration() - f.length; s.Rate != rate || f.length > 0 && (diff < -60*time.Millisecond || diff > 110*time.Millisecond) {
				t.Errorf("%s at %d: %v at %d, want %v", name, rate, s.Duration(), s.Rate, f.length)
			}
			if mid := s.Samples[len(s.Samples)/3 : len(s.Samples)/2]; snr(mid, 600, rate) < 25 {
				t.Errorf("%s at %d: the tone is not clean: %.0f dB", name, rate, snr(mid, 600, rate))
			}
		}
	}
}

func TestDecodeRefusals(t *testing.T) {
	long := media.Sound{Samples: make([]int16, 31*60*4000), Rate: 4000}.WAV()
	badRate := media.EncodeWAV(make([]int16, 100))
	binary.LittleEndian.PutUint32(badRate[24:], 3_000_000)
	for name, f := range map[string]struct {
		data []byte
		err  error // nil: any
		text string
	}{
		"nothing":          {nil, media.ErrNotAudio, "WAV"},
		"a web page":       {[]byte("<!DOCTYPE html><html>not here</html>"), media.ErrNotAudio, "web page"},
		"json":             {[]byte(` {"error": "no"}`), media.ErrNotAudio, "text"},
		"flac":             {[]byte("fLaC\x00\x00\x00\x22"), media.ErrNotAudio, "FLAC"},
		"opus":             {append([]byte("OggS\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04\x00\x00\x00\x00\x00\x00\x00\x00\x01\x13"), "OpusHead\x01"...), media.ErrNotAudio, "Opus"},
		"mp4":              {[]byte("\x00\x00\x00\x20ftypM4A "), media.ErrNotAudio, "MP4"},
		"noise":            {[]byte("\x12\x34\x56\x78\x9a"), media.ErrNotAudio, ""},
		"too long":         {long, media.ErrTooLong, "30m"},
		"too large":        {make([]byte, media.MaxAudioSize+1), media.ErrTooLarge, "64 MiB"},
		"a wav's header":   {media.EncodeWAV(nil), media.ErrTruncated, "truncated"},
		"an mp3's tag":     {[]byte("ID3\x03\x00\x00\x00\x00\x00\x10abc"), media.ErrTruncated, "truncated"},
		"an mp3's header":  {file(t, "stereo44100.mp3")[:20], media.ErrTruncated, "truncated"},
		"an ogg's header":  {file(t, "mono22050.ogg")[:600], media.ErrTruncated, "truncated"},
		"half an ogg":      {file(t, "mono22050.ogg")[:4200], media.ErrTruncated, "truncated"}, // it has one page
		"a rate of 3 MHz":  {badRate, nil, "3000000"},
		"a wav of nothing": {[]byte("RIFF\x04\x00\x00\x00WAVE"), nil, "wav"},
	} {
		s, err := media.Decode(t.Context(), f.data, media.Rate)
		if err == nil || f.err != nil && !errors.Is(err, f.err) || !bytes.Contains([]byte(err.Error()), []byte(f.text)) || !s.Empty() {
			t.Errorf("%s: %v (%d samples), want %v with %q", name, err, len(s.Samples), f.err, f.text)
		}
	}
}

// TestDecodeBombs has small files that would have a decoder ask for all memory, or search for ever.
func TestDecodeBombs(t *testing.T) {
	whole := file(t, "mono22050.ogg")
	change := func(mark string, offset int, octets ...byte) []byte {
		data := bytes.Clone(whole)
		at := bytes.Index(data, []byte(mark))
		if at < 0 {
			t.Fatalf("no %q in the file", mark)
		}
		copy(data[at+offset:], octets)
		return data
	}
	for name, data := range map[string][]byte{
		"two milliard comments":            change("\x03vorbis", 7, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F),
		"a vendor's name of two milliards": change("\x03vorbis", 7, 0xFF, 0xFF, 0xFF, 0x7F),
		"a codebook of 16 million entries": change("BCV", 5, 0xFF, 0xFF, 0xFF),
		"entries of 65535 numbers":         change("BCV", 3, 0xFF, 0xFF, 0xFF, 0x7F),
		"entries of no numbers":            change("BCV", 3, 0, 0),
		"an empty tree of codes":           change("BCV", 5, 2, 0, 0, 2, 0),
		"frames of 32768 samples":          change("\x01vorbis", 28, 0xF0),
	} {
		_, err := media.Decode(t.Context(), data, media.Rate)
		if err == nil || !bytes.Contains([]byte(err.Error()), []byte("are damaged")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecodeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	for _, name := range []string{"stereo44100.mp3", "mono22050.ogg"} {
		if _, err := media.Decode(ctx, file(t, name), media.Rate); !errors.Is(err, enough) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"stereo44100.mp3", "mono22050.mp3", "stereo44100.ogg", "mono22050.ogg"} {
		f.Add(file(f, name))
		f.Add(file(f, name)[:len(file(f, name))/3])
	}
	f.Add(media.EncodeWAV([]int16{1, 2, 3}))
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		s, err := media.Decode(ctx, data, media.Rate)
		switch {
		case ctx.Err() != nil:
			t.Error("it takes more than 10 s")
		case err == nil && s.Empty():
			t.Error("neither sound nor an error")
		case err != nil && !s.Empty():
			t.Error("sound and an error")
		case s.Duration() > media.MaxAudioLength+time.Second:
			t.Errorf("%v of sound", s.Duration())
		}
	})
}

func BenchmarkDecodeMP3(b *testing.B) {
	data := file(b, "stereo44100.mp3")
	for b.Loop() {
		if _, err := media.Decode(b.Context(), data, media.Rate); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/s-of-sound")
}

func BenchmarkDecodeOGG(b *testing.B) {
	data := file(b, "mono22050.ogg")
	for b.Loop() {
		if _, err := media.Decode(b.Context(), data, media.Rate); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/s-of-sound")
}
