package sip

import (
	"context"
	"fmt"
	"time"

	"github.com/piopiy/piopiyd/call"
)

// Bridge lets the caller and a leg that Dial brought talk to each other.
func (l *line) Bridge(ctx context.Context, legID string, limit time.Duration) (call.Ending, error) {
	g, ok := l.guests[legID]
	if !ok {
		err := fmt.Errorf("no leg %s waits to be bridged", legID)
		return call.Ending{By: call.SidePlatform, Cause: call.CauseTemporaryFailure, Err: err}, err
	}
	delete(l.guests, legID)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	tick := time.NewTicker(l.driver.silenceLook())
	defer tick.Stop()
	l.connect(g)
	var ending call.Ending
	var err error
	for ending.Cause == "" {
		l.mu.Lock()
		now, k := l.partner, l.link
		l.mu.Unlock()
		if now == nil {
			ending = transferred
			break
		}
		g = now
		var unlinked <-chan struct{}
		if k != nil {
			unlinked = k.over
		}
		select {
		case <-g.gone:
			if g.decided(ctx); l.second() == g {
				if ending = g.how(); ending.By == call.SideCaller { // of another call
					ending.By = call.SideCallee
				}
			}
		case <-unlinked:
			ending = transferred
		case <-l.movedPartner:
		case <-timer.C:
			ending = call.Ending{By: call.SidePlatform, Cause: call.CauseTimeLimit}
		case <-tick.C:
			if g.silent(time.Now()) > l.driver.opts.MediaTimeout {
				l.driver.log.Warn("a leg is ended: its phone has sent no sound", "call", l.call.ID, "leg", g.id, "for", l.driver.opts.MediaTimeout)
				ending = call.Ending{By: call.SidePlatform, Cause: causeNoReply}
			}
		case <-ctx.Done():
			err = context.Cause(ctx)
			ending = endingOf(err)
		}
	}
	if left := l.disconnect(); left != nil {
		l.dismiss(left, ending.Cause)
	}
	ending.Quality = qualityOf(g.session.Stats())
	return ending, err
}

// connect lets leg a and g hear each other, and each other's keys.
func (l *line) connect(g *leg) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partner = g
	g.onDigit(l.answerKey)
	g.onRefer(l.refers(g))
	l.talk.Bridge(g.session)
}

// disconnect ends that, and returns the partner when it is one of this call.
func (l *line) disconnect() *leg {
	l.mu.Lock()
	g, k := l.partner, l.link
	l.partner, l.link = nil, nil
	l.talk.Bridge(nil)
	if k == nil && g != nil {
		g.onDigit(nil)
		g.onRefer(nil)
	}
	l.mu.Unlock()
	if k != nil {
		k.close()
		return nil
	}
	return g
}
