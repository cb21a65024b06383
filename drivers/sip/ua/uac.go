package ua

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	msg "github.com/emiago/sipgo/sip"
)

// Outgoing is a call to be made.
type Outgoing struct {
	// URI is who is called: sip:user@host:port;transport=tcp.
	URI string
	// To is where the INVITE goes, host:port; empty is where the URI's host is first found (see [Agent.Locate]).
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
	// Replaces is a Replaces header (RFC 3891): the call takes the place of one that the called phone has.
	Replaces string
	// Progress is told of each provisional response but 100, with its body: 180 rings, 183 has early media. Phones
	// may repeat them; of several that a proxy rings at once each has its own description.
	Progress func(status int, body []byte)
	// Alive, where set, is told of the first provisional response, which may be 100: somebody is there.
	Alive func()
	// Redirect is asked when the called side names another place (3xx): may the call go there? Without it, and
	// after five of them, the redirection is the refusal. Another host gets no User and Password.
	Redirect func(uri string) bool
	Handlers Handlers
}

// Rejected is the error of a call, or a request within one, that was refused.
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

func rejected(res *msg.Response) *Rejected {
	return &Rejected{Status: res.StatusCode, Phrase: res.Reason, Reason: text(res, "Reason")}
}

// maxRedirects bounds the places that a call is sent on to.
const maxRedirects = 5

