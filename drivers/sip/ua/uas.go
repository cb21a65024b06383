package ua

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"

	msg "github.com/emiago/sipgo/sip"
)

var (
	errNoOffers = errors.New("offers within a call are not taken")
	errNoAck    = errors.New("the other side has not acknowledged the answer within 32 s (no ACK)")
)

// Invitation is a call that comes in and has not been answered.
type Invitation struct {
	// To and From are the user parts of the Request-URI and of the From header; Name is the display name.
	To, From, Name string
	// FromHost is the host in the From header.
	FromHost string
	// User is the user who was authenticated, "" for others. Trusted says that the call comes from a trunk.
	User    string
	Trusted bool
	// Source is where it comes from, host:port.
	Source string
	// Offer is the body, empty when the offer is left to us.
	Offer []byte
	// Cancelled is closed when the caller gives up, or is gone.
	Cancelled <-chan struct{}

	agent *Agent
	req   *msg.Request
	tx    msg.ServerTransaction
	tag   string

	mu    sync.Mutex
	final bool
}

// onInvite takes a new call, or an offer within one.
func (a *Agent) onInvite(req *msg.Request, tx msg.ServerTransaction) {
	if tag(req.To().Params) != "" {
		if d := a.dialog(req); d != nil {
			a.reoffer(d, req, tx)
		} else {
			a.respond(tx, req, 481, "Call/Transaction Does Not Exist")
		}
		return
	}
	// All answers, the library's own included, have one tag. The 100 stops the library's timer, which would read
	// the request while we change it.
	localTag := msg.GenerateTagN(16)
	req.To().Params.Add("tag", localTag)
	cancelled := make(chan struct{})
	var once sync.Once
	cancel := func() { once.Do(func() { close(cancelled) }) }
	if !tx.OnCancel(func(*msg.Request) { cancel() }) {
		return // CANCEL was faster; the library has answered both
	}
	tx.OnTerminate(func(string, error) { cancel() }) // its connection is gone, where it had one
	a.send(tx, msg.NewResponseFromRequest(req, 100, "Trying", nil))
	if a.refused(req, tx) {
		return
	}
	user, trusted, ok := a.caller(req, tx)
	if !ok {
		return
	}
	if !a.enter() {
		a.respond(tx, req, 503, "Service Unavailable", msg.NewHeader("Retry-After", "10"))
		return
	}
	defer a.calls.Done()
	inv := &Invitation{
		To: req.Recipient.User, From: req.From().Address.User, Name: req.From().DisplayName, FromHost: req.From().Address.Host,
		User: user, Trusted: trusted, Source: req.Source(), Offer: req.Body(), Cancelled: cancelled,
		agent: a, req: req, tx: tx, tag: localTag,
	}
	a.opts.Invite(inv)
	inv.Reject(480, "Temporarily Unavailable", "") // does nothing after an answer
}

// refused answers what cannot be a call of ours.
func (a *Agent) refused(req *msg.Request, tx msg.ServerTransaction) bool {
	switch h := req.GetHeader("Require"); {
	case a.draining.Load():
		a.respond(tx, req, 503, "Service Unavailable", msg.NewHeader("Retry-After", "10"))
	case h != nil:
		a.respond(tx, req, 420, "Bad Extension", msg.NewHeader("Unsupported", h.Value()))
	case len(req.Body()) > 0 && !isSDP(req):
		a.respond(tx, req, 415, "Unsupported Media Type", msg.NewHeader("Accept", "application/sdp"))
	default:
		return false
	}
	return true
}

func isSDP(req *msg.Request) bool {
	h := req.ContentType()
	if h == nil {
		return true
	}
	kind, _, _ := strings.Cut(h.Value(), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/sdp")
}

// caller finds out who calls. Whoever claims to be one of our users must prove it.
func (a *Agent) caller(req *msg.Request, tx msg.ServerTransaction) (user string, trusted, ok bool) {
	if at, err := netip.ParseAddrPort(req.Source()); err == nil {
		for _, p := range a.opts.Trusted {
			if p.Contains(at.Addr().Unmap()) {
				return "", true, true
			}
		}
	}
	_, isUser := a.opts.Users[req.From().Address.User]
	switch {
	case isUser || req.GetHeader("Proxy-Authorization") != nil:
		user, ok = a.auth.check(a, req, tx, 407)
		return user, false, ok
	case a.opts.KnownOnly:
		a.respond(tx, req, 403, "Forbidden")
		return "", false, false
	}
	return "", false, true
}

// decide reports whether the invitation is still open, and closes it.
func (i *Invitation) decide() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	was := i.final
	i.final = true
	return !was
}

