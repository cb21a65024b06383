package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

// party is a target being dialled.
type party struct {
	to    string
	model Callee
	due   time.Duration // when its outcome comes
}

// Dial rings virtual callees.
func (l *line) Dial(ctx context.Context, d call.Dial) ([]call.DialOutcome, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	defer l.busy()()
	l.settle()
	began := l.clock.Now()
	parties := make([]party, len(d.Targets))
	outcomes := make([]call.DialOutcome, len(d.Targets))
	for i, t := range d.Targets {
		to := t.User
		if t.Type == pcmo.TargetPSTN {
			to = t.Number.Digits()
		}
		parties[i] = party{to: to, model: l.callee(to)}
		if m := &parties[i].model; m.Outcome == Voicemail && d.DetectMachine {
			m.Outcome = machineFound
		} else if m.Outcome == Voicemail && d.Accept != "" {
			m.Outcome = Rejects
		}
		parties[i].due = parties[i].model.After
		outcomes[i] = call.DialOutcome{LegID: l.driver.opts.NewID(), Status: call.StatusMissed, Started: began}
		l.add(Entry{Kind: Dialling, To: to, From: d.CallerID, Timeout: d.Timeout})
		d.Progress(i, outcomes[i].LegID, call.StatusStarted)
		switch parties[i].model.Outcome {
		case Unreachable:
			parties[i].due = 0
			continue
		case NoAnswer:
			parties[i].due = d.Timeout
		}
		d.Progress(i, outcomes[i].LegID, call.StatusRinging)
	}
	winner, length := race(parties, d.Timeout)
	err := l.Wait(ctx, length)
	if err != nil {
		winner, length = -1, l.clock.Now().Sub(began)
	}
	for i, p := range parties {
		o := &outcomes[i]
		if i == winner {
			o.Status, o.Answered = call.StatusAnswered, l.clock.Now()
			l.legs[o.LegID] = p.model
			l.add(Entry{Kind: Dialled, To: p.to, Status: string(p.model.Outcome)})
			continue
		}
		o.Ended = began.Add(min(p.due, length))
		switch {
		case p.due <= length && !p.model.takes() && p.model.Outcome != NoAnswer:
			o.Cause = p.model.Outcome.cause()
		case err != nil:
			o.Cause = call.CauseCancelled
		case winner >= 0:
			o.Cause = call.CauseElsewhere
		default:
			o.Cause = call.CauseNoAnswer
		}
		l.add(Entry{Kind: Dialled, To: p.to, Cause: o.Cause})
	}
	return outcomes, err
}

// machineFound is an answering machine where one is looked for.
const machineFound Outcome = "machine"

// takes reports whether the callee takes the call.
func (c Callee) takes() bool { return c.Outcome == Answers || c.Outcome == Voicemail }

// callee returns what becomes of a leg to a number or user.
func (l *line) callee(to string) Callee {
	if l.who.Controller == nil {
		return l.who.callee(to)
	}
	l.settle()
	if model, ok := l.who.Controller.Dialled(to); ok {
		return model.complete()
	}
	return l.who.callee(to)
}

// race returns who answers first, or -1, and when the ringing is over.
func race(parties []party, timeout time.Duration) (winner int, length time.Duration) {
	winner = -1
	for i, p := range parties {
		due := min(p.due, timeout)
		switch {
		case p.model.takes() && p.due <= timeout:
			if winner < 0 || due < parties[winner].due {
				winner = i
			}
		default:
			length = max(length, due)
		}
	}
	if winner >= 0 {
		length = parties[winner].due
	}
	return winner, length
}

// Bridge lets a callee talk as long as its model does.
func (l *line) Bridge(ctx context.Context, legID string, limit time.Duration) (call.Ending, error) {
	model, ok := l.legs[legID]
	if !ok {
		err := fmt.Errorf("no leg %s waits to be bridged", legID)
		return call.Ending{By: call.SidePlatform, Cause: call.CauseTemporaryFailure, Err: err}, err
	}
	delete(l.legs, legID)
	ending := call.Ending{By: call.SideCallee, Cause: call.CauseNormal}
	length := model.Talk
	if length > limit {
		length, ending = limit, call.Ending{By: call.SidePlatform, Cause: call.CauseTimeLimit}
	}
	defer l.busy()()
	began := l.clock.Now()
	l.add(Entry{Kind: Bridged})
	err := l.Wait(ctx, length)
	if err != nil {
		ending = call.Ending{By: call.SideCaller, Cause: call.CauseNormal}
	}
	l.add(Entry{Kind: Unbridged, Length: l.clock.Now().Sub(began), By: ending.By, Cause: ending.Cause})
	return ending, err
}
