// Package ua is a SIP user agent (RFC 3261): it takes and makes calls as dialogs, and registers users. It knows
// nothing of sound and nothing of scripts; descriptions of sound pass through it as they are.
//
// Messages of one dialog are handled one at a time. They may come in any order: the transaction library hands
// each to a goroutine of its own, so that a BYE may overtake the ACK before it, and that is a normal, short call.
package ua

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
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
	// TLSListen is the address for SIP over TLS (1.2 and later), host:port; empty: there is none, and nothing can be
	// sent over TLS. TLSCert and TLSKey are the PEM files of its certificate chain and key; when they change they
	// are read again.
	TLSListen, TLSCert, TLSKey string
	// TLSRoots is a PEM file of authorities that the certificates of others may come from, beside those that the
	// system trusts.
	TLSRoots string
	// Advertise is the host name or address that others reach us at, for Via and Contact; empty takes the address
	// that packets leave from.
	Advertise string
	// Name is our name in User-Agent and Server headers.
	Name string
	// Users are the users that may register, and whose calls must be authenticated: name to password.
	Users map[string]string
	// Realm is what passwords are for (default "piopiyd").
	Realm string
	// KnownOnly refuses calls from everybody but users, Peers and Trusted addresses: everybody else is asked for a
	// password, so that nobody learns from the answers who is a user.
	KnownOnly bool
	// Peers are trunks that prove with a digest who they are, name to password. Unlike users they may call in
	// anybody's name.
	Peers map[string]string
	// Trusted are the addresses of trunks: their calls need no password.
	Trusted []netip.Prefix
	// PerSource bounds the requests of one address, per second; what is too much is dropped. 0 is 100, and no bound
	// for loopback.
	PerSource int
	// BanTime is how long an address or a user at it is ignored after too many wrong guesses (default 5 min).
	BanTime time.Duration
	// Invite is called with each call that comes in, on a goroutine of its own; the invitation must be accepted
	// or rejected before it returns. Required.
	Invite func(*Invitation)
	// SessionExpires is how long a call may go on without a sign of the other side (RFC 4028), where that can give
	// one (default 30 min, at least 90 s). Less than 0 asks for none, and still gives them to who asks.
	SessionExpires time.Duration
	Logger         *slog.Logger
	// DialDNS reaches the name server that a resolver wants to ask; nil does so as everybody does.
	DialDNS func(ctx context.Context, network, address string) (net.Conn, error)

	// network, where set, opens the sockets instead of the system.
	network func(address string) (net.PacketConn, net.Listener, error)
}

// Agent is a SIP user agent. It must be closed.
type Agent struct {
	opts   Options
	log    *slog.Logger
	ua     *sipgo.UserAgent
	client *sipgo.Client
	udp    net.PacketConn
	tcp    net.Listener
	tls    net.Listener // nil without TLSListen
	port   int
	secure int        // the port for TLS
	host   netip.Addr // may be unspecified

	filter    *filter
	auth      *authenticator
	registrar *registrar
	users     *users
	trunks    trunks
	names     *names
	sending   sync.RWMutex // held for writing by Close: nothing is sent afterwards
	closed    bool

	draining atomic.Bool
	stopping chan struct{} // closed by Close: what lingers ends
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
	if o.SessionExpires == 0 {
		o.SessionExpires = 30 * time.Minute
	}
	a := &Agent{opts: o, log: o.Logger, dialogs: map[string]*Dialog{}, stopping: make(chan struct{})}
	a.trunks.quit = make(chan struct{})
	a.names = newNames(resolver(o.DialDNS))
	a.users = newUsers(o.Users)
	a.auth = newAuthenticator(o, a.users, a.stopping)
	a.registrar = newRegistrar()
	a.filter = newFilter(o.PerSource, a.auth.bans)
	client, err := a.bind()
	if err != nil {
		return nil, err
	}
	quiet := slog.New(&quietHandler{next: o.Logger.Handler()})
	if err = a.assemble(quiet, client); err != nil {
		return nil, errors.Join(fmt.Errorf("sip: %w", err), a.unbind())
	}
	return a, a.serve(quiet)
}

// assemble makes the library's parts.
func (a *Agent) assemble(quiet *slog.Logger, client *tls.Config) error {
	parser := msg.NewParser()
	parser.MaxMessageLength = maxStreamed
	var err error
	a.ua, err = sipgo.NewUA(
		sipgo.WithUserAgent(a.opts.Name),
		sipgo.WithUserAgentParser(parser),
		sipgo.WithUserAgentDNSResolver(a.names.resolver),
		sipgo.WithUserAgenTLSConfig(client),
		sipgo.WithUserAgentTransportLayerOptions(
			msg.WithTransportLayerLogger(quiet), msg.WithTransportLayerReadFilter(a.filter.read),
			msg.WithTransportLayerTransports(msg.TransportsConfig{
				TCP: stream(), TLS: &msg.TransportTLS{TransportTCP: stream()},
			}),
		),
		sipgo.WithUserAgentTransactionLayerOptions(
			msg.WithTransactionLayerLogger(quiet), msg.WithTransactionLayerTerminateOnConnClose(),
			msg.WithTransactionLayerUnhandledResponseHandler(func(*msg.Response) {}), // such as a 2xx after its transaction
		),
	)
	if err != nil {
		return err
	}
	a.client, err = sipgo.NewClient(a.ua, sipgo.WithClientLogger(quiet))
	return err
}

