package sip

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
	"github.com/piopiy/piopiyd/pcmo"
)

// ring is what became known of a phone while targets ring.
type ring struct {
	target int
	rings  bool
	early  *leg  // who lets us hear something before the answer
	leg    *leg  // who has the call
	err    error // why the phone does not have it
	inside bool  // it has answered
}

// race lets only one phone have the call.
type race struct {
	news chan ring

	mu     sync.Mutex
	over   bool // somebody has the call, or nobody wants it any more
	late   bool // who answers now has not answered in time
	inside int  // phones that have answered, and it is not known yet whether they have the call
}

// enter lets a phone that has answered take part, unless it is too late.
func (r *race) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || r.late {
		return false
	}
	r.inside++
	return true
}

// tell passes news on while the race is open, and reports whether it was.
func (r *race) tell(n ring) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n.inside {
		r.inside--
	}
	if r.over {
		return false
	}
	if n.leg != nil {
		r.over = true
	}
	r.news <- n // there is room: see newDialling
	return true
}

// close ends the race: from now on nobody can have the call.
func (r *race) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
}

// expire ends the time for answers, and returns how many phones have answered and may still have the call.
func (r *race) expire() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late = true
	return r.inside
}

// dialling is the ringing of targets until one has the call.
type dialling struct {
	race
	line     *line
	side     call.Side
	timeout  time.Duration
	screen   func(context.Context, *leg) error // what a party must pass; nil lets all have the call
	progress func(target int)                  // a target rings
	lobby    *lobby                            // where the caller waits; nil on outbound calls, which have none

	phones   [][]phone
	outcomes []call.DialOutcome
	left     []int  // phones of each target that may still have the call
	rung     []bool // targets
	open     int    // targets with phones left
}

// newDialling begins with nobody to ring.
func newDialling(l *line, side call.Side, targets int) *dialling {
	return &dialling{
		line: l, side: side, phones: make([][]phone, targets), outcomes: make([]call.DialOutcome, targets),
		left: make([]int, targets), rung: make([]bool, targets),
	}
}

// gaveUp is the cause of a context that cancels calls.
func gaveUp(cause string) error {
	if cause == call.CauseElsewhere {
		return &ua.GaveUp{Reason: `SIP;cause=200;text="Call completed elsewhere"`}
	}
	return &ua.GaveUp{Reason: codeOf(cause).reason()}
}

// run rings all phones until one has the call; nil when none has. It fills the outcomes.
func (d *dialling) run(ctx context.Context) (winner *leg, err error) {
	total := 0
	for i := range d.phones {
		if d.left[i] = len(d.phones[i]); d.left[i] > 0 {
			d.open++
		}
		total += d.left[i]
	}
	d.news = make(chan ring, 3*total) // a phone tells that it rings, that it can be heard, and how it ended
	life, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(context.Canceled)
	ringing, hush := context.WithCancelCause(life)
	defer hush(context.Canceled)
	for i := range d.phones {
		for _, p := range d.phones[i] {
			a := &attempt{dialling: d, target: i, id: d.outcomes[i].LegID}
			d.line.driver.work.Go(func() { a.run(ringing, life, p) })
		}
	}
	timer := time.NewTimer(d.timeout)
	defer timer.Stop()
	var musicCame <-chan struct{}
	if d.lobby != nil {
		musicCame = d.lobby.came
		defer d.lobby.leave()
	}
	expired := false
	for winner == nil && d.open > 0 {
		select {
		case n := <-d.news:
			winner = d.take(n)
			if expired && winner == nil && d.expire() == 0 {
				winner = d.rest()
				d.lose(call.CauseNoAnswer)
				d.open = 0
			}
		case <-musicCame:
			musicCame = nil
			d.lobby.play()
		case <-timer.C:
			expired = true
			hush(gaveUp(call.CauseNoAnswer))
			if d.expire() == 0 {
				winner = d.rest()
				d.lose(call.CauseNoAnswer)
				d.open = 0
			}
		case <-ctx.Done():
			d.close()
			if g := d.rest(); g != nil { // in this very moment: nobody talks with it any more
				d.line.dismiss(g, call.CauseCancelled)
				d.forgo(g)
			}
			d.lose(call.CauseCancelled)
			end(gaveUp(call.CauseCancelled))
			return nil, context.Cause(ctx)
		}
	}
	d.close()
	end(gaveUp(call.CauseElsewhere))
	if winner != nil {
		d.lose(call.CauseElsewhere)
	}
	return winner, nil
}

