package ua_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// network carries datagrams in virtual time: what takes minutes on a wire takes none here.
type network struct {
	mu    sync.Mutex
	ends  map[string]*endpoint
	ports int
	delay time.Duration
	lose  func(from, to, message string) bool // nil: nothing is lost
}

func newNetwork() *network {
	return &network{ends: map[string]*endpoint{}, ports: 5000, delay: time.Millisecond}
}

// lossy loses a share of all datagrams, and all copies of refusals: the library waits before it acknowledges one
// again, and holds a lock meanwhile, which stops virtual time.
func (n *network) lossy(share float64, seed uint64) {
	r := rand.New(rand.NewPCG(seed, seed))
	refusals := map[string]bool{}
	n.lose = func(_, _, m string) bool {
		if r.Float64() < share {
			return true
		}
		if !strings.HasPrefix(m, "SIP/2.0 ") || m[8] < '3' || !strings.HasSuffix(header(m, "CSeq"), "INVITE") {
			return false
		}
		known := refusals[m]
		refusals[m] = true
		return known
	}
}

// cut loses everything from here on.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lose = func(string, string, string) bool { return true }
}

func (n *network) open() *endpoint {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ports++
	at := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: n.ports}
	e := &endpoint{net: n, at: at, in: make(chan datagram, 4096), closed: make(chan struct{})}
	n.ends[at.String()] = e
	return e
}

type datagram struct {
	from net.Addr
	data []byte
}

// endpoint is a socket of the network.
type endpoint struct {
	net    *network
	at     *net.UDPAddr
	in     chan datagram
	closed chan struct{}
	once   sync.Once
	last   time.Time // when the newest datagram arrives
}

func (e *endpoint) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-e.in:
		return copy(b, d.data), d.from, nil
	case <-e.closed:
		return 0, nil, net.ErrClosed
	}
}

func (e *endpoint) WriteTo(b []byte, to net.Addr) (int, error) {
	n := e.net
	n.mu.Lock()
	defer n.mu.Unlock()
	target := n.ends[to.String()]
	if target == nil || n.lose != nil && n.lose(e.at.String(), to.String(), string(b)) {
		return len(b), nil
	}
	d := datagram{e.at, append([]byte(nil), b...)}
	at := time.Now().Add(n.delay)
	if !at.After(target.last) { // in order
		at = target.last.Add(time.Microsecond)
	}
	target.last = at
	time.AfterFunc(time.Until(at), func() {
		select {
		case target.in <- d:
		default:
		}
	})
	return len(b), nil
}

func (e *endpoint) Close() error {
	e.once.Do(func() { close(e.closed) })
	return nil
}
func (e *endpoint) LocalAddr() net.Addr              { return e.at }
func (e *endpoint) SetDeadline(time.Time) error      { return nil }
func (e *endpoint) SetReadDeadline(time.Time) error  { return nil }
func (e *endpoint) SetWriteDeadline(time.Time) error { return nil }

// nobody is a listener to whom nobody comes.
type nobody struct{ *endpoint }

func (l nobody) Accept() (net.Conn, error) {
	<-l.closed
	return nil, net.ErrClosed
}
func (l nobody) Addr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(l.at.String()))
}

// virtual runs a test in a network of its own, in virtual time.
func virtual(t *testing.T, test func(t *testing.T, n *network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newNetwork()) })
}

// agent opens an agent in the network.
func (n *network) agent(t *testing.T, o ua.Options) *ua.Agent {
	t.Helper()
	if o.Invite == nil {
		o.Invite = func(i *ua.Invitation) { i.Reject(486, "Busy Here", "") }
	}
	a, err := ua.Open(ua.WithNetwork(o, func(string) (net.PacketConn, net.Listener, error) {
		return n.open(), nobody{&endpoint{at: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, closed: make(chan struct{})}}, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = a.Close(ctx)
	})
	return a
}

// peer speaks SIP by hand, within one call.
type peer struct {
	t      *testing.T
	conn   *endpoint
	agent  string // host:port
	id     string
	local  string // tags
	remote string
	target string // the other side's Contact
	cseq   int
	branch int
}

// peer returns a phone that may call the agent, or be called by it.
func (n *network) peer(t *testing.T, a *ua.Agent) *peer {
	t.Helper()
	p := &peer{t: t, conn: n.open(), agent: fmt.Sprintf("127.0.0.1:%d", a.Port()), id: "call", local: "me"}
	p.target = "sip:bob@" + p.agent
	t.Cleanup(func() { _ = p.conn.Close() })
	return p
}

func (p *peer) uri() string { return "sip:al@" + p.conn.at.String() }

func (p *peer) send(message string) {
	p.t.Helper()
	to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(p.agent))
	if _, err := p.conn.WriteTo([]byte(message), to); err != nil {
		p.t.Fatal(err)
	}
}

