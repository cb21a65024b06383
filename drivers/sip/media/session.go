package media

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Format is what offer and answer agreed on for one party's sound.
type Format struct {
	// Remote is where the party wants its sound.
	Remote netip.AddrPort
	// Codec and PayloadType are how it is coded.
	Codec       Codec
	PayloadType uint8
	// EventType is the payload type of telephone events; 0 is none.
	EventType uint8
	// Send and Receive say in which directions sound flows: not both while the call is held.
	Send, Receive bool
}

// SessionOptions set up a Session.
type SessionOptions struct {
	// Strict accepts sound only from the address that was agreed on. Otherwise the first source of a valid packet
	// is the party's, and sound is sent there: whoever sits behind a NAT does not know its own address.
	Strict bool
	// OnDigit is told of each key pressed, on the session's goroutine: it must not wait. nil ignores them.
	OnDigit func(digit byte)
}

// Session is the sound between us and one party: RTP over UDP (RFC 3550), with telephone events (RFC 4733).
//
// ReadFrame and WriteFrame belong to the ticks of one conversation; everything else may be called at any time.
type Session struct {
	opts SessionOptions
	conn *net.UDPConn
	done chan struct{}

	mu      sync.Mutex
	format  Format
	started bool
	jitter  Jitter
	events  EventReceiver
	peer    netip.AddrPort // learned; not valid before
	ssrc    uint32         // the peer's
	heardAt time.Time
	foreign uint64
	keys    eventSender

	own       uint32 // SSRC
	seq       uint16
	timestamp uint32
	talking   bool
	packet    []byte
	sent      atomic.Uint64
}

// relearn is how long a party must be silent before it may come from another address.
const relearn = 2 * time.Second

// NewSession returns a session on a UDP socket, which becomes its own. It listens once it is started.
func NewSession(conn *net.UDPConn, opts SessionOptions) *Session {
	var seed [10]byte
	_, _ = rand.Read(seed[:])
	return &Session{
		opts: opts, conn: conn, done: make(chan struct{}), packet: make([]byte, 0, 12+FrameSamples),
		own: binary.BigEndian.Uint32(seed[:]), seq: binary.BigEndian.Uint16(seed[4:]), timestamp: binary.BigEndian.Uint32(seed[6:]),
	}
}

// Port returns the local UDP port.
func (s *Session) Port() int { return s.conn.LocalAddr().(*net.UDPAddr).Port }

// Start begins to receive. It may be called again, with what a later offer and answer agreed on.
func (s *Session) Start(f Format) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.started || f.Codec != s.format.Codec || f.PayloadType != s.format.PayloadType {
		s.jitter.Reset(f.Codec)
	}
	if f.Remote != s.format.Remote {
		s.peer = netip.AddrPort{} // the party has moved: learn it anew
	}
	s.format = f
	if !s.started {
		s.started, s.heardAt = true, time.Now()
		go s.receive()
	}
}

// Close ends the session and waits for its goroutine.
func (s *Session) Close() {
	s.mu.Lock()
	started := s.started
	s.mu.Unlock()
	_ = s.conn.Close()
	if started {
		<-s.done
	}
}

// receive takes packets until the socket is closed.
func (s *Session) receive() {
	defer close(s.done)
	buf := make([]byte, 2048)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // such as ECONNREFUSED from an ICMP message
		}
		p, err := ParseRTP(buf[:n])
		if err != nil {
			continue
		}
		if digit, ok := s.take(p, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), time.Now()); ok && s.opts.OnDigit != nil {
			s.opts.OnDigit(digit)
		}
	}
}

