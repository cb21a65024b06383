package sip

import (
	"time"

	"github.com/piopiy/piopiyd/call"
)

// A call waits for most of its time. So nobody waits beside it for what ends it: whoever notices that calls what is here.

// watch ends the call when the caller gives up before the answer, or hangs up after it (see watchCaller), or falls
// silent, until stop is called: then its context is over.
func (l *line) watch() (stop func()) {
	if l.inv != nil {
		l.inv.OnCancel(l.abandoned)
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.leg != nil {
			l.leg.onGone(nil)
		}
		if l.silence != nil {
			l.silence.Stop()
		}
	}
}

// abandoned ends the call, unless it was answered: then what was cancelled is the transaction.
func (l *line) abandoned() {
	if !l.hasAnswered() {
		l.cancel(&call.HangupError{By: call.SideCaller, Cause: call.CauseCancelled})
	}
}

// watchCaller begins to watch leg a, which has answered or come from elsewhere.
func (l *line) watchCaller(g *leg) {
	g.onGone(func() { l.callerLeft(g) })
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.silence == nil && l.ctx.Err() == nil {
		l.silence = time.AfterFunc(l.driver.silenceLook(), l.listen)
	}
}

// callerLeft ends the call because leg a has left, unless somebody takes its place.
func (l *line) callerLeft(g *leg) {
	if g.decided(l.ctx); l.first() != g {
		return
	}
	e := g.how()
	if e.By == call.SideCallee { // it has come from leg b's place in another call
		e.By = call.SideCaller
	}
	l.cancel(&call.HangupError{By: e.By, Cause: e.Cause})
}

// listen ends the call when leg a has been silent for too long.
func (l *line) listen() {
	if l.first().silent(time.Now()) > l.driver.opts.MediaTimeout {
		l.driver.log.Warn("a call is ended: its phone has sent no sound", "call", l.call.ID, "for", l.driver.opts.MediaTimeout)
		l.cancel(&call.HangupError{By: call.SidePlatform, Cause: causeNoReply})
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() == nil {
		l.silence.Reset(l.driver.silenceLook())
	}
}

// silenceLook is how often it is looked whether a party is silent.
func (d *Driver) silenceLook() time.Duration { return max(d.opts.MediaTimeout/10, 10*time.Millisecond) }
