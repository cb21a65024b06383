package ua

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"

	msg "github.com/emiago/sipgo/sip"
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
	// Replaces is the call that this one asks to take the place of (RFC 3891), nil for a call of its own. Whoever
	// grants it accepts this call and ends that one; the caller must be allowed to, for it takes over a conversation.
	Replaces *Dialog
	// ReferredBy is who sent the caller here (RFC 3892), as it says; "" if nobody.
	ReferredBy string
	// Cancelled is closed when the caller gives up, or is gone, before the call is answered.
	Cancelled <-chan struct{}

	agent   *Agent
	req     *msg.Request
	tx      msg.ServerTransaction
	left    *abandonment
	decided chan *answered // holds how the invitation was decided, nil unless it was accepted

	mu      sync.Mutex
	final   bool
	dialog  *Dialog
	rseq    uint32
	unacked []*reliableOut // the first was sent, the others wait
}

// abandonment is that a caller gives up, or is gone. It has a lock of its own, and knows nothing of the call: the
// library tells of it while it holds the lock of the transaction, which whoever responds waits for, and keeps who is
// told for as long as the transaction, which is long after the call.
type abandonment struct {
	done chan struct{}

	mu   sync.Mutex
	was  bool
	why  string // the Reason of a CANCEL
	told func() // see Invitation.OnCancel
}

// note notes that the caller has given up; only the first time counts.
func (b *abandonment) note(reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.was {
		b.was, b.why = true, reason
		close(b.done)
		b.tell()
	}
}

// tell tells whoever is to be told; b.mu is held.
func (b *abandonment) tell() {
	if b.told != nil {
		go b.told()
		b.told = nil
	}
}

// whenNoted has f called once it is noted, or never any more when f is nil.
func (b *abandonment) whenNoted(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.told = f; b.was {
		b.tell()
	}
}

// ruleOut says that it is not noted from here on: the call is answered.
func (b *abandonment) ruleOut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.was, b.told = true, nil
}

func (b *abandonment) isNoted() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.was
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
	req.To().Params.Add("tag", msg.GenerateTagN(16))
	left := &abandonment{done: make(chan struct{})}
	inv := &Invitation{agent: a, req: req, tx: tx, left: left, Cancelled: left.done, decided: make(chan *answered, 1)}
	if !tx.OnCancel(func(r *msg.Request) { left.note(text(r, "Reason")) }) {
		return // CANCEL was faster; the library has answered both
	}
	tx.OnTerminate(func(string, error) { left.note("") }) // its connection is gone, where it had one
	a.send(tx, msg.NewResponseFromRequest(req, 100, "Trying", nil))
	if a.refused(req, tx) {
		return
	}
	var ok bool
	if inv.User, inv.Trusted, ok = a.caller(req, tx); !ok {
		return
	}
	if inv.Replaces, ok = a.replaced(req, tx); !ok {
		return
	}
	if !a.enter() {
		a.respond(tx, req, 503, "Service Unavailable", msg.NewHeader("Retry-After", "10"))
		return
	}
	inv.To, inv.From, inv.Name, inv.FromHost = a.dialled(req), req.From().Address.User, req.From().DisplayName, req.From().Address.Host
	inv.Source, inv.Offer, inv.ReferredBy = req.Source(), req.Body(), text(req, "Referred-By", "b")
	// The transaction is over when this returns: with its outcome, which may be long before the call is. So the call
	// has a goroutine of its own, and a stack without what the library, and this, have put there.
	go a.invite(inv)
	if o := <-inv.decided; o != nil {
		defer a.work.Done()
		inv.letGo()
		if !o.dialog.accepted(tx, o.res, o.acked) {
			o.dialog.lost(errNoAck)
		}
	}
}

// letGo forgets the transaction, which has had its final response: the call may be long, and need not keep that.
func (i *Invitation) letGo() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.tx = nil
}

// invite has a call carried to its end. It is decided on in any case.
func (a *Agent) invite(inv *Invitation) {
	defer a.calls.Done()
	defer inv.leave()
	defer inv.left.whenNoted(nil)
	defer func() {
		if r := recover(); r != nil { // see guard
			a.log.Error("a call could not be carried", "source", inv.Source, "panic", r, "stack", string(debug.Stack()))
			inv.Reject(500, "Server Internal Error", "")
		}
	}()
	a.opts.Invite(inv)
	status, phrase := 480, "Temporarily Unavailable"
	if inv.left.isNoted() { // whoever takes the caller's BYE may be about to say so
		status, phrase = 487, "Request Terminated"
	}
	inv.Reject(status, phrase, "") // does nothing after an answer
}

