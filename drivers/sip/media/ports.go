package media

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
)

// Ports opens UDP sockets for sessions, at the even ports of a range (RFC 3550 section 11: RTP has even ports). The
// odd ones are for RTCP. Where the system chooses the ports a session does without RTCP if the next one is taken, and
// nothing else was agreed on.
type Ports struct {
	addr      netip.Addr
	low, high int
	next      atomic.Uint32
}

// NewPorts returns ports from low to high at a local address. 0, 0 leaves the choice to the system.
func NewPorts(addr netip.Addr, low, high int) (*Ports, error) {
	if low == 0 && high == 0 {
		return &Ports{addr: addr}, nil
	}
	if low += low % 2; low < 1024 || high > 65535 || high <= low {
		return nil, fmt.Errorf("RTP ports %d-%d: a range within 1024-65535 is needed, two ports a call, the first one even", low, high)
	}
	return &Ports{addr: addr, low: low, high: high}, nil
}

// errNoPort says that every port of the range is in use.
var errNoPort = errors.New("no RTP port is free: the range is too small for so many calls")

// Open returns a socket. It tries each port once.
func (p *Ports) Open() (*net.UDPConn, error) {
	if p.low == 0 {
		return listen(p.addr, 0)
	}
	n := (p.high - p.low + 1) / 2
	for range n {
		conn, err := listen(p.addr, p.low+2*int(p.next.Add(1)%uint32(n)))
		if err == nil {
			return conn, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, err
		}
	}
	return nil, errNoPort
}

func listen(addr netip.Addr, port int) (*net.UDPConn, error) {
	return net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, uint16(port))))
}
