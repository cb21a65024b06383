package siptest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

// Names is a name server. Its Dial is what an agent asks it by (ua.Options.DialDNS); no packet leaves the process.
type Names struct {
	mu      sync.Mutex
	hosts   map[string][]netip.Addr
	servers map[string][]net.SRV
	down    bool
	asked   int
}

// The package net shares between all look-ups what it makes at the first: that must not be in a test's virtual time.
func init() {
	_, _ = (&net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, net.ErrClosed
	}}).LookupHost(context.Background(), "localhost")
}

// NewNames returns a name server that knows no name.
func NewNames() *Names {
	return &Names{hosts: map[string][]netip.Addr{}, servers: map[string][]net.SRV{}}
}

// Host says what addresses a host has.
func (n *Names) Host(name string, addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[name+"."] = nil
	for _, a := range addresses {
		n.hosts[name+"."] = append(n.hosts[name+"."], netip.MustParseAddr(a))
	}
}

// Servers says what SRV records a name has, such as _sip._udp.example.com.
func (n *Names) Servers(name string, records ...net.SRV) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.servers[name+"."] = records
}

// Fail has the server say nothing, or answer again.
func (n *Names) Fail(fails bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = fails
}

// Asked is how many questions came.
func (n *Names) Asked() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

// Dial opens a connection to the server.
func (n *Names) Dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go n.serve(server)
	return client, nil
}

// serve answers questions as over TCP (RFC 1035 section 4.2.2), until the other side closes.
func (n *Names) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		answer, err := n.answer(question)
		if err != nil {
			return
		}
		if answer == nil { // down: the other side gives up
			_, _ = io.Copy(io.Discard, conn)
			return
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

// answer returns the answer to a question; nil while the server is down.
func (n *Names) answer(question []byte) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	if n.down {
		return nil, nil
	}
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil || len(m.Questions) != 1 {
		return nil, io.ErrUnexpectedEOF
	}
	q := m.Questions[0]
	name := strings.ToLower(q.Name.String())
	hosts, isHost := n.hosts[name]
	servers, isService := n.servers[name]
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	if !isHost && !isService {
		m.RCode = dnsmessage.RCodeNameError
	}
	put := func(body dnsmessage.ResourceBody) {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60}, Body: body})
	}
	for _, ip := range hosts {
		switch {
		case q.Type == dnsmessage.TypeA && ip.Is4():
			put(&dnsmessage.AResource{A: ip.As4()})
		case q.Type == dnsmessage.TypeAAAA && ip.Is6():
			put(&dnsmessage.AAAAResource{AAAA: ip.As16()})
		}
	}
	for _, s := range servers {
		if q.Type != dnsmessage.TypeSRV {
			break
		}
		target, err := dnsmessage.NewName(s.Target + ".")
		if err != nil {
			return nil, err
		}
		put(&dnsmessage.SRVResource{Priority: s.Priority, Weight: s.Weight, Port: s.Port, Target: target})
	}
	return m.Pack()
}
