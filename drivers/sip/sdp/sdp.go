// Package sdp is the offer/answer of a telephone call (RFC 3264): one stream of sound in G.711, G.722 or Opus, and
// telephone events.
package sdp

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// Errors of offers and answers that are well formed, and cannot be met: what is answered with 488 (RFC 3261
// section 21.4.26).
var (
	// ErrNoAudio says that no sound is offered.
	ErrNoAudio = errors.New("sdp: no audio over RTP")
	// ErrNoCodec says that there is no codec in common.
	ErrNoCodec = errors.New("sdp: no codec in common: PCMU, PCMA, G722 and Opus are spoken here")
	// ErrTooLarge says that a description is larger than is read.
	ErrTooLarge = errors.New("sdp: the description is too large")
)

// Direction is the way sound flows, as the writer of a description sees it (RFC 3264 section 5.1).
type Direction string

// Directions.
const (
	SendRecv Direction = "sendrecv"
	SendOnly Direction = "sendonly"
	RecvOnly Direction = "recvonly"
	Inactive Direction = "inactive"
)

// Description is what the other party described: its offer, or its answer to ours.
type Description struct {
	// Remote is where it wants sound. The address is not valid when it is a name.
	Remote netip.AddrPort
	// Codec and PayloadType are the first that we have too.
	Codec       media.Codec
	PayloadType uint8
	// EventType is the payload type of telephone events, 0 if none, and EventClock the rate of their clock in Hz: that
	// of the codec, where there are such.
	EventType  uint8
	EventClock int
	// Opus is what it would like of that codec, where it is the one.
	Opus      media.OpusFormat
	Direction Direction
	// RTCPMux says that RTCP may share the port (RFC 5761).
	RTCPMux bool

	streams  []string // the m= lines, as an answer must repeat them
	audio    int      // the index of ours
	protocol string   // of ours
	crypto   *crypto  // nil for plain RTP
}

// Format returns what the description means for a session: what the party does not receive is not sent.
func (d *Description) Format() media.Format {
	return media.Format{
		Remote: d.Remote, Codec: d.Codec, PayloadType: d.PayloadType, EventType: d.EventType, EventClock: d.eventClock(), Opus: d.Opus, RTCPMux: d.RTCPMux,
		Send:    d.Direction == SendRecv || d.Direction == RecvOnly,
		Receive: d.Direction == SendRecv || d.Direction == SendOnly,
	}
}

// eventClock is the clock of telephone events where it is not that of the codec.
func (d *Description) eventClock() int {
	if d.EventClock == d.Codec.ClockRate() {
		return 0
	}
	return d.EventClock
}

// maxSize bounds a description, maxStreams its m= lines.
const (
	maxSize    = 16 << 10
	maxStreams = 16
)

// Parse reads the other party's description of plain RTP; [Local.Parse] reads SRTP as well.
func Parse(body []byte) (*Description, error) { return parse(body, Plain, media.Codecs) }

func parse(body []byte, security Security, codecs []media.Codec) (*Description, error) {
	if len(body) > maxSize {
		return nil, fmt.Errorf("%w: %d octets, at most %d are read", ErrTooLarge, len(body), maxSize)
	}
	var s sdp.SessionDescription
	if err := s.Unmarshal(body); err != nil {
		return nil, fmt.Errorf("sdp: %w", err)
	}
	if len(s.MediaDescriptions) > maxStreams {
		return nil, fmt.Errorf("%w: %d streams, at most %d are read", ErrTooLarge, len(s.MediaDescriptions), maxStreams)
	}
	d := &Description{audio: -1}
	reason, best := ErrNoAudio, 0
	for i, m := range s.MediaDescriptions {
		name := m.MediaName
		d.streams = append(d.streams, name.Media+" 0 "+strings.Join(name.Protos, "/")+" "+strings.Join(name.Formats, " "))
		if name.Media != "audio" || name.Port.Value == 0 {
			continue
		}
		plain, secured := profile(name.Protos)
		rank, keys := security.fits(m)
		if rank <= best {
			if (plain || secured) && rank == 0 && best == 0 {
				reason = ErrSecurity
			}
			continue
		}
		chosen := Description{streams: d.streams, audio: i, protocol: strings.Join(name.Protos, "/"), crypto: keys}
		if !chosen.choose(m, codecs) {
			if best == 0 {
				reason = ErrNoCodec
			}
			continue
		}
		best, *d = rank, chosen
		d.locate(&s, m)
	}
	if d.audio < 0 {
		return nil, reason
	}
	return d, nil
}

