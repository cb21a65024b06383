package ua

import (
	"net"
	"net/netip"

	msg "github.com/emiago/sipgo/sip"
)

// portFor returns the port that we are reached at by a transport.
func (a *Agent) portFor(transport string) int {
	if transport == "TLS" {
		return a.secure
	}
	return a.port
}

// hostFor returns our host as the other side at addr (host:port) sees it.
func (a *Agent) hostFor(addr string) string {
	if a.opts.Advertise != "" {
		return a.opts.Advertise
	}
	if !a.host.IsUnspecified() {
		return a.host.String()
	}
	return a.LocalAddr(addr).String()
}

// LocalAddr returns the address that packets to addr (host or host:port) leave from. It looks up no name: for one
// that [Agent.Locate] has not found it is the address that packets to the Internet leave from.
func (a *Agent) LocalAddr(addr string) netip.Addr {
	host, _, _ := SplitAddress(addr)
	ip, err := netip.ParseAddr(host)
	if err != nil {
		ip = a.names.known(host)
	}
	if !ip.IsValid() {
		ip = netip.AddrFrom4([4]byte{192, 0, 2, 1}) // of RFC 5737: it is nobody's
	}
	const discard = 9
	conn, err := net.Dial("udp", netip.AddrPortFrom(ip, discard).String()) // sends nothing
	if err != nil {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	defer func() { _ = conn.Close() }()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
}

// contact is our Contact for a dialog with the other side at addr.
func (a *Agent) contact(addr, transport string) *msg.ContactHeader {
	h := &msg.ContactHeader{Address: msg.Uri{Scheme: "sip", User: "piopiyd", Host: bracket(a.hostFor(addr)), Port: a.portFor(transport)}}
	if transport != "UDP" {
		h.Address.UriParams.Add("transport", msg.NetworkToLower(transport))
	}
	return h
}

// via is the Via of a new request.
func (a *Agent) via(addr, transport string) *msg.ViaHeader {
	h := &msg.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: transport, Host: bracket(a.hostFor(addr)), Port: a.portFor(transport)}
	h.Params.Add("branch", msg.GenerateBranch())
	h.Params.Add("rport", "") // RFC 3581
	return h
}

func bracket(host string) string {
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() {
		return "[" + addr.String() + "]"
	}
	return host
}

// from lets a UDP request leave from the socket that we listen at. TCP chooses its connection by the other side.
func (a *Agent) from(req *msg.Request, transport string) {
	req.SetTransport(transport)
	if transport == "UDP" {
		at := a.udp.LocalAddr().(*net.UDPAddr)
		req.Laddr = msg.Addr{IP: at.IP, Port: at.Port}
	}
}
