package sip

import (
	"context"
	"errors"
	"sync"

	"github.com/piopiy/piopiyd/call"
)

// attempt calls one phone of a target.
type attempt struct {
	*dialling
	target int
	id     string // of the leg
	once   sync.Once
	sooner sync.Once
}

// errBeaten says that a phone was answered when somebody else had the call, or nobody wanted it any more.
var errBeaten = errors.New("the phone was answered too late")

// run calls the phone, by one way after the other, and tells the race how that went. ringing ends when it is to ring
// no longer, life when nobody wants an answer any more.
func (a *attempt) run(ringing, life context.Context, p phone) {
	l := a.line
	release, err := l.driver.limits.take(l.call.App)
	if err != nil {
		l.driver.log.Warn("a leg may not be called", "app", l.call.App, "call", l.call.ID, "error", err)
		a.tell(ring{target: a.target, err: err})
		return
	}
	for i, w := range p {
		var g *leg
		if g, err = l.reach(ringing, a.id, a.side, w, i < len(p)-1, a.heard); err == nil {
			g.release = release
			a.answered(life, g)
			return
		}
		if w.trunk == nil || ringing.Err() != nil || !isTrunksFault(err) {
			break
		}
		w.trunk.failed()
		l.driver.log.Warn("a call could not be made through a trunk", "trunk", w.trunk.Name, "call", l.call.ID, "leg", a.id, "error", err)
	}
	release()
	a.tell(ring{target: a.target, err: err})
}

// heard takes a provisional response. One with a description can be heard.
func (a *attempt) heard(g *leg, body []byte) {
	a.once.Do(func() { a.tell(ring{target: a.target, rings: true}) })
	if len(body) == 0 || a.lobby == nil || !a.lobby.may || g.answered(body) != nil {
		return
	}
	a.sooner.Do(func() { a.tell(ring{target: a.target, early: g}) })
}

// answered lets a phone that was answered have the call, or says goodbye to it.
func (a *attempt) answered(life context.Context, g *leg) {
	err := errBeaten
	if a.enter() {
		err = nil
		if a.screen != nil {
			err = a.screen(life, g)
		}
		n := ring{target: a.target, inside: true, err: err}
		if err == nil {
			n.leg = g
		}
		if !a.tell(n) && err == nil {
			err = errBeaten
		}
	}
	if err == nil {
		return
	}
	cause := call.CauseElsewhere
	var m *missed
	if errors.As(err, &m) {
		cause = m.cause
	}
	a.line.dismiss(g, cause)
}