// Ring sends 180.
func (i *Invitation) Ring() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.final {
		return
	}
	res := msg.NewResponseFromRequest(i.req, 180, "Ringing", nil)
	res.AppendHeader(i.agent.contact(i.req.Source(), i.req.Transport()))
	i.agent.send(i.tx, res)
}

// Reject answers that the call is not taken. It does nothing when the invitation was answered or cancelled.
func (i *Invitation) Reject(status int, phrase, reason string) {
	if !i.decide() {
		return
	}
	var headers []msg.Header
	if reason != "" && safe(reason) {
		headers = append(headers, msg.NewHeader("Reason", reason))
	}
	if status == 503 {
		headers = append(headers, msg.NewHeader("Retry-After", "10"))
	}
	i.agent.respond(i.tx, i.req, status, phrase, headers...)
}

// ErrCancelled says that the caller has given up.
var ErrCancelled = errors.New("the caller has given up")

// Accept answers the call with a description: the answer to its offer, or our offer when it had none. The dialog
// stands at once, its ACK comes later: when it never does, Handlers.Ended is called.
func (i *Invitation) Accept(body []byte, h Handlers) (*Dialog, error) {
	select {
	case <-i.Cancelled:
		return nil, ErrCancelled
	default:
	}
	if !i.decide() {
		return nil, errors.New("the call has been answered or rejected")
	}
	a, req := i.agent, i.req
	acked := make(chan struct{})
	d := &Dialog{
		agent: a, handlers: h, gone: make(chan struct{}), callID: *req.CallID(), target: *req.Contact().Address.Clone(),
		source: req.Source(), transport: msg.NetworkToUpper(req.Transport()), theirs: req.CSeq().SeqNo, acked: acked, reoffered: len(i.Offer) == 0,
	}
	d.local = msg.FromHeader{Address: *req.To().Address.Clone(), Params: req.To().Params.Clone()}
	d.remote = msg.ToHeader{DisplayName: req.From().DisplayName, Address: *req.From().Address.Clone(), Params: req.From().Params.Clone()}
	for _, r := range req.GetHeaders("Record-Route") {
		if rr, ok := r.(*msg.RecordRouteHeader); ok {
			d.routes = append(d.routes, *rr.Address.Clone())
		}
	}
	a.keep(d)
	res := a.ok(req, body, d.transport)
	res.AppendHeader(msg.NewHeader("Server", a.opts.Name))
	if err := i.tx.Respond(res); err != nil {
		d.end()
		a.forget(d)
		return nil, fmt.Errorf("the answer could not be sent: %w", err)
	}
	a.work.Go(func() {
		if !d.accepted(i.tx, res, acked) {
			d.lost(errNoAck)
		}
	})
	return d, nil
}

// onCancel answers a CANCEL whose INVITE is not there any more; the library answers the others.
func (a *Agent) onCancel(req *msg.Request, tx msg.ServerTransaction) {
	a.respond(tx, req, 481, "Call/Transaction Does Not Exist")
}

// onOptions tells that we are there (RFC 3261 section 11.2): load balancers ask.
func (a *Agent) onOptions(req *msg.Request, tx msg.ServerTransaction) {
	if a.draining.Load() {
		a.respond(tx, req, 503, "Service Unavailable", msg.NewHeader("Retry-After", "10"))
		return
	}
	a.respond(tx, req, 200, "OK", msg.NewHeader("Allow", allow), msg.NewHeader("Accept", "application/sdp"), a.contact(req.Source(), req.Transport()))
}

func (a *Agent) onUnknown(req *msg.Request, tx msg.ServerTransaction) {
	if req.Method != msg.ACK {
		a.respond(tx, req, 405, "Method Not Allowed", msg.NewHeader("Allow", allow))
	}
}
