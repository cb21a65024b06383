package media

import (
	"errors"
	"io"

	"github.com/piopiy/piopiyd/audio"
)

// DecodeWAV reads a WAV file and returns its sound at [Rate], mono; see [Decode].
func DecodeWAV(data []byte) ([]int16, error) {
	s, err := decodeWAV(data)
	return s.At(Rate).Samples, err
}

// decodeWAV reads a WAV file; see [audio.DecodeWAV].
func decodeWAV(data []byte) (Sound, error) {
	samples, rate, err := audio.DecodeWAV(data, MaxAudioLength)
	if errors.Is(err, audio.ErrTooLong) {
		err = ErrTooLong
	}
	if err != nil {
		return Sound{Rate: Rate}, err
	}
	return Sound{Samples: samples, Rate: rate}, nil
}

// WAVWriter writes a PCM file of 16 bits. Its header is right after Flush, so that a file is whole up to there
// whatever happens later.
type WAVWriter struct {
	file     io.WriteSeeker
	rate     int
	channels int
	written  int64
	buf      []byte
}

// NewWAVWriter begins a file of a sample rate in Hz.
func NewWAVWriter(file io.WriteSeeker, rate, channels int) (*WAVWriter, error) {
	w := &WAVWriter{file: file, rate: rate, channels: channels}
	return w, w.header()
}

func (w *WAVWriter) header() error {
	h := audio.AppendWAVHeader(nil, w.rate, w.channels, w.written)
	if _, err := w.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := w.file.Write(h); err != nil {
		return err
	}
	_, err := w.file.Seek(0, io.SeekEnd)
	return err
}

// Write appends samples; those of several channels alternate.
func (w *WAVWriter) Write(samples []int16) error {
	w.buf = audio.AppendPCM(w.buf[:0], samples)
	n, err := w.file.Write(w.buf)
	w.written += int64(n)
	return err
}

// Flush brings the header up to date.
func (w *WAVWriter) Flush() error { return w.header() }

// EncodeWAV returns samples at [Rate] as a mono file.
func EncodeWAV(samples []int16) []byte { return Sound{Samples: samples, Rate: Rate}.WAV() }

// WAV returns the sound as a file.
func (s Sound) WAV() []byte { return audio.EncodeWAV(s.Samples, s.Rate) }
