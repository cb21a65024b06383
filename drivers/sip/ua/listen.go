package ua

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

const (
	// maxConnections and maxFromOne bound the TCP and TLS connections of all, and of one address.
	maxConnections = 8192
	maxFromOne     = 128
	// firstTime is how long a connection may take to bring its first message, its handshake included; idleTime is
	// how long it may be silent afterwards: longer than any registration lasts.
	firstTime = 10 * time.Second
	idleTime  = maxExpires + 5*time.Minute
	// writeTime is how long a connection may take nothing of what is sent.
	writeTime = 10 * time.Second
	// readBuffer is how many octets of UDP the system may keep for us, as far as it lets us: its own measure holds some
	// 160 messages, and is full after 20 ms in which we had no processor while 2,400 calls a second came. What does not
	// fit is lost, and comes again half a second later.
	readBuffer = 4 << 20
)

// bind opens UDP and TCP at one port and, where that is set up, TLS at another. It returns what connections to
// others over TLS are made with.
func (a *Agent) bind() (*tls.Config, error) {
	server, client, err := a.tlsConfigs()
	if err != nil {
		return nil, err
	}
	if err := a.bindPlain(); err != nil {
		return nil, err
	}
	own := newDoor(a.tcp, a.auth.bans)
	a.tcp = own
	if server == nil {
		return client, nil
	}
	listener, err := net.Listen("tcp", a.opts.TLSListen)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sip.tls.listen: %w", err), a.unbind())
	}
	a.secure = listener.Addr().(*net.TCPAddr).Port
	door := newDoor(listener, a.auth.bans)
	door.tls = server
	a.tls = door
	return client, nil
}

func (a *Agent) bindPlain() error {
	var err error
	if a.opts.network != nil {
		if a.udp, a.tcp, err = a.opts.network(a.opts.Listen); err == nil {
			at := a.udp.LocalAddr().(*net.UDPAddr)
			a.port, a.host = at.Port, at.AddrPort().Addr().Unmap()
		}
		return err
	}
	for range 10 { // with port 0 the other protocol may have taken it
		if a.udp, err = net.ListenPacket("udp", a.opts.Listen); err != nil {
			return fmt.Errorf("sip.listen: %w", err)
		}
		at := a.udp.LocalAddr().(*net.UDPAddr)
		a.port, a.host = at.Port, at.AddrPort().Addr().Unmap()
		host, port, _ := net.SplitHostPort(a.opts.Listen)
		if a.tcp, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(at.Port))); err == nil {
			if conn, ok := a.udp.(*net.UDPConn); ok {
				_ = conn.SetReadBuffer(readBuffer) // less is worse, and no reason not to begin
			}
			return nil
		}
		_ = a.udp.Close()
		if port != "0" {
			break
		}
	}
	return fmt.Errorf("sip.listen: %w", err)
}

// unbind closes the sockets.
func (a *Agent) unbind() error {
	err := errors.Join(a.udp.Close(), a.tcp.Close())
	if a.tls != nil {
		err = errors.Join(err, a.tls.Close())
	}
	return err
}

// door lets connections in: not too many, none of who is banned, and none that says nothing.
type door struct {
	net.Listener
	tls  *tls.Config // nil for TCP
	bans *bans

	closing chan struct{}
	once    sync.Once
	mu      sync.Mutex
	total   int
	from    map[netip.Addr]int
}

func newDoor(l net.Listener, b *bans) *door {
	return &door{Listener: l, bans: b, closing: make(chan struct{}), from: map[netip.Addr]int{}}
}

// Accept waits for a connection. It fails only when the door is closed: the library would not call it again.
func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			select {
			case <-d.closing:
				return nil, err
			case <-time.After(50 * time.Millisecond): // such as too many open files
				if errors.Is(err, net.ErrClosed) {
					return nil, err
				}
				continue
			}
		}
		addr := addrOf(conn.RemoteAddr().String())
		if d.bans.drops(addr) || !d.enter(addr) {
			_ = conn.Close()
			continue
		}
		v := &visitor{Conn: conn, leave: func() { d.leave(addr) }}
		if d.tls != nil {
			v.Conn = tls.Server(conn, d.tls)
		}
		return v, nil
	}
}

func (d *door) Close() error {
	d.once.Do(func() { close(d.closing) })
	return d.Listener.Close()
}

func (d *door) enter(addr netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.total >= maxConnections || d.from[addr] >= maxFromOne && !addr.IsLoopback() {
		return false
	}
	d.total++
	d.from[addr]++
	return true
}

func (d *door) leave(addr netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total--
	if d.from[addr]--; d.from[addr] <= 0 {
		delete(d.from, addr)
	}
}

// visitor is a connection that came in.
type visitor struct {
	net.Conn
	leave func()
	once  sync.Once
	heard bool // only its reader looks
}

// Read waits for the first message firstTime in all, for others idleTime each.
func (v *visitor) Read(b []byte) (int, error) {
	wait := idleTime
	if !v.heard {
		wait = firstTime
	}
	if err := v.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return 0, err
	}
	n, err := v.Conn.Read(b)
	v.heard = v.heard || n > 0
	return n, err
}

func (v *visitor) Close() error {
	v.once.Do(v.leave)
	return v.Conn.Close()
}

// addrOf returns the address of host:port; it is not valid when there is none.
func addrOf(hostPort string) netip.Addr {
	at, err := netip.ParseAddrPort(hostPort)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}
