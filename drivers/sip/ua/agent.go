// Package ua is a SIP user agent (RFC 3261): it takes and makes calls as dialogs, and registers users. It knows
// nothing of sound and nothing of scripts; descriptions of sound pass through it as they are.
//
// Messages of one dialog are handled one at a time. They may come in any order: the transaction library hands
// each to a goroutine of its own, so that a BYE may overtake the ACK before it, and that is a normal, short call.
package ua

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo"
	msg "github.com/emiago/sipgo/sip"
)

// Options set up an Agent.
type Options struct {
	// Listen is the address for UDP and TCP, host:port. Port 0 leaves the choice to the system.
	Listen string
	// Advertise is the host name or address that others reach us at, for Via and Contact; empty takes the address
	// that packets leave from.
	Advertise string
	// Name is our name in User-Agent and Server headers.
	Name string
	// Users are the users that may register, and whose calls must be authenticated: name to password.
	Users map[string]string
	// Realm is what passwords are for (default "piopiyd").
	Realm string
	// KnownOnly refuses calls from everybody but users and Trusted addresses.
	KnownOnly bool
	// Trusted are the addresses of trunks: their calls need no password.
	Trusted []netip.Prefix
	// PerSource bounds the requests of one address, per second (default 100; loopback is not bounded).
	PerSource int
	// Invite is called with each call that comes in, on a goroutine of its own; the invitation must be accepted
	// or rejected before it returns. Required.
	Invite func(*Invitation)
	Logger *slog.Logger
}

// Agent is a SIP user agent. It must be closed.
type Agent struct {
	opts   Options
	log    *slog.Logger
	ua     *sipgo.UserAgent
	client *sipgo.Client
	udp    net.PacketConn
	tcp    net.Listener
	port   int
	host   netip.Addr // may be unspecified

	filter    *filter
	auth      *authenticator
	registrar *registrar

	sending sync.RWMutex // held for writing by Close: nothing is sent afterwards
	closed  bool

	draining atomic.Bool
	mu       sync.Mutex
	dialogs  map[string]*Dialog
	work     sync.WaitGroup // listeners, and what ends dialogs in the background
	calls    sync.WaitGroup // Invite callbacks
}

// Open binds the sockets and begins to take calls.
func Open(o Options) (*Agent, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Realm == "" {
		o.Realm = "piopiyd"
	}
	if o.Name == "" {
		o.Name = "piopiyd"
	}
	if o.PerSource <= 0 {
		o.PerSource = 100
	}
	a := &Agent{opts: o, log: o.Logger, dialogs: map[string]*Dialog{}}
	a.auth = newAuthenticator(o.Realm, o.Users)
	a.registrar = newRegistrar()
	if err := a.bind(); err != nil {
		return nil, err
	}
	quiet := slog.New(&quietHandler{next: o.Logger.Handler()})
	a.filter = newFilter(o.PerSource)
	var err error
	a.ua, err = sipgo.NewUA(
		sipgo.WithUserAgent(o.Name),
		sipgo.WithUserAgentTransportLayerOptions(msg.WithTransportLayerLogger(quiet), msg.WithTransportLayerReadFilter(a.filter.read)),
		sipgo.WithUserAgentTransactionLayerOptions(
			msg.WithTransactionLayerLogger(quiet), msg.WithTransactionLayerTerminateOnConnClose(),
			msg.WithTransactionLayerUnhandledResponseHandler(func(*msg.Response) {}), // such as a 2xx after its transaction
		),
	)
	if err == nil {
		a.client, err = sipgo.NewClient(a.ua, sipgo.WithClientLogger(quiet))
	}
	if err != nil {
		_, _ = a.udp.Close(), a.tcp.Close()
		return nil, fmt.Errorf("sip: %w", err)
	}
	return a, a.serve(quiet)
}

// bind opens UDP and TCP at one port.
func (a *Agent) bind() error {
	var err error
	for range 10 { // with port 0 the other protocol may have taken it
		if a.udp, err = net.ListenPacket("udp", a.opts.Listen); err != nil {
			return fmt.Errorf("sip.listen: %w", err)
		}
		at := a.udp.LocalAddr().(*net.UDPAddr)
		a.port, a.host = at.Port, at.AddrPort().Addr().Unmap()
		host, port, _ := net.SplitHostPort(a.opts.Listen)
		if a.tcp, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(at.Port))); err == nil {
			return nil
		}
		_ = a.udp.Close()
		if port != "0" {
			break
		}
	}
	return fmt.Errorf("sip.listen: %w", err)
}

func (a *Agent) serve(quiet *slog.Logger) error {
	server, err := sipgo.NewServer(a.ua, sipgo.WithServerLogger(quiet))
	if err != nil {
		return fmt.Errorf("sip: %w", err)
	}
	for method, handle := range map[msg.RequestMethod]handler{
		msg.INVITE: a.onInvite, msg.ACK: a.onAck, msg.BYE: a.onBye, msg.CANCEL: a.onCancel, msg.OPTIONS: a.onOptions,
		msg.INFO: a.onInfo, msg.UPDATE: a.onUpdate, msg.REGISTER: a.onRegister,
	} {
		server.OnRequest(method, a.guard(handle))
	}
	server.OnNoRoute(a.guard(a.onUnknown))
	a.work.Go(func() {
		if err := server.ServeUDP(a.udp); err != nil && !errors.Is(err, net.ErrClosed) {
			a.log.Error("SIP over UDP stopped", "error", err)
		}
	})
	a.awaitUDP(server.TransportLayer())
	a.work.Go(func() {
		if err := server.ServeTCP(a.tcp); !errors.Is(err, net.ErrClosed) {
			a.log.Error("SIP over TCP stopped", "error", err)
		}
	})
	return nil
}

