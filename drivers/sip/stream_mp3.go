package sip

import (
	"context"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// mp3Seam joins the pieces of an MP3 stream that a server has cut anywhere, as those do that pass on what a speech
// service sends: a frame that is cut in two is put together again, and since a frame needs the ones before it
// (ISO/IEC 11172-3 section 2.4.2.7: the bit reservoir), the last of a piece are decoded again before
// the next.
type mp3Seam struct {
	lead   []byte // the last whole frames
	frames int    // how many those are
	rest   []byte // the beginning of a frame
	header mp3Header

	resampler *audio.Resampler // goes on from piece to piece
}

// leadFrames is how many frames are decoded again: more than the bit reservoir can reach back at any bit rate that
// speech comes in.
const leadFrames = 8

// decode returns the samples of a piece at a rate. It holds the last millisecond back, until flush.
func (m *mp3Seam) decode(ctx context.Context, data []byte, rate int) ([]int16, error) {
	lead, before := 0, m.resampler
	if m.continues(data) {
		lead = m.frames * m.header.samples()
		data = append(append(m.lead[:len(m.lead):len(m.lead)], m.rest...), data...)
	}
	m.cut(data)
	if m.header.rate == 0 { // it begins with no frame
		s, err := media.Decode(ctx, data, rate)
		return append(flushed(before), s.Samples...), err
	}
	s, err := media.Decode(ctx, data, m.header.rate)
	if err != nil {
		return flushed(before), err
	}
	var out []int16
	if m.resampler = before; lead == 0 {
		out = flushed(before)
		m.resampler = audio.NewResampler(m.header.rate, rate)
	}
	return m.resampler.Append(out, s.Samples[min(lead, len(s.Samples)):]), nil
}

// flush returns what was held back and forgets all.
func (m *mp3Seam) flush() []int16 {
	r := m.resampler
	*m = mp3Seam{}
	return flushed(r)
}

func flushed(r *audio.Resampler) []int16 {
	if r == nil {
		return nil
	}
	return r.Flush(nil)
}

// continues reports whether a piece goes on where the one before ended.
func (m *mp3Seam) continues(data []byte) bool {
	switch {
	case m.frames == 0:
		return false
	case len(m.rest) == 0: // it was cut between two frames
		next, ok := parseMP3Header(data)
		return ok && next.rate == m.header.rate && reachesBack(data)
	}
	begin := append(m.rest[:len(m.rest):len(m.rest)], data[:min(len(data), mp3HeaderSize)]...)
	split, ok := parseMP3Header(begin)
	if !ok || split.rate != m.header.rate {
		return false
	}
	missing := split.size - len(m.rest)
	if len(data) < missing+mp3HeaderSize {
		return len(data) >= missing && !isMP3Begin(data)
	}
	next, ok := parseMP3Header(data[missing:])
	return ok && next.rate == m.header.rate
}

// reachesBack reports whether a frame needs data of those before it, as the first one of a file never does: its
// main_data_begin is not 0.
func reachesBack(frame []byte) bool {
	at := mp3HeaderSize
	if frame[1]&1 == 0 { // a CRC follows
		at += 2
	}
	return len(frame) > at+1 && (frame[at] != 0 || frame[1]>>3&3 == 3 && frame[at+1]&0x80 != 0)
}

// isMP3Begin reports whether data begins as a file does.
func isMP3Begin(data []byte) bool {
	if len(data) >= 3 && string(data[:3]) == "ID3" {
		return true
	}
	_, ok := parseMP3Header(data)
	return ok
}

// cut notes how a piece ends.
func (m *mp3Seam) cut(data []byte) {
	*m = mp3Seam{}
	at := skipID3(data)
	var begins []int // of whole frames
	for at+mp3HeaderSize <= len(data) {
		h, ok := parseMP3Header(data[at:])
		if !ok {
			return // damaged, or no MP3 at all
		}
		m.header = h
		if at+h.size > len(data) {
			break
		}
		begins = append(begins, at)
		at += h.size
	}
	if len(begins) == 0 {
		return
	}
	begins = begins[max(0, len(begins)-leadFrames):]
	m.frames = len(begins)
	m.lead = append([]byte(nil), data[begins[0]:at]...)
	m.rest = append([]byte(nil), data[at:]...)
}

// skipID3 returns where the first frame may begin (ID3v2 section 3.1).
func skipID3(data []byte) int {
	const header = 10
	if len(data) < header || string(data[:3]) != "ID3" {
		return 0
	}
	size := 0
	for _, b := range data[6:header] {
		size = size<<7 | int(b&0x7F)
	}
	return min(header+size, len(data))
}

const mp3HeaderSize = 4

// mp3Header is the header of a frame of layer III (ISO/IEC 11172-3 section 2.4.1.3 and 13818-3).
type mp3Header struct {
	low  bool // MPEG-2 or 2.5
	rate int  // in Hz
	size int  // of the frame, in octets
}

var (
	mp3Rates    = [3]int{44100, 48000, 32000}
	mp3BitRates = [2][15]int{
		{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
		{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
	}
)

func parseMP3Header(b []byte) (h mp3Header, ok bool) {
	if len(b) < mp3HeaderSize || b[0] != 0xFF || b[1]&0xE6 != 0xE2 {
		return h, false
	}
	version, bits, rate := b[1]>>3&3, b[2]>>4, b[2]>>2&3
	if version == 1 || bits == 0 || bits == 15 || rate == 3 {
		return h, false
	}
	h.rate = mp3Rates[rate]
	table, scale := 0, 144_000
	if version != 3 {
		h.low, h.rate, table, scale = true, h.rate/2, 1, 72_000
	}
	if version == 0 {
		h.rate /= 2
	}
	h.size = scale*mp3BitRates[table][bits]/h.rate + int(b[2]>>1&1)
	return h, true
}

// samples is how many a frame holds.
func (h mp3Header) samples() int {
	if h.low {
		return 576
	}
	return 1152
}
