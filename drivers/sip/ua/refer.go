package ua

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// Referral is the other side's wish that this call be transferred (REFER, RFC 3515): somebody else is to be called,
// and to take the other side's place.
type Referral struct {
	// To is who is to be called, a sip: URI without headers.
	To string
	// User is the user part of To: an extension or a number.
	User string
	// ReferredBy is who asks, as it says (RFC 3892); pass it on as Referred-By header.
	ReferredBy string
	// Replaces makes the transfer an attended one: the other side talks to the target already, and this header (RFC
	// 3891) names that call. Pass it on as [Outgoing.Replaces]; "" for a blind transfer.
	Replaces string
	// Target is that call where it is one of ours: then nobody need be called, the two need only be connected.
	Target *Dialog

	dialog *Dialog
	req    *msg.Request
	tx     msg.ServerTransaction
	event  string
	silent bool // nobody wants to know how it goes (RFC 4488)

	mu       sync.Mutex
	decided  bool
	accepted bool
	told     bool      // the outcome, or nobody wants to know
	waiting  []Outcome // to be told
	telling  bool      // by tell
	known    chan struct{}
	once     sync.Once
}

// Known is closed when the other side has been told the outcome, or cannot be: the time to end this call.
func (r *Referral) Known() <-chan struct{} { return r.known }

func (r *Referral) settle() { r.once.Do(func() { close(r.known) }) }

// referLife is how long the outcome of a transfer may take.
const referLife = 3 * time.Minute

// Accept says that the transfer is tried (202). Each transfer that is accepted should be told its outcome by Notify.
func (r *Referral) Accept() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.decided {
		return errors.New("the transfer has been accepted or rejected")
	}
	r.decided, r.accepted = true, true
	res := msg.NewResponseFromRequest(r.req, 202, "Accepted", nil)
	res.AppendHeader(r.dialog.agent.contact(r.req.Source(), r.dialog.transport))
	if r.silent {
		res.AppendHeader(msg.NewHeader("Refer-Sub", "false"))
	}
	r.dialog.agent.send(r.tx, res)
	if !r.silent {
		r.queue(100, "Trying") // RFC 3515 section 2.4.4: at once
	}
	return nil
}

// Reject says that the transfer is not tried. It does nothing after Accept.
func (r *Referral) Reject(status int, phrase string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.decided {
		return
	}
	r.decided = true
	r.dialog.agent.respond(r.tx, r.req, status, phrase)
}

// Notify tells the other side how the call to the target goes: by the status that it has, such as 180 or 486. One of
// 200 and more is the outcome, and the last. It does not wait; it does nothing before Accept, after an outcome, and
// where the other side does not want to know.
func (r *Referral) Notify(status int, phrase string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.accepted && !r.silent && !r.told {
		r.queue(status, phrase)
	}
	if status >= 200 && !r.telling {
		r.settle()
	}
}

// maxNews bounds what waits to be told before the outcome.
const maxNews = 16

// queue lets tell send a NOTIFY, after those before it; r.mu is held.
func (r *Referral) queue(status int, phrase string) {
	r.told = status >= 200
	n := len(r.waiting)
	if status < 200 && (n >= maxNews || n > 0 && r.waiting[n-1].Status == status) {
		return
	}
	if !safe(phrase) || phrase == "" {
		phrase = "-"
	}
	r.waiting = append(r.waiting, Outcome{status, phrase})
	if !r.telling {
		r.telling = r.dialog.agent.spawn(r.tell)
	}
}

// tell sends NOTIFYs, one after the other: they must not overtake each other.
func (r *Referral) tell() {
	a := r.dialog.agent
	for {
		r.mu.Lock()
		if len(r.waiting) == 0 {
			r.telling = false
			if r.told {
				r.settle()
			}
			r.mu.Unlock()
			return
		}
		o := r.waiting[0]
		r.waiting = r.waiting[1:]
		r.mu.Unlock()
		ctx, cancel := a.open(context.Background(), timeout)
		res, err := r.dialog.ask(ctx, msg.NOTIFY, func(req *msg.Request) { r.write(req, o) })
		cancel()
		if err == nil && res.StatusCode != 481 { // not one that has forgotten us
			continue
		}
		a.log.Debug("a NOTIFY was not taken", "call_id", r.dialog.ID(), "error", err)
		r.mu.Lock()
		r.told, r.waiting = true, nil
		r.mu.Unlock()
	}
}