// request sends a request, and returns it; headers may replace the usual ones. An ACK or CANCEL has the number of the
// last INVITE.
func (p *peer) request(method, body string, headers ...string) string {
	p.t.Helper()
	p.branch++
	if method != "ACK" && method != "CANCEL" {
		p.cseq++
	}
	to := "To: <sip:bob@h>"
	if p.remote != "" {
		to += ";tag=" + p.remote
	}
	m := compose(method+" "+p.target+" SIP/2.0", body, append([]string{
		fmt.Sprintf("Via: SIP/2.0/UDP %s;rport;branch=z9hG4bK%s-%d", p.conn.at, p.local, p.branch), "From: <sip:al@h>;tag=" + p.local, to,
		"Call-ID: " + p.id, fmt.Sprintf("CSeq: %d %s", p.cseq, method), "Contact: <" + p.uri() + ">", "Max-Forwards: 70",
	}, headers...))
	p.send(m)
	return m
}

// respond answers a request; headers may replace the usual ones.
func (p *peer) respond(req, status, body string, headers ...string) string {
	p.t.Helper()
	to := header(req, "To")
	if !strings.Contains(to, "tag=") && !strings.HasPrefix(status, "100") {
		to += ";tag=" + p.local
	}
	m := compose("SIP/2.0 "+status, body, append([]string{
		"Via: " + header(req, "Via"), "From: " + header(req, "From"), "To: " + to, "Call-ID: " + header(req, "Call-ID"), "CSeq: " + header(req, "CSeq"),
		"Contact: <" + p.uri() + ">",
	}, headers...))
	p.send(m)
	return m
}

// compose makes a message; of headers with one name the last counts, and none when it is empty.
func compose(line, body string, headers []string) string {
	var out []string
	if body != "" {
		headers = append([]string{"Content-Type: application/sdp"}, headers...)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		for i, o := range out {
			if strings.HasPrefix(o, name+":") && name != "Contact+" {
				out = append(out[:i], out[i+1:]...)
				break
			}
		}
		if value != "" {
			out = append(out, h)
		}
	}
	return fmt.Sprintf("%s\r\n%s\r\nContent-Length: %d\r\n\r\n%s", line, strings.Join(out, "\r\n"), len(body), body)
}

// next returns the next message, "" when none comes within a time.
func (p *peer) next(within time.Duration) string {
	select {
	case d := <-p.conn.in:
		return string(d.data)
	case <-time.After(within):
		return ""
	}
}

// expect returns the next message that begins with prefix; it answers or skips what does not matter.
func (p *peer) expect(prefix string) string {
	p.t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	var seen []string
	for time.Now().Before(deadline) {
		m := p.next(time.Until(deadline))
		if strings.HasPrefix(m, prefix) {
			return m
		}
		if line, _, _ := strings.Cut(m, "\r\n"); line != "" {
			seen = append(seen, line)
		}
	}
	p.t.Fatalf("no %q; seen: %q", prefix, seen)
	return ""
}

// none checks that nothing that begins with prefix comes within a time.
func (p *peer) none(prefix string, within time.Duration) {
	p.t.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); {
		if m := p.next(time.Until(deadline)); m != "" && strings.HasPrefix(m, prefix) {
			p.t.Errorf("unexpected:\n%s", m)
		}
	}
}

// learn takes over the other side's tag and Contact from a message of its.
func (p *peer) learn(m string) string {
	from := "From"
	if strings.HasPrefix(m, "SIP/2.0") {
		from = "To"
	}
	_, p.remote, _ = strings.Cut(header(m, from), "tag=")
	if c := strings.Trim(header(m, "Contact"), "<>"); c != "" {
		p.target = c
	}
	return m
}

// call calls the agent, which answers, and acknowledges that. It returns the 200.
func (p *peer) call(body string, headers ...string) string {
	p.t.Helper()
	p.request("INVITE", body, headers...)
	ok := p.learn(p.expect("SIP/2.0 200"))
	p.request("ACK", "")
	return ok
}

// answer answers the agent's call. It returns the INVITE.
func (p *peer) answer(body string, headers ...string) string {
	p.t.Helper()
	invite := p.learn(p.expect("INVITE"))
	p.id, p.remote = header(invite, "Call-ID"), strings.Split(header(invite, "From"), "tag=")[1]
	p.respond(invite, "200 OK", body, headers...)
	p.expect("ACK")
	return invite
}

// body is a message's body.
func body(m string) string {
	_, b, _ := strings.Cut(m, "\r\n\r\n")
	return b
}

// called is what Invite returned.
type called struct {
	dialog *ua.Dialog
	answer string
	err    error
}

// invite lets an agent call a phone, beside everything else.
func invite(t *testing.T, a *ua.Agent, p *peer, change ...func(*ua.Outgoing)) <-chan called {
	t.Helper()
	return inviteIn(t.Context(), a, p, change...)
}

func inviteIn(ctx context.Context, a *ua.Agent, p *peer, change ...func(*ua.Outgoing)) <-chan called {
	o := ua.Outgoing{URI: p.uri(), From: "bob", Offer: []byte("offer")}
	for _, c := range change {
		c(&o)
	}
	out := make(chan called, 1)
	go func() {
		d, answer, err := a.Invite(ctx, o)
		out <- called{d, string(answer), err}
	}()
	return out
}

// answering answers every call, and hands the dialogs over.
func answering(h ua.Handlers) (func(*ua.Invitation), <-chan *ua.Dialog) {
	dialogs := make(chan *ua.Dialog, 16)
	return func(i *ua.Invitation) {
		if d, err := i.Accept([]byte("answer"), h); err == nil {
			dialogs <- d
		}
	}, dialogs
}
