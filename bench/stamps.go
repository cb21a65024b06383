package main

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// A stamp is a frame of PCMU that tells which party sent it and which of its frames it is: four tones of 40 samples,
// each a level of its own. It survives a call engine that passes sound on, as PCMU or as PCM.
const (
	stampLevels  = 64
	stampLength  = 40
	stampPeriod  = stampLevels * stampLevels // frames until a stamp comes again: 82 s
	frameSamples = 160
	frameTime    = 20 * time.Millisecond
	rtpHeader    = 12
)

// stampCode is the PCMU octet of a level; stampLevel reads it back from PCM.
func stampCode(level int) byte { return byte(0xFF - 16 - level) } // positive, of middle loudness

var stampPCM = func() (table [stampLevels]int16) {
	for level := range table {
		table[level] = muLaw(stampCode(level))
	}
	return table
}()

// muLaw decodes an octet (ITU-T G.711).
func muLaw(code byte) int16 {
	code = ^code
	magnitude := (int(code&0x0F)<<3+0x84)<<(code>>4&7) - 0x84
	if code&0x80 != 0 {
		return int16(-magnitude)
	}
	return int16(magnitude)
}

func writeStamp(payload []byte, party, frame int) {
	for i, level := range [4]int{party / stampLevels, party % stampLevels, frame / stampLevels % stampLevels, frame % stampLevels} {
		for j := range stampLength {
			payload[i*stampLength+j] = stampCode(level)
		}
	}
}

// readStamp reads a stamp; levelAt returns the level of a sample, or -1.
func readStamp(levelAt func(int) int) (party, frame int, ok bool) {
	var levels [4]int
	for i := range levels {
		first, last := levelAt(i*stampLength+2), levelAt((i+1)*stampLength-3)
		if first < 0 || first != last {
			return 0, 0, false
		}
		levels[i] = first
	}
	return levels[0]*stampLevels + levels[1], levels[2]*stampLevels + levels[3], true
}

func readStampPCMU(payload []byte) (party, frame int, ok bool) {
	if len(payload) != frameSamples {
		return 0, 0, false
	}
	return readStamp(func(i int) int {
		level := 0xFF - 16 - int(payload[i])
		if level < 0 || level >= stampLevels {
			return -1
		}
		return level
	})
}

func readStampPCM(data []byte) (party, frame int, ok bool) {
	if len(data) != 2*frameSamples {
		return 0, 0, false
	}
	return readStamp(func(i int) int {
		level, found := slices.BinarySearch(stampPCM[:], int16(binary.LittleEndian.Uint16(data[2*i:])))
		if !found {
			return -1
		}
		return level
	})
}

// sound is where the phones of SIPp have their sound: one UDP port for all. Who sends to it from an address it does not
// know is a new party of a call.
type sound struct {
	conn *net.UDPConn
	port int
	done chan struct{}

	mu      sync.Mutex
	parties map[netip.AddrPort]*party
	order   []*party
	errors  []int32 // by how much packets came too early or late after the one before, in µs; while measuring
	measure bool
	missing int
	take    func(p *party, packet []byte, at time.Time) // of each packet; may be nil
}

// party is one phone's sound.
type party struct {
	id       int
	to       netip.AddrPort
	last     time.Time
	sequence uint16
	begun    bool
	sent     [stampPeriod]time.Time // of stamped frames
	frames   int
}

// newSound opens the port. echo sends every packet back, as a phone does that says as much as it hears.
func newSound(echo bool) (*sound, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	s := &sound{conn: conn, port: conn.LocalAddr().(*net.UDPAddr).Port, done: make(chan struct{}), parties: map[netip.AddrPort]*party{}}
	_ = conn.SetReadBuffer(8 << 20)
	raw, err := conn.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TIMESTAMPNS, 1)
		})
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	go s.receive(echo)
	return s, nil
}

func (s *sound) close() {
	_ = s.conn.Close()
	<-s.done
}

// receive takes packets. When they came, the kernel says: this process may be late itself.
func (s *sound) receive(echo bool) {
	defer close(s.done)
	buf, oob := make([]byte, 2048), make([]byte, 128)
	for {
		n, more, _, from, err := s.conn.ReadMsgUDPAddrPort(buf, oob)
		if err != nil {
			return
		}
		if n < rtpHeader {
			continue
		}
		at := arrival(oob[:more])
		packet := buf[:n]
		s.mu.Lock()
		s.note(s.partyAt(from), packet, at)
		s.mu.Unlock()
		if echo {
			packet[8] ^= 0x80 // a phone has an SSRC of its own
			_, _ = s.conn.WriteToUDPAddrPort(packet, from)
		}
	}
}