// locate learns where the party wants sound, and whether it does.
func (d *Description) locate(s *sdp.SessionDescription, m *sdp.MediaDescription) {
	c := m.ConnectionInformation
	if c == nil {
		c = s.ConnectionInformation
	}
	d.Direction = SendRecv
	for _, attributes := range [][]sdp.Attribute{s.Attributes, m.Attributes} {
		for _, a := range attributes {
			switch Direction(a.Key) {
			case SendRecv, SendOnly, RecvOnly, Inactive:
				d.Direction = Direction(a.Key)
			}
		}
	}
	if c == nil || c.Address == nil {
		d.Remote = netip.AddrPortFrom(netip.Addr{}, uint16(m.MediaName.Port.Value))
		return
	}
	addr, _ := netip.ParseAddr(c.Address.Address)
	d.Remote = netip.AddrPortFrom(addr.Unmap(), uint16(m.MediaName.Port.Value))
	if addr.IsUnspecified() && addr.IsValid() { // the hold of RFC 2543
		switch d.Direction {
		case SendRecv:
			d.Direction = SendOnly
		case RecvOnly:
			d.Direction = Inactive
		}
	}
}

// Local describes our side.
type Local struct {
	// Addr and Port are where we want sound.
	Addr netip.Addr
	Port int
	// ID and Version make the description's origin (RFC 4566 section 5.2): the version grows with each change.
	ID, Version uint64
	// Direction is how we want sound to flow; empty is SendRecv. SendOnly holds the other party: it hears us, such
	// as music, and is not heard.
	Direction Direction
	// Codecs are those that are offered, in this order, and accepted, in the other party's (default: [media.Codecs]).
	Codecs []media.Codec

	dynamic  uint8 // the number of Opus where it is in use; 0 is ours
	security Security
	protocol string          // of our offers; empty is up to the security
	keys     []media.SRTPKey // one for each suite
}

// Offer writes an offer of everything that we have.
func (l Local) Offer() []byte {
	var formats, attributes strings.Builder
	events := map[int]uint8{}
	for _, c := range l.codecs() {
		fmt.Fprintf(&formats, " %d", l.number(c))
		attributes.WriteString(codecAttributes(l.number(c), c))
		events[c.ClockRate()] = eventType
		if c.ClockRate() != media.Rate {
			events[c.ClockRate()] = fastEventType
		}
	}
	for _, clock := range slices.Sorted(maps.Keys(events)) {
		fmt.Fprintf(&formats, " %d", events[clock])
		attributes.WriteString(eventAttributes(events[clock], clock))
	}
	protocol, keys := l.offered()
	return l.write(fmt.Sprintf("m=audio %d %s%s\r\n%s%sa=ptime:20\r\n%sa=%s\r\n", l.Port, protocol, formats.String(), attributes.String(), keys, mux(true), l.direction(SendRecv)))
}

func (l Local) codecs() []media.Codec {
	if len(l.Codecs) == 0 {
		return media.Codecs
	}
	return l.Codecs
}

// Answer writes the answer to an offer: one codec, in the other party's order, and its payload types.
func (l Local) Answer(d *Description) []byte {
	var b strings.Builder
	for i, stream := range d.streams {
		if i != d.audio {
			b.WriteString("m=" + stream + "\r\n")
			continue
		}
		fmt.Fprintf(&b, "m=audio %d %s %d", l.Port, d.protocol, d.PayloadType)
		if d.EventType != 0 {
			fmt.Fprintf(&b, " %d", d.EventType)
		}
		fmt.Fprintf(&b, "\r\n%s%s%sa=ptime:20\r\n%sa=%s\r\n", codecAttributes(d.PayloadType, d.Codec), eventAttributes(d.EventType, d.EventClock), l.accepted(d), mux(d.RTCPMux), l.direction(mirror(d.Direction)))
	}
	return l.write(b.String())
}

// mux is the attribute of RFC 5761 section 5.1.1.
func mux(on bool) string {
	if on {
		return "a=rtcp-mux\r\n"
	}
	return ""
}

// direction is what is left of a direction that would be possible (RFC 3264 section 6.1).
func (l Local) direction(possible Direction) Direction {
	send := l.Direction != RecvOnly && l.Direction != Inactive && (possible == SendRecv || possible == SendOnly)
	receive := l.Direction != SendOnly && l.Direction != Inactive && (possible == SendRecv || possible == RecvOnly)
	switch {
	case send && receive:
		return SendRecv
	case send:
		return SendOnly
	case receive:
		return RecvOnly
	}
	return Inactive
}

func mirror(d Direction) Direction {
	switch d {
	case SendOnly:
		return RecvOnly
	case RecvOnly:
		return SendOnly
	}
	return d
}

func (l Local) write(streams string) []byte {
	family := "IP4"
	if l.Addr.Is6() && !l.Addr.Is4In6() {
		family = "IP6"
	}
	addr := l.Addr.Unmap()
	return fmt.Appendf(nil, "v=0\r\no=- %d %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n%s", l.ID, l.Version, family, addr, family, addr, streams)
}
