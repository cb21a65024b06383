package media

import (
	"crypto/rand"
	"encoding/base64"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/pion/rtcp"
)

// control is a session's RTCP: a report about every five seconds, and what the party reports.
//
// The socket is opened with the first report: a call that is over before that does not pay for it.
type control struct {
	reception
	ticks, due int
	name       string // our CNAME
	own        *net.UDPConn
	opened     bool
	leave      func()         // ends that somebody waits at own
	peer       netip.AddrPort // where the party's reports come from; not valid before
	sent       int
	saidBefore uint64 // packets of ours when the last report was written

	last   uint64 // the NTP time of the party's last report, which came at lastAt
	lastAt time.Time

	rtt          time.Duration
	reports      uint64
	remoteLoss   float64
	remoteJitter time.Duration
	heardAt      time.Time
}

// reportEvery is the mean time between reports (RFC 3550 section 6.2); the first one comes after half of it.
const reportEvery = 5 * time.Second

// begin begins to count another source.
func (c *control) begin() { c.reception, c.last = reception{}, 0 }

// tick sends a report when it is due. The caller holds mu.
func (c *control) tick(s *Session, to netip.AddrPort) {
	if s.opts.NoRTCP {
		return
	}
	if c.due == 0 {
		c.plan(reportEvery / 2)
	}
	if c.ticks++; c.ticks < c.due {
		return
	}
	c.plan(reportEvery)
	if !c.open(s) {
		return
	}
	c.send(s, to, false)
}

// plan sets when the next report is due: some time between a half and three halves of mean.
func (c *control) plan(mean time.Duration) {
	c.ticks, c.due = 0, int(float64(mean/FrameTime)*(0.5+mathrand.Float64()))
}

// open reports whether there is a socket for reports.
func (c *control) open(s *Session) bool {
	if s.format.RTCPMux || c.own != nil {
		return true
	}
	local, ok := s.conn.LocalAddr().(*net.UDPAddr)
	if c.opened || !ok || local.Port == 65535 {
		return false
	}
	c.opened = true
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: local.IP, Port: local.Port + 1, Zone: local.Zone})
	if err != nil {
		return false // somebody else has the port: the call does without
	}
	if c.leave, err = reports.attend(conn, func(data []byte, from netip.AddrPort) { s.takeRTCP(data, from, false) }); err != nil {
		_ = conn.Close()
		return false
	}
	c.own = conn
	return true
}

// reports are the sockets of all sessions.
var reports attendants

func (c *control) close() {
	if c.own != nil {
		c.leave()
		_ = c.own.Close()
	}
}

// send sends a report. The caller holds the session's mu.
func (c *control) send(s *Session, to netip.AddrPort, bye bool) {
	now := time.Now()
	var blocks []rtcp.ReceptionReport
	if c.begun {
		b := c.block(s.ssrc, s.jitter.Stats().Jitter, s.format.Codec.ClockRate())
		if c.last != 0 {
			b.LastSenderReport, b.Delay = middle(c.last), shortTime(now.Sub(c.lastAt))
		}
		blocks = []rtcp.ReceptionReport{b}
	}
	var first rtcp.Packet = &rtcp.ReceiverReport{SSRC: s.own, Reports: blocks}
	if said := s.sent.Load(); said > c.saidBefore {
		c.saidBefore = said
		first = &rtcp.SenderReport{
			SSRC: s.own, NTPTime: ntpTime(now), RTPTime: s.timestamp, PacketCount: uint32(said), OctetCount: uint32(s.octets.Load()),
			Reports: blocks,
		}
	}
	if c.name == "" {
		var random [12]byte // as RFC 7022 section 4.2 has it: it tells nothing about this machine
		_, _ = rand.Read(random[:])
		c.name = base64.RawStdEncoding.EncodeToString(random[:])
	}
	packets := []rtcp.Packet{first, &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
		Source: s.own, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: c.name}},
	}}}}
	if bye {
		packets = append(packets, &rtcp.Goodbye{Sources: []uint32{s.own}})
	}
	data, err := rtcp.Marshal(packets)
	if err == nil {
		data, err = s.secure.Load().sealControl(data)
	}
	if err != nil {
		return
	}
	c.sent++
	switch {
	case s.format.RTCPMux:
		_, _ = s.conn.WriteToUDPAddrPort(data, to)
	case c.peer.IsValid():
		_, _ = c.own.WriteToUDPAddrPort(data, c.peer)
	default:
		_, _ = c.own.WriteToUDPAddrPort(data, netip.AddrPortFrom(to.Addr(), to.Port()+1))
	}
}

// sayGoodbye tells the party that we leave (RFC 3550 section 6.6), if it knows us. The caller holds mu.
func (s *Session) sayGoodbye() {
	c := &s.control
	if to := s.target(); c.sent > 0 && reachable(to) && (s.format.RTCPMux || c.own != nil) {
		c.send(s, to, true)
	}
}

// takeRTCP takes a datagram of the party; shared says that it came to the port of RTP.
func (s *Session) takeRTCP(data []byte, from netip.AddrPort, shared bool) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opts.NoRTCP {
		return
	}
	if shared != s.format.RTCPMux || !s.control.known(s, from, shared) {
		s.foreign++
		return
	}
	data, err := s.secure.Load().openControl(data)
	if err != nil {
		s.foreign++
		return
	}
	r, err := ParseRTCP(data)
	if err != nil || r.SSRC == s.own { // our own, sent back
		s.foreign++
		return
	}
	if !shared {
		s.control.peer = from
	}
	s.control.take(s, r, now)
}

// known reports whether reports may come from an address: from that of the party's sound, or beside it.
func (c *control) known(s *Session, from netip.AddrPort, shared bool) bool {
	sound := s.target()
	switch {
	case shared:
		return from == sound
	case c.peer.IsValid():
		return from == c.peer
	case s.opts.Strict:
		return from.Addr() == sound.Addr() && from.Port() == sound.Port()+1
	}
	return from.Addr() == sound.Addr()
}

// take notes what the party reports.
func (c *control) take(s *Session, r Report, now time.Time) {
	c.heardAt = now
	if r.NTP != 0 && r.SSRC == s.ssrc {
		c.last, c.lastAt = r.NTP, now
	}
	for _, b := range r.Blocks {
		if b.SSRC != s.own {
			continue
		}
		c.reports++
		c.remoteJitter = time.Duration(b.Jitter) * time.Second / time.Duration(s.format.Codec.ClockRate())
		if sent := s.sent.Load(); sent > 0 {
			c.remoteLoss = min(float64(max(b.Lost, 0))/float64(sent), 1)
		}
		if rtt, ok := b.roundTrip(now); ok {
			c.rtt = rtt
		}
	}
}
