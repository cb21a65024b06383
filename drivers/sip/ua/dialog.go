package ua

import (
	"context"
	"errors"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// Handlers take what the other side does in a dialog. Each may be nil. All but Refer are called one at a time and
// must not wait.
type Handlers struct {
	// Offer answers a later offer: a hold, another codec, another address. An error refuses it with 488. A request
	// without an offer calls it with nil, and then it makes one; Answer gets the answer to it.
	Offer  func(offer []byte) (answer []byte, err error)
	Answer func(answer []byte) error
	// Digit is told of keys that come by INFO.
	Digit func(digit byte)
	// Refer is asked when the other side wants this call to be transferred (RFC 3515). It runs on a goroutine of its
	// own and may wait; it must accept or reject before it returns. ctx ends when the transfer's outcome does not
	// matter to anybody any more. Without it transfers are declined with 603.
	Refer func(ctx context.Context, r *Referral)
	// Ended is called once, when the other side has ended the dialog or is gone. It is not called after Bye.
	Ended func(End)
}

// End is how the other side ended a dialog.
type End struct {
	// Reason is the Reason header (RFC 3326), "" if there was none; several are separated by ", ".
	Reason string
	// Err is what went wrong, where the dialog did not end with a BYE.
	Err error
}

// ErrEnded says that the call has ended.
var ErrEnded = errors.New("the call has ended")

var errUnknownThere = errors.New("the other side does not know the call any more")

// Dialog is a call that has been answered (RFC 3261 section 12).
type Dialog struct {
	agent    *Agent
	key      string
	owner    bool                    // the call is ours: its Call-ID is
	user     string                  // answers challenges, with
	password string                  // its password
	over     context.Context         // ends when the dialog has ended
	finish   context.CancelCauseFunc // ends it
	gone     chan struct{}           // closed when it is over and forgotten

	handling sync.Mutex    // held while a message of the other side is handled
	sending  sync.Mutex    // keeps requests in the order of their numbers
	turn     chan struct{} // holds one while we make an offer or refresh the session

	mu        sync.Mutex
	handlers  Handlers
	callID    msg.CallIDHeader
	local     msg.FromHeader
	remote    msg.ToHeader
	target    msg.Uri   // the other side's Contact
	routes    []msg.Uri // the route set
	source    string    // where it sends from
	transport string
	cseq      uint32 // our last
	theirs    uint32 // the other side's last
	ended     bool
	acked     chan struct{} // closed when our last 2xx was acknowledged; nil when there is none
	awaited   uint32        // the number of that ACK
	reoffered bool          // our last 2xx held an offer
	asking    bool          // an INVITE or an offer of ours is under way
	inv       *Invitation   // whose dialog it is, where they called
	early     bool          // it is not answered yet
	ringing   bool          // our INVITE is not answered yet
	settled   bool          // the first offer has its answer
	described []byte        // what we have described last
	allows    string        // the methods that the other side takes: its Allow header
	timer     sessionTimer
	reliable  reliableIn
	referring map[uint32]*referring // what we have referred, by number
	referred  bool                  // we were referred once
}

func newDialog(a *Agent) *Dialog {
	d := &Dialog{agent: a, gone: make(chan struct{}), turn: make(chan struct{}, 1)}
	d.over, d.finish = context.WithCancelCause(context.Background())
	return d
}

// dialogKey names a dialog (RFC 3261 section 12): the tag of the other side tells the branches of a fork apart.
func dialogKey(callID, local, remote string) string { return callID + "\x00" + local + "\x00" + remote }

func (a *Agent) dialog(req *msg.Request) *Dialog {
	return a.find(string(*req.CallID()), tag(req.To().Params), tag(req.From().Params))
}

func (a *Agent) find(callID, local, remote string) *Dialog {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.dialogs[dialogKey(callID, local, remote)]
}

func (a *Agent) keep(d *Dialog) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d.key = dialogKey(string(d.callID), tag(d.local.Params), tag(d.remote.Params))
	a.dialogs[d.key] = d
}

func (a *Agent) forget(d *Dialog) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.dialogs[d.key] == d {
		delete(a.dialogs, d.key)
		close(d.gone)
	}
}

// ID returns the Call-ID.
func (d *Dialog) ID() string { return string(d.callID) }

// Remote returns the URI of the other side's phone: its Contact.
func (d *Dialog) Remote() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.target.String()
}

func (d *Dialog) handle() Handlers {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.handlers
}

