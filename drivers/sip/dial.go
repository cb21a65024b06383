package sip

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// ringback is what a caller hears who was answered while others ring: the tone of ITU-T E.180's table for much of
// the world, a second of every five.
var ringback = media.Sound{Samples: append(media.Tone(425, time.Second), make([]int16, 4*media.Rate)...), Rate: media.Rate}

// ring is what became known of a target while it rings.
type ring struct {
	target int
	leg    *leg // who answered
	rings  bool
	err    error // why one of its phones did not answer
}

// race lets only one leg answer.
type race struct {
	mu   sync.Mutex
	over bool
	news chan ring
}

// tell passes news on while the race is open, and reports whether it was.
func (r *race) tell(n ring) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return false
	}
	if n.leg != nil {
		r.over = true
	}
	r.news <- n // there is room: see Dial
	return true
}

func (r *race) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
}

// Dial rings targets, and all phones of each, at once.
func (l *line) Dial(ctx context.Context, d call.Dial) ([]call.DialOutcome, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	outcomes := make([]call.DialOutcome, len(d.Targets))
	phones := make([][]ua.Outgoing, len(d.Targets))
	total := 0
	for i, t := range d.Targets {
		outcomes[i] = call.DialOutcome{Status: call.StatusMissed, Started: time.Now()}
		var err error
		if phones[i], err = l.driver.routes.to(l.driver.agent, t.Target, d.CallerID); err != nil {
			l.driver.log.Warn("a target cannot be called", "app", l.call.App, "call", l.call.ID, "error", err)
			l.observe(call.Step{Err: fmt.Errorf("dial: %w", err)})
			outcomes[i].Cause, outcomes[i].Ended = call.CauseUnreachable, time.Now()
			continue
		}
		total += len(phones[i])
		outcomes[i].LegID = uuid.NewString()
		d.Progress(i, outcomes[i].LegID, call.StatusStarted)
	}
	// Each phone tells at most that it rings, and how it ended.
	r := &race{news: make(chan ring, 2*total)}
	dialling, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(context.Canceled)
	for i := range phones {
		for _, o := range phones[i] {
			l.driver.work.Go(func() { l.dial(dialling, r, i, outcomes[i].LegID, o) })
		}
	}
	err := l.ringing(ctx, d, r, outcomes, phones)
	l.talk.Stop()
	return outcomes, err
}

// ringing follows the race to its end.
func (l *line) ringing(ctx context.Context, d call.Dial, r *race, outcomes []call.DialOutcome, phones [][]ua.Outgoing) error {
	defer r.close()
	left, rung := make([]int, len(phones)), make([]bool, len(phones))
	open := 0
	for i := range phones {
		if left[i] = len(phones[i]); left[i] > 0 {
			open++
		}
	}
	lose := func(cause string) {
		for i := range outcomes {
			if left[i] > 0 && outcomes[i].Status == call.StatusMissed {
				outcomes[i].Cause, outcomes[i].Ended = cause, time.Now()
			}
		}
	}
	timer := time.NewTimer(d.Timeout)
	defer timer.Stop()
	for open > 0 {
		select {
		case n := <-r.news:
			o := &outcomes[n.target]
			switch {
			case n.leg != nil:
				o.Status, o.Answered, o.Cause = call.StatusAnswered, time.Now(), ""
				l.guests[o.LegID] = n.leg
				lose(call.CauseElsewhere)
				return nil
			case n.rings:
				if !rung[n.target] {
					rung[n.target] = true
					d.Progress(n.target, o.LegID, call.StatusRinging)
					if l.hasAnswered() {
						l.talk.Loop(ringback)
					}
				}
			default:
				left[n.target]--
				o.Cause = causeOf(n.err)
				l.driver.log.Info("a leg was not answered", "call", l.call.ID, "leg", o.LegID, "cause", o.Cause, "error", n.err)
				if left[n.target] == 0 {
					o.Ended = time.Now()
					open--
				}
			}
		case <-timer.C:
			r.close()
			lose(call.CauseNoAnswer)
			return l.late(r, outcomes, ctx)
		case <-ctx.Done():
			r.close()
			lose(call.CauseCancelled)
			_ = l.late(r, outcomes, ctx)
			return context.Cause(ctx)
		}
	}
	return nil
}

// late takes an answer that came while the race was being closed: somebody is on the phone. After the end of the
// call it is hung up again with the guests.
func (l *line) late(r *race, outcomes []call.DialOutcome, ctx context.Context) error {
	for {
		select {
		case n := <-r.news:
			if n.leg == nil {
				continue
			}
			if ctx.Err() != nil {
				l.dismiss(n.leg, call.CauseCancelled)
				return nil //nolint:nilerr // the caller of Dial looks at the context itself
			}
			o := &outcomes[n.target]
			o.Status, o.Answered, o.Ended, o.Cause = call.StatusAnswered, time.Now(), time.Time{}, ""
			l.guests[o.LegID] = n.leg
		default:
			return nil
		}
	}
}

// dial calls one phone.
func (l *line) dial(ctx context.Context, r *race, target int, id string, o ua.Outgoing) {
	to := o.To
	if to == "" {
		to = destination(o.URI)
	}
	g, err := l.driver.newLeg(id, to, call.SideCallee)
	if err != nil {
		r.tell(ring{target: target, err: err})
		return
	}
	o.Offer, o.Handlers = g.local.Offer(), g.handlers()
	var once sync.Once
	o.Progress = func(int, []byte) { once.Do(func() { r.tell(ring{target: target, rings: true}) }) }
	dialog, answer, err := l.driver.agent.Invite(ctx, o)
	if err == nil {
		g.mu.Lock()
		g.dialog = dialog
		g.mu.Unlock()
		if err = g.answered(answer); err == nil && r.tell(ring{target: target, leg: g}) {
			return
		}
		bye, cancel := context.WithTimeout(context.Background(), goodbye)
		defer cancel()
		dialog.Bye(bye, codeOf(call.CauseElsewhere).reason())
	}
	g.session.Close()
	if err != nil {
		r.tell(ring{target: target, err: err})
	}
}

// destination is host:port of a sip: URI.
func destination(uri string) string {
	host, _ := splitURI(uri)
	return host
}

// Bridge lets the caller and a leg that Dial brought talk to each other.
func (l *line) Bridge(ctx context.Context, legID string, limit time.Duration) (call.Ending, error) {
	g, ok := l.guests[legID]
	if !ok {
		err := fmt.Errorf("no leg %s waits to be bridged", legID)
		return call.Ending{By: call.SidePlatform, Cause: call.CauseTemporaryFailure, Err: err}, err
	}
	delete(l.guests, legID)
	l.setPartner(g)
	g.onDigit(func(d byte) { l.leg.session.SendDigits(string(d)) })
	l.talk.Bridge(g.session)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var ending call.Ending
	var err error
	select {
	case <-g.gone:
		ending = g.how()
	case <-timer.C:
		ending = call.Ending{By: call.SidePlatform, Cause: call.CauseTimeLimit}
	case <-ctx.Done():
		err = context.Cause(ctx)
		ending = endingOf(err)
	}
	l.talk.Bridge(nil)
	l.setPartner(nil)
	g.onDigit(nil)
	l.dismiss(g, ending.Cause)
	return ending, err
}

func (l *line) setPartner(g *leg) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partner = g
}
