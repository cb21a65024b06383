package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/hajimehoshi/go-mp3"
)

// mp3Frame is a frame of layer III (ISO/IEC 11172-3 and 13818-3 section 2.4).
type mp3Frame struct {
	header   uint32
	rate     int // Hz
	channels int
	lsf      bool // MPEG-2 or 2.5: half the rates, one granule
	side     []byte
	main     []byte // what follows the side information
	size     int    // of all
}

var (
	mp3BitRates    = [2][15]int{{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}, {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}}
	mp3SampleRates = [3]int{44100, 48000, 32000}
)

// Fields of a frame's header.
const (
	mp3Unprotected = 1 << 16
	mp3MPEG1       = 1 << 19
	mp3Not25       = 1 << 20
	mp3Padding     = 1 << 9
	mp3RateMask    = 3 << 10
	mp3BitRateMask = 15 << 12
	mp3MaxBitRate  = 14
)

// parseMP3Frame reads the frame that data begins with. ok is false when none does; short says that its end is
// missing.
func parseMP3Frame(data []byte) (f mp3Frame, short, ok bool) {
	if len(data) < 4 {
		return f, true, false
	}
	h := uint32(data[0])<<24 | uint32(data[1])<<16 | uint32(data[2])<<8 | uint32(data[3])
	version, layer, bitRate, rate := h>>19&3, h>>17&3, h>>12&15, h>>10&3
	if h>>21 != 0x7FF || version == 1 || layer != 1 || bitRate == 0 || bitRate == 15 || rate == 3 {
		return f, false, false
	}
	f = mp3Frame{header: h, rate: mp3SampleRates[rate], channels: 2, lsf: version != 3}
	if h>>6&3 == 3 {
		f.channels = 1
	}
	table, slots := 0, 144
	if f.lsf {
		table, slots = 1, 72
		f.rate /= 2
	}
	if version == 0 {
		f.rate /= 2
	}
	f.size = slots * mp3BitRates[table][bitRate] * 1000 / f.rate
	if h&mp3Padding != 0 {
		f.size++
	}
	at := 4
	if h&mp3Unprotected == 0 {
		at += 2
	}
	side := f.sideSize()
	if f.size < at+side {
		return f, false, false
	}
	if len(data) < f.size {
		return f, true, false
	}
	f.side, f.main = data[at:at+side], data[at+side:f.size]
	return f, false, true
}

func (f *mp3Frame) sideSize() int {
	switch {
	case f.lsf && f.channels == 1:
		return 9
	case f.lsf || f.channels == 1:
		return 17
	}
	return 32
}

// bits reads n bits of the side information.
func (f *mp3Frame) bits(at, n int) int {
	v := 0
	for i := at; i < at+n; i++ {
		v = v<<1 | int(f.side[i/8]>>(7-i%8)&1)
	}
	return v
}

// begin is how far before the frame its main data begins: in the main data of those before it.
func (f *mp3Frame) begin() int {
	if f.lsf {
		return f.bits(0, 8)
	}
	return f.bits(0, 9)
}

// length is how many octets of main data the frame needs.
func (f *mp3Frame) length() int {
	at, parts, step := 18, 2, 59 // mono, MPEG-1
	switch {
	case f.lsf:
		at, parts, step = 9, f.channels, 63
		if f.channels == 2 {
			at = 10
		}
	case f.channels == 2:
		at, parts = 20, 4
	}
	sum := 0
	for range parts {
		sum += f.bits(at, 12)
		at += step
	}
	return (sum + 7) / 8
}

// isIndex reports whether the frame holds a table of contents instead of sound.
func (f *mp3Frame) isIndex() bool {
	return bytes.HasPrefix(f.main, []byte("Xing")) || bytes.HasPrefix(f.main, []byte("Info")) || bytes.HasPrefix(f.main, []byte("VBRI"))
}

// mp3Reader makes each frame stand by itself: with its own main data, and without padding. The decoder loses the
// way in padded frames of MPEG-2, and does not know MPEG-2.5 at all, whose rates of 11025 and 12000 Hz differ from
// 16000 Hz of MPEG-2 by nothing but the name. What lies between frames is left out, and a frame that cannot be
// decoded is silent.
type mp3Reader struct {
	data    []byte
	first   mp3Frame
	store   []byte // main data of frames before
	out     []byte // not read yet
	buf     []byte
	skipped int
}

var (
	errNoFrame = errors.New("no frame of layer III")
	errSlowMP3 = errors.New("8000 Hz (MPEG-2.5) is not known, 11025 Hz and more are")
)

// newMP3Reader finds the first frame.
func newMP3Reader(data []byte) (*mp3Reader, error) {
	r := &mp3Reader{data: data}
	if bytes.HasPrefix(data, []byte("ID3")) && len(data) >= 10 {
		// The length has 7 bits in each octet.
		n := 10 + int(data[6]&0x7F)<<21 + int(data[7]&0x7F)<<14 + int(data[8]&0x7F)<<7 + int(data[9]&0x7F)
		if n >= len(data) {
			return nil, ErrTruncated
		}
		r.data = data[n:]
	}
	f, err := r.find()
	switch {
	case errors.Is(err, io.EOF):
		return nil, ErrTruncated
	case err != nil:
		return nil, err
	case f.rate == 8000:
		return nil, errSlowMP3
	}
	r.first = f
	return r, nil
}

