package ua

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// ours marks contexts in which we may connect to others.
type ours struct{}

// errNotOurs says that a stranger would have us connect. The library answers a request whose TCP connection is gone
// by connecting to what its Via names, as RFC 3261 section 18.2.2 has it: then anybody could have us look up names
// and connect to any host. Whoever does not wait for an answer gets none.
var errNotOurs = errors.New("sip: no connection is made for an answer")

func marked(ctx context.Context) context.Context { return context.WithValue(ctx, ours{}, true) }

func isMarked(ctx context.Context) bool { return ctx.Value(ours{}) != nil }

// connectTime is how long a connection to others may take.
const connectTime = 10 * time.Second

func dialer(laddr net.Addr) net.Dialer {
	return net.Dialer{Timeout: connectTime, LocalAddr: laddr, ControlContext: func(ctx context.Context, _, _ string, _ syscall.RawConn) error {
		if !isMarked(ctx) {
			return errNotOurs
		}
		return nil
	}}
}

// resolver looks up names for what we send, by asking whom dial reaches.
func resolver(dial func(ctx context.Context, network, address string) (net.Conn, error)) *net.Resolver {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if !isMarked(ctx) {
			return nil, errNotOurs
		}
		return dial(ctx, network, address)
	}}
}

// stream is a transport over connections.
func stream() *msg.TransportTCP {
	return &msg.TransportTCP{WriteTimeout: writeTime, DialerCreate: dialer}
}

// connect makes ready what a request needs that is about to be written: the address of a name, and a connection,
// where the transport has them. done lets go of it.
func (a *Agent) connect(req *msg.Request) (done func(), err error) {
	ctx, cancel := context.WithTimeout(marked(context.Background()), connectTime)
	defer cancel()
	if err := a.locate(ctx, req); err != nil {
		return nil, err
	}
	if req.Transport() == "UDP" {
		return func() {}, nil
	}
	conn, err := a.ua.TransportLayer().ClientRequestConnection(ctx, req)
	if err != nil {
		return nil, err
	}
	return func() { _, _ = conn.TryClose() }, nil
}

// locate puts an address into the place of the name that a request goes to.
func (a *Agent) locate(ctx context.Context, req *msg.Request) error {
	if _, err := netip.ParseAddrPort(req.Destination()); err == nil {
		return nil // as nearly always
	}
	places, err := a.Locate(ctx, req.Destination(), req.Transport())
	if err == nil {
		req.SetDestination(places[0])
	}
	return err
}
