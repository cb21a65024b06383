package ua

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// Handlers take what the other side does in a dialog. They are called one at a time and must not wait.
type Handlers struct {
	// Offer answers a later offer: a hold, another codec, another address. An error refuses it with 488. A request
	// without an offer calls it with nil, and then it makes one; Answer gets the answer to it.
	Offer  func(offer []byte) (answer []byte, err error)
	Answer func(answer []byte) error
	// Digit is told of keys that come by INFO.
	Digit func(digit byte)
	// Ended is called once, when the other side has ended the dialog or is gone. It is not called after Bye.
	Ended func(End)
}

// End is how the other side ended a dialog.
type End struct {
	// Reason is the Reason header (RFC 3326), "" if there was none.
	Reason string
	// Err is what went wrong, where the dialog did not end with a BYE.
	Err error
}

// Dialog is a call that has been answered (RFC 3261 section 12).
type Dialog struct {
	agent    *Agent
	key      string
	handlers Handlers
	gone     chan struct{} // closed when it is over and forgotten

	handling sync.Mutex // held while a message of the other side is handled

	mu        sync.Mutex
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
	reoffered bool          // our last 2xx held an offer
}

// key names a dialog: our tag is random, and the call id is the other side's.
func dialogKey(callID, localTag string) string { return callID + "\x00" + localTag }

func (a *Agent) dialog(req *msg.Request) *Dialog {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.dialogs[dialogKey(string(*req.CallID()), tag(req.To().Params))]
}

func (a *Agent) keep(d *Dialog) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d.key = dialogKey(string(d.callID), tag(d.local.Params))
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

// end marks the dialog as over, and reports whether it was not before.
func (d *Dialog) end() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	was := d.ended
	d.ended = true
	return !was
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

// Bye ends the dialog and returns when the other side knows, or ctx has ended. reason, where there is one, is sent
// as Reason header (RFC 3326). It does nothing when the dialog has ended.
func (d *Dialog) Bye(ctx context.Context, reason string) {
	if !d.end() {
		return
	}
	defer d.agent.forget(d)
	d.mu.Lock()
	acked := d.acked
	d.mu.Unlock()
	if acked != nil { // RFC 3261 section 15: not before the ACK has come, or cannot come any more
		select {
		case <-acked:
		case <-ctx.Done():
		case <-time.After(timeout):
		}
	}
	req := d.request(msg.BYE)
	if reason != "" && safe(reason) {
		req.AppendHeader(msg.NewHeader("Reason", reason))
	}
	if ctx.Err() != nil {
		_ = d.agent.write(req) // nobody waits for the answer
		return
	}
	if res, err := d.agent.do(ctx, req); err != nil {
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
	if d.handlers.Ended != nil {
		d.handlers.Ended(End{Err: err})
	}
	// The other side may believe that it has a call.
	d.agent.work.Go(func() {
		defer d.agent.forget(d)
		ctx, cancel := context.WithTimeout(context.Background(), t2)
		defer cancel()
		_, _ = d.agent.do(ctx, d.request(msg.BYE))
	})
}

// accepted resends a 2xx until its ACK comes (RFC 3261 section 13.3.1.4), on the goroutine of the transaction's
// handler. It reports whether it came.
func (d *Dialog) accepted(tx msg.ServerTransaction, res *msg.Response, acked chan struct{}) bool {
	wait, total := t1, time.Duration(0)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-acked:
			return true
		case ack := <-tx.Acks(): // from a caller who gives it the INVITE's branch
			d.handleAck(ack)
		case <-d.gone:
			return true
		case <-timer.C:
			if total += wait; total >= timeout {
				return false
			}
			wait = min(2*wait, t2)
			timer.Reset(wait)
			_ = tx.Respond(res)
		}
	}
}

func (d *Dialog) handleAck(req *msg.Request) {
	d.handling.Lock()
	defer d.handling.Unlock()
	d.mu.Lock()
	acked, offered, ended := d.acked, d.reoffered, d.ended
	d.acked, d.reoffered = nil, false
	d.mu.Unlock()
	if acked == nil {
		return // a copy
	}
	if offered && !ended && d.handlers.Answer != nil {
		if err := d.handlers.Answer(req.Body()); err != nil {
			defer d.lost(fmt.Errorf("the ACK's answer: %w", err))
		}
	}
	close(acked)
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
	if c := req.Contact(); c != nil && (req.Method == msg.INVITE || req.Method == msg.UPDATE) {
		d.target = *c.Address.Clone()
	}
	return true
}

func (a *Agent) onAck(req *msg.Request, _ msg.ServerTransaction) {
	if d := a.dialog(req); d != nil {
		d.handleAck(req)
	}
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
	if !d.end() {
		return
	}
	a.forget(d)
	if d.handlers.Ended == nil {
		return
	}
	e := End{}
	if h := req.GetHeader("Reason"); h != nil && safe(h.Value()) {
		e.Reason = h.Value()
	}
	d.handlers.Ended(e)
}

