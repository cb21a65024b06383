package call

import (
	"strings"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

// The platform does not answer a bridge: it goes on to the next action when the conversation is over and the caller is
// still there, and when nobody took the call. So a dial is a bridge or connect and then an input of one second, whose
// address tells that it is over; what became of it is in the live events and records of the legs b, which therefore
// have to reach this server. When none come the time it took decides.

const (
	// eventsLate is how long a dial that is over waits for the event that says how, where events have come before.
	eventsLate = time.Second
	// ringingLate is what a dial may take beyond its ringing when nobody answered.
	ringingLate = 10 * time.Second
)

// dialling is a dial under way.
type dialling struct {
	h      *hosted
	turn   *turn
	plan   call.DialPlan
	stages []pcmo.Action // one after the other, until somebody answers
	began  time.Time     // of the stage that is performed
	rings  time.Duration // how long it may ring
	legs   map[string]*farLeg
	order  []string
	done   func(call.Dialled)
	cancel func() // while only an event is missing
}

// farLeg is a party that is rung.
type farLeg struct {
	id, to         string
	answered, over bool
	began, ended   time.Time
	talk           time.Duration // from its record
}

// dials rings the plan's stages.
func dials(plan call.DialPlan, made func(call.Dialled) outcome) hostedVerb {
	return func(h *hosted, t *turn) {
		stages, err := h.stages(t.verb, plan)
		if err != nil {
			h.finish(t, err)
			return
		}
		if !plan.Music.IsSilence() {
			h.warn(t.verb, "the platform plays its own tone while it rings: music is left out")
		}
		d := &dialling{h: h, turn: t, plan: plan, stages: stages}
		d.done = func(got call.Dialled) {
			h.dial = nil
			t.made = made(got)
			h.finish(t, nil)
		}
		h.dial = d
		d.ring()
	}
}

// stages are the plan's groups as actions. Parties of one kind that ring one after the other share an action.
func (h *hosted) stages(verb string, plan call.DialPlan) ([]pcmo.Action, error) {
	switch {
	case !plan.Whisper.IsSilence():
		return nil, unsupported(verb, "the option whisper")
	case plan.Accept != "":
		return nil, unsupported(verb, "the option accept")
	case plan.DetectMachine:
		return nil, unsupported(verb, "the option machineDetection")
	}
	var groups [][]pcmo.Target
	var together []bool
	for _, group := range plan.Groups {
		var targets []pcmo.Target
		for _, t := range group {
			if len(t.Headers) > 0 {
				return nil, unsupported(verb, "the option headers")
			}
			if t.Type != group[0].Type {
				return nil, unsupported(verb, "numbers and SIP users at once")
			}
			targets = append(targets, t.Target)
		}
		if last := len(groups) - 1; len(targets) == 1 && last >= 0 && !together[last] && groups[last][0].Type == targets[0].Type {
			groups[last] = append(groups[last], targets...)
			continue
		}
		groups, together = append(groups, targets), append(together, len(targets) > 1)
	}
	caller := plan.CallerID
	if caller == "" {
		caller = ownNumber(h.conv.call)
	}
	stages := make([]pcmo.Action, len(groups))
	for i, targets := range groups {
		stages[i] = connection(caller, targets, together[i], wholeSeconds(plan.Timeout), wholeSeconds(plan.MaxDuration), plan.Record != nil)
	}
	return stages, (pcmo.Document(stages)).Validate()
}

// connection is a bridge to numbers or a connect to SIP users.
func connection(caller string, targets []pcmo.Target, together bool, ring, limit int, record bool) pcmo.Action {
	kind := pcmo.RingType("")
	if together {
		kind = pcmo.RingGroup
	}
	if targets[0].Type == pcmo.TargetPSTN {
		return &pcmo.Bridge{From: pcmo.Number(caller), Targets: targets, TimeoutSeconds: &ring, DurationSeconds: &limit, RingType: kind}
	}
	connect := &pcmo.Connect{From: pcmo.Number(caller), Targets: targets, TimeoutSeconds: &ring, DurationSeconds: &limit, RingType: kind}
	if record {
		connect.Record = &record
	}
	return connect
}

// ownNumber is the app's number in a call, or "".
func ownNumber(c *call.Call) string {
	own := c.To
	if c.Direction == call.Outbound {
		own = c.From
	}
	if own = strings.TrimPrefix(own, "+"); pcmo.IsNumber(own) {
		return own
	}
	return ""
}

// ring has the next stage performed.
func (d *dialling) ring() {
	stage := d.stages[0]
	d.stages = d.stages[1:]
	d.legs, d.order, d.began = map[string]*farLeg{}, nil, d.h.s.Now()
	d.rings = d.plan.Timeout
	if bridge, ok := stage.(*pcmo.Bridge); ok && !bridge.RingsAll() {
		d.rings *= time.Duration(len(bridge.Targets))
	} else if connect, ok := stage.(*pcmo.Connect); ok && !connect.RingsAll() {
		d.rings *= time.Duration(len(connect.Targets))
	}
	d.h.rest(d.turn, func(url string) []pcmo.Action {
		var actions []pcmo.Action
		if _, ok := stage.(*pcmo.Bridge); ok && d.plan.Record != nil {
			actions = append(actions, &pcmo.Record{})
		}
		one := 1
		return append(actions, stage, &pcmo.Input{ActionURL: url, MaxDigit: &one, TimeoutSeconds: &one})
	}, func(in call.Input) {
		d.h.keep(in.Digits)
		if !d.pending() && (len(d.legs) > 0 || !d.h.eventful) {
			d.judge()
			return
		}
		d.cancel = d.h.s.AfterFunc(eventsLate, func() error {
			d.judge()
			return nil
		})
	})
}

// pending reports whether a leg is known to ring or talk.
func (d *dialling) pending() bool {
	for _, leg := range d.legs {
		if !leg.over {
			return true
		}
	}
	return false
}

// leg is one of the legs b, as it is known by now.
func (d *dialling) leg(id, to string) *farLeg {
	leg := d.legs[id]
	if leg == nil {
		leg = &farLeg{id: id, to: to}
		if len(d.order) < 2*maxTargets {
			d.legs[id], d.order = leg, append(d.order, id)
		}
	}
	return leg
}

// event learns from a live event.
func (d *dialling) event(e *call.Event) {
	if e.Leg != call.LegB {
		return
	}
	at := e.Time
	if at.IsZero() {
		at = d.h.s.Now()
	}
	switch e.Status {
	case call.StatusStarted, call.StatusRinging:
		d.leg(e.LegID, e.To)
	case call.StatusAnswered, call.StatusBridged:
		leg := d.leg(e.LegID, e.To)
		leg.answered, leg.began = true, at
	case call.StatusHangup:
		leg := d.leg(e.LegID, e.To)
		leg.over, leg.ended = true, at
	}
	d.learnt()
}

// record learns from a leg's record.
func (d *dialling) record(r *call.CDR) {
	if r.Leg != call.LegB {
		return
	}
	leg := d.leg(r.LegID, r.To)
	leg.over, leg.talk = true, r.Duration
	leg.answered = leg.answered || r.Status == call.StatusAnswered
	d.learnt()
}

// learnt ends the waiting for an event once it has come.
func (d *dialling) learnt() {
	if d.cancel != nil && len(d.legs) > 0 && !d.pending() {
		d.judge()
	}
}

// judge says what became of the stage that is over.
func (d *dialling) judge() {
	if d.cancel != nil {
		d.cancel()
		d.cancel = nil
	}
	if d.h.dial != d { // the caller has hung up
		return
	}
	out := call.Dialled{Status: call.StatusMissed, Cause: call.CauseNoAnswer, By: call.SidePlatform}
	for _, id := range d.order {
		leg := d.legs[id]
		if out.LegID, out.Target = id, partyOf(leg.to); leg.answered {
			d.done(d.answered(out, leg))
			return
		}
	}
	if len(d.legs) == 0 {
		took := d.h.s.Now().Sub(d.began)
		d.h.s.Record("warning", map[string]string{
			"verb": "dial", "warning": "no live event told what became of it: does the app's event URL lead here? The time it took decides",
		})
		if took > d.rings+ringingLate {
			out.Status, out.Cause, out.By = call.StatusAnswered, call.CauseNormal, call.SideCallee
			d.done(out)
			return
		}
	}
	if len(d.stages) > 0 {
		d.ring()
		return
	}
	d.done(out)
}

// answered is the outcome of a leg that talked. The caller is there, so it was the callee who ended it, or the limit.
func (d *dialling) answered(out call.Dialled, leg *farLeg) call.Dialled {
	out.Status, out.Cause, out.By = call.StatusAnswered, call.CauseNormal, call.SideCallee
	switch {
	case leg.talk > 0:
		out.Duration = leg.talk
	case leg.over && leg.ended.After(leg.began):
		out.Duration = leg.ended.Sub(leg.began)
	case !leg.over:
		out.Duration = max(0, d.h.s.Now().Sub(leg.began)-eventsLate)
	}
	if d.plan.MaxDuration > 0 && out.Duration >= d.plan.MaxDuration {
		out.Cause, out.By = call.CauseTimeLimit, call.SidePlatform
	}
	return out
}

// partyOf is a leg's other end as a target, for its name.
func partyOf(to string) call.Target {
	if pcmo.IsNumber(to) {
		return call.Target{Target: pcmo.PSTN(pcmo.Number(to))}
	}
	return call.Target{Target: pcmo.SIP(to)}
}