// take sorts a packet and returns the key that it is the first to tell of.
func (s *Session) take(p Packet, from netip.AddrPort, now time.Time) (digit byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	isEvent := s.format.EventType != 0 && p.PayloadType == s.format.EventType
	if p.PayloadType != s.format.PayloadType && !isEvent && p.PayloadType != comfortNoise || !s.learn(p, from, now) {
		s.foreign++
		return 0, false
	}
	if p.SSRC != s.ssrc {
		s.ssrc = p.SSRC
		s.jitter.Reset(s.format.Codec)
		s.events.Reset()
	}
	s.heardAt = now
	switch {
	case isEvent:
		s.jitter.Skip(p.Sequence)
		return s.events.Put(p.Timestamp, p.Payload)
	case p.PayloadType == comfortNoise:
		s.jitter.Skip(p.Sequence)
	case s.format.Receive:
		s.jitter.Put(p, now)
	}
	return 0, false
}

// comfortNoise is the payload type of RFC 3389: a party that is silent and saves packets.
const comfortNoise = 13

// learn reports whether a packet is the party's.
func (s *Session) learn(p Packet, from netip.AddrPort, now time.Time) bool {
	switch {
	case s.opts.Strict:
		return from == s.format.Remote
	case !s.peer.IsValid():
	case s.peer == from:
		return true
	case p.SSRC == s.ssrc && now.Sub(s.heardAt) > relearn: // its NAT has given it another address
	default:
		return false
	}
	s.peer = from
	return true
}

// ReadFrame fills dst with the party's next 20 ms, and reports whether there was sound.
func (s *Session) ReadFrame(dst *Frame) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.jitter.ReadFrame(dst)
}

// WriteFrame sends the party its next 20 ms; keys that wait to be sent come first.
func (s *Session) WriteFrame(src *Frame) {
	s.mu.Lock()
	f, to := s.format, s.peer
	if !to.IsValid() {
		to = f.Remote
	}
	timestamp := s.timestamp
	s.timestamp += FrameSamples
	if !s.started || !f.Send || !to.IsValid() || to.Port() == 0 || to.Addr().IsUnspecified() {
		s.talking = false
		s.mu.Unlock()
		return
	}
	p := Packet{PayloadType: f.PayloadType, Timestamp: timestamp, SSRC: s.own, Marker: !s.talking}
	pressing := f.EventType != 0 && len(s.keys.queue) > 0
	e, start, first, final, isKey := Event{}, uint32(0), false, false, false
	if pressing {
		e, start, first, final, isKey = s.keys.next(timestamp)
	}
	s.mu.Unlock()

	times := 1
	var payload [4]byte
	if isKey {
		p.PayloadType, p.Timestamp, p.Marker, p.Payload = f.EventType, start, first, e.Append(payload[:0])
		if final {
			times = endPackets
		}
	}
	s.talking = !isKey
	for range times {
		p.Sequence = s.seq
		s.seq++
		s.packet = p.Append(s.packet[:0])
		if !isKey {
			s.packet = f.Codec.Encode(s.packet, src[:])
		}
		if _, err := s.conn.WriteToUDPAddrPort(s.packet, to); err == nil {
			s.sent.Add(1)
		}
	}
}

// SendDigits queues keys to be sent to the party as telephone events. It reports false when no telephone events
// were agreed on.
func (s *Session) SendDigits(digits string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.format.EventType == 0 {
		return false
	}
	for i := range len(digits) {
		if code, err := EventCode(digits[i]); err == nil && len(s.keys.queue) < 128 {
			s.keys.queue = append(s.keys.queue, code)
		}
	}
	return true
}

// SessionStats say how a session fares.
type SessionStats struct {
	JitterStats
	// Sent counts packets sent, Foreign those that came from elsewhere or in another format and were ignored.
	Sent, Foreign uint64
	// Heard is when the party's last packet came; before the first it is when the session was started.
	Heard time.Time
	// Receiving says whether sound is expected: the party is not held.
	Receiving bool
}

// Stats returns the session's counts.
func (s *Session) Stats() SessionStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return SessionStats{
		JitterStats: s.jitter.Stats(), Sent: s.sent.Load(), Foreign: s.foreign, Heard: s.heardAt, Receiving: s.format.Receive,
	}
}

// Format returns what was agreed on last.
func (s *Session) Format() Format {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.format
}