func (d *Dialog) isEarly() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.early || d.ringing
}

// end marks the dialog as over, and reports whether it was not before.
func (d *Dialog) end() bool {
	d.mu.Lock()
	was := d.ended
	d.ended = true
	d.timer.stop()
	d.mu.Unlock()
	d.finish(ErrEnded)
	return !was
}

// drop ends and forgets a dialog that never was answered.
func (d *Dialog) drop() {
	d.end()
	d.agent.forget(d)
}

// request returns a new request within the dialog.
func (d *Dialog) request(method msg.RequestMethod) *msg.Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	if method != msg.ACK && method != msg.CANCEL {
		d.cseq++
	}
	req := msg.NewRequest(method, *d.target.Clone())
	d.agent.from(req, d.transport)
	to := d.source
	for _, r := range d.routes {
		req.AppendHeader(&msg.RouteHeader{Address: *r.Clone()})
	}
	if len(d.routes) > 0 {
		to = hostPort(&d.routes[0], d.transport)
	}
	// Without a route, requests go where the dialog's come from: a Contact behind a NAT cannot be reached.
	req.SetDestination(to)
	req.AppendHeader(d.agent.via(to, d.transport))
	local, remote := d.local, d.remote
	local.Params, remote.Params = local.Params.Clone(), remote.Params.Clone()
	req.AppendHeader(&local)
	req.AppendHeader(&remote)
	id := d.callID
	req.AppendHeader(&id)
	req.AppendHeader(&msg.CSeqHeader{SeqNo: d.cseq, MethodName: method})
	forwards := msg.MaxForwardsHeader(70)
	req.AppendHeader(&forwards)
	req.AppendHeader(d.agent.contact(to, d.transport))
	req.AppendHeader(msg.NewHeader("User-Agent", d.agent.opts.Name))
	return req
}

// ask sends a request within the dialog and returns its final response. It answers a challenge. A dialog that the
// other side does not know, or does not answer in, is over (RFC 3261 section 12.2.1.2); NOTIFY is about something
// else (RFC 5057 section 5.1).
func (d *Dialog) ask(ctx context.Context, method msg.RequestMethod, fill func(*msg.Request)) (*msg.Response, error) {
	var credentials msg.Header
	for {
		d.sending.Lock()
		req := d.request(method)
		if fill != nil {
			fill(req)
		}
		if credentials != nil {
			req.AppendHeader(credentials)
		}
		tx, err := d.agent.begin(context.WithoutCancel(ctx), req)
		d.sending.Unlock()
		if err != nil {
			return nil, err
		}
		res, err := final(ctx, tx)
		switch {
		case err != nil:
			if errors.Is(err, msg.ErrTransactionTimeout) && method != msg.NOTIFY {
				d.lost(errSilent)
			}
			return nil, err
		case credentials == nil && d.challenged(res):
			if credentials, err = answerChallenge(res, string(method), req.Recipient.String(), d.user, d.password); err != nil {
				return nil, err
			}
			continue
		}
		if method != msg.NOTIFY {
			d.missed(res)
		}
		return res, nil
	}
}

func (d *Dialog) challenged(res *msg.Response) bool {
	return (res.StatusCode == 401 || res.StatusCode == 407) && d.user != ""
}

// missed ends the dialog when a response says that it is over.
func (d *Dialog) missed(res *msg.Response) {
	switch {
	case res.StatusCode == 481 && d.end():
		d.agent.forget(d)
		if h := d.handle(); h.Ended != nil {
			h.Ended(End{Err: errUnknownThere})
		}
	case res.StatusCode == 408:
		d.lost(errSilent)
	}
}

// final waits for a transaction's final response.
func final(ctx context.Context, tx msg.ClientTransaction) (*msg.Response, error) {
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

// within ends a context with the dialog.
func (d *Dialog) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(d.over, func() { cancel(ErrEnded) })
	return ctx, func() {
		stop()
		cancel(context.Canceled)
	}
}