// maxSkip bounds what is read over in search of a frame.
const maxSkip = 1 << 20

// find moves on to the next frame, which must be of the kind of the first, and be followed by another one.
func (r *mp3Reader) find() (mp3Frame, error) {
	for len(r.data) >= 4 {
		at := bytes.IndexByte(r.data, 0xFF)
		if at < 0 {
			break
		}
		r.skipped += at
		r.data = r.data[at:]
		f, short, ok := parseMP3Frame(r.data)
		if short {
			if _, _, more := parseMP3Frame(r.data[1:]); !more && r.first.size == 0 {
				return f, io.EOF
			}
		}
		if ok && r.follows(f) {
			return f, nil
		}
		r.data = r.data[1:]
		if r.skipped++; r.skipped > maxSkip {
			return f, errNoFrame
		}
	}
	if r.first.size == 0 && r.skipped > 0 {
		return mp3Frame{}, errNoFrame
	}
	return mp3Frame{}, io.EOF
}

// follows tells a frame from octets that look like one.
func (r *mp3Reader) follows(f mp3Frame) bool {
	const same = 0xFFFE0000 | mp3RateMask
	if r.first.size != 0 && (f.header^r.first.header)&same != 0 {
		return false
	}
	rest := r.data[f.size:]
	if len(rest) < 4 {
		return true
	}
	next, short, ok := parseMP3Frame(rest)
	return (ok || short && next.size > 0) && (next.header^f.header)&same == 0 || bytes.HasPrefix(rest, []byte("TAG")) || r.first.size != 0
}

// Read implements io.Reader.
func (r *mp3Reader) Read(p []byte) (int, error) {
	for len(r.out) == 0 {
		f, err := r.find()
		if err != nil {
			return 0, io.EOF
		}
		r.data = r.data[f.size:]
		if !f.isIndex() {
			r.out = r.rewrite(&f)
		}
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

// rewrite returns a frame as it stands by itself.
func (r *mp3Reader) rewrite(f *mp3Frame) []byte {
	begin, need := f.begin(), f.length()
	var main []byte
	if begin <= len(r.store) {
		main = append(main, r.store[len(r.store)-begin:]...)
		main = append(main, f.main...)
	}
	r.store = append(r.store, f.main...)
	if n := len(r.store) - 2048; n > 0 {
		r.store = r.store[:copy(r.store, r.store[n:])]
	}

	h := f.header&^(mp3BitRateMask|mp3Padding) | mp3Unprotected | mp3MaxBitRate<<12
	rate, slots := f.rate, 144*320_000
	if f.lsf {
		slots = 72 * 160_000
	}
	if h&mp3Not25 == 0 {
		h, rate = h&^mp3RateMask|mp3Not25|2<<10, 16000
	}
	size := slots / rate
	r.buf = append(r.buf[:0], byte(h>>24), byte(h>>16), byte(h>>8), byte(h))
	if need <= len(main) && len(r.buf)+len(f.side)+need <= size {
		side := len(r.buf)
		r.buf = append(append(r.buf, f.side...), main[:need]...)
		r.buf[side] = 0 // the main data begins here
		if !f.lsf {
			r.buf[side+1] &= 0x7F
		}
	}
	n := len(r.buf)
	r.buf = append(r.buf, make([]byte, size-n)...)
	return r.buf
}

func decodeMP3(ctx context.Context, data []byte, rate int) (Sound, error) {
	frames, err := newMP3Reader(data)
	if err != nil {
		return Sound{Rate: rate}, fmt.Errorf("mp3: %w", err)
	}
	d, err := mp3.NewDecoder(frames)
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = ErrTruncated
		}
		return Sound{Rate: rate}, fmt.Errorf("mp3: %w", err)
	}
	r, err := newReading(ctx, frames.first.rate, rate)
	if err != nil {
		return Sound{Rate: rate}, fmt.Errorf("mp3: %w", err)
	}
	buf, mono := make([]byte, 1152*4*4), make([]int16, 0, 1152*4)
	for {
		n, err := io.ReadFull(d, buf)
		mono = mono[:0]
		for b := buf[:n]; len(b) >= 4; b = b[4:] { // always two channels
			left, right := int16(uint16(b[0])|uint16(b[1])<<8), int16(uint16(b[2])|uint16(b[3])<<8)
			mono = append(mono, int16((int(left)+int(right))/2))
		}
		if wrong := r.add(mono); wrong != nil {
			return Sound{Rate: rate}, fmt.Errorf("mp3: %w", wrong)
		}
		if err != nil {
			return r.end(err)
		}
	}
}
