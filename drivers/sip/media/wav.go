package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// wave format tags (RFC 2361).
const (
	wavePCM        = 1
	waveFloat      = 3
	waveALaw       = 6
	waveMuLaw      = 7
	waveExtensible = 0xFFFE
)

// DecodeWAV reads a WAV file and returns its sound at [Rate], mono; see [Decode].
func DecodeWAV(data []byte) ([]int16, error) {
	s, err := decodeWAV(data)
	return s.At(Rate).Samples, err
}

// decodeWAV reads a WAV file. PCM of 8, 16, 24 and 32 bits, 32-bit float, A-law and mu-law are known. A file cut
// short, or whose length was never written, yields what there is.
func decodeWAV(data []byte) (Sound, error) {
	none := Sound{Rate: Rate}
	if len(data) < 12 || string(data[:4]) != "RIFF" || string(data[8:12]) != "WAVE" {
		return none, errors.New("wav: no RIFF/WAVE header")
	}
	var f waveFormat
	known := false
	for rest := data[12:]; len(rest) >= 8; {
		id, size := string(rest[:4]), int64(binary.LittleEndian.Uint32(rest[4:]))
		body := rest[8:]
		if size > int64(len(body)) {
			size = int64(len(body))
		}
		switch id {
		case "fmt ":
			var err error
			if f, err = parseFormat(body[:size]); err != nil {
				return none, err
			}
			known = true
		case "data":
			if !known {
				return none, errors.New("wav: the data comes before its format")
			}
			if durationAt(int(size)/(f.bits/8*f.channels), f.rate) > MaxAudioLength {
				return none, ErrTooLong
			}
			return Sound{Samples: f.decode(body[:size]), Rate: f.rate}, nil
		}
		rest = body[min(size+size%2, int64(len(body))):]
	}
	return none, errors.New("wav: no data")
}

type waveFormat struct {
	tag, channels, rate, bits int
}

func parseFormat(b []byte) (f waveFormat, err error) {
	if len(b) < 16 {
		return f, fmt.Errorf("wav: a format of %d octets, 16 needed", len(b))
	}
	f = waveFormat{
		tag: int(binary.LittleEndian.Uint16(b)), channels: int(binary.LittleEndian.Uint16(b[2:])),
		rate: int(binary.LittleEndian.Uint32(b[4:])), bits: int(binary.LittleEndian.Uint16(b[14:])),
	}
	if f.tag == waveExtensible && len(b) >= 26 {
		f.tag = int(binary.LittleEndian.Uint16(b[24:]))
	}
	switch {
	case f.channels < 1 || f.channels > 8:
		return f, fmt.Errorf("wav: %d channels, 1 to 8 are known", f.channels)
	case f.rate < 4000 || f.rate > 192000:
		return f, fmt.Errorf("wav: %d Hz, 4000 to 192000 are known", f.rate)
	case f.tag == wavePCM && (f.bits == 8 || f.bits == 16 || f.bits == 24 || f.bits == 32):
	case f.tag == waveFloat && f.bits == 32:
	case (f.tag == waveALaw || f.tag == waveMuLaw) && f.bits == 8:
	default:
		return f, fmt.Errorf("wav: format %d with %d bits is not known", f.tag, f.bits)
	}
	return f, nil
}

// decode returns the mean of the channels.
func (f waveFormat) decode(data []byte) []int16 {
	width := f.bits / 8
	out := make([]int16, 0, len(data)/(width*f.channels))
	for ; len(data) >= width*f.channels; data = data[width*f.channels:] {
		sum := 0
		for c := range f.channels {
			sum += f.sample(data[c*width:])
		}
		out = append(out, int16(sum/f.channels))
	}
	return out
}

func (f waveFormat) sample(b []byte) int {
	switch {
	case f.tag == waveMuLaw:
		return int(fromMuLaw[b[0]])
	case f.tag == waveALaw:
		return int(fromALaw[b[0]])
	case f.tag == waveFloat:
		v := float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
		if math.IsNaN(v) {
			return 0
		}
		return int(max(-32768, min(32767, v*32768)))
	case f.bits == 8:
		return (int(b[0]) - 128) << 8
	case f.bits == 16:
		return int(int16(binary.LittleEndian.Uint16(b)))
	case f.bits == 24:
		return int(int16(binary.LittleEndian.Uint16(b[1:])))
	}
	return int(int16(binary.LittleEndian.Uint16(b[2:])))
}

// wavHeader is the length of the header that a WAVWriter writes.
const wavHeader = 44

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
	size := uint32(min(w.written, math.MaxUint32-wavHeader))
	h := append(make([]byte, 0, wavHeader), "RIFF"...)
	h = binary.LittleEndian.AppendUint32(h, size+wavHeader-8)
	h = append(h, "WAVEfmt "...)
	h = binary.LittleEndian.AppendUint32(h, 16)
	h = binary.LittleEndian.AppendUint16(h, wavePCM)
	h = binary.LittleEndian.AppendUint16(h, uint16(w.channels))
	h = binary.LittleEndian.AppendUint32(h, uint32(w.rate))
	h = binary.LittleEndian.AppendUint32(h, uint32(w.rate*2*w.channels))
	h = binary.LittleEndian.AppendUint16(h, uint16(2*w.channels))
	h = binary.LittleEndian.AppendUint16(h, 16)
	h = append(h, "data"...)
	h = binary.LittleEndian.AppendUint32(h, size)
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
	w.buf = w.buf[:0]
	for _, s := range samples {
		w.buf = binary.LittleEndian.AppendUint16(w.buf, uint16(s))
	}
	n, err := w.file.Write(w.buf)
	w.written += int64(n)
	return err
}

// Flush brings the header up to date.
func (w *WAVWriter) Flush() error { return w.header() }

// EncodeWAV returns samples at [Rate] as a mono file.
func EncodeWAV(samples []int16) []byte { return Sound{Samples: samples, Rate: Rate}.WAV() }

// WAV returns the sound as a file.
func (s Sound) WAV() []byte {
	var f memoryFile
	w, _ := NewWAVWriter(&f, s.Rate, 1)
	_ = w.Write(s.Samples)
	_ = w.Flush()
	return f.data
}

// memoryFile is a file that only grows, but for its beginning.
type memoryFile struct {
	data []byte
	at   int
}

func (f *memoryFile) Write(p []byte) (int, error) {
	n := copy(f.data[f.at:], p)
	f.data = append(f.data, p[n:]...)
	f.at += len(p)
	return len(p), nil
}

func (f *memoryFile) Seek(offset int64, whence int) (int64, error) {
	f.at = int(offset)
	if whence == io.SeekEnd {
		f.at += len(f.data)
	}
	return int64(f.at), nil
}
