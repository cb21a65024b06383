package call

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// DeliveryKey tells an event or record apart from all others: a hash of what makes it the same one, so that it
// has one size whatever came from outside.
type DeliveryKey [16]byte

// String returns the key in hexadecimal.
func (k DeliveryKey) String() string { return hex.EncodeToString(k[:]) }

func cdrKey(r *CDR) DeliveryKey {
	return hashKey("cdr", r.App, r.CallID, r.LegID, string(r.Leg))
}

func eventKey(e *Event) DeliveryKey {
	if e.Time.IsZero() {
		return hashKey("event", e.App, e.CallID, e.LegID, string(e.Leg), string(e.Status), "", string(e.Raw))
	}
	var t [8]byte
	binary.BigEndian.PutUint64(t[:], uint64(e.Time.UnixNano()))
	return hashKey("event", e.App, e.CallID, e.LegID, string(e.Leg), string(e.Status), string(t[:]))
}

// hashKey hashes the fields with their lengths, so that no field can pass for a part of another.
func hashKey(fields ...string) (k DeliveryKey) {
	var space [512]byte
	buf := space[:0]
	for _, f := range fields {
		buf = binary.AppendUvarint(buf, uint64(len(f)))
		buf = append(buf, f...)
	}
	sum := sha256.Sum256(buf)
	copy(k[:], sum[:])
	return k
}

// memory remembers keys for a while. It is kept in slices of time, so that forgetting is dropping a whole map.
type memory struct {
	keep   time.Duration
	max    int
	slices []memorySlice // oldest first
}

type memorySlice struct {
	began time.Time
	keys  map[DeliveryKey]struct{}
}

const memorySlices = 8

func (m *memory) has(k DeliveryKey) bool {
	for i := len(m.slices) - 1; i >= 0; i-- {
		if _, ok := m.slices[i].keys[k]; ok {
			return true
		}
	}
	return false
}

// add remembers a key as of now; times must not go backwards much.
func (m *memory) add(k DeliveryKey, now time.Time) {
	n := len(m.slices)
	if n == 0 || now.Sub(m.slices[n-1].began) >= m.keep/memorySlices || len(m.slices[n-1].keys) >= max(1, m.max/memorySlices) {
		m.slices = append(m.slices, memorySlice{began: now, keys: map[DeliveryKey]struct{}{}})
		n++
	}
	m.slices[n-1].keys[k] = struct{}{}
	m.forget(now)
}

// forget drops what is past its time or over the bound.
func (m *memory) forget(now time.Time) {
	for len(m.slices) > 1 && (m.total() > m.max || now.Sub(m.slices[0].began) > m.keep+m.keep/memorySlices) {
		m.slices = m.slices[1:]
	}
}

func (m *memory) total() (n int) {
	for _, s := range m.slices {
		n += len(s.keys)
	}
	return n
}
