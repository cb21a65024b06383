package ua

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	msg "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// Outgoing is a call to be made.
type Outgoing struct {
	// URI is who is called: sip:user@host:port;transport=tcp.
	URI string
	// To is where the INVITE goes, host:port; empty is what the URI says.
	To string
	// From and Name are who calls: a user or number, and a display name. Host is the From header's host, ours if
	// empty.
	From, Name, Host string
	// User and Password answer a challenge; an empty User answers none.
	User, Password string
	// Offer is the description.
	Offer []byte
	// Headers are sent along.
	Headers map[string]string
	// Progress is told of each provisional response but 100, with its body: 180 rings, 183 has early media.
	Progress func(status int, body []byte)
	Handlers Handlers
}

// Rejected is the error of a call that was not taken.
type Rejected struct {
	// Status and Phrase are the final response's; Reason is its Reason header (RFC 3326), "" if there is none.
	Status int
	Phrase string
	Reason string
}

// Error says how the call was refused.
func (e *Rejected) Error() string {
	return "the call was refused: " + strconv.Itoa(e.Status) + " " + e.Phrase
}

// Invite makes a call and returns its dialog and the answer. When ctx ends first, the call is cancelled: Invite
// returns the context's cause once the other side agrees, or does not within some seconds; a call that is answered
// after all is hung up.
func (a *Agent) Invite(ctx context.Context, o Outgoing) (*Dialog, []byte, error) {
	c, err := a.newOutgoing(o)
	if err != nil {
		return nil, nil, err
	}
	for attempt := 0; ; attempt++ {
		res, err := c.attempt(ctx)
		switch {
		case err != nil:
			return nil, nil, err
		case res.StatusCode < 300:
			d, err := c.established(ctx, res)
			if err != nil {
				return nil, nil, err
			}
			return d, res.Body(), nil
		case (res.StatusCode == 401 || res.StatusCode == 407) && attempt == 0 && o.User != "" && ctx.Err() == nil:
			if err := c.authorize(res); err != nil {
				return nil, nil, err
			}
			continue
		}
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		rejected := &Rejected{Status: res.StatusCode, Phrase: res.Reason}
		if h := res.GetHeader("Reason"); h != nil && safe(h.Value()) {
			rejected.Reason = h.Value()
		}
		return nil, nil, rejected
	}
}

// outgoing is a call being made.
type outgoing struct {
	agent     *Agent
	o         Outgoing
	req       *msg.Request
	transport string
	to        string
}

func (a *Agent) newOutgoing(o Outgoing) (*outgoing, error) {
	var uri msg.Uri
	if !safe(o.URI) || msg.ParseUri(o.URI, &uri) != nil || uri.Scheme != "sip" || uri.Host == "" {
		return nil, fmt.Errorf("%q is no sip: URI", o.URI)
	}
	c := &outgoing{agent: a, o: o, transport: "UDP", to: o.To}
	if t, ok := uri.UriParams.Get("transport"); ok {
		if c.transport = msg.NetworkToUpper(t); c.transport != "UDP" && c.transport != "TCP" {
			return nil, fmt.Errorf("%q: only UDP and TCP are spoken", o.URI)
		}
	}
	if c.to == "" {
		c.to = hostPort(&uri, c.transport)
	}
	for _, text := range []string{o.From, o.Name, o.Host, c.to} {
		if !safe(text) {
			return nil, errors.New("the caller's name holds characters that no SIP header can")
		}
	}
	host := o.Host
	if host == "" {
		host = a.hostFor(c.to)
	}
	from := msg.FromHeader{DisplayName: o.Name, Address: msg.Uri{Scheme: "sip", User: o.From, Host: bracket(host)}}
	from.Params.Add("tag", msg.GenerateTagN(16))
	to := msg.ToHeader{Address: msg.Uri{Scheme: "sip", User: uri.User, Host: uri.Host, Port: uri.Port}}
	c.req = msg.NewRequest(msg.INVITE, uri)
	a.from(c.req, c.transport)
	c.req.SetDestination(c.to)
	c.req.AppendHeader(a.via(c.to, c.transport))
	c.req.AppendHeader(&from)
	c.req.AppendHeader(&to)
	id := msg.CallIDHeader(msg.GenerateTagN(32))
	c.req.AppendHeader(&id)
	c.req.AppendHeader(&msg.CSeqHeader{SeqNo: 1, MethodName: msg.INVITE})
	forwards := msg.MaxForwardsHeader(70)
	c.req.AppendHeader(&forwards)
	c.req.AppendHeader(a.contact(c.to, c.transport))
	c.req.AppendHeader(msg.NewHeader("User-Agent", a.opts.Name))
	c.req.AppendHeader(msg.NewHeader("Allow", allow))
	for name, value := range o.Headers {
		if !safe(name) || !safe(value) {
			return nil, fmt.Errorf("the header %q holds characters that no SIP header can", name)
		}
		c.req.AppendHeader(msg.NewHeader(name, value))
	}
	c.req.AppendHeader(msg.NewHeader("Content-Type", "application/sdp"))
	c.req.SetBody(o.Offer)
	return c, nil
}