func (a *Agent) serve(quiet *slog.Logger) error {
	server, err := sipgo.NewServer(a.ua, sipgo.WithServerLogger(quiet))
	if err != nil {
		return errors.Join(fmt.Errorf("sip: %w", err), a.unbind())
	}
	for method, handle := range map[msg.RequestMethod]handler{
		msg.INVITE: a.onInvite, msg.ACK: a.onAck, msg.BYE: a.onBye, msg.CANCEL: a.onCancel, msg.OPTIONS: a.onOptions,
		msg.INFO: a.onInfo, msg.UPDATE: a.onUpdate, msg.REGISTER: a.onRegister, msg.PRACK: a.onPrack, msg.REFER: a.onRefer, msg.NOTIFY: a.onNotify,
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
	if a.tls != nil {
		a.work.Go(func() {
			if err := server.ServeTLS(a.tls); !errors.Is(err, net.ErrClosed) {
				a.log.Error("SIP over TLS stopped", "error", err)
			}
		})
	}
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

// Port returns the port that the agent listens at, for UDP and TCP.
func (a *Agent) Port() int { return a.port }

// TLSPort returns the port for TLS, 0 if there is none.
func (a *Agent) TLSPort() int { return a.secure }

// Drain refuses new calls with 503 from here on, and lets go of trunks.
func (a *Agent) Drain() {
	a.trunks.leave()
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
// closes the sockets. Callbacks that have not returned by then are left behind.
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
	a.trunks.work.Wait() // briefly: see unregisterTime
	var byes sync.WaitGroup
	a.mu.Lock()
	for _, d := range a.dialogs {
		byes.Go(func() { d.Bye(ctx, "") })
	}
	a.mu.Unlock()
	byes.Wait()
	a.sending.Lock()
	if !a.closed {
		close(a.stopping)
	}
	a.closed = true
	a.sending.Unlock()
	// What has been read already is on its way through the library, which opens a socket of its own to answer it
	// when ours is gone.
	a.filter.stop()
	time.Sleep(settle)
	err := a.unbind()
	select {
	case <-done:
	case <-ctx.Done():
	}
	select {
	case <-done:
		a.work.Wait()
	default: // who still waits in Invite has nothing to wait for: a bug, but none to hang with
		a.log.Error("calls do not end with the SIP user agent")
	}
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
	ctx = marked(ctx)
	if err := a.locate(ctx, req); err != nil {
		return nil, err
	}
	return a.client.TransactionRequest(ctx, req)
}

// spawn runs f beside everything else. Close waits for it; it reports false once the agent is closed.
func (a *Agent) spawn(f func()) bool {
	a.sending.RLock()
	defer a.sending.RUnlock()
	if a.closed {
		return false
	}
	a.work.Go(f)
	return true
}

// join is spawn for what has a goroutine already: a.work.Done ends it.
func (a *Agent) join() bool {
	a.sending.RLock()
	defer a.sending.RUnlock()
	if !a.closed {
		a.work.Add(1)
	}
	return !a.closed
}

// write sends a request that is not answered.
func (a *Agent) write(req *msg.Request) error {
	a.sending.RLock()
	defer a.sending.RUnlock()
	if a.closed {
		return errClosed
	}
	done, err := a.connect(req)
	if err != nil {
		return err
	}
	defer done()
	return a.client.WriteRequest(req)
}

// do sends a request and returns its final response.
func (a *Agent) do(ctx context.Context, req *msg.Request) (*msg.Response, error) {
	tx, err := a.begin(ctx, req)
	if err != nil {
		return nil, err
	}
	return final(ctx, tx)
}

// timers of RFC 3261 section 17.1.1.1 and 13.3.1.4.
const (
	t1      = 500 * time.Millisecond
	t2      = 4 * time.Second
	timeout = 64 * t1
)

// allow is what we understand.
const allow = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY, REGISTER"

func init() {
	// The library refuses to send more than this by UDP instead of switching to TCP (RFC 3261 section 18.1.1).
	// Its answers through several proxies may be longer; they are sent as fragments, as everybody does.
	msg.UDPMTUSize = 16 << 10
	// What it logs past the loggers given to it is about its own reference counts.
	msg.SetDefaultLogger(slog.New(slog.DiscardHandler))
}
