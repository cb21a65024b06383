package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// What is stored is binary: a format byte, then fields with their lengths as varints. It is written on the hot path,
// where JSON costs ten times as much, and holds any bytes. A new format gets a new first byte.
const (
	formatEntries  = 2
	formatAccepted = 1
	formatDone     = 1
	formatUnderway = 1
	formatAlias    = 1
)

var errCut = errors.New("the stored data ends too early")

func appendString[T ~string | ~[]byte](dst []byte, s T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// appendTime stores seconds since 1970 and nanoseconds; the zone is not kept.
func appendTime(dst []byte, t time.Time) []byte {
	dst = binary.AppendVarint(dst, t.Unix())
	return binary.AppendUvarint(dst, uint64(t.Nanosecond()))
}

// reader takes fields off; after a failure it returns zero values and keeps the error.
type reader struct {
	buf []byte
	err error
}

func (r *reader) fail() {
	r.buf = nil
	if r.err == nil {
		r.err = errCut
	}
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.buf)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.buf = r.buf[n:]
	return v
}

func (r *reader) time() time.Time {
	sec, n := binary.Varint(r.buf)
	if n <= 0 {
		r.fail()
		return time.Time{}
	}
	r.buf = r.buf[n:]
	return time.Unix(sec, int64(r.uint()%1e9)).UTC()
}

func (r *reader) bytes() []byte {
	n := r.uint()
	if n > uint64(len(r.buf)) {
		r.fail()
		return nil
	}
	b := r.buf[:n:n]
	r.buf = r.buf[n:]
	if n == 0 {
		return nil
	}
	return b
}

func (r *reader) string() string { return string(r.bytes()) }

func (r *reader) byte() byte {
	if len(r.buf) == 0 {
		r.fail()
		return 0
	}
	b := r.buf[0]
	r.buf = r.buf[1:]
	return b
}

// Of entries there are two formats: the second has operations and outcomes.
const formatPlainEntries = 1

// appendEntries stores one turn's entries.
func appendEntries(dst []byte, entries []runtime.Entry) []byte {
	dst = append(dst, formatEntries)
	dst = binary.AppendUvarint(dst, uint64(len(entries)))
	version := ""
	for i := range entries {
		e := &entries[i]
		dst = binary.AppendUvarint(dst, e.Seq)
		dst = appendTime(dst, e.Time)
		dst = appendString(dst, e.Kind)
		if e.Version == version { // nearly always the one before
			dst = append(dst, 0)
		} else {
			dst = append(dst, 1)
			dst = appendString(dst, e.Version)
			version = e.Version
		}
		dst = appendString(dst, e.Data)
		dst = binary.AppendUvarint(dst, e.Op)
		dst = appendString(dst, e.Outcome)
	}
	return dst
}

// decodeEntries returns the entries of one stored turn. They share data's memory.
func decodeEntries(data []byte) ([]runtime.Entry, error) {
	r := &reader{buf: data}
	f := r.byte()
	if r.err == nil && f != formatEntries && f != formatPlainEntries {
		return nil, fmt.Errorf("entries are stored in format %d, which this piopiyd does not know", f)
	}
	n := r.uint()
	entries := make([]runtime.Entry, 0, min(n, uint64(len(data)/5)))
	version := ""
	for range n {
		e := runtime.Entry{Seq: r.uint(), Time: r.time(), Kind: r.string()}
		if r.byte() != 0 {
			version = r.string()
		}
		e.Version = version
		e.Data = r.bytes()
		if f == formatEntries {
			e.Op, e.Outcome = r.uint(), r.bytes()
		}
		if r.err != nil {
			return nil, r.err
		}
		entries = append(entries, e)
	}
	return entries, r.err
}

const (
	kindEvent = 1
	kindCDR   = 2
)

// appendAccepted stores one accepted event or record.
func appendAccepted(dst []byte, a *call.Accepted) []byte {
	dst = append(dst, a.Key[:]...)
	dst = appendTime(dst, a.Time)
	if e := a.Event; e != nil {
		dst = append(dst, kindEvent)
		for _, s := range []string{e.App, e.CallID, e.LegID, e.RequestID, string(e.Leg), string(e.Direction), string(e.Status), e.WireStatus, e.From, e.To, e.ExtraParams} {
			dst = appendString(dst, s)
		}
		dst = appendTime(dst, e.Time)
		return appendString(dst, e.Raw)
	}
	return appendCDR(append(dst, kindCDR), a.CDR)
}

