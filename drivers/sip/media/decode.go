package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/piopiy/piopiyd/audio"
)

const (
	// MaxAudioSize bounds an audio file: what a prompt may have in octets.
	MaxAudioSize = 64 << 20
	// MaxAudioLength bounds how long it may last.
	MaxAudioLength = 30 * time.Minute
)

// Errors of audio that cannot be played.
var (
	// ErrNotAudio says that data is no audio of a kind that is known.
	ErrNotAudio = errors.New("no audio that can be played: WAV, MP3 and OGG Vorbis can")
	// ErrTruncated says that data ends before the first sound.
	ErrTruncated = errors.New("the audio is truncated: it ends before the first sound")
	// ErrTooLong says that data is longer than [MaxAudioLength].
	ErrTooLong = fmt.Errorf("the audio is longer than %v", MaxAudioLength)
	// ErrTooLarge says that data has more octets than [MaxAudioSize].
	ErrTooLarge = fmt.Errorf("the audio is larger than %d MiB", MaxAudioSize>>20)
)

// Decode reads a WAV, MP3 or OGG Vorbis file, which it tells by its content, and returns its sound at a rate, mono.
// Where a file is cut short, or damaged on the way, what comes before is the sound. MP3 takes about 15 ms for each
// second of sound; Decode gives up when ctx ends.
func Decode(ctx context.Context, data []byte, rate int) (s Sound, err error) {
	if len(data) > MaxAudioSize {
		return Sound{Rate: rate}, ErrTooLarge
	}
	// The decoders are other people's, and the files are too.
	defer func() {
		if v := recover(); v != nil {
			s, err = Sound{Rate: rate}, fmt.Errorf("the audio is damaged: %v", v)
		}
	}()
	switch kind := sniff(data); kind {
	case "wav":
		if s, err = decodeWAV(data); err != nil {
			return Sound{Rate: rate}, err
		}
		if s.Empty() {
			return Sound{Rate: rate}, ErrTruncated
		}
		return s.At(rate), nil
	case "mp3":
		return decodeMP3(ctx, data, rate)
	case "ogg":
		return decodeOGG(ctx, data, rate)
	case "":
		return Sound{Rate: rate}, ErrNotAudio
	default:
		return Sound{Rate: rate}, fmt.Errorf("%w; this is %s", ErrNotAudio, kind)
	}
}

// sniff tells what data is: wav, mp3 or ogg, or the name of what cannot be played, or nothing.
func sniff(data []byte) string {
	begins := func(at int, magic string) bool {
		return len(data) >= at+len(magic) && string(data[at:at+len(magic)]) == magic
	}
	switch {
	case begins(0, "RIFF") && begins(8, "WAVE"):
		return "wav"
	case begins(0, "OggS"):
		first := data[:min(len(data), 512)]
		if bytes.Contains(first, []byte("OpusHead")) {
			return "OGG Opus"
		}
		return "ogg"
	case begins(0, "ID3"), isMP3Frame(data):
		return "mp3"
	case begins(0, "fLaC"):
		return "FLAC"
	case begins(4, "ftyp"):
		return "MP4"
	case begins(0, "FORM"):
		return "AIFF"
	case begins(0, "\x1aE\xdf\xa3"):
		return "WebM"
	case begins(0, "#!AMR"):
		return "AMR"
	}
	text := bytes.ToLower(bytes.TrimLeft(data[:min(len(data), 512)], " \t\r\n\ufeff"))
	for _, mark := range []string{"<!doctype", "<html", "<?xml", "{", "["} {
		if bytes.HasPrefix(text, []byte(mark)) {
			return "a web page or text"
		}
	}
	return ""
}

// isMP3Frame reports whether data begins with a frame of layer III (ISO/IEC 11172-3 section 2.4.1.3).
func isMP3Frame(data []byte) bool {
	return len(data) >= 4 && data[0] == 0xFF && data[1]&0xE6 == 0xE2 && data[1]&0x18 != 0x08 && data[2]&0xF0 != 0xF0 && data[2]&0x0C != 0x0C
}

// reading collects what a decoder yields.
type reading struct {
	ctx       context.Context
	rate      int
	from      int
	resampler *audio.Resampler
	out       []int16
	frames    int
}

func newReading(ctx context.Context, from, rate int) (*reading, error) {
	if from < 4000 || from > 192000 {
		return nil, fmt.Errorf("the audio has %d Hz: 4000 to 192000 are known", from)
	}
	return &reading{ctx: ctx, rate: rate, from: from, resampler: audio.NewResampler(from, rate)}, nil
}

// add takes mono samples.
func (r *reading) add(samples []int16) error {
	if err := r.ctx.Err(); err != nil {
		return context.Cause(r.ctx)
	}
	if r.frames += len(samples); durationAt(r.frames, r.from) > MaxAudioLength {
		return ErrTooLong
	}
	r.out = r.resampler.Append(r.out, samples)
	return nil
}

// end returns the sound; broken is why there is no more, io.EOF at the end.
func (r *reading) end(broken error) (Sound, error) {
	s := Sound{Rate: r.rate}
	if r.frames == 0 {
		if broken != nil && !errors.Is(broken, io.EOF) && !errors.Is(broken, io.ErrUnexpectedEOF) {
			return s, fmt.Errorf("%w: %w", ErrTruncated, broken)
		}
		return s, ErrTruncated
	}
	out := r.resampler.Flush(r.out)
	s.Samples = out[:min(len(out), int(int64(r.frames)*int64(r.rate)/int64(r.from)))]
	return s, nil
}