// Bye ends the dialog and returns when the other side knows, or ctx has ended. reason, where there is one, is sent
// as Reason header (RFC 3326). It does nothing when the dialog has ended.
func (d *Dialog) Bye(ctx context.Context, reason string) {
	if d.isEarly() || !d.end() {
		return
	}
	defer d.agent.forget(d)
	d.mu.Lock()
	acked := d.acked
	d.mu.Unlock()
	if acked != nil { // RFC 3261 section 15: not before the ACK has come, or cannot come any more
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		select {
		case <-acked:
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	sign := func(req *msg.Request) {
		if reason != "" && safe(reason) {
			req.AppendHeader(msg.NewHeader("Reason", reason))
		}
	}
	if ctx.Err() != nil {
		req := d.request(msg.BYE)
		sign(req)
		_ = d.agent.write(req) // nobody waits for the answer
		return
	}
	if res, err := d.ask(ctx, msg.BYE, sign); err != nil {
		d.agent.log.Debug("a BYE was not answered", "call_id", d.ID(), "error", err)
	} else if res.StatusCode >= 300 {
		d.agent.log.Debug("a BYE was refused", "call_id", d.ID(), "status", res.StatusCode)
	}
}

// lost ends the dialog because something went wrong.
func (d *Dialog) lost(err error) {
	if !d.end() {
		return
	}
	if h := d.handle(); h.Ended != nil {
		h.Ended(End{Err: err})
	}
	// The other side may believe that it has a call.
	if !d.agent.spawn(func() {
		defer d.agent.forget(d)
		ctx, cancel := d.agent.open(context.Background(), t2)
		defer cancel()
		_, _ = d.ask(ctx, msg.BYE, func(req *msg.Request) {
			req.AppendHeader(msg.NewHeader("Reason", `Q.850;cause=102;text="RECOVERY_ON_TIMER_EXPIRE"`))
		})
	}) {
		d.agent.forget(d)
	}
}

// refresh takes over where the other side is (RFC 3261 section 12.2): each of its requests within the dialog may
// come from elsewhere, INVITE and UPDATE name the Contact too. It reports false for a request out of order.
func (d *Dialog) refresh(req *msg.Request) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.theirs != 0 && req.CSeq().SeqNo <= d.theirs {
		return false
	}
	d.theirs, d.source = req.CSeq().SeqNo, req.Source()
	if req.Method == msg.INVITE || req.Method == msg.UPDATE {
		d.learn(req)
	}
	return true
}

// learn takes over Contact and Allow; d.mu is held.
func (d *Dialog) learn(m message) {
	if c := m.Contact(); c != nil && c.Address.Host != "" {
		d.target = *c.Address.Clone()
	}
	if a := values(m, "Allow"); a != "" {
		d.allows = a
	}
}

// takes reports whether the other side has said that it takes a method.
func (d *Dialog) takes(method msg.RequestMethod) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return lists(d.allows, string(method))
}

// inDialog returns the dialog that a request belongs to, with its handling locked. Where there is none, or the request
// is out of order (RFC 3261 section 12.2.2), it is answered and ok is false.
func (a *Agent) inDialog(req *msg.Request, tx msg.ServerTransaction) (d *Dialog, ok bool) {
	if d = a.dialog(req); d == nil {
		a.respond(tx, req, 481, "Call/Transaction Does Not Exist")
		return nil, false
	}
	d.handling.Lock()
	if d.refresh(req) {
		return d, true
	}
	d.handling.Unlock()
	a.respond(tx, req, 500, "CSeq Out Of Order")
	return nil, false
}

func (a *Agent) onBye(req *msg.Request, tx msg.ServerTransaction) {
	d := a.dialog(req)
	if d == nil {
		a.respond(tx, req, 481, "Call/Transaction Does Not Exist")
		return
	}
	d.handling.Lock()
	defer d.handling.Unlock()
	a.respond(tx, req, 200, "OK")
	d.mu.Lock()
	early, ringing := d.early, d.ringing
	d.mu.Unlock()
	if early { // a caller may give up so, too (RFC 3261 section 15)
		d.inv.cancel(text(req, "Reason"))
		d.inv.Reject(487, "Request Terminated", "")
		return
	}
	if ringing {
		return
	}
	if !d.end() {
		return
	}
	d.mu.Lock()
	referring := len(d.referring) > 0
	d.mu.Unlock()
	if !referring || !a.spawn(d.linger) {
		a.forget(d)
	}
	if h := d.handle(); h.Ended != nil {
		h.Ended(End{Reason: text(req, "Reason")})
	}
}

// linger forgets a dialog a little later: the BYE may have overtaken, or come before, the outcome of a transfer (RFC
// 5057 section 4.1).
func (d *Dialog) linger() {
	timer := time.NewTimer(t2)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-d.agent.stopping:
	}
	d.agent.forget(d)
}