// appendCDR stores a record, but for its driver.
func appendCDR(dst []byte, c *call.CDR) []byte {
	for _, s := range []string{c.App, c.CallID, c.LegID, c.RequestID, string(c.Leg), string(c.Direction), string(c.Status), c.From, c.To, c.ExtraParams} {
		dst = appendString(dst, s)
	}
	dst = appendTime(dst, c.Start)
	dst = appendTime(dst, c.Answer)
	dst = appendTime(dst, c.End)
	dst = binary.AppendUvarint(dst, uint64(c.Duration))
	return appendString(dst, c.Raw)
}

func (r *reader) cdr() *call.CDR {
	return &call.CDR{
		App: r.string(), CallID: r.string(), LegID: r.string(), RequestID: r.string(),
		Leg: call.Leg(r.string()), Direction: call.Direction(r.string()), Status: call.Status(r.string()),
		From: r.string(), To: r.string(), ExtraParams: r.string(),
		Start: r.time(), Answer: r.time(), End: r.time(),
		Duration: time.Duration(r.uint()), Raw: r.bytes(),
	}
}

func (r *reader) accepted() *call.Accepted {
	a := &call.Accepted{}
	if len(r.buf) < len(a.Key) {
		r.fail()
		return nil
	}
	copy(a.Key[:], r.buf)
	r.buf = r.buf[len(a.Key):]
	a.Time = r.time()
	switch kind := r.byte(); kind {
	case kindEvent:
		a.Event = &call.Event{
			App: r.string(), CallID: r.string(), LegID: r.string(), RequestID: r.string(),
			Leg: call.Leg(r.string()), Direction: call.Direction(r.string()), Status: call.Status(r.string()),
			WireStatus: r.string(), From: r.string(), To: r.string(), ExtraParams: r.string(),
			Time: r.time(), Raw: r.bytes(),
		}
	case kindCDR:
		a.CDR = r.cdr()
	default:
		if r.err == nil {
			r.err = fmt.Errorf("an accepted record has the kind %d, which this piopiyd does not know", kind)
		}
	}
	if r.err != nil {
		return nil
	}
	return a
}

// decodeAccepted returns what one message of the inbox holds.
func decodeAccepted(data []byte) (all []*call.Accepted, err error) {
	r := &reader{buf: data}
	if f := r.byte(); r.err == nil && f != formatAccepted {
		return nil, fmt.Errorf("the inbox is stored in format %d, which this piopiyd does not know", f)
	}
	for r.err == nil && len(r.buf) > 0 {
		if a := r.accepted(); a != nil {
			all = append(all, a)
		}
	}
	return all, r.err
}

// decodeDone returns the keys that one message of the done stream holds.
func decodeDone(data []byte) (keys []call.DeliveryKey, err error) {
	r := &reader{buf: data}
	if f := r.byte(); r.err == nil && f != formatDone {
		return nil, fmt.Errorf("done deliveries are stored in format %d, which this piopiyd does not know", f)
	}
	for len(r.buf) > 0 && r.err == nil {
		var k call.DeliveryKey
		if len(r.buf) < len(k) {
			r.fail()
			break
		}
		copy(k[:], r.buf)
		r.buf = r.buf[len(k):]
		keys = append(keys, k)
	}
	return keys, r.err
}

const (
	kindLeg     = 1 // a leg stands so
	kindLegOver = 2
	kindAlive   = 3
)

// appendLeg stores how a leg under way stands, appendLegOver that it has ended, appendAlive that the process is there.
func appendLeg(dst []byte, now time.Time, c *call.CDR) []byte {
	return appendCDR(appendString(appendTime(append(dst, kindLeg), now), c.Driver), c)
}

func appendLegOver(dst []byte, now time.Time, name callName, which call.Leg, id string) []byte {
	dst = appendTime(append(dst, kindLegOver), now)
	for _, s := range []string{name.app, name.call, string(which), id} {
		dst = appendString(dst, s)
	}
	return dst
}

func appendAlive(dst []byte, now time.Time) []byte { return appendTime(append(dst, kindAlive), now) }

// decodeUnderway tells a trace what one message of its process holds.
func decodeUnderway(data []byte, t *trace) error {
	r := &reader{buf: data}
	if f := r.byte(); r.err == nil && f != formatUnderway {
		return fmt.Errorf("the calls under way are stored in format %d, which this piopiyd does not know", f)
	}
	for r.err == nil && len(r.buf) > 0 {
		kind, now := r.byte(), r.time()
		switch kind {
		case kindLeg:
			driver := r.string()
			c := r.cdr()
			if c.Driver = driver; r.err == nil {
				t.leg(c)
			}
		case kindLegOver:
			name, which, id := callName{r.string(), r.string()}, call.Leg(r.string()), r.string()
			if r.err == nil {
				t.over(name, which, id)
			}
		case kindAlive:
		default:
			return fmt.Errorf("a note about calls under way has the kind %d, which this piopiyd does not know", kind)
		}
		if r.err == nil {
			t.at(now)
		}
	}
	return r.err
}
