package call

import (
	"errors"
	"time"

	"github.com/piopiy/piopiyd/pcmo"
)

var errNoAsker = errors.New("the URL belongs to another web server, and nobody is set up to ask it")

// ringing is what bridge and connect of both dialects have in common.
type ringing struct {
	from     pcmo.Number
	groups   [][]Target // one after the other; those of one group at once
	limit    time.Duration
	tries    int
	record   *RecordOptions // nil: it is not recorded
	dial     Dial           // what else is asked of the dialling
	progress func(DialOutcome)
}

func bridgeOf(a *pcmo.Bridge) ringing {
	return ringing{
		from: a.From, groups: groupsOf(a.Targets, a.RingsAll()), limit: a.MaxDuration(), tries: a.Tries(),
		dial: Dial{Timeout: a.RingTimeout()},
	}
}

func connectOf(a *pcmo.Connect) ringing {
	b := ringing{
		from: a.From, groups: groupsOf(a.Targets, a.RingsAll()), limit: a.MaxDuration(), tries: a.Tries(),
		dial: Dial{Timeout: a.RingTimeout()},
	}
	if a.Records() {
		b.record = &RecordOptions{}
	}
	return b
}

func groupsOf(targets []pcmo.Target, together bool) [][]Target {
	all := make([]Target, len(targets))
	for i, t := range targets {
		all[i].Target = t
	}
	return grouped(all, together)
}

func grouped(targets []Target, together bool) [][]Target {
	if together && len(targets) > 0 {
		return [][]Target{targets}
	}
	groups := make([][]Target, len(targets))
	for i := range targets {
		groups[i] = targets[i : i+1]
	}
	return groups
}

// bridge rings the targets, all at once or in order, up to the number of tries, and connects the first who
// answers. Whether nobody answered, the callee hung up or the time was over: the next action runs.
func (r *performance) bridge(b ringing) error {
	_, err := r.connect(b)
	return err
}

// conversation is what came of a leg that answered.
type conversation struct {
	leg    dialledLeg
	target int // its place in its group
	ending Ending
	began  time.Time
	length time.Duration
}

// connect does what bridge does; the conversation is nil when nobody answered.
func (r *performance) connect(b ringing) (*conversation, error) {
	b.dial.CallerID = b.from.Digits()
	if b.dial.CallerID == "" {
		b.dial.CallerID = string(ownNumber(r.current()))
	}
	for range b.tries {
		for _, targets := range b.groups {
			if err := r.step(); err != nil {
				return nil, err
			}
			if talk, err := r.ring(b, targets); talk != nil || err != nil {
				return talk, err
			}
		}
	}
	return nil, nil
}

// ring rings targets at once and, when one answers, performs the conversation.
func (r *performance) ring(b ringing, targets []Target) (*conversation, error) {
	legs := make([]dialledLeg, len(targets))
	for i, t := range targets {
		legs[i] = dialledLeg{to: t.Target, from: b.dial.CallerID}
	}
	d := b.dial
	d.Targets = targets
	d.Progress = func(i int, id string, s Status) {
		legs[i].id = id
		r.legProgress(legs[i], s)
	}
	outcomes, err := r.line.Dial(r.ctx, d)
	winner := -1
	for i, o := range outcomes {
		legs[i].id, legs[i].outcome = o.LegID, o
		if o.Status == StatusAnswered {
			winner = i
		} else {
			r.legEnded(legs[i], Ending{By: missedBy(o.Cause), Cause: o.Cause}, o.Ended)
		}
		if b.progress != nil {
			b.progress(o)
		}
	}
	if winner < 0 || err != nil {
		return nil, err
	}
	leg := legs[winner]
	fresh, err := r.pickUp()
	r.setBridged(true) // before anybody is told, as the above: who hears of it may speak into the conversation
	r.legProgress(leg, StatusBridged)
	if err == nil && fresh {
		err = r.tellAnswered()
	}
	if err == nil && b.record != nil {
		err = r.line.Record(r.ctx, *b.record)
	}
	// Bridge is called even when the above failed: it is what ends the leg.
	limit := b.limit
	if err != nil {
		limit = 0
	}
	began := r.clock.Now()
	ending, bridgeErr := r.line.Bridge(r.ctx, leg.id, limit)
	r.setBridged(false)
	over := r.clock.Now()
	r.legEnded(leg, ending, over)
	return &conversation{leg: leg, target: winner, ending: ending, began: began, length: over.Sub(began)}, errors.Join(err, bridgeErr)
}

// missedBy says who is behind a missed leg.
func missedBy(cause string) Side {
	switch cause {
	case CauseCancelled:
		return SideCaller
	case CauseElsewhere, CauseNoAnswer, CauseUnreachable, CauseTemporaryFailure, CauseMachine:
		return SidePlatform
	}
	return SideCallee
}
