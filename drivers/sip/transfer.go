package sip

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
	"github.com/piopiy/piopiyd/pcmo"
)

// refers returns what decides about a party's wish to transfer its call (REFER); nil where that may not be.
func (l *line) refers(g *leg) func(context.Context, *ua.Referral) {
	if !l.driver.opts.AllowRefer {
		return nil
	}
	return func(ctx context.Context, r *ua.Referral) { l.driver.refer(ctx, place{l, g}, r) }
}

// refer transfers the one whom the party at a place talks to: to another call of this party (attended), or to a
// target that the app may call (blind). Who talks to nobody but the app cannot transfer that.
func (d *Driver) refer(ctx context.Context, p place, r *ua.Referral) {
	other, first := p.other()
	if other == nil || !d.countIn() {
		r.Reject(603, "Decline")
		return
	}
	defer d.work.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(context.Canceled)
	stop := context.AfterFunc(p.line.ctx, func() { cancel(context.Cause(p.line.ctx)) })
	defer stop()
	p.leg.depart()
	defer p.leg.stay()
	if r.Target != nil {
		d.referToCall(p, first, r)
		return
	}
	d.referTo(ctx, p, first, r)
}

// referTo calls the target of a transfer, and lets it have the party's place once it has answered.
func (d *Driver) referTo(ctx context.Context, p place, first bool, r *ua.Referral) {
	l := p.line
	from, audience := l.call.To, media.ToCallee
	if first {
		from, audience = l.call.From, media.ToCaller
	}
	phones, err := d.phones(l.call.App, call.Target{Target: d.referred(r)}, from, l.observeError)
	if err != nil {
		code := codeOf(causeOf(err))
		d.log.Info("a phone may not transfer its call", "call", l.call.ID, "leg", p.leg.id, "error", err)
		r.Reject(code.status, code.phrase)
		return
	}
	if r.Replaces != "" {
		for _, ways := range phones {
			for i := range ways {
				ways[i].Replaces = r.Replaces
			}
		}
	}
	if r.Accept() != nil {
		return
	}
	a := newDialling(l, call.SideCallee, 1)
	if !first {
		a.side = call.SideCaller // it will be leg a
	}
	a.timeout, a.phones[0] = pcmo.DefaultRingTimeout, phones
	a.outcomes[0] = call.DialOutcome{LegID: uuid.NewString(), Status: call.StatusMissed, Started: time.Now()}
	var tone *media.Playback
	a.progress = func(int) {
		r.Notify(180, "Ringing")
		tone = l.play(ringback, media.PlayOptions{Loop: true, To: audience})
	}
	g, err := a.run(ctx)
	if tone != nil {
		tone.Stop()
	}
	switch {
	case err != nil:
		r.Notify(487, "Request Terminated")
	case g == nil:
		code := codeOf(a.outcomes[0].Cause)
		r.Notify(code.status, code.phrase)
	case !p.seat(g):
		l.dismiss(g, call.CauseCancelled)
		r.Notify(487, "Request Terminated")
	default:
		d.log.Info("a call was transferred", "call", l.call.ID, "by", p.leg.id, "to", g.id)
		r.Notify(200, "OK")
		await(r)
		l.dismiss(p.leg, call.CauseNormal)
	}
}

// referred is the target of a transfer: a user or a number of ours, unless its host is one that apps may call.
func (d *Driver) referred(r *ua.Referral) pcmo.Target {
	rest := strings.TrimPrefix(strings.TrimPrefix(r.To, "sips:"), "sip:")
	if _, host, ok := strings.Cut(rest, "@"); ok && !d.agent.IsUser(r.User) && d.routes.allows(host) {
		return pcmo.SIP(rest)
	}
	return pcmo.SIP(r.User)
}

