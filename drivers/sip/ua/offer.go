package ua

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

var (
	errNoOffers = errors.New("offers within a call are not taken")
	errNoAck    = errors.New("the other side has not acknowledged the answer within 32 s (no ACK)")
	errSilent   = errors.New("the other side does not answer within the call")
	errNoAnswer = errors.New("the other side has accepted an offer, and its answer holds no description")
)

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
		case <-d.agent.stopping:
			return true
		case <-timer.C:
			if total += wait; total >= timeout {
				return false
			}
			wait = min(2*wait, t2, timeout-total)
			timer.Reset(wait)
			_ = tx.Respond(res)
		}
	}
}

func (d *Dialog) handleAck(req *msg.Request) {
	d.handling.Lock()
	defer d.handling.Unlock()
	d.mu.Lock()
	acked, offered, ended, h := d.acked, d.reoffered, d.ended, d.handlers
	if acked == nil || req.CSeq().SeqNo != d.awaited {
		d.mu.Unlock()
		return // a copy, or late
	}
	d.acked, d.reoffered = nil, false
	d.mu.Unlock()
	if offered && !ended && h.Answer != nil {
		if err := h.Answer(req.Body()); err != nil {
			defer d.lost(fmt.Errorf("the ACK's answer: %w", err))
		}
	}
	close(acked)
}

func (a *Agent) onAck(req *msg.Request, _ msg.ServerTransaction) {
	if d := a.dialog(req); d != nil {
		d.handleAck(req)
	}
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
	if req.Method == msg.INVITE {
		d.overtaken()
	}
	if d.crossed(req, tx) || a.foreign(req, tx) || a.tooBrief(req, tx) {
		return
	}
	isInvite, offer, h := req.Method == msg.INVITE, req.Body(), d.handle()
	if len(offer) == 0 && !isInvite {
		res := msg.NewResponseFromRequest(req, 200, "OK", nil)
		res.AppendHeader(a.contact(req.Source(), d.transport))
		d.agree(req, res)
		a.send(tx, res)
		return
	}
	var answer []byte
	err := errNoOffers
	if h.Offer != nil {
		answer, err = h.Offer(offer)
	}
	if err != nil {
		a.respond(tx, req, 488, "Not Acceptable Here", warning(err))
		return
	}
	res := a.ok(req, answer, d.transport)
	d.agree(req, res)
	d.mu.Lock()
	d.described = answer
	d.mu.Unlock()
	if !isInvite {
		a.send(tx, res)
		return
	}
	acked := make(chan struct{})
	d.mu.Lock()
	d.acked, d.awaited, d.reoffered = acked, req.CSeq().SeqNo, len(offer) == 0
	d.mu.Unlock()
	a.send(tx, res)
	unlock()
	if !d.accepted(tx, res, acked) {
		d.lost(errNoAck)
	}
}

// overtaken deals with a re-INVITE that comes before the ACK of the INVITE before it: the other side has our 2xx, and
// its ACK is late or lost. One that holds an answer is waited for a little. d.handling is held.
func (d *Dialog) overtaken() {
	d.mu.Lock()
	acked, offered := d.acked, d.reoffered
	if acked != nil && !offered {
		d.acked = nil
		close(acked)
	}
	d.mu.Unlock()
	if acked == nil || !offered {
		return
	}
	d.handling.Unlock()
	defer d.handling.Lock()
	timer := time.NewTimer(t1)
	defer timer.Stop()
	select {
	case <-acked:
	case <-timer.C:
	case <-d.over.Done():
	}
}

// crossed answers a re-INVITE or UPDATE that cannot be handled now, because of another one.
func (d *Dialog) crossed(req *msg.Request, tx msg.ServerTransaction) bool {
	d.mu.Lock()
	ended, pending, asking, reoffered := d.ended, d.acked != nil, d.asking, d.reoffered
	early, ringing, settled := d.early, d.ringing, d.settled
	d.mu.Unlock()
	isInvite := req.Method == msg.INVITE
	isOffer := isInvite || len(req.Body()) > 0
	switch {
	case ended:
		d.agent.respond(tx, req, 481, "Call/Transaction Does Not Exist")
	case isInvite && (pending || early || ringing), // the last one's answer has not come, or the first is not answered
		isOffer && (asking || reoffered), isOffer && ringing && !settled: // ours has no answer yet
		d.agent.respond(tx, req, 491, "Request Pending")
	case isOffer && early && !settled: // theirs has none; RFC 3311 section 5.2
		d.agent.respond(tx, req, 500, "Server Internal Error", msg.NewHeader("Retry-After", strconv.Itoa(1+rand.IntN(5))))
	default:
		return false
	}
	return true
}

// warning is a Warning header (RFC 3261 section 20.43) that says what is wrong with a description.
func warning(err error) msg.Header {
	return msg.NewHeader("Warning", `399 piopiyd "`+strings.NewReplacer(`"`, "'", "\r", " ", "\n", " ").Replace(err.Error())+`"`)
}

// ok is a 200, with a description where there is one.
func (a *Agent) ok(req *msg.Request, body []byte, transport string) *msg.Response {
	res := msg.NewResponseFromRequest(req, 200, "OK", nil)
	res.AppendHeader(a.contact(req.Source(), transport))
	res.AppendHeader(msg.NewHeader("Allow", allow))
	res.AppendHeader(msg.NewHeader("Supported", extensions))
	if len(body) > 0 {
		res.AppendHeader(msg.NewHeader("Content-Type", "application/sdp"))
		res.SetBody(body)
	}
	return res
}
