package sip

import (
	"sync"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// place is where a party is in a call: it is leg a, or the partner that leg a talks to.
type place struct {
	line *line
	leg  *leg
}

// find returns the place of the party of a dialog.
func (d *Driver) find(dialog *ua.Dialog) (place, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for l := range d.lines {
		l.mu.Lock()
		a, b := l.leg, l.partner
		if l.link != nil {
			b = nil // it is of another call
		}
		l.mu.Unlock()
		for _, g := range []*leg{a, b} {
			if g != nil && g.has(dialog) {
				return place{l, g}, true
			}
		}
	}
	return place{}, false
}

func (l *leg) has(dialog *ua.Dialog) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dialog == dialog
}

// other is who the party at a place talks to, nil if nobody; first says that it is leg a.
func (p place) other() (g *leg, first bool) {
	p.line.mu.Lock()
	defer p.line.mu.Unlock()
	if p.line.link != nil {
		return nil, false
	}
	switch p.leg {
	case p.line.leg:
		return p.line.partner, false
	case p.line.partner:
		return p.line.leg, true
	}
	return nil, false
}

// seat lets another party take the place, and reports false when the place is not there any more. Nobody says
// goodbye to who had it.
func (p place) seat(g *leg) bool {
	l := p.line
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || l.link != nil {
		return false
	}
	switch p.leg {
	case l.leg:
		l.leg = g
		g.onDigit(l.press)
		g.onRefer(l.refers(g))
		l.talk.SetCaller(g.session)
		l.talk.Mute(false, false)
		g.onGone(func() { l.callerLeft(g) })
	case l.partner:
		l.partner = g
		g.onDigit(l.answerKey)
		g.onRefer(l.refers(g))
		l.talk.Bridge(g.session)
		signal(l.movedPartner)
	default:
		return false
	}
	p.leg.onDigit(nil)
	p.leg.onRefer(nil)
	p.leg.onGone(nil)
	return true
}

// take takes the partner out of a call: it stays on the line, and the call goes on without it.
func (p place) take() bool {
	l := p.line
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.partner == nil || l.partner != p.leg || l.link != nil {
		return false
	}
	l.partner = nil
	l.talk.Bridge(nil)
	p.leg.onDigit(nil)
	p.leg.onRefer(nil)
	signal(l.movedPartner)
	return true
}

// link connects the first legs of two calls, each of which takes the place of the other's partner.
type link struct {
	room *media.Room
	once sync.Once
	end  func()
	over chan struct{} // closed when one of them has left
}

// close ends the link for both.
func (k *link) close() {
	k.once.Do(func() {
		k.end()
		k.room.Close()
		close(k.over)
	})
}

// join connects two calls, whose partners leave. It reports false when one of them is not there any more.
func (d *Driver) join(one, two place) bool {
	if one.line == two.line {
		return false
	}
	k := &link{room: media.NewRoom(), over: make(chan struct{})}
	k.end = d.pacer.Add(k.room)
	a, b := one.line.first(), two.line.first()
	if one.line.attach(k, one.leg, b) && two.line.attach(k, two.leg, a) {
		return true
	}
	k.close() // the partner of the first may have left: then that call goes on with its document
	return false
}

// attach lets the first leg of another call take the partner's place.
func (l *line) attach(k *link, partner, g *leg) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || l.link != nil || l.partner != partner || k.room.Join(l.talk) != nil {
		return false
	}
	partner.onDigit(nil)
	l.talk.Bridge(nil)
	l.link, l.partner = k, g
	signal(l.movedPartner)
	return true
}

// signal wakes who waits at a channel that holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// answerKey passes a key of the partner on to leg a.
func (l *line) answerKey(digit byte) { l.first().sendDigits(string(digit)) }

// second is the partner.
func (l *line) second() *leg {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.partner
}

// transferred is the ending of a leg that has gone on to another call.
var transferred = call.Ending{By: call.SideCallee, Cause: call.CauseNormal}
