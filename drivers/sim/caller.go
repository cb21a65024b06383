package sim

import (
	"time"

	"github.com/piopiy/piopiyd/call"
)

// Caller is a virtual caller: who calls, and what he does when he is asked.
type Caller struct {
	// App is the app that is called.
	App string
	// From and To are the caller's and the dialled number; digits or anything else. They default to
	// 15550001111 and 15550002222.
	From, To string
	// Direction is call.Inbound unless set. The party of an outbound call has answered when it begins, unless Party is set.
	Direction call.Direction
	// Party, where set, is what becomes of an outbound call: the app is asked once it is answered.
	Party *Callee
	// ExtraParams travel with the call.
	ExtraParams string
	// Press is what the caller does at each prompt that asks for digits, replays included. After the last one
	// he is silent.
	Press []Press
	// Controller, where set, acts for the caller instead.
	Controller Controller
	// HangupAfter is when the caller has had enough, counted from the call's beginning; 0 is never.
	HangupAfter time.Duration
	// Callee is what becomes of the legs that the app dials; Callees is the same for single numbers and SIP users.
	Callee  Callee
	Callees map[string]Callee
}

// Press is what a caller does at one prompt. The zero Press is silence.
type Press struct {
	// Keys are pressed one after the other: 0 to 9, *, # and A to D.
	Keys string
	// After is when the first key comes, counted from the prompt's beginning: during the prompt, that is
	// barge-in. 0 is shortly after its end.
	After time.Duration
	// Say is said instead, where words are asked for.
	Say string
	// Hangup hangs up instead, at that time.
	Hangup bool
}

// Callee is a virtual callee. The zero Callee answers after 3 s and hangs up after 20 s.
type Callee struct {
	Outcome Outcome
	// After is how long it rings before the outcome; 0 is 3 s.
	After time.Duration
	// Talk is how long a callee who answered stays; 0 is 20 s.
	Talk time.Duration
}

// Outcome is what becomes of a call to a virtual callee.
type Outcome string

// Outcomes.
const (
	// Answers is the default.
	Answers Outcome = "answers"
	Busy    Outcome = "busy"
	// NoAnswer rings until the caller's side gives up.
	NoAnswer Outcome = "no-answer"
	Rejects  Outcome = "rejects"
	// Unreachable fails at once, without ringing.
	Unreachable Outcome = "unreachable"
	// Voicemail is an answering machine: it answers, unless machines are looked for or a key must be pressed.
	Voicemail Outcome = "voicemail"
)

const (
	defaultRing = 3 * time.Second
	defaultTalk = 20 * time.Second
	// A caller thinks before the first key and needs time from key to key.
	thinkTime = 800 * time.Millisecond
	keyTime   = 300 * time.Millisecond
)

// callee returns the model for a dialled number or user, with its defaults in place.
func (c *Caller) callee(to string) Callee {
	model, ok := c.Callees[to]
	if !ok {
		model = c.Callee
	}
	return model.complete()
}

// complete puts the defaults in place.
func (c Callee) complete() Callee {
	if c.Outcome == "" {
		c.Outcome = Answers
	}
	if c.After <= 0 {
		c.After = defaultRing
	}
	if c.Talk <= 0 {
		c.Talk = defaultTalk
	}
	return c
}

// cause is what the carrier reports for an outcome that is not an answer.
func (o Outcome) cause() string {
	switch o {
	case Busy:
		return call.CauseBusy
	case Rejects:
		return call.CauseRejected
	case Unreachable:
		return call.CauseUnreachable
	case machineFound:
		return call.CauseMachine
	}
	return call.CauseNoAnswer
}
