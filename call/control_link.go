package call

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/pcmo"
)

// Linker is a [Line] that can be connected with another one of its driver.
type Linker interface {
	// Link lets the first leg of the line and that of another one, both of which have been answered, talk to each other,
	// and hear each other's keys, until ctx ends; its cause, a [*HangupError] or another error, is returned. begun is called
	// once they do. The other line is not used otherwise meanwhile.
	Link(ctx context.Context, other Line, begun func()) error
}

// Ringer is a [Line] that does something to let a caller who was not answered hear that it rings. Others just wait.
type Ringer interface {
	// LetRing lets the caller hear ringing for d.
	LetRing(ctx context.Context, d time.Duration) error
}

// Ring lets a caller who was not answered hear ringing for d. The error is a [*StateError] when the call has been answered.
func (c *Control) Ring(ctx context.Context, d time.Duration) error {
	return c.verb(ctx, func() error {
		if c.r.answered {
			return &StateError{Verb: "ring", Reason: StateAnswered}
		}
		c.change(func(s *State) { s.Status = StatusRinging })
		if line, ok := c.r.line.(Ringer); ok {
			return line.LetRing(c.r.ctx, d)
		}
		return c.r.line.Wait(c.r.ctx, d)
	})
}

// Bridge connects the call with another one: both hear each other until one hangs up, something else takes the place of
// what either performs, either leaves, or limit has passed (default 5400 s). It is a verb of both calls, takes its turn in
// both, and answers both. What came of it is as of a dial to the other call; LegID is its id.
//
// The error is a [*StateError] when the other call is over, talks already, or is this one, and an [*UnsupportedError] when
// they have not the same driver or it cannot.
func (c *Control) Bridge(ctx context.Context, other *Control, limit time.Duration) (Dialled, error) {
	out := Dialled{Status: StatusMissed, LegID: other.id, Target: Target{Target: partyOf(other.Call())}}
	line, ok := c.r.line.(Linker)
	switch {
	case other == c:
		return out, &StateError{Verb: "bridge", Reason: StateSameCall}
	case !ok || c.Call().Driver != other.Call().Driver:
		return out, c.endedOr(&UnsupportedError{Verb: "bridge", Driver: c.Call().Driver})
	case other.State().Status == StatusBridged:
		return out, c.endedOr(&StateError{Verb: "bridge", Reason: StateOtherTalks})
	}
	if limit <= 0 {
		limit = pcmo.DefaultMaxDuration
	}
	err := c.verb(ctx, func() error {
		if err := c.r.answer(); err != nil {
			return err
		}
		if !c.await(other) {
			return &StateError{Verb: "bridge", Reason: StateOtherTalks}
		}
		defer c.await(nil)
		return c.borrow(other, func() error {
			began := c.r.clock.Now()
			ending, err := c.link(line, other, limit)
			out.Status, out.By, out.Cause, out.Duration = StatusAnswered, ending.By, ending.Cause, c.r.clock.Now().Sub(began)
			return err
		})
	})
	return out, err
}

// partyOf is who is at the other end of a call.
func partyOf(c *Call) pcmo.Target {
	party := c.From
	if c.Direction == Outbound {
		party = c.To
	}
	if pcmo.IsNumber(party) {
		return pcmo.PSTN(pcmo.Number(party))
	}
	return pcmo.SIP(party)
}

// awaiting guards which call waits for the line of which other one.
var awaiting struct {
	mu sync.Mutex
	of map[*Control]*Control
}

// await notes that the call, whose own line is in use, waits for that of another one, or no longer (nil). It reports false
// when that one waits for this one, itself or through others: both would wait for ever.
func (c *Control) await(other *Control) bool {
	awaiting.mu.Lock()
	defer awaiting.mu.Unlock()
	if other == nil {
		delete(awaiting.of, c)
		return true
	}
	for o := other; o != nil; o = awaiting.of[o] {
		if o == c {
			return false
		}
	}
	if awaiting.of == nil {
		awaiting.of = map[*Control]*Control{}
	}
	awaiting.of[c] = other
	return true
}

// borrow does something when the line of another call is free too. By whoever has the floor of this one.
func (c *Control) borrow(other *Control, do func() error) error {
	mine := c.r.ctx
	wait, giveUp := context.WithCancelCause(context.WithoutCancel(mine))
	defer giveUp(context.Canceled)
	stop := whenOver(c.r.clock, mine, func() { giveUp(context.Cause(mine)) })
	defer stop()
	err := other.aside(wait, func() error {
		stop() // from now on do sees to it
		if mine.Err() != nil {
			return context.Cause(mine)
		}
		return do()
	})
	if mine.Err() == nil && errors.Is(err, ErrOver) {
		err = &StateError{Verb: "bridge", Reason: StateOtherOver}
	}
	return err
}

// link lets two calls talk, by whoever has the floor of both, and says how that ended. The error is why this call, not the
// other one, does not go on with its verb.
func (c *Control) link(line Linker, other *Control, limit time.Duration) (Ending, error) {
	if other.r.life.Err() != nil {
		return Ending{}, ErrOver
	}
	if err := other.r.answer(); err != nil {
		return Ending{}, err
	}
	ctx, part := context.WithCancelCause(c.r.ctx)
	defer part(context.Canceled)
	theirs := other.r.ctx
	defer whenOver(c.r.clock, theirs, func() { part(otherGone(context.Cause(theirs))) })()
	timer := c.r.clock.AfterFunc(limit, func() { part(&HangupError{By: SidePlatform, Cause: CauseTimeLimit}) })
	defer timer.Stop()
	leave := func() { part(&HangupError{By: SideApp, Cause: CauseNormal}) }
	c.linkTo(other, leave)
	other.linkTo(c, leave)
	err := line.Link(ctx, other.r.line, func() {
		c.r.callProgress(StatusBridged)
		other.r.callProgress(StatusBridged)
	})
	c.linkTo(nil, nil)
	other.linkTo(nil, nil)
	if c.r.ctx.Err() != nil {
		return endingOf(err), context.Cause(c.r.ctx)
	}
	if ctx.Err() == nil {
		return Ending{By: SidePlatform, Cause: CauseTemporaryFailure, Err: err}, err
	}
	return endingOf(context.Cause(ctx)), nil
}

// otherGone is how the end of the other call's part looks from this one.
func otherGone(cause error) error {
	var hangup *HangupError
	switch {
	case !errors.As(cause, &hangup): // something else is performed
		return &HangupError{By: SideApp, Cause: CauseNormal}
	case hangup.By == SideCaller:
		return &HangupError{By: SideCallee, Cause: hangup.Cause}
	}
	return hangup
}

// linkTo notes which call this one talks to.
func (c *Control) linkTo(other *Control, leave context.CancelFunc) {
	c.mu.Lock()
	c.linked, c.leave = other, leave
	c.mu.Unlock()
	c.r.setBridged(other != nil)
}

// linkedWith is the call that this one talks to, or nil.
func (c *Control) linkedWith() *Control {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.linked
}
