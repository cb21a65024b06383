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
	// EventType is the payload type of telephone events; 0 is none: then keys are told from the sound.
	EventType uint8
	// EventClock is the rate of their clock in Hz where it is not that of the codec, as it ought to be; 0 is that.
	EventClock int
	// Opus is what the party would like of Opus, where that is the codec.
	Opus OpusFormat
	// Send and Receive say in which directions sound flows: not both while the call is held.
	Send, Receive bool
	// RTCPMux says that RTCP shares the port of RTP (RFC 5761). Otherwise it has the next one.
	RTCPMux bool
	// SRTP are the keys when sound is encrypted; zero is plain RTP.
	SRTP SRTPKeys
}

// Conn is what carries a session's packets; a *net.UDPConn is one.
type Conn interface {
	ReadFromUDPAddrPort(b []byte) (n int, from netip.AddrPort, err error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (n int, err error)
	LocalAddr() net.Addr
	Close() error
}

// SessionOptions set up a Session.
type SessionOptions struct {
	// Strict accepts sound only from the address that was agreed on. Otherwise the first source of a valid packet
	// is the party's, and sound is sent there: whoever sits behind a NAT does not know its own address. The agreed
	// one counts whenever it is heard.
	Strict bool
	// OnDigit is told of each key pressed, on a goroutine of the session: it must not wait. nil ignores them.
	OnDigit func(digit byte)
	// NoRTCP sends no RTCP and takes none.
	NoRTCP bool
}

// Session is the sound between us and one party: RTP over UDP (RFC 3550), with telephone events (RFC 4733) and
// reports on its quality (RTCP).
//
// ReadFrame and WriteFrame belong to the ticks of one conversation; everything else may be called at any time.
type Session struct {
	opts SessionOptions
	conn Conn
	done chan struct{}
	wide atomic.Bool // the codec's sound is wideband

	secure atomic.Pointer[secure]         // nil while RTP is plain
	early  atomic.Pointer[[]*overhearing] // replaced, never changed; nil while nobody overhears

	mu      sync.Mutex
	format  Format
	started bool
	closed  bool
	jitter  Jitter
	events  EventReceiver
	inband  inband         // keys in the sound
	peer    netip.AddrPort // learned; not valid before
	ssrc    uint32         // the peer's
	heardAt time.Time
	foreign uint64
	keys    eventSender
	control control

	// What follows belongs to the ticks.
	own       uint32 // SSRC
	seq       uint16
	timestamp uint32
	talking   bool
	encoder   Encoder
	encodes   Codec
	in, out   converter
	native    Frame // see scratch
	packet    []byte
	sent      atomic.Uint64
	octets    atomic.Uint64
}

// relearn is how long a party must be silent before it may come from another address.
const relearn = 2 * time.Second

// NewSession returns a session on a socket, which becomes its own. It listens once it is started.
func NewSession(conn Conn, opts SessionOptions) *Session {
	var seed [10]byte
	_, _ = rand.Read(seed[:])
	return &Session{
		opts: opts, conn: conn, done: make(chan struct{}), packet: make([]byte, 0, rtpHeader+frameOctets),
		own: binary.BigEndian.Uint32(seed[:]), seq: binary.BigEndian.Uint16(seed[4:]) & 0x7FFF, // RFC 3711 section 3.3.1: the party must not miss a roll-over
		timestamp: binary.BigEndian.Uint32(seed[6:]),
	}
}

// Port returns the local UDP port.
func (s *Session) Port() int {
	if addr, ok := s.conn.LocalAddr().(*net.UDPAddr); ok {
		return addr.Port
	}
	return 0
}

// Start begins to receive. It may be called again, with what a later offer and answer agreed on.
func (s *Session) Start(f Format) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if !s.started || f.Codec != s.format.Codec || f.PayloadType != s.format.PayloadType {
		s.jitter.Reset(f.Codec)
	}
	if f.Remote != s.format.Remote {
		s.peer = netip.AddrPort{} // the party has moved: learn it anew
		s.control.peer = netip.AddrPort{}
	}
	s.inband.begin(f)
	s.format = f
	s.rekey(f.SRTP)
	s.wide.Store(f.Codec.SampleRate() > Rate)
	if !s.started {
		s.started, s.heardAt = true, time.Now()
		go s.receive()
	}
}

// Close ends the session, says so to the party, and waits for its goroutines.
func (s *Session) Close() {
	s.mu.Lock()
	started := s.started && !s.closed
	if started {
		s.sayGoodbye()
	}
	s.closed = true
	s.mu.Unlock()
	_ = s.conn.Close()
	if started {
		<-s.done
	}
	s.control.close()
	s.inband.telling.Wait()
}

// receive takes packets until the socket is closed.
func (s *Session) receive() {
	defer close(s.done)
	datagrams := datagramPool.Get().(*[maxDatagram]byte)
	defer datagramPool.Put(datagrams)
	buf := datagrams[:]
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // such as ECONNREFUSED from an ICMP message
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if isRTCP(buf[:n]) {
			s.takeRTCP(buf[:n], from, true)
			continue
		}
		datagram, err := s.secure.Load().open(buf[:n])
		if err != nil {
			s.refuse()
			continue
		}
		p, err := ParseRTP(datagram)
		if err != nil {
			continue
		}
		digit, isSound := s.take(p, from, time.Now())
		if digit != 0 && s.opts.OnDigit != nil {
			s.opts.OnDigit(digit)
		}
		if isSound {
			s.overhear(p)
		}
	}
}

