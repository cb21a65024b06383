//go:build !linux

package media

import (
	"errors"
	"net"
	"net/netip"
)

// attendants wait at sockets, with a goroutine for each: where there is no epoll.
type attendants struct{}

// attend has take called with each datagram that comes, until leave has returned. That closes the socket. take must not
// wait, and does not keep the datagram.
func (a *attendants) attend(conn *net.UDPConn, take func(datagram []byte, from netip.AddrPort)) (leave func(), err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, maxDatagram)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err == nil {
				take(buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
			} else if errors.Is(err, net.ErrClosed) {
				return
			}
		}
	}()
	return func() {
		_ = conn.Close()
		<-done
	}, nil
}
