package media

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
)

// A call's socket for reports is silent nearly all of the time, and a goroutine that waits at it takes more memory than
// the rest of it. So one goroutine waits at all of them: at an epoll, which it waits for as for any other file.

// attendants wait at sockets. The zero value is ready to use.
type attendants struct {
	mu  sync.Mutex
	now *attendant // nil while there is nothing to wait at
}

// attendant is the goroutine that waits, and ends with the last socket.
type attendant struct {
	epoll int
	file  *os.File // the same
	waits syscall.RawConn

	mu      sync.Mutex
	sockets map[int32]*attended
	last    int32 // the newest key
}

type attended struct {
	socket syscall.RawConn
	take   func(datagram []byte, from netip.AddrPort)

	mu   sync.Mutex // held while take is called
	gone bool
}

// attend has take called with each datagram that comes, until leave has returned. That is to be called before the socket
// is closed. take must not wait, and does not keep the datagram.
func (a *attendants) attend(conn *net.UDPConn, take func(datagram []byte, from netip.AddrPort)) (leave func(), err error) {
	socket, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.now == nil {
		if a.now, err = newAttendant(); err != nil {
			return nil, err
		}
		go a.now.run()
	}
	w, s := a.now, &attended{socket: socket, take: take}
	key, err := w.add(s)
	if err != nil {
		a.release(w)
		return nil, err
	}
	return func() {
		a.mu.Lock()
		w.remove(key, s)
		a.release(w)
		a.mu.Unlock()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.gone = true
	}, nil
}

// release lets an attendant go that has nothing to wait at. a.mu is held.
func (a *attendants) release(w *attendant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a.now == w && len(w.sockets) == 0 {
		_ = w.file.Close()
		a.now = nil
	}
}

func newAttendant() (*attendant, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	err = syscall.SetNonblock(epoll, true) // then the file can be waited for
	w := &attendant{epoll: epoll, file: os.NewFile(uintptr(epoll), "epoll"), sockets: map[int32]*attended{}}
	if err == nil {
		w.waits, err = w.file.SyscallConn()
	}
	if err != nil {
		_ = w.file.Close()
		return nil, err
	}
	return w, nil
}

func (w *attendant) add(s *attended) (key int32, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for taken := true; taken; _, taken = w.sockets[w.last] {
		w.last++
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: w.last}
	if e := s.socket.Control(func(fd uintptr) { err = syscall.EpollCtl(w.epoll, syscall.EPOLL_CTL_ADD, int(fd), &event) }); e != nil {
		return 0, e
	}
	if err != nil {
		return 0, os.NewSyscallError("epoll_ctl", err)
	}
	w.sockets[w.last] = s
	return w.last, nil
}

func (w *attendant) remove(key int32, s *attended) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sockets[key] != s {
		return // done already
	}
	delete(w.sockets, key)
	_ = s.socket.Control(func(fd uintptr) { _ = syscall.EpollCtl(w.epoll, syscall.EPOLL_CTL_DEL, int(fd), nil) })
}

// run waits until the epoll is closed.
func (w *attendant) run() {
	var ready [64]syscall.EpollEvent
	datagram := make([]byte, maxDatagram)
	for {
		n := 0
		var failed error
		err := w.waits.Read(func(fd uintptr) bool {
			n, failed = syscall.EpollWait(int(fd), ready[:], 0)
			return n > 0 || failed != nil && failed != syscall.EINTR
		})
		if err != nil || failed != nil {
			return
		}
		for _, e := range ready[:n] {
			w.mu.Lock()
			s := w.sockets[e.Fd]
			w.mu.Unlock()
			if s != nil {
				s.hear(datagram)
			}
		}
	}
}

// hear takes one datagram; what else waits makes the socket ready once more.
func (s *attended) hear(buf []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return
	}
	n, from := 0, syscall.Sockaddr(nil)
	var failed error
	if err := s.socket.Read(func(fd uintptr) bool {
		n, from, failed = syscall.Recvfrom(int(fd), buf, syscall.MSG_DONTWAIT)
		return true
	}); err != nil || failed != nil {
		return // such as ECONNREFUSED from an ICMP message
	}
	switch from := from.(type) {
	case *syscall.SockaddrInet4:
		s.take(buf[:n], netip.AddrPortFrom(netip.AddrFrom4(from.Addr), uint16(from.Port)))
	case *syscall.SockaddrInet6:
		s.take(buf[:n], netip.AddrPortFrom(netip.AddrFrom16(from.Addr).Unmap(), uint16(from.Port)))
	}
}