func (r *Referral) write(req *msg.Request, o Outcome) {
	state := "active;expires=" + inSeconds(referLife)
	if o.Status >= 200 {
		state = "terminated;reason=noresource"
	}
	req.AppendHeader(msg.NewHeader("Event", r.event))
	req.AppendHeader(msg.NewHeader("Subscription-State", state))
	req.AppendHeader(msg.NewHeader("Content-Type", "message/sipfrag;version=2.0"))
	req.SetBody(fmt.Appendf(nil, "SIP/2.0 %d %s\r\n", o.Status, o.Phrase))
}

// open returns a context that ends when the agent is closed, or after a time.
func (a *Agent) open(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	go func() {
		select {
		case <-a.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// onRefer takes the wish for a transfer.
func (a *Agent) onRefer(req *msg.Request, tx msg.ServerTransaction) {
	d := a.dialog(req)
	if d == nil {
		if tag(req.To().Params) == "" { // calls are not made for strangers
			a.respond(tx, req, 403, "Forbidden")
			return
		}
		a.respond(tx, req, 481, "Call/Transaction Does Not Exist")
		return
	}
	r, ok := a.referral(d, req, tx)
	if !ok {
		return
	}
	h := d.handle()
	if h.Refer == nil || !a.join() {
		r.Reject(603, "Decline")
		return
	}
	defer a.work.Done()
	ctx, cancel := a.open(context.Background(), referLife)
	defer cancel()
	h.Refer(ctx, r)
	r.Reject(603, "Decline")
	r.Notify(503, "Service Unavailable")
}

// referral checks a REFER. It has answered it when ok is false.
func (a *Agent) referral(d *Dialog, req *msg.Request, tx msg.ServerTransaction) (r *Referral, ok bool) {
	d.handling.Lock()
	defer d.handling.Unlock()
	if !d.refresh(req) {
		a.respond(tx, req, 500, "CSeq Out Of Order")
		return nil, false
	}
	if a.foreign(req, tx) {
		return nil, false
	}
	d.mu.Lock()
	ended := d.ended
	first := !d.referred
	d.referred = true
	d.mu.Unlock()
	r = &Referral{known: make(chan struct{}), dialog: d, req: req, tx: tx, ReferredBy: text(req, "Referred-By", "b"), event: "refer"}
	r.silent = strings.EqualFold(text(req, "Refer-Sub"), "false")
	if !first { // RFC 3515 section 2.4.6
		r.event += ";id=" + strconv.FormatUint(uint64(req.CSeq().SeqNo), 10)
	}
	to := append(req.GetHeaders("Refer-To"), req.GetHeaders("r")...)
	switch {
	case ended:
		a.respond(tx, req, 481, "Call/Transaction Does Not Exist")
	case len(to) != 1 || !r.aim(to[0].Value()):
		a.respond(tx, req, 400, "Bad Refer-To")
	default:
		return r, true
	}
	return nil, false
}

// aim reads a Refer-To header, and reports whether it names somebody who can be called.
func (r *Referral) aim(value string) bool {
	if len(value) > 4*maxHeader {
		return false
	}
	if _, rest, ok := strings.Cut(value, "<"); ok {
		if value, _, ok = strings.Cut(rest, ">"); !ok {
			return false
		}
	}
	plain, headers, _ := strings.Cut(strings.TrimSpace(value), "?")
	var uri msg.Uri
	if !safe(plain) || msg.ParseUri(plain, &uri) != nil || uri.Host == "" || uri.Scheme != "sip" && uri.Scheme != "sips" {
		return false
	}
	if m, ok := uri.UriParams.Get("method"); ok && !strings.EqualFold(m, "INVITE") {
		return false
	}
	r.To, r.User = plain, uri.User
	for h := range strings.SplitSeq(headers, "&") {
		name, v, _ := strings.Cut(h, "=")
		if !strings.EqualFold(name, "Replaces") {
			continue
		}
		text, err := url.PathUnescape(v)
		if err != nil || !safe(text) {
			return false
		}
		named, err := parseReplaces(text)
		if err != nil {
			return false
		}
		r.Replaces = text
		r.Target = r.dialog.agent.find(named.callID, named.to, named.from)
	}
	return true
}