// onInfo takes keys: application/dtmf-relay and application/dtmf.
func (a *Agent) onInfo(req *msg.Request, tx msg.ServerTransaction) {
	d := a.dialog(req)
	if d == nil {
		a.respond(tx, req, 481, "Call/Transaction Does Not Exist")
		return
	}
	d.handling.Lock()
	defer d.handling.Unlock()
	if !d.refresh(req) {
		a.respond(tx, req, 500, "CSeq Out Of Order")
		return
	}
	kind := ""
	if h := req.ContentType(); h != nil {
		kind = h.Value()
	}
	digit, known := infoDigit(kind, string(req.Body()))
	if !known && len(req.Body()) > 0 {
		a.respond(tx, req, 415, "Unsupported Media Type", msg.NewHeader("Accept", "application/dtmf-relay, application/dtmf"))
		return
	}
	a.respond(tx, req, 200, "OK")
	if digit != 0 && d.handlers.Digit != nil {
		d.handlers.Digit(digit)
	}
}

// infoDigit reads a key from the body of an INFO; known says whether the type is one that has keys.
func infoDigit(contentType, body string) (digit byte, known bool) {
	kind, _, _ := strings.Cut(contentType, ";")
	value := ""
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/dtmf-relay":
		for line := range strings.Lines(body) {
			if name, v, ok := strings.Cut(line, "="); ok && strings.EqualFold(strings.TrimSpace(name), "signal") {
				value = strings.TrimSpace(v)
			}
		}
	case "application/dtmf":
		value = strings.TrimSpace(body)
	default:
		return 0, false
	}
	switch value {
	case "10":
		value = "*"
	case "11":
		value = "#"
	}
	value = strings.ToUpper(value)
	if len(value) == 1 && strings.Contains("0123456789*#ABCD", value) {
		return value[0], true
	}
	return 0, true
}

func (a *Agent) onUpdate(req *msg.Request, tx msg.ServerTransaction) {
	if d := a.dialog(req); d != nil {
		a.reoffer(d, req, tx)
		return
	}
	a.respond(tx, req, 481, "Call/Transaction Does Not Exist")
}

// reoffer answers an offer within the dialog: a re-INVITE (RFC 3261 section 14.2) or an UPDATE (RFC 3311).
func (a *Agent) reoffer(d *Dialog, req *msg.Request, tx msg.ServerTransaction) {
	d.handling.Lock()
	locked := true
	unlock := func() {
		if locked {
			d.handling.Unlock()
			locked = false
		}
	}
	defer unlock()
	if !d.refresh(req) {
		a.respond(tx, req, 500, "CSeq Out Of Order", msg.NewHeader("Retry-After", "1"))
		return
	}
	d.mu.Lock()
	ended, pending := d.ended, d.acked != nil
	d.mu.Unlock()
	isInvite := req.Method == msg.INVITE
	switch {
	case ended:
		a.respond(tx, req, 481, "Call/Transaction Does Not Exist")
		return
	case isInvite && pending: // the last one's ACK has not come
		a.respond(tx, req, 491, "Request Pending")
		return
	}
	offer := req.Body()
	if len(offer) == 0 && !isInvite {
		a.respond(tx, req, 200, "OK", a.contact(req.Source(), d.transport))
		return
	}
	var answer []byte
	err := errNoOffers
	if d.handlers.Offer != nil {
		answer, err = d.handlers.Offer(offer)
	}
	if err != nil {
		a.respond(tx, req, 488, "Not Acceptable Here", warning(err))
		return
	}
	res := a.ok(req, answer, d.transport)
	if !isInvite {
		a.send(tx, res)
		return
	}
	acked := make(chan struct{})
	d.mu.Lock()
	d.acked, d.reoffered = acked, len(offer) == 0
	d.mu.Unlock()
	a.send(tx, res)
	unlock()
	if !d.accepted(tx, res, acked) {
		d.lost(errNoAck)
	}
}

// warning is a Warning header (RFC 3261 section 20.43) that says what is wrong with a description.
func warning(err error) msg.Header {
	return msg.NewHeader("Warning", `399 piopiyd "`+strings.NewReplacer(`"`, "'", "\r", " ", "\n", " ").Replace(err.Error())+`"`)
}

// ok is a 200 with a description.
func (a *Agent) ok(req *msg.Request, body []byte, transport string) *msg.Response {
	res := msg.NewResponseFromRequest(req, 200, "OK", nil)
	res.AppendHeader(a.contact(req.Source(), transport))
	res.AppendHeader(msg.NewHeader("Allow", allow))
	res.AppendHeader(msg.NewHeader("Content-Type", "application/sdp"))
	res.SetBody(body)
	return res
}
