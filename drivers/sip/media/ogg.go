package media

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/jfreymuth/oggvorbis"

	"github.com/piopiy/piopiyd/audio"
)

// The decoder believes what headers say: a few octets can have it ask for all memory, or search for ever. So the
// pages (RFC 3533) and headers (Vorbis I section 4.2) are looked at before.

const (
	// maxOGGPacket bounds a packet.
	maxOGGPacket = 1 << 20
	// maxCodebook bounds the entries of a codebook, maxCodebooks those of all, maxVectors the numbers in all.
	maxCodebook  = 1 << 15
	maxCodebooks = 1 << 18
	maxVectors   = 1 << 21
)

var (
	errVorbis      = errors.New("the headers are damaged")
	errNoVorbis    = errors.New("no stream of Vorbis")
	errVorbisBooks = errors.New("the codebooks are damaged, or too large")
)

// vorbisStream returns the pages of the first Vorbis stream in data, and its first three packets.
func vorbisStream(data []byte) (pages []byte, headers [][]byte, err error) {
	var serial []byte
	var packet []byte
	pages = make([]byte, 0, len(data))
	for len(data) >= 27 && string(data[:4]) == "OggS" {
		table := 27 + int(data[26])
		if len(data) < table {
			break
		}
		size := table
		for _, n := range data[27:table] {
			size += int(n)
		}
		if len(data) < size {
			break
		}
		page, flags := data[:size], data[5]
		data = data[size:]
		if serial == nil && flags&2 != 0 && bytes.HasPrefix(page[table:], []byte("\x01vorbis")) {
			serial = page[14:18]
		}
		if serial == nil || !bytes.Equal(serial, page[14:18]) {
			continue
		}
		if table == 27 {
			continue // no segments
		}
		pages = append(pages, page...)
		body := page[table:]
		for _, n := range page[27:table] {
			packet, body = append(packet, body[:n]...), body[n:]
			if len(packet) > maxOGGPacket {
				return nil, nil, errVorbis
			}
			if n < 255 {
				if len(headers) < 3 {
					headers = append(headers, packet)
					packet = nil
				}
				packet = packet[:0]
			}
		}
		if flags&4 != 0 {
			break // the end of the stream
		}
	}
	switch {
	case serial == nil:
		return nil, nil, errNoVorbis
	case len(headers) < 3:
		return nil, nil, ErrTruncated
	}
	return pages, headers, nil
}

// checkVorbis looks at a stream's headers.
func checkVorbis(headers [][]byte) error {
	id, comment, setup := headers[0], headers[1], headers[2]
	if len(id) < 30 || !bytes.HasPrefix(comment, []byte("\x03vorbis")) || !bytes.HasPrefix(setup, []byte("\x05vorbis")) {
		return errVorbis
	}
	if small, large := id[28]&15, id[28]>>4; small < 6 || small > large || large > 13 {
		return errVorbis
	}
	rest := comment[7:]
	if len(rest) < 8 {
		return errVorbis
	}
	vendor := int64(binary.LittleEndian.Uint32(rest))
	if vendor > int64(len(rest)-8) {
		return errVorbis
	}
	rest = rest[4+vendor:]
	if count := int64(binary.LittleEndian.Uint32(rest)); count > int64(len(rest)/4) {
		return errVorbis
	}
	b := &vorbisBits{data: setup[7:]}
	entries, vectors := 0, 0
	for range b.read(8) + 1 {
		n, v, err := checkCodebook(b)
		if err != nil {
			return err
		}
		if entries, vectors = entries+n, vectors+v; entries > maxCodebooks || vectors > maxVectors {
			return errVorbisBooks
		}
	}
	return nil
}