// maxDatagram bounds what a session takes: more than an Ethernet frame holds.
const maxDatagram = 1536

// datagramPool holds what short calls receive into; what is taken from a packet is copied.
var datagramPool = sync.Pool{New: func() any { return new([maxDatagram]byte) }}

// take sorts a packet and returns the key that it is the first to tell of, or 0, and whether it is sound.
func (s *Session) take(p Packet, from netip.AddrPort, now time.Time) (digit byte, isSound bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	isEvent := s.format.EventType != 0 && p.PayloadType == s.format.EventType
	if !s.format.sound(p.PayloadType) && !isEvent && p.PayloadType != comfortNoise || !s.learn(p, from, now) {
		s.foreign++
		return 0, false
	}
	if p.SSRC != s.ssrc {
		s.ssrc = p.SSRC
		s.jitter.Reset(s.format.Codec)
		s.events.Reset()
		s.control.begin()
	}
	s.heardAt = now
	s.control.count(p.Sequence)
	switch {
	case isEvent:
		s.jitter.Skip(p.Sequence)
		if digit, ok := s.events.Put(p.Timestamp, p.Payload); ok {
			return digit, false
		}
	case p.PayloadType == comfortNoise:
		level := uint8(faintNoise)
		if len(p.Payload) > 0 {
			level = p.Payload[0]
		}
		s.jitter.Silence(p.Sequence, level)
	case s.format.Receive:
		s.jitter.Put(p, now)
		return 0, true
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
	case from == s.format.Remote: // whoever was heard before the party itself was a stray
	case p.SSRC == s.ssrc && now.Sub(s.heardAt) > relearn: // its NAT has given it another address
	default:
		return false
	}
	s.peer, s.control.peer = from, netip.AddrPort{}
	return true
}

// ReadFrame fills dst with the party's next 20 ms, at the rate of dst, and reports whether there was sound.
func (s *Session) ReadFrame(dst Frame) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.started || s.closed || !s.format.Receive {
		clear(dst)
		return false
	}
	if len(dst) == s.jitter.frame {
		s.in.resampler = nil
		ok := s.jitter.ReadFrame(dst)
		s.listen(dst)
		return ok
	}
	native := s.scratch(s.jitter.frame)
	ok := s.jitter.ReadFrame(native)
	s.listen(native)
	s.in.convert(dst, native)
	return ok
}

// WriteFrame sends the party its next 20 ms; keys that wait to be sent come first.
func (s *Session) WriteFrame(src Frame) {
	s.mu.Lock()
	f, to := s.format, s.target()
	timestamp := s.timestamp
	s.timestamp += uint32(f.Codec.ClockRate() / framesPerSecond)
	live := s.started && !s.closed && reachable(to)
	if live {
		s.control.tick(s, to)
	}
	if !live || !f.Send {
		s.talking = false
		s.mu.Unlock()
		return
	}
	p := Packet{PayloadType: f.PayloadType, Timestamp: timestamp, SSRC: s.own, Marker: !s.talking}
	pressing := f.EventType != 0 && len(s.keys.queue) > 0
	e, start, first, final, isKey := Event{}, uint32(0), false, false, false
	if pressing {
		e, start, first, final, isKey = s.keys.next(timestamp, f.eventClock()/framesPerSecond)
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
			s.encode(f, src)
		}
		s.send(to)
	}
}

// scratch is room for a frame of the codec's rate, where that is not the conversation's.
func (s *Session) scratch(samples int) Frame {
	if s.native == nil {
		s.native = NewFrame(WideRate)
	}
	return s.native[:samples]
}

// target is where sound goes. The caller holds mu.
func (s *Session) target() netip.AddrPort {
	if s.peer.IsValid() {
		return s.peer
	}
	return s.format.Remote
}

func reachable(to netip.AddrPort) bool {
	return to.IsValid() && to.Port() != 0 && !to.Addr().IsUnspecified()
}

// encode appends a frame to the packet.
func (s *Session) encode(f Format, src Frame) {
	codec := f.Codec
	if s.encoder == nil || s.encodes != codec {
		s.encoder, s.encodes = codec.NewEncoder(), codec
	}
	if o, ok := s.encoder.(*opusEncoder); ok {
		o.set(f.Opus)
	}
	if n := codec.SampleRate() / framesPerSecond; n != len(src) {
		native := s.scratch(n)
		s.out.convert(native, src)
		s.packet = s.encoder.Encode(s.packet, native)
		return
	}
	s.out.resampler = nil
	s.packet = s.encoder.Encode(s.packet, src)
}

// send sends the packet.
func (s *Session) send(to netip.AddrPort) {
	wire, err := s.secure.Load().seal(s.packet)
	if err != nil {
		return
	}
	if _, err := s.conn.WriteToUDPAddrPort(wire, to); err == nil {
		s.sent.Add(1)
		s.octets.Add(uint64(len(s.packet) - rtpHeader))
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

// Format returns what was agreed on last.
func (s *Session) Format() Format {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.format
}