// referToCall connects the two whom one party talks to in two calls.
func (d *Driver) referToCall(p place, first bool, r *ua.Referral) {
	q, ok := d.find(r.Target)
	if !ok || q.line == p.line {
		r.Reject(481, "Call/Transaction Does Not Exist")
		return
	}
	other, otherFirst := q.other()
	if other == nil { // there it talks to the app
		r.Reject(603, "Decline")
		return
	}
	if r.Accept() != nil {
		return
	}
	q.leg.depart()
	defer q.leg.stay()
	var done bool
	switch {
	case first && otherFirst:
		done = d.join(p, q)
	case first:
		done = move(place{q.line, other}, p)
	default: // the one who stays with p.line is its partner, who can go where q is
		partner, _ := p.other()
		done = partner != nil && move(place{p.line, partner}, q)
	}
	if !done {
		r.Notify(481, "Call/Transaction Does Not Exist")
		return
	}
	d.log.Info("a call was transferred to another one", "call", p.line.call.ID, "other", q.line.call.ID)
	r.Notify(200, "OK")
	await(r)
	// Who transferred leaves both calls.
	for _, left := range []place{p, q} {
		left.line.dismiss(left.leg, call.CauseNormal)
		if left.line.first() == left.leg {
			left.line.cancel(&call.HangupError{By: call.SideCaller, Cause: call.CauseNormal})
		}
	}
}

// await waits until a party knows that its transfer is done: a BYE could be faster.
func await(r *ua.Referral) {
	timer := time.NewTimer(goodbye)
	defer timer.Stop()
	select {
	case <-r.Known():
	case <-timer.C:
	}
}

// move lets the partner of one call have a place in another.
func move(from, to place) bool {
	if !from.take() {
		return false
	}
	if to.seat(from.leg) {
		return true
	}
	from.line.dismiss(from.leg, call.CauseTemporaryFailure)
	return false
}

// replace lets a caller take a place in a call that it names by Replaces (RFC 3891). It must be one whom we know.
func (d *Driver) replace(inv *ua.Invitation) {
	p, ok := d.find(inv.Replaces)
	switch {
	case !ok:
		inv.Reject(481, "Call/Transaction Does Not Exist", "")
		return
	case !d.opts.AllowRefer || inv.User == "" && !inv.Trusted:
		inv.Reject(603, "Decline", "")
		return
	}
	g, err := d.takePlace(inv, p)
	if err != nil {
		status, phrase := refusal(err)
		if errors.Is(err, errPlaceGone) {
			status, phrase = 481, "Call/Transaction Does Not Exist"
		}
		inv.Reject(status, phrase, "")
		return
	}
	d.log.Info("a party was replaced", "call", p.line.call.ID, "leg", p.leg.id, "by", g.id)
	p.line.dismiss(p.leg, call.CauseNormal)
}

var errPlaceGone = errors.New("the party to be replaced has left")

func (d *Driver) takePlace(inv *ua.Invitation, p place) (*leg, error) {
	local := d.describe(inv.Source, inv.Transport())
	offer, err := readable(local.Parse(inv.Offer))
	if err != nil {
		return nil, err
	}
	p.leg.depart()
	defer p.leg.stay()
	g, err := d.newLeg(uuid.NewString(), local, p.leg.how().By)
	if err != nil {
		return nil, err
	}
	g.trunk = inv.Trusted
	g.agree(g.local, offer)
	dialog, err := inv.Accept(g.local.Answer(offer), g.handlers())
	if err != nil {
		g.close()
		return nil, err
	}
	g.mu.Lock()
	g.dialog = dialog
	g.mu.Unlock()
	if !p.seat(g) {
		p.line.dismiss(g, call.CauseTemporaryFailure)
		return nil, errPlaceGone
	}
	return g, nil
}

// depart tells that somebody may take the place of a party, which may leave meanwhile.
func (l *leg) depart() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leaving == nil {
		l.leaving = make(chan struct{})
	}
}

// stay tells that this was decided.
func (l *leg) stay() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leaving != nil {
		close(l.leaving)
		l.leaving = nil
	}
}

// decided waits until it is known whether somebody takes the place of a party that has left.
func (l *leg) decided(ctx context.Context) {
	l.mu.Lock()
	leaving := l.leaving
	l.mu.Unlock()
	if leaving == nil {
		return
	}
	select {
	case <-leaving:
	case <-ctx.Done():
	}
}