// checkCodebook reads a codebook (section 3.2.1). Its tree of codes must be whole: in another one the decoder would
// look for a code that is not there.
func checkCodebook(b *vorbisBits) (entries, vectors int, err error) {
	pattern, dimensions := b.read(24), b.read(16)
	entries = b.read(24)
	if pattern != 0x564342 || dimensions == 0 || entries < 2 || entries > maxCodebook {
		return 0, 0, errVorbisBooks
	}
	var sum uint64 // of the shares that codes have of the tree, in units of 2^-32
	if b.read(1) == 0 {
		sparse := b.read(1) == 1
		for range entries {
			if !sparse || b.read(1) == 1 {
				sum += 1 << (32 - (b.read(5) + 1))
			}
		}
	} else {
		length := b.read(5) + 1
		for at := 0; at < entries; length++ {
			n := b.read(bitLength(entries - at))
			if length > 32 || n > entries-at || b.over {
				return 0, 0, errVorbisBooks
			}
			sum += uint64(n) << (32 - length)
			at += n
		}
	}
	if sum != 1<<32 || b.over {
		return 0, 0, errVorbisBooks
	}
	kind := b.read(4)
	if kind == 0 {
		return entries, 0, nil
	}
	vectors = entries * dimensions
	if kind > 2 || vectors > maxVectors {
		return 0, 0, errVorbisBooks
	}
	b.skip(64)
	bits := b.read(4) + 1
	b.skip(1)
	values := vectors
	if kind == 1 {
		values = lookupValues(entries, dimensions)
	}
	b.skip(values * bits)
	if b.over {
		return 0, 0, errVorbisBooks
	}
	return entries, vectors, nil
}

// lookupValues is the greatest number whose power of dimensions is not more than entries (section 9.2.3).
func lookupValues(entries, dimensions int) int {
	fits := func(v int) bool {
		power := 1
		for range dimensions {
			if power *= v; power > entries {
				return false
			}
			if v < 2 {
				break
			}
		}
		return true
	}
	v := 1
	for fits(v + 1) {
		v++
	}
	return v
}

// bitLength is how many bits a number has.
func bitLength(v int) int {
	n := 0
	for ; v > 0; v >>= 1 {
		n++
	}
	return n
}

// vorbisBits reads bits, the lowest of each octet first.
type vorbisBits struct {
	data []byte
	at   int // bits
	over bool
}

func (b *vorbisBits) read(n int) int {
	v := 0
	for i := range n {
		if b.at>>3 >= len(b.data) {
			b.over = true
			return 0
		}
		v |= int(b.data[b.at>>3]>>(b.at&7)&1) << i
		b.at++
	}
	return v
}

func (b *vorbisBits) skip(n int) {
	b.at += n
	b.over = b.over || b.at > 8*len(b.data)
}

func decodeOGG(ctx context.Context, data []byte, rate int) (Sound, error) {
	pages, headers, err := vorbisStream(data)
	if err == nil {
		err = checkVorbis(headers)
	}
	if err != nil {
		return Sound{Rate: rate}, fmt.Errorf("ogg: %w", err)
	}
	// Without Seek the decoder does not look for the end first, which a truncated file lacks.
	d, err := oggvorbis.NewReader(struct{ io.Reader }{bytes.NewReader(pages)})
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = ErrTruncated
		}
		return Sound{Rate: rate}, fmt.Errorf("ogg: %w", err)
	}
	channels := d.Channels()
	if channels < 1 || channels > 8 {
		return Sound{Rate: rate}, fmt.Errorf("ogg: %d channels, 1 to 8 are known", channels)
	}
	r, err := newReading(ctx, d.SampleRate(), rate)
	if err != nil {
		return Sound{Rate: rate}, fmt.Errorf("ogg: %w", err)
	}
	buf, mono := make([]float32, 4096*channels), make([]int16, 0, 4096)
	for {
		n, err := d.Read(buf)
		mono = mono[:0]
		for b := buf[:n]; len(b) >= channels; b = b[channels:] {
			sum := float32(0)
			for _, v := range b[:channels] {
				sum += v
			}
			mono = append(mono, pcm(sum/float32(channels)))
		}
		if wrong := r.add(mono); wrong != nil {
			return Sound{Rate: rate}, fmt.Errorf("ogg: %w", wrong)
		}
		if err != nil {
			return r.end(err)
		}
	}
}

// pcm is a sample between -1 and 1 as a number of 16 bits.
func pcm(v float32) int16 {
	if v != v { // not a number
		return 0
	}
	return audio.Round(max(-1, min(1, v)) * 32767)
}