// Invite makes a call and returns its dialog and the answer. When ctx ends first, the call is cancelled: Invite
// returns the context's cause, with [GaveUp] as the cause telling the other side why, once the other side agrees, or
// does not within some seconds; a call that is answered after all is hung up.
func (a *Agent) Invite(ctx context.Context, o Outgoing) (*Dialog, []byte, error) {
	c, err := a.newOutgoing(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	for challenged := false; ; {
		res, err := c.attempt(ctx)
		if err != nil {
			c.clear()
			return nil, nil, err
		}
		if res.IsSuccess() {
			return c.established(ctx, res)
		}
		c.clear()
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		switch {
		case (res.StatusCode == 401 || res.StatusCode == 407) && !challenged && c.o.User != "":
			challenged = true
			credentials, err := answerChallenge(res, string(msg.INVITE), c.req.Recipient.String(), c.o.User, c.o.Password)
			if err != nil {
				return nil, nil, err
			}
			c.next()
			c.req.AppendHeader(credentials)
		case res.StatusCode == 422 && c.raise(res):
		case res.StatusCode >= 300 && res.StatusCode < 400 && c.redirect(ctx, res):
			challenged = false
		default:
			return nil, nil, rejected(res)
		}
	}
}

// outgoing is a call being made.
type outgoing struct {
	agent     *Agent
	o         Outgoing
	req       *msg.Request
	transport string
	to        string
	raised    int
	places    []string // that it was redirected to

	mu    sync.Mutex
	early map[string]*Dialog // by the other side's tag
	won   string             // the tag of the branch that has the call
}

func (a *Agent) newOutgoing(ctx context.Context, o Outgoing) (*outgoing, error) {
	c := &outgoing{agent: a, o: o, early: map[string]*Dialog{}}
	uri, err := c.aim(ctx, o.URI, o.To)
	if err != nil {
		return nil, err
	}
	for _, text := range []string{o.From, o.Name, o.Host, c.to, o.Replaces} {
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
	c.req = msg.NewRequest(msg.INVITE, *uri)
	c.send()
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
	c.req.AppendHeader(msg.NewHeader("Supported", extensions))
	if a.opts.SessionExpires > 0 {
		c.req.AppendHeader(msg.NewHeader("Session-Expires", inSeconds(max(a.opts.SessionExpires, minSE))))
		c.req.AppendHeader(msg.NewHeader("Min-SE", inSeconds(minSE)))
	}
	if o.Replaces != "" {
		c.req.AppendHeader(msg.NewHeader("Require", "replaces"))
		c.req.AppendHeader(msg.NewHeader("Replaces", o.Replaces))
	}
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

// aim reads who is called, and where the INVITE goes.
func (c *outgoing) aim(ctx context.Context, text, to string) (*msg.Uri, error) {
	var uri msg.Uri
	if !safe(text) || msg.ParseUri(text, &uri) != nil || uri.Scheme != "sip" || uri.Host == "" {
		return nil, fmt.Errorf("%q is no sip: URI", text)
	}
	t, _ := uri.UriParams.Get("transport")
	var err error
	if c.transport, err = c.agent.transport(t); err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	if c.to = to; to != "" {
		return &uri, nil
	}
	address := uri.Host
	if uri.Port != 0 {
		address += ":" + strconv.Itoa(uri.Port)
	}
	places, err := c.agent.Locate(ctx, address, c.transport)
	if err != nil {
		return nil, err
	}
	c.to = places[0]
	return &uri, nil
}

// send sets where the request goes.
func (c *outgoing) send() {
	c.agent.from(c.req, c.transport)
	c.req.SetDestination(c.to)
}

func hostPort(uri *msg.Uri, transport string) string {
	port := uri.Port
	if port == 0 {
		port = msg.DefaultPort(transport)
	}
	return uri.Host + ":" + strconv.Itoa(port)
}

// attempt sends the INVITE and returns its final response.
func (c *outgoing) attempt(ctx context.Context) (*msg.Response, error) {
	x, err := c.agent.exchange(ctx, c.req, c.progress, c.again)
	if err != nil {
		return nil, err
	}
	x.alive = c.o.Alive
	return x.wait(ctx)
}

// next makes the request of the next attempt: the last transaction still holds the old one.
func (c *outgoing) next() {
	c.req = c.req.Clone()
	c.req.RemoveHeader("Via")
	c.req.PrependHeader(c.agent.via(c.to, c.transport))
	c.req.RemoveHeader("Authorization")
	c.req.RemoveHeader("Proxy-Authorization")
	c.req.ReplaceHeader(&msg.CSeqHeader{SeqNo: c.req.CSeq().SeqNo + 1, MethodName: msg.INVITE})
	c.send()
}

// raise asks for the longer session that a 422 demands (RFC 4028 section 7.3).
func (c *outgoing) raise(res *msg.Response) bool {
	least, ok := leastOf(res)
	if !ok || c.raised == 3 || c.agent.opts.SessionExpires < 0 {
		return false
	}
	c.raised++
	auth := c.req.GetHeader("Authorization")
	proxy := c.req.GetHeader("Proxy-Authorization")
	c.next()
	c.req.RemoveHeader("Session-Expires")
	c.req.RemoveHeader("Min-SE")
	c.req.AppendHeader(msg.NewHeader("Session-Expires", inSeconds(max(least, c.agent.opts.SessionExpires))))
	c.req.AppendHeader(msg.NewHeader("Min-SE", inSeconds(max(least, minSE))))
	for _, h := range []msg.Header{auth, proxy} {
		if h != nil {
			c.req.AppendHeader(h)
		}
	}
	return true
}

// redirect sends the call on to the best place that a 3xx names and that is allowed (RFC 3261 section 8.1.3.4).
func (c *outgoing) redirect(ctx context.Context, res *msg.Response) bool {
	if c.o.Redirect == nil || len(c.places) == maxRedirects {
		return false
	}
	type place struct {
		uri string
		q   float64
	}
	var all []place
	for _, h := range res.GetHeaders("Contact") {
		contact, ok := h.(*msg.ContactHeader)
		if !ok || contact.Address.Wildcard {
			continue
		}
		p := place{contact.Address.String(), 1}
		if v, ok := contact.Params.Get("q"); ok {
			if q, err := strconv.ParseFloat(v, 64); err == nil {
				p.q = q
			}
		}
		all = append(all, p)
	}
	slices.SortStableFunc(all, func(a, b place) int {
		switch {
		case a.q > b.q:
			return -1
		case a.q < b.q:
			return 1
		}
		return 0
	})
	for _, p := range all {
		if slices.Contains(c.places, p.uri) || p.uri == c.req.Recipient.String() || !c.o.Redirect(p.uri) {
			continue
		}
		uri, err := c.aim(ctx, p.uri, "")
		if err != nil {
			continue
		}
		if uri.Host != c.req.Recipient.Host { // a password is for whom it was given
			c.o.User, c.o.Password = "", ""
		}
		c.places = append(c.places, p.uri)
		c.next()
		c.req.Recipient = *uri
		c.req.RemoveHeader("Contact")
		c.req.AppendHeader(c.agent.contact(c.to, c.transport))
		return true
	}
	return false
}
