package ua

import (
	"context"
	"errors"
	"fmt"
	"slices"

	msg "github.com/emiago/sipgo/sip"
)

// established acknowledges a 2xx and returns its dialog and the answer.
func (c *outgoing) established(ctx context.Context, res *msg.Response) (*Dialog, []byte, error) {
	d, err := c.branch(res)
	if err != nil {
		c.clear()
		return nil, nil, err
	}
	c.mu.Lock()
	c.won = tag(res.To().Params)
	delete(c.early, c.won)
	c.mu.Unlock()
	c.clear()
	d.mu.Lock()
	d.ringing, d.settled, d.described = false, true, c.o.Offer
	d.learn(res)
	d.setRoutes(res)
	body := res.Body()
	if len(body) == 0 { // it was in a reliable provisional response
		body = d.reliable.answer
	}
	d.mu.Unlock()
	d.timed(res)
	d.ack(c.req)
	c.release()
	if ctx.Err() != nil { // answered while it was being cancelled
		c.hangUp(d)
		return nil, nil, context.Cause(ctx)
	}
	return d, body, nil
}

// release lets go of what the call does not need once it is answered: the transaction keeps what is left for half a
// minute, for copies of the answer, and calls are many.
func (c *outgoing) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.o = Outgoing{User: c.o.User, Password: c.o.Password}
}

// branch returns the dialog of a response: of a fork, each branch has its own.
func (c *outgoing) branch(res *msg.Response) (*Dialog, error) {
	if res.To() == nil || res.From() == nil || res.CSeq() == nil || tag(res.To().Params) == "" && !res.IsSuccess() {
		return nil, errors.New("the answer lacks To, From or CSeq")
	}
	remote := tag(res.To().Params)
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.early[remote]; d != nil {
		return d, nil
	}
	if len(c.early) >= maxBranches {
		return nil, fmt.Errorf("more than %d phones answer at once", maxBranches)
	}
	d := newDialog(c.agent)
	d.owner, d.user, d.password = true, c.o.User, c.o.Password
	d.callID, d.target, d.source, d.transport, d.cseq = *c.req.CallID(), *c.req.Recipient.Clone(), c.to, c.transport, c.req.CSeq().SeqNo
	if !addrOf(c.to).IsValid() && res.Source() != "" {
		d.source = res.Source() // a name may stand for several; this one has the call
	}
	d.handlers, d.ringing = c.o.Handlers, true
	d.local = msg.FromHeader{DisplayName: c.req.From().DisplayName, Address: *c.req.From().Address.Clone(), Params: c.req.From().Params.Clone()}
	d.remote = msg.ToHeader{Address: *res.To().Address.Clone(), Params: res.To().Params.Clone()}
	d.learn(res)
	d.setRoutes(res)
	c.early[remote] = d
	c.agent.keep(d)
	return d, nil
}

// maxBranches bounds the phones that one call rings at once.
const maxBranches = 16

// setRoutes takes the route set from a response to our INVITE; d.mu is held.
func (d *Dialog) setRoutes(res *msg.Response) {
	d.routes = nil
	routes := res.GetHeaders("Record-Route")
	for _, h := range slices.Backward(routes) { // RFC 3261 section 12.1.2: in reverse
		if rr, ok := h.(*msg.RecordRouteHeader); ok {
			d.routes = append(d.routes, *rr.Address.Clone())
		}
	}
}

// progress takes a provisional response.
func (c *outgoing) progress(res *msg.Response) {
	if d, err := c.branch(res); err == nil && !c.acknowledge(d, res) {
		return
	}
	if c.o.Progress != nil {
		c.o.Progress(res.StatusCode, res.Body())
	}
}

// clear forgets the branches that were not answered.
func (c *outgoing) clear() {
	c.mu.Lock()
	early := c.early
	c.early = map[string]*Dialog{}
	c.mu.Unlock()
	for _, d := range early {
		d.drop()
	}
}

// again takes a 2xx that follows the first: a copy, because the ACK was lost, or another phone's when a proxy has
// forked the call (RFC 3261 section 13.2.2.4): only the first has it. It runs within the transaction.
func (c *outgoing) again(res *msg.Response) {
	if res.To() == nil {
		return
	}
	remote := tag(res.To().Params)
	if d := c.agent.find(string(*c.req.CallID()), tag(c.req.From().Params), remote); d != nil && !d.isEarly() {
		d.ack(c.req)
		return
	}
	c.mu.Lock()
	won := c.won == remote
	c.mu.Unlock()
	if won {
		return // it has ended meanwhile
	}
	d, err := c.branch(res)
	if err != nil {
		return
	}
	c.mu.Lock()
	delete(c.early, remote)
	c.mu.Unlock()
	d.mu.Lock()
	d.ringing, d.handlers = false, Handlers{}
	d.learn(res)
	d.setRoutes(res)
	d.mu.Unlock()
	d.ack(c.req)
	c.hangUp(d)
}

// hangUp ends a call that nobody wants.
func (c *outgoing) hangUp(d *Dialog) {
	c.agent.spawn(func() {
		ctx, cancel := c.agent.open(context.Background(), cancelWait)
		defer cancel()
		d.Bye(ctx, `SIP;cause=487;text="Request Terminated"`)
	})
}
