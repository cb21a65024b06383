package call

import (
	"errors"
	"time"

	"github.com/piopiy/piopiyd/pcmo"
)

var errNoAsker = errors.New("the action_url belongs to another web server, and nobody is set up to ask it")

// ringing is what bridge and connect have in common.
type ringing struct {
	from     pcmo.Number
	targets  []pcmo.Target
	timeout  time.Duration
	limit    time.Duration
	tries    int
	together bool
	record   bool
}

// bridge rings the targets, all at once or in order, up to the number of tries, and connects the first who
// answers. Whether nobody answered, the callee hung up or the time was over: the next action runs.
func (r *performance) bridge(b ringing) error {
	callerID := b.from.Digits()
	if callerID == "" {
		callerID = string(ownNumber(r.call))
	}
	groups := make([][]pcmo.Target, 0, len(b.targets))
	if b.together && len(b.targets) > 0 {
		groups = append(groups, b.targets)
	} else {
		for i := range b.targets {
			groups = append(groups, b.targets[i:i+1])
		}
	}
	for range b.tries {
		for _, targets := range groups {
			if err := r.step(); err != nil {
				return err
			}
			done, err := r.ring(b, targets, callerID)
			if done || err != nil {
				return err
			}
		}
	}
	return nil
}

// ring rings targets at once and, when one answers, performs the conversation; done reports that there was one.
func (r *performance) ring(b ringing, targets []pcmo.Target, callerID string) (done bool, err error) {
	legs := make([]dialledLeg, len(targets))
	for i, t := range targets {
		legs[i] = dialledLeg{to: t, from: callerID}
	}
	outcomes, err := r.line.Dial(r.ctx, Dial{
		Targets: targets, CallerID: callerID, Timeout: b.timeout,
		Progress: func(i int, id string, s Status) {
			legs[i].id = id
			r.legProgress(legs[i], s)
		},
	})
	winner := -1
	for i, o := range outcomes {
		legs[i].id, legs[i].outcome = o.LegID, o
		if o.Status == StatusAnswered {
			winner = i
		} else {
			r.legEnded(legs[i], Ending{By: missedBy(o.Cause), Cause: o.Cause}, o.Ended)
		}
	}
	if winner < 0 || err != nil {
		return false, err
	}
	leg := legs[winner]
	r.legProgress(leg, StatusBridged)
	err = r.answer()
	if err == nil && b.record {
		err = r.line.Record(r.ctx)
	}
	// Bridge is called even when the above failed: it is what ends the leg.
	limit := b.limit
	if err != nil {
		limit = 0
	}
	ending, bridgeErr := r.line.Bridge(r.ctx, leg.id, limit)
	r.legEnded(leg, ending, r.clock.Now())
	return true, errors.Join(err, bridgeErr)
}

// missedBy says who is behind a missed leg.
func missedBy(cause string) Side {
	switch cause {
	case CauseCancelled:
		return SideCaller
	case CauseElsewhere, CauseNoAnswer, CauseUnreachable, CauseTemporaryFailure:
		return SidePlatform
	}
	return SideCallee
}
