package sip

import (
	"context"
	"errors"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

var (
	_ call.Linker = (*line)(nil)
	_ call.Ringer = (*line)(nil)
)

// LetRing implements call.Ringer. A call rings (180) as soon as it is there, and the phone makes the tone; but one that we
// send sound to before the answer hears ours.
func (l *line) LetRing(ctx context.Context, d time.Duration) error {
	if l.untick != nil && d > 0 {
		tone := l.play(ringback, media.PlayOptions{Loop: true})
		defer tone.Stop()
	}
	return l.Wait(ctx, d)
}

// errTaken says that a line is connected with somebody already.
var errTaken = errors.New("the call is connected with somebody already")

// Link implements call.Linker: a room for the two of them.
func (l *line) Link(ctx context.Context, other call.Line, begun func()) error {
	o := lineOf(other)
	if o == nil || o == l || o.driver != l.driver {
		return &call.UnsupportedError{Verb: "bridge", Driver: Name}
	}
	if err := ended(ctx); err != nil {
		return err
	}
	k := &link{room: media.NewRoom(), over: make(chan struct{})}
	k.end = l.driver.pacer.Add(k.room)
	defer k.close()
	for _, one := range []*line{l, o} {
		if !one.pair(k) {
			return errTaken
		}
		defer one.unpair(k)
	}
	l.talksTo(k, o.first()) // from here on nobody takes their places: see place.seat
	o.talksTo(k, l.first())
	begun()
	<-ctx.Done()
	return context.Cause(ctx)
}

// lineOf is a line of ours, nil when it is none.
func lineOf(l call.Line) *line {
	switch l := l.(type) {
	case *line:
		return l
	case *outgoing:
		return l.line
	}
	return nil
}

// pair takes a line into a link.
func (l *line) pair(k *link) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || l.link != nil || l.partner != nil || k.room.Join(l.talk) != nil {
		return false
	}
	l.link = k
	return true
}

// talksTo lets a line in a link hear the keys of the other one.
func (l *line) talksTo(k *link, g *leg) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.link == k {
		l.partner = g
	}
}

// unpair takes a line out of its link.
func (l *line) unpair(k *link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.link == k {
		l.link, l.partner = nil, nil
		k.room.Leave(l.talk)
	}
}
