package ua

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// reliableIn are the reliable provisional responses that have come (RFC 3262).
type reliableIn struct {
	last   uint32 // the RSeq of the newest, 0 before the first
	answer []byte // the description in one of them
}

// acknowledge sends the PRACK for a response that wants one, and reports whether the response counts: not when it is
// a copy, or others before it are missing (RFC 3262 section 4).
func (c *outgoing) acknowledge(d *Dialog, res *msg.Response) bool {
	if !lists(values(res, "Require"), "100rel") {
		return true
	}
	n, err := strconv.ParseUint(text(res, "RSeq"), 10, 32)
	if err != nil || n == 0 {
		return false
	}
	d.mu.Lock()
	if d.reliable.last != 0 && uint32(n) != d.reliable.last+1 {
		d.mu.Unlock()
		return false
	}
	d.reliable.last = uint32(n)
	if len(res.Body()) > 0 && d.reliable.answer == nil {
		d.reliable.answer, d.settled = res.Body(), true
	}
	d.mu.Unlock()
	rack := fmt.Sprintf("%d %d INVITE", n, res.CSeq().SeqNo)
	c.agent.spawn(func() {
		ctx, cancel := c.agent.open(d.over, timeout)
		defer cancel()
		if res, err := d.ask(ctx, msg.PRACK, func(req *msg.Request) { req.AppendHeader(msg.NewHeader("RAck", rack)) }); err != nil {
			c.agent.log.Debug("a PRACK was not answered", "call_id", d.ID(), "error", err)
		} else if !res.IsSuccess() {
			c.agent.log.Debug("a PRACK was refused", "call_id", d.ID(), "status", res.StatusCode)
		}
	})
	return true
}

// reliableOut is a provisional response that is sent again until its PRACK comes.
type reliableOut struct {
	res      *msg.Response
	rseq     uint32
	describe bool          // it holds a description
	done     chan struct{} // closed by the PRACK
}

// sendReliably sends a provisional response, after those that wait for their PRACK; i.mu is held.
func (i *Invitation) sendReliably(res *msg.Response) {
	if i.rseq == 0 {
		i.rseq = 1 + rand.Uint32N(1<<31-1)
	} else {
		i.rseq++
	}
	res.AppendHeader(msg.NewHeader("Require", "100rel"))
	res.AppendHeader(msg.NewHeader("RSeq", strconv.FormatUint(uint64(i.rseq), 10)))
	i.unacked = append(i.unacked, &reliableOut{res: res, rseq: i.rseq, describe: len(res.Body()) > 0, done: make(chan struct{})})
	if len(i.unacked) == 1 {
		i.transmit(i.unacked[0])
	}
}

// transmit repeats a reliable response until its PRACK comes or the call is decided on; i.mu is held.
func (i *Invitation) transmit(r *reliableOut) {
	i.agent.send(i.tx, r.res)
	i.agent.spawn(func() {
		wait, total := t1, time.Duration(0)
		timer := time.NewTimer(wait)
		defer timer.Stop()
		for {
			select {
			case <-r.done:
				return
			case <-i.Cancelled:
				return
			case <-i.agent.stopping:
				return
			case <-timer.C:
			}
			if total += wait; total >= timeout { // RFC 3262 section 3
				i.Reject(504, "Server Time-out", "")
				i.cancel("")
				return
			}
			wait = min(2*wait, timeout-total)
			timer.Reset(wait)
			i.mu.Lock()
			if !i.final {
				_ = i.tx.Respond(r.res)
			}
			open := !i.final
			i.mu.Unlock()
			if !open {
				return
			}
		}
	})
}

// onPrack takes the acknowledgement of a reliable provisional response.
func (a *Agent) onPrack(req *msg.Request, tx msg.ServerTransaction) {
	d, ok := a.inDialog(req, tx)
	if !ok {
		return
	}
	defer d.handling.Unlock()
	i := d.inv
	if i == nil {
		a.respond(tx, req, 481, "Call/Transaction Does Not Exist")
		return
	}
	r := i.acknowledged(text(req, "RAck"))
	if r == nil {
		a.respond(tx, req, 481, "No Such Response")
		return
	}
	h := d.handle()
	switch body := req.Body(); {
	case r.describe && len(i.Offer) == 0 && !i.isSettled(): // the answer to our offer
		if h.Answer != nil {
			if err := h.Answer(body); err != nil {
				a.respond(tx, req, 488, "Not Acceptable Here", warning(err))
				i.Reject(488, "Not Acceptable Here", "")
				i.cancel("")
				return
			}
		}
		i.settle()
		a.respond(tx, req, 200, "OK")
	case len(body) > 0: // another offer
		answer, err := []byte(nil), errNoOffers
		if h.Offer != nil {
			answer, err = h.Offer(body)
		}
		if err != nil {
			a.respond(tx, req, 488, "Not Acceptable Here", warning(err))
			return
		}
		a.send(tx, a.ok(req, answer, d.transport))
	default:
		if r.describe {
			i.settle()
		}
		a.respond(tx, req, 200, "OK")
	}
	close(r.done)
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.unacked) > 0 && !i.final {
		i.transmit(i.unacked[0])
	}
}

// acknowledged takes off the response that a RAck names (RFC 3262 section 7.2), nil when there is none.
func (i *Invitation) acknowledged(rack string) *reliableOut {
	fields := strings.Fields(rack)
	if len(fields) != 3 || !strings.EqualFold(fields[2], "INVITE") {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.unacked) == 0 || fields[0] != strconv.FormatUint(uint64(i.unacked[0].rseq), 10) ||
		fields[1] != strconv.FormatUint(uint64(i.req.CSeq().SeqNo), 10) {
		return nil
	}
	r := i.unacked[0]
	i.unacked = i.unacked[1:]
	return r
}

// settle notes that the first offer has its answer, and both sides know.
func (i *Invitation) settle() {
	i.dialog.mu.Lock()
	defer i.dialog.mu.Unlock()
	i.dialog.settled = true
}

func (i *Invitation) isSettled() bool {
	i.dialog.mu.Lock()
	defer i.dialog.mu.Unlock()
	return i.dialog.settled
}