// awaitUDP waits until the library knows the socket: before, it would open another one for what we send.
func (a *Agent) awaitUDP(layer *msg.TransportLayer) {
	for {
		if conn, err := layer.GetConnection("udp", a.udp.LocalAddr().String()); err == nil {
			_, _ = conn.TryClose()
			return
		}
		runtime.Gosched()
	}
}

// Port returns the port that the agent listens at.
func (a *Agent) Port() int { return a.port }

// Drain refuses new calls with 503 from here on.
func (a *Agent) Drain() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.draining.Store(true)
}

// enter counts an Invite callback in, unless the agent is being drained.
func (a *Agent) enter() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.draining.Load() {
		return false
	}
	a.calls.Add(1)
	return true
}

// Dialogs returns how many dialogs there are.
func (a *Agent) Dialogs() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.dialogs)
}

// Close waits until no Invite callback is under way and says goodbye to what is left, both until ctx ends, and
// closes the sockets.
func (a *Agent) Close(ctx context.Context) error {
	a.Drain()
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.calls.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	var byes sync.WaitGroup
	a.mu.Lock()
	for _, d := range a.dialogs {
		byes.Go(func() { d.Bye(ctx, "") })
	}
	a.mu.Unlock()
	byes.Wait()
	a.sending.Lock()
	a.closed = true
	a.sending.Unlock()
	// What has been read already is on its way through the library, which opens a socket of its own to answer it
	// when ours is gone.
	a.filter.stop()
	time.Sleep(settle)
	err := errors.Join(a.udp.Close(), a.tcp.Close())
	<-done
	a.work.Wait()
	return errors.Join(err, a.ua.Close())
}

// settle is how long a message that was read may be on its way to its handler.
const settle = 20 * time.Millisecond

var errClosed = errors.New("the user agent is closed")

// begin sends a request. Once the sockets are closed the library would open others for it: then nothing is sent.
func (a *Agent) begin(ctx context.Context, req *msg.Request) (msg.ClientTransaction, error) {
	a.sending.RLock()
	defer a.sending.RUnlock()
	if a.closed {
		return nil, errClosed
	}
	return a.client.TransactionRequest(ctx, req)
}

// write sends a request that is not answered.
func (a *Agent) write(req *msg.Request) error {
	a.sending.RLock()
	defer a.sending.RUnlock()
	if a.closed {
		return errClosed
	}
	return a.client.WriteRequest(req)
}

// do sends a request and returns its final response.
func (a *Agent) do(ctx context.Context, req *msg.Request) (*msg.Response, error) {
	tx, err := a.begin(ctx, req)
	if err != nil {
		return nil, err
	}
	defer tx.Terminate()
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
		case <-tx.Done():
			return nil, tx.Err()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// hostFor returns our host as the other side at addr (host:port) sees it.
func (a *Agent) hostFor(addr string) string {
	if a.opts.Advertise != "" {
		return a.opts.Advertise
	}
	if !a.host.IsUnspecified() {
		return a.host.String()
	}
	return LocalAddr(addr).String()
}

// LocalAddr returns the address that packets to addr (host:port) leave from.
func LocalAddr(addr string) netip.Addr {
	conn, err := net.Dial("udp", addr) // sends nothing
	if err != nil {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	defer func() { _ = conn.Close() }()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
}

// contact is our Contact for a dialog with the other side at addr.
func (a *Agent) contact(addr, transport string) *msg.ContactHeader {
	h := &msg.ContactHeader{Address: msg.Uri{Scheme: "sip", User: "piopiyd", Host: bracket(a.hostFor(addr)), Port: a.port}}
	if transport != "UDP" {
		h.Address.UriParams.Add("transport", msg.NetworkToLower(transport))
	}
	return h
}

// via is the Via of a new request.
func (a *Agent) via(addr, transport string) *msg.ViaHeader {
	h := &msg.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: transport, Host: bracket(a.hostFor(addr)), Port: a.port}
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

// timers of RFC 3261 section 17.1.1.1 and 13.3.1.4.
const (
	t1      = 500 * time.Millisecond
	t2      = 4 * time.Second
	timeout = 64 * t1
)

// allow is what we understand.
const allow = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, REGISTER"

func init() {
	// The library refuses to send more than this by UDP instead of switching to TCP (RFC 3261 section 18.1.1).
	// Its answers through several proxies may be longer; they are sent as fragments, as everybody does.
	msg.UDPMTUSize = 16 << 10
	// What it logs past the loggers given to it is about its own reference counts.
	msg.SetDefaultLogger(slog.New(slog.DiscardHandler))
}