func hostPort(uri *msg.Uri, transport string) string {
	port := uri.Port
	if port == 0 {
		port = msg.DefaultPort(transport)
	}
	return uri.Host + ":" + strconv.Itoa(port)
}

// cancelWait is how long a CANCEL may take to be agreed on.
const cancelWait = 5 * time.Second

// attempt sends the INVITE and returns its final response.
func (c *outgoing) attempt(ctx context.Context) (*msg.Response, error) {
	tx, err := c.agent.begin(context.WithoutCancel(ctx), c.req)
	if err != nil {
		return nil, fmt.Errorf("the INVITE could not be sent: %w", err)
	}
	done, proceeding := ctx.Done(), false
	var giveUp <-chan time.Time
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				if res.IsSuccess() {
					tx.OnRetransmission(func(again *msg.Response) { c.again(res, again) })
				}
				return res, nil
			}
			if !proceeding && ctx.Err() != nil {
				c.cancel() // RFC 3261 section 9.1: not before a provisional response
			}
			proceeding = true
			if res.StatusCode > 100 && c.o.Progress != nil && ctx.Err() == nil {
				c.o.Progress(res.StatusCode, res.Body())
			}
		case <-tx.Done():
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, fmt.Errorf("the INVITE was not answered: %w", tx.Err())
		case <-done:
			done = nil
			timer := time.NewTimer(cancelWait)
			defer timer.Stop()
			giveUp = timer.C
			if proceeding {
				c.cancel()
			}
		case <-giveUp:
			tx.Terminate()
			return nil, context.Cause(ctx)
		}
	}
}

// cancel sends a CANCEL (RFC 3261 section 9.1).
func (c *outgoing) cancel() {
	req := msg.NewRequest(msg.CANCEL, c.req.Recipient)
	c.agent.from(req, c.transport)
	req.SetDestination(c.to)
	req.AppendHeader(c.req.Via().Clone())
	for _, name := range []string{"From", "To", "Call-ID", "Route"} {
		msg.CopyHeaders(name, c.req, req)
	}
	req.AppendHeader(&msg.CSeqHeader{SeqNo: c.req.CSeq().SeqNo, MethodName: msg.CANCEL})
	forwards := msg.MaxForwardsHeader(70)
	req.AppendHeader(&forwards)
	c.agent.work.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cancelWait)
		defer cancel()
		if _, err := c.agent.do(ctx, req); err != nil {
			c.agent.log.Debug("a CANCEL was not answered", "error", err)
		}
	})
}

