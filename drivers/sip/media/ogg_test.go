package media_test

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// withChecksums makes the checksums of an OGG file's pages right (RFC 3533 section 6), so that what is wrong behind
// them is found.
func withChecksums(data []byte) []byte {
	for page := data; len(page) >= 27 && string(page[:4]) == "OggS"; {
		size := 27 + int(page[26])
		if len(page) < size {
			break
		}
		for _, n := range page[27:size] {
			size += int(n)
		}
		if len(page) < size {
			break
		}
		clear(page[22:26])
		crc := uint32(0)
		for _, b := range page[:size] {
			crc ^= uint32(b) << 24
			for range 8 {
				crc = crc<<1 ^ crc>>31*0x04C11DB7
			}
		}
		binary.LittleEndian.PutUint32(page[22:], crc)
		page = page[size:]
	}
	return data
}

// FuzzDecodeOGG changes a few octets of a real file at a time.
func FuzzDecodeOGG(f *testing.F) {
	whole := file(f, "mono22050.ogg")
	for _, at := range []uint16{20, 60, 100, 150, 400, 1000, 2000, 3900, 4100, 4400} {
		f.Add(at, []byte{0xFF})
		f.Add(at, []byte{0, 0, 0})
	}
	f.Fuzz(func(t *testing.T, at uint16, octets []byte) {
		data := append([]byte(nil), whole...)
		if int(at) < len(data) {
			copy(data[at:], octets)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begun := time.Now()
		s, err := media.Decode(ctx, withChecksums(data), media.Rate)
		if took := time.Since(begun); took > 4*time.Second {
			t.Errorf("it takes %v", took)
		}
		if err == nil == s.Empty() {
			t.Errorf("%v and %d samples", err, len(s.Samples))
		}
	})
}