// rest takes the news that are there already.
func (d *dialling) rest() *leg {
	for {
		select {
		case n := <-d.news:
			if g := d.take(n); g != nil {
				return g
			}
		default:
			return nil
		}
	}
}

// take takes one piece of news, and returns who has the call.
func (d *dialling) take(n ring) *leg {
	o := &d.outcomes[n.target]
	switch {
	case n.leg != nil:
		n.leg.id = o.LegID
		o.Status, o.Answered, o.Ended, o.Cause = call.StatusAnswered, time.Now(), time.Time{}, ""
		return n.leg
	case n.early != nil:
		d.lobby.hear(n.early)
	case n.rings:
		if !d.rung[n.target] {
			d.rung[n.target] = true
			d.progress(n.target)
			if d.lobby != nil {
				d.lobby.ring()
			}
		}
	default:
		d.left[n.target]--
		o.Cause = causeOf(n.err)
		d.line.driver.log.Info("a leg was not answered", "call", d.line.call.ID, "leg", o.LegID, "cause", o.Cause, "error", n.err)
		if d.left[n.target] == 0 {
			o.Ended = time.Now()
			d.open--
		}
	}
	return nil
}

// forgo makes a missed leg of one that had the call when nobody wanted it any more.
func (d *dialling) forgo(g *leg) {
	for i := range d.outcomes {
		if o := &d.outcomes[i]; o.LegID == g.id {
			o.Status, o.Cause, o.Answered, o.Ended = call.StatusMissed, call.CauseCancelled, time.Time{}, time.Now()
		}
	}
}

// lose ends the targets that are left.
func (d *dialling) lose(cause string) {
	for i := range d.outcomes {
		o := &d.outcomes[i]
		if d.left[i] > 0 && o.Status == call.StatusMissed {
			o.Cause, o.Ended = cause, time.Now()
		}
	}
}

// Dial rings targets, and all phones of each, at once.
func (l *line) Dial(ctx context.Context, want call.Dial) ([]call.DialOutcome, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	d := newDialling(l, call.SideCallee, len(want.Targets))
	d.timeout = want.Timeout
	d.progress = func(i int) { want.Progress(i, d.outcomes[i].LegID, call.StatusRinging) }
	single := 0
	for i, t := range want.Targets {
		o := &d.outcomes[i]
		*o = call.DialOutcome{Status: call.StatusMissed, Started: time.Now()}
		var err error
		if d.phones[i], err = l.driver.phones(l.call.App, t, want.CallerID, l.observeError); err != nil {
			l.observeError(fmt.Errorf("dial: %w", err))
			o.Cause, o.Ended = causeOf(err), time.Now()
			continue
		}
		single += len(d.phones[i])
		o.LegID = uuid.NewString()
		want.Progress(i, o.LegID, call.StatusStarted)
	}
	if screens(want) {
		d.screen = func(ctx context.Context, g *leg) error { return l.screen(ctx, g, want) }
		l.warm(ctx, want.Whisper)
	}
	d.lobby = l.newLobby(ctx, want.Music, single == 1 && d.screen == nil)
	winner, err := d.run(ctx)
	if winner != nil {
		l.guests[winner.id] = winner
	}
	return d.outcomes, err
}

// observeError puts what went wrong into the timeline.
func (l *line) observeError(err error) { l.observe(call.Step{Err: err}) }

// warm lets a prompt be made that is needed soon.
func (l *line) warm(ctx context.Context, p call.Prompt) {
	if !p.IsSilence() {
		l.work.Go(func() { _, _ = l.clip(ctx, p) })
	}
}

// phones returns the phones of a target, with the headers that the app sends along. warn is told of those that it
// may not.
func (d *Driver) phones(app string, t call.Target, callerID string, warn func(error)) ([]phone, error) {
	all, err := d.routes.to(d.agent, app, t.Target, callerID)
	if err != nil {
		return nil, err
	}
	headers, bad := headersOf(t.Headers)
	if bad != nil {
		warn(fmt.Errorf("dial: %w", bad))
	}
	for _, p := range all {
		for i := range p {
			p[i].Headers = headers
		}
	}
	return all, nil
}

// mayCall reports why an app may not call a target; nobody need be there.
func (d *Driver) mayCall(app string, t pcmo.Target) error {
	_, err := d.routes.to(d.agent, app, t, "")
	return allowed(err)
}