// answered is a 2xx that waits for its ACK.
type answered struct {
	dialog *Dialog
	res    *msg.Response
	acked  chan struct{}
}

// refused answers what cannot be a call of ours.
func (a *Agent) refused(req *msg.Request, tx msg.ServerTransaction) bool {
	switch {
	case a.draining.Load():
		a.respond(tx, req, 503, "Service Unavailable", msg.NewHeader("Retry-After", "10"))
	case a.foreign(req, tx), a.tooBrief(req, tx):
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

// cancel notes that the caller has given up, or is gone.
func (i *Invitation) cancel(reason string) { i.left.note(reason) }

// CancelReason is why the caller has given up: the Reason header (RFC 3326) of its CANCEL, "" if it did not say. A
// phone of many that rang is told so that somebody else has answered.
func (i *Invitation) CancelReason() string {
	i.left.mu.Lock()
	defer i.left.mu.Unlock()
	return i.left.why
}

// OnCancel has f called, on a goroutine of its own, when Cancelled is closed before the call is answered; at once, when
// it was. It takes less than to wait for that.
func (i *Invitation) OnCancel(f func()) { i.left.whenNoted(f) }

// Header returns a header of the INVITE, "" if there is none; several are separated by ", ".
func (i *Invitation) Header(name string) string { return text(i.req, name) }

// decide reports whether the invitation is still open, and closes it.
func (i *Invitation) decide() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	was := i.final
	i.final = true
	return !was
}

// establish makes the dialog, which is early until the call is answered; i.mu is held.
func (i *Invitation) establish() *Dialog {
	if i.dialog != nil {
		return i.dialog
	}
	req, d := i.req, newDialog(i.agent)
	d.inv, d.early = i, true
	d.callID, d.target, d.source = *req.CallID(), *req.Contact().Address.Clone(), req.Source()
	d.transport, d.theirs = msg.NetworkToUpper(req.Transport()), req.CSeq().SeqNo
	d.allows = values(req, "Allow")
	d.local = msg.FromHeader{Address: *req.To().Address.Clone(), Params: req.To().Params.Clone()}
	d.remote = msg.ToHeader{DisplayName: req.From().DisplayName, Address: *req.From().Address.Clone(), Params: req.From().Params.Clone()}
	for _, r := range req.GetHeaders("Record-Route") {
		if rr, ok := r.(*msg.RecordRouteHeader); ok {
			d.routes = append(d.routes, *rr.Address.Clone())
		}
	}
	i.dialog = d
	i.agent.keep(d)
	return d
}

// leave forgets the dialog of a call that was not answered.
func (i *Invitation) leave() {
	i.mu.Lock()
	d := i.dialog
	i.mu.Unlock()
	if d != nil && d.isEarly() {
		d.drop()
	}
}

// Ring sends 180. It does nothing when the call is answered or rejected; nor where the caller wants every response
// to be reliable and leaves the offer to us: then the first response must hold it (see [Invitation.Progress]).
func (i *Invitation) Ring() { i.provisional(180, "Ringing", nil) }

// Progress lets the caller hear us before the answer: it sends 183 with a description, the answer to the caller's
// offer or, when it had none and wants reliable responses, our offer. The same description and handlers go to
// [Invitation.Accept]. It may be called again, to change nothing; the caller may make another offer meanwhile
// (UPDATE).
//
// Where the caller asks for it, Ring and Progress are sent reliably (RFC 3262): until the caller acknowledges them,
// at most 32 s; then the call is rejected with 504, and Cancelled is closed.
func (i *Invitation) Progress(body []byte, h Handlers) error {
	select {
	case <-i.Cancelled:
		return ErrCancelled
	default:
	}
	i.mu.Lock()
	d := i.establish()
	i.mu.Unlock()
	d.mu.Lock()
	d.handlers, d.described = h, body
	d.mu.Unlock()
	i.provisional(183, "Session Progress", body)
	return nil
}

func (i *Invitation) provisional(status int, phrase string, body []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	reliable := lists(values(i.req, "Require"), "100rel")
	if i.final || i.left.isNoted() || reliable && len(body) == 0 && len(i.Offer) == 0 && i.rseq == 0 {
		return
	}
	d := i.establish()
	if reliable && len(body) > 0 && i.described() {
		body = nil // it was said; RFC 3262 section 5 allows one answer
	}
	res := msg.NewResponseFromRequest(i.req, status, phrase, nil)
	res.AppendHeader(i.agent.contact(i.req.Source(), d.transport))
	res.AppendHeader(msg.NewHeader("Allow", allow))
	res.AppendHeader(msg.NewHeader("Supported", extensions))
	if len(body) > 0 {
		res.AppendHeader(msg.NewHeader("Content-Type", "application/sdp"))
		res.SetBody(body)
	}
	if reliable {
		i.sendReliably(res)
	} else {
		i.agent.send(i.tx, res)
	}
}

// described reports whether a reliable response has held a description; i.mu is held.
func (i *Invitation) described() bool {
	for _, r := range i.unacked {
		if r.describe {
			return true
		}
	}
	return i.dialog != nil && i.isSettled()
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
	if status == 404 && i.User == "" {
		i.agent.auth.bans.missed(addrOf(i.Source))
	}
	i.agent.respond(i.tx, i.req, status, phrase, headers...)
	i.decided <- nil
	i.leave()
}

// Redirect answers that the call is to be made to another place (302). It does nothing when the invitation was
// answered or cancelled.
func (i *Invitation) Redirect(uri string) error {
	var to msg.Uri
	if !safe(uri) || msg.ParseUri(uri, &to) != nil {
		return fmt.Errorf("%q is no URI", uri)
	}
	if i.decide() {
		i.agent.respond(i.tx, i.req, 302, "Moved Temporarily", &msg.ContactHeader{Address: to})
		i.decided <- nil
		i.leave()
	}
	return nil
}

// ErrCancelled says that the caller has given up.
var ErrCancelled = errors.New("the caller has given up")

// Accept answers the call with a description: the answer to its offer, or our offer when it had none. The dialog
// stands at once, its ACK comes later: when it never does, Handlers.Ended is called. After a reliable Progress it
// waits until the caller has acknowledged that (RFC 3262 section 3).
func (i *Invitation) Accept(body []byte, h Handlers) (*Dialog, error) {
	if err := i.awaitPrack(); err != nil {
		return nil, err
	}
	if !i.decide() {
		return nil, errors.New("the call has been answered or rejected")
	}
	a, req := i.agent, i.req
	acked := make(chan struct{})
	i.mu.Lock()
	d := i.establish()
	i.mu.Unlock()
	d.mu.Lock()
	if d.settled {
		body = nil // the caller has the description, and has acknowledged it
	} else {
		d.described = body
	}
	d.handlers, d.early, d.acked, d.reoffered = h, false, acked, len(i.Offer) == 0 && !d.settled
	d.settled, d.awaited = true, req.CSeq().SeqNo
	d.mu.Unlock()
	res := a.ok(req, body, d.transport)
	d.agree(req, res)
	res.AppendHeader(msg.NewHeader("Server", a.opts.Name))
	if err := i.tx.Respond(res); err != nil {
		i.decided <- nil
		d.drop()
		if errors.Is(err, msg.ErrTransactionCanceled) {
			return nil, ErrCancelled
		}
		return nil, fmt.Errorf("the answer could not be sent: %w", err)
	}
	i.left.ruleOut()
	if a.join() {
		i.decided <- &answered{d, res, acked}
	} else {
		i.decided <- nil
	}
	return d, nil
}

// awaitPrack waits until no reliable response with a description is unacknowledged.
func (i *Invitation) awaitPrack() error {
	for {
		var wait chan struct{}
		i.mu.Lock()
		for _, r := range i.unacked {
			if r.describe {
				wait = r.done
			}
		}
		i.mu.Unlock()
		select {
		case <-i.Cancelled:
			return ErrCancelled
		default:
		}
		if wait == nil {
			return nil
		}
		select {
		case <-wait:
		case <-i.Cancelled:
			return ErrCancelled
		}
	}
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
	if a.foreign(req, tx) {
		return
	}
	a.respond(tx, req, 200, "OK", msg.NewHeader("Allow", allow), msg.NewHeader("Accept", "application/sdp"),
		msg.NewHeader("Supported", extensions), a.contact(req.Source(), req.Transport()))
}

func (a *Agent) onUnknown(req *msg.Request, tx msg.ServerTransaction) {
	if req.Method != msg.ACK {
		a.respond(tx, req, 405, "Method Not Allowed", msg.NewHeader("Allow", allow))
	}
}