// arrival is when the kernel took a packet.
func arrival(oob []byte) time.Time {
	const header = 16 // of a control message, on 64 bits
	if len(oob) < header+int(unsafe.Sizeof(syscall.Timespec{})) {
		return time.Now()
	}
	return time.Unix(int64(binary.NativeEndian.Uint64(oob[header:])), int64(binary.NativeEndian.Uint64(oob[header+8:])))
}

// partyAt needs mu.
func (s *sound) partyAt(from netip.AddrPort) *party {
	p, ok := s.parties[from]
	if !ok {
		p = &party{id: len(s.order), to: from}
		s.parties[from] = p
		s.order = append(s.order, p)
	}
	return p
}

// note needs mu.
func (s *sound) note(p *party, packet []byte, at time.Time) {
	sequence := binary.BigEndian.Uint16(packet[2:])
	if s.measure && p.begun {
		switch step := sequence - p.sequence; {
		case step == 1:
			s.errors = append(s.errors, int32((at.Sub(p.last) - frameTime).Microseconds()))
		case step < 1000:
			s.missing += int(step) - 1
		}
	}
	p.begun, p.sequence, p.last = true, sequence, at
	if s.take != nil {
		s.take(p, packet, at)
	}
}

// speak sends a stamped frame for every party each 20 ms until ctx ends.
func (s *sound) speak(ctx context.Context) {
	s.send(ctx, func(p *party, packet []byte) []byte {
		frame := p.frames
		p.frames++
		p.sent[frame%stampPeriod] = time.Now()
		packet = packet[:rtpHeader+frameSamples]
		packet[0], packet[1] = 0x80, 0
		binary.BigEndian.PutUint16(packet[2:], uint16(frame))
		binary.BigEndian.PutUint32(packet[4:], uint32(frame*frameSamples))
		binary.BigEndian.PutUint32(packet[8:], uint32(p.id+1))
		writeStamp(packet[rtpHeader:], p.id, frame)
		return packet
	})
}

// send sends a packet for every party each 20 ms, their moments spread evenly, until ctx ends. next makes them, with the
// lock; nil is none.
func (s *sound) send(ctx context.Context, next func(p *party, packet []byte) []byte) {
	packet := make([]byte, 0, rtpHeader+frameSamples)
	at := time.Now()
	for slot := 0; ctx.Err() == nil; slot++ {
		s.mu.Lock()
		count := len(s.order)
		s.mu.Unlock()
		for i := slot % 20; i < count; i += 20 {
			s.mu.Lock()
			p := s.order[i]
			made := next(p, packet)
			s.mu.Unlock()
			if made != nil {
				_, _ = s.conn.WriteToUDPAddrPort(made, p.to)
			}
		}
		at = at.Add(time.Millisecond)
		switch wait := time.Until(at); {
		case wait > 0:
			time.Sleep(wait)
		case wait < -5*time.Millisecond: // this machine is busy: a phone would not make up for it by a burst
			at = time.Now()
		}
	}
}

// speaking has the parties speak until hush is called; when it has returned they have fallen silent.
func (s *sound) speaking(ctx context.Context) (hush func()) {
	ctx, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.speak(ctx)
	}()
	return func() {
		stop()
		<-done
	}
}

// tell lets take hear of each packet, in the order in which they come.
func (s *sound) tell(take func(p *party, packet []byte, at time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.take = take
}

// ignore no longer tells of packets: when it has returned, take is not called any more.
func (s *sound) ignore() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.take = nil
}

// sentAt returns when a party sent a frame.
func (s *sound) sentAt(party, frame int) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if party < 0 || party >= len(s.order) || frame < 0 || s.order[party].sent[frame].IsZero() {
		return time.Time{}, false
	}
	return s.order[party].sent[frame], true
}

// distribution is a sorted list of durations.
type distribution []time.Duration

func (d distribution) at(p float64) float64 {
	if len(d) == 0 {
		return 0
	}
	return float64(d[int(p*float64(len(d)-1))].Microseconds()) / 1000
}
