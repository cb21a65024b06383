package audio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// wave format tags (RFC 2361).
const (
	wavePCM        = 1
	waveFloat      = 3
	waveALaw       = 6
	waveMuLaw      = 7
	waveExtensible = 0xFFFE
)

// ErrTooLong says that sound is longer than its reader takes.
var ErrTooLong = errors.New("the sound is too long")

// DecodeWAV reads a WAV file and returns its sound, mono, and its rate in Hz. PCM of 8, 16, 24 and 32 bits, 32-bit
// float, A-law and mu-law are known; the channels are mixed. A file cut short, or whose length was never written,
// yields what there is. The error is [ErrTooLong] when there is more than longest.
func DecodeWAV(data []byte, longest time.Duration) (samples []int16, rate int, err error) {
	if len(data) < 12 || string(data[:4]) != "RIFF" || string(data[8:12]) != "WAVE" {
		return nil, 0, errors.New("wav: no RIFF/WAVE header")
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
			if f, err = parseFormat(body[:size]); err != nil {
				return nil, 0, err
			}
			known = true
		case "data":
			if !known {
				return nil, 0, errors.New("wav: the data comes before its format")
			}
			if n := size / int64(f.bits/8*f.channels); time.Duration(n)*time.Second/time.Duration(f.rate) > longest {
				return nil, 0, ErrTooLong
			}
			return f.decode(body[:size]), f.rate, nil
		}
		rest = body[min(size+size%2, int64(len(body))):]
	}
	return nil, 0, errors.New("wav: no data")
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

// WAVHeaderSize is the length of what [AppendWAVHeader] appends, in octets.
const WAVHeaderSize = 44

// AppendWAVHeader appends the beginning of a WAV file of 16 bit PCM: size octets of samples follow it, those of
// several channels alternate. What does not fit a WAV file is not counted.
func AppendWAVHeader(dst []byte, rate, channels int, size int64) []byte {
	octets := uint32(min(size, math.MaxUint32-WAVHeaderSize))
	h := append(dst, "RIFF"...)
	h = binary.LittleEndian.AppendUint32(h, octets+WAVHeaderSize-8)
	h = append(h, "WAVEfmt "...)
	h = binary.LittleEndian.AppendUint32(h, 16)
	h = binary.LittleEndian.AppendUint16(h, wavePCM)
	h = binary.LittleEndian.AppendUint16(h, uint16(channels))
	h = binary.LittleEndian.AppendUint32(h, uint32(rate))
	h = binary.LittleEndian.AppendUint32(h, uint32(rate*2*channels))
	h = binary.LittleEndian.AppendUint16(h, uint16(2*channels))
	h = binary.LittleEndian.AppendUint16(h, 16)
	h = append(h, "data"...)
	return binary.LittleEndian.AppendUint32(h, octets)
}

// EncodeWAV returns samples, mono, as a WAV file of 16 bit PCM at a rate in Hz.
func EncodeWAV(samples []int16, rate int) []byte {
	size := 2 * len(samples)
	return AppendPCM(AppendWAVHeader(make([]byte, 0, WAVHeaderSize+size), rate, 1, int64(size)), samples)
}
