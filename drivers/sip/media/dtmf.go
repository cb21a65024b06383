package media

import (
	"errors"
	"fmt"
	"strings"
)

// Digits are the keys of a telephone in the order of their event codes (RFC 4733 section 3.2).
const Digits = "0123456789*#ABCD"

// Event is a telephone event's payload (RFC 4733 section 2.3).
type Event struct {
	// Code is the event: 0 to 15 are the keys.
	Code uint8
	// End says that the key was let go.
	End bool
	// Volume is in -dBm0, 0 to 63.
	Volume uint8
	// Duration is how long the key has been down, in units of the RTP clock.
	Duration uint16
}

// ParseEvent reads a payload; what follows the first event is ignored.
func ParseEvent(payload []byte) (Event, error) {
	if len(payload) < 4 {
		return Event{}, fmt.Errorf("telephone event: %d octets, 4 needed", len(payload))
	}
	return Event{
		Code: payload[0], End: payload[1]&0x80 != 0, Volume: payload[1] & 0x3F,
		Duration: uint16(payload[2])<<8 | uint16(payload[3]),
	}, nil
}

// Append appends the event as it goes onto the wire.
func (e Event) Append(dst []byte) []byte {
	second := e.Volume & 0x3F
	if e.End {
		second |= 0x80
	}
	return append(dst, e.Code, second, byte(e.Duration>>8), byte(e.Duration))
}

// Digit returns the key, or false for events that are none.
func (e Event) Digit() (byte, bool) {
	if int(e.Code) >= len(Digits) {
		return 0, false
	}
	return Digits[e.Code], true
}

// EventCode returns the code of a key, in either case.
func EventCode(digit byte) (uint8, error) {
	if digit >= 'a' && digit <= 'd' {
		digit -= 'a' - 'A'
	}
	i := strings.IndexByte(Digits, digit)
	if i < 0 {
		return 0, errors.New("not a telephone key")
	}
	return uint8(i), nil
}

// EventReceiver tells keys from the packets that repeat them: all packets of one key press have one timestamp
// (RFC 4733 section 2.5.1.2). The zero EventReceiver is ready to use.
type EventReceiver struct {
	last  uint32
	heard bool
}

// Put takes a packet and returns the key with the first packet of each press.
func (r *EventReceiver) Put(timestamp uint32, payload []byte) (digit byte, fresh bool) {
	e, err := ParseEvent(payload)
	if err != nil || r.heard && int32(timestamp-r.last) <= 0 {
		return 0, false
	}
	digit, ok := e.Digit()
	if ok {
		r.heard, r.last = true, timestamp
	}
	return digit, ok
}

// Reset forgets what was heard: the sender has begun a new timeline.
func (r *EventReceiver) Reset() { *r = EventReceiver{} }

// How keys are sent: a tenth of a second each, three final packets in a row (RFC 4733 section 2.5.1.4), a pause.
const (
	keyTicks   = 5
	endPackets = 3
	gapTicks   = 3
	keyVolume  = 10
)

// eventClock is the rate of the clock of telephone events in Hz.
func (f Format) eventClock() int {
	if f.EventClock > 0 {
		return f.EventClock
	}
	return f.Codec.ClockRate()
}

// eventSender sends keys, one packet per tick.
type eventSender struct {
	queue []uint8
	tick  int
	start uint32
}

// next returns what to send in this tick instead of sound: the event, its timestamp and whether the packet begins
// a press; ok is false when no key is to be sent. final says to send the packet thrice. step is a tick in units of the
// events' clock.
func (s *eventSender) next(timestamp uint32, step int) (e Event, start uint32, first, final, ok bool) {
	if len(s.queue) == 0 {
		return e, 0, false, false, false
	}
	if s.tick == 0 {
		s.start = timestamp
	}
	s.tick++
	e = Event{Code: s.queue[0], Volume: keyVolume, Duration: uint16(min(s.tick, keyTicks) * step)}
	switch {
	case s.tick < keyTicks:
	case s.tick == keyTicks:
		e.End, final = true, true
	case s.tick < keyTicks+gapTicks:
		return e, 0, false, false, false
	default:
		s.queue, s.tick = s.queue[1:], 0
		return e, 0, false, false, false
	}
	return e, s.start, s.tick == 1, final, true
}