// authorize makes the next attempt answer a challenge.
func (c *outgoing) authorize(res *msg.Response) error {
	name, answer := "WWW-Authenticate", "Authorization"
	if res.StatusCode == 407 {
		name, answer = "Proxy-Authenticate", "Proxy-Authorization"
	}
	for _, h := range res.GetHeaders(name) {
		challenge, err := digest.ParseChallenge(h.Value())
		if err != nil || !digest.CanDigest(challenge) {
			continue
		}
		credentials, err := digest.Digest(challenge, digest.Options{
			Method: string(msg.INVITE), URI: c.req.Recipient.String(), Username: c.o.User, Password: c.o.Password, Count: 1,
		})
		if err != nil {
			continue
		}
		c.req = c.req.Clone() // the last transaction still holds the old one
		c.req.RemoveHeader("Via")
		c.req.PrependHeader(c.agent.via(c.to, c.transport))
		c.req.RemoveHeader(answer)
		c.req.AppendHeader(msg.NewHeader(answer, credentials.String()))
		c.req.ReplaceHeader(&msg.CSeqHeader{SeqNo: c.req.CSeq().SeqNo + 1, MethodName: msg.INVITE})
		c.agent.from(c.req, c.transport)
		c.req.SetDestination(c.to)
		return nil
	}
	return errors.New("the other side's challenge is not one that can be answered")
}

// established acknowledges a 2xx and returns its dialog.
func (c *outgoing) established(ctx context.Context, res *msg.Response) (*Dialog, error) {
	d, err := c.dialogOf(res)
	if err != nil {
		return nil, err
	}
	d.handlers = c.o.Handlers
	c.agent.keep(d)
	c.ack(d)
	if ctx.Err() != nil { // answered while it was being cancelled
		c.hangUp(d)
		return nil, context.Cause(ctx)
	}
	return d, nil
}

func (c *outgoing) dialogOf(res *msg.Response) (*Dialog, error) {
	if res.To() == nil || res.From() == nil || res.CSeq() == nil {
		return nil, errors.New("the answer lacks To, From or CSeq")
	}
	d := &Dialog{
		agent: c.agent, gone: make(chan struct{}), callID: *c.req.CallID(), target: *c.req.Recipient.Clone(), source: c.to,
		transport: c.transport, cseq: c.req.CSeq().SeqNo,
	}
	if contact := res.Contact(); contact != nil {
		d.target = *contact.Address.Clone()
	}
	d.local = msg.FromHeader{DisplayName: c.req.From().DisplayName, Address: *c.req.From().Address.Clone(), Params: c.req.From().Params.Clone()}
	d.remote = msg.ToHeader{Address: *res.To().Address.Clone(), Params: res.To().Params.Clone()}
	routes := res.GetHeaders("Record-Route")
	for i := range routes {
		if rr, ok := routes[len(routes)-1-i].(*msg.RecordRouteHeader); ok { // RFC 3261 section 12.1.2: in reverse
			d.routes = append(d.routes, *rr.Address.Clone())
		}
	}
	return d, nil
}

// ack acknowledges the 2xx of the INVITE.
func (c *outgoing) ack(d *Dialog) {
	req := d.request(msg.ACK)
	req.ReplaceHeader(&msg.CSeqHeader{SeqNo: c.req.CSeq().SeqNo, MethodName: msg.ACK})
	if err := c.agent.write(req); err != nil {
		c.agent.log.Debug("an ACK could not be sent", "call_id", d.ID(), "error", err)
	}
}

// again takes a 2xx that follows the first: a copy, because the ACK was lost, or another phone's when a proxy has
// forked the call (RFC 3261 section 13.2.2.4): only the first has it.
func (c *outgoing) again(first, res *msg.Response) {
	d, err := c.dialogOf(res)
	if err != nil {
		return
	}
	c.ack(d)
	if tag(res.To().Params) != tag(first.To().Params) {
		c.hangUp(d)
	}
}

func (c *outgoing) hangUp(d *Dialog) {
	c.agent.work.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cancelWait)
		defer cancel()
		d.Bye(ctx, "")
	})
}
