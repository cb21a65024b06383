package ua

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// maxGlare bounds how often an offer that met another one is repeated.
const maxGlare = 6

// Reinvite makes an offer within the call by a re-INVITE (RFC 3261 section 14): hold and resume, another codec,
// another address. It returns the other side's answer.
//
// When both sides make an offer at once, it tries again after a while. A refusal is a [*Rejected], and everything
// stays as it was; [ErrEnded] says that the call is over. When ctx ends first, the offer is cancelled; an answer
// that comes all the same is returned.
func (d *Dialog) Reinvite(ctx context.Context, offer []byte) (answer []byte, err error) {
	return d.offer(ctx, msg.INVITE, func() []byte { return offer }, nil)
}

// Update makes an offer like [Dialog.Reinvite], by UPDATE (RFC 3311): the other side answers at once, nobody is
// asked.
func (d *Dialog) Update(ctx context.Context, offer []byte) (answer []byte, err error) {
	return d.offer(ctx, msg.UPDATE, func() []byte { return offer }, nil)
}

// Renegotiate is [Dialog.Reinvite] for who changes with the other side's offers, too: describe is called for each
// attempt, and take with the answer. No offer of the other side is handled between them.
func (d *Dialog) Renegotiate(ctx context.Context, describe func() []byte, take func(answer []byte) error) error {
	_, err := d.offer(ctx, msg.INVITE, describe, take)
	return err
}

func (d *Dialog) offer(ctx context.Context, method msg.RequestMethod, describe func() []byte, take func([]byte) error) ([]byte, error) {
	ctx, cancel := d.within(ctx)
	defer cancel()
	if err := d.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer d.leaveTurn()
	res, err := d.insist(ctx, method, describe, func(answer []byte) error {
		switch {
		case len(answer) == 0:
			return errNoAnswer
		case take == nil:
			return nil
		}
		return take(answer)
	})
	if err != nil {
		return nil, err
	}
	return res.Body(), nil
}

func (d *Dialog) takeTurn(ctx context.Context) error {
	select {
	case d.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (d *Dialog) leaveTurn() { <-d.turn }

// insist repeats a re-INVITE or UPDATE for as long as that makes sense, and returns a 2xx. It is our turn. describe makes
// the offer, nil where there is none; take gets the answer.
func (d *Dialog) insist(ctx context.Context, method msg.RequestMethod, describe func() []byte, take func([]byte) error) (*msg.Response, error) {
	raised := 0
	for glare := 0; ; {
		offer, err := d.begin(ctx, method, describe)
		if err != nil {
			return nil, err
		}
		res, err := d.attempt(ctx, method, offer)
		if err == nil && res.IsSuccess() {
			d.mu.Lock()
			d.learn(res) // of an UPDATE
			if len(offer) > 0 {
				d.described = offer
			}
			d.mu.Unlock()
			d.timed(res)
			if take != nil {
				err = take(res.Body())
			}
			d.setAsking(false)
			return res, err
		}
		d.setAsking(false)
		if err != nil {
			return nil, err
		}
		wait := time.Duration(0)
		switch {
		case d.over.Err() != nil:
			return nil, ErrEnded
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case res.StatusCode == 422 && raised < 3 && d.raise(res): // RFC 4028 section 7.3
			raised++
		case res.StatusCode == 491 && glare < maxGlare:
			glare++
			wait = backOff(d.owner)
		case res.StatusCode == 500 && res.GetHeader("Retry-After") != nil && glare < maxGlare:
			glare++
			after, _, _ := strings.Cut(res.GetHeader("Retry-After").Value(), ";")
			after, _, _ = strings.Cut(after, "(")
			wait = min(seconds(strings.TrimSpace(after), time.Second), 10*time.Second)
		default:
			return nil, rejected(res)
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// begin waits until the ACK of our last 2xx has come, and makes the offer: from here on those of the other side are
// refused.
func (d *Dialog) begin(ctx context.Context, method msg.RequestMethod, describe func() []byte) ([]byte, error) {
	for {
		d.handling.Lock()
		d.mu.Lock()
		acked := d.acked
		if acked == nil {
			d.asking = method == msg.INVITE || describe != nil
		}
		d.mu.Unlock()
		if acked == nil {
			defer d.handling.Unlock()
			if describe == nil {
				return nil, nil
			}
			return describe(), nil
		}
		d.handling.Unlock()
		select {
		case <-acked:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// backOff is how long to wait after a glare: RFC 3261 section 14.1, in units of 10 ms.
func backOff(owner bool) time.Duration {
	if owner {
		return 2100*time.Millisecond + time.Duration(rand.IntN(191))*10*time.Millisecond
	}
	return time.Duration(rand.IntN(201)) * 10 * time.Millisecond
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (d *Dialog) setAsking(v bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asking = v
}

// attempt sends one re-INVITE or UPDATE and returns its final response; a 2xx is acknowledged.
func (d *Dialog) attempt(ctx context.Context, method msg.RequestMethod, offer []byte) (*msg.Response, error) {
	fill := func(req *msg.Request) {
		req.AppendHeader(msg.NewHeader("Allow", allow))
		d.time(req)
		if len(offer) > 0 {
			req.AppendHeader(msg.NewHeader("Content-Type", "application/sdp"))
			req.SetBody(offer)
		}
	}
	if method != msg.INVITE {
		return d.ask(ctx, method, fill)
	}
	var credentials msg.Header
	for {
		d.sending.Lock()
		req := d.request(msg.INVITE)
		fill(req)
		if credentials != nil {
			req.AppendHeader(credentials)
		}
		ack := func(*msg.Response) { d.ack(req) }
		x, err := d.agent.exchange(ctx, req, nil, ack)
		d.sending.Unlock()
		if err != nil {
			return nil, err
		}
		res, err := x.wait(ctx)
		switch {
		case err != nil:
			if errors.Is(err, msg.ErrTransactionTimeout) {
				d.lost(errSilent)
			}
			return nil, err
		case res.IsSuccess():
			d.mu.Lock()
			d.learn(res)
			d.mu.Unlock()
			d.ack(req)
		case credentials == nil && d.challenged(res):
			if credentials, err = answerChallenge(res, string(msg.INVITE), req.Recipient.String(), d.user, d.password); err != nil {
				return nil, err
			}
			continue
		default:
			d.missed(res)
		}
		return res, nil
	}
}

// ack acknowledges the 2xx of an INVITE of ours.
func (d *Dialog) ack(invite *msg.Request) {
	req := d.request(msg.ACK)
	req.ReplaceHeader(&msg.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: msg.ACK})
	for _, name := range []string{"Authorization", "Proxy-Authorization"} { // RFC 3261 section 22.1
		if h := invite.GetHeader(name); h != nil {
			req.AppendHeader(msg.NewHeader(name, h.Value()))
		}
	}
	if err := d.agent.write(req); err != nil {
		d.agent.log.Debug("an ACK could not be sent", "call_id", d.ID(), "error", err)
	}
}
