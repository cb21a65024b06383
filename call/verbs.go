package call

import (
	"context"
	"time"

	"github.com/piopiy/piopiyd/pcmo"
)

// The methods in this file are a script's verbs: they use the line one after the other, in the order they were
// called. One that comes while a document is performed interrupts it. The document goes on afterwards: a prompt or a
// question that was interrupted is begun again, anything else is followed by what comes next. While two parties talk,
// Play is heard by both and interrupts nothing.
//
// All of them answer the call first. They end with a [*HangupError] when the call does.

// Answer answers the call. It does nothing when it has been answered.
func (c *Control) Answer(ctx context.Context) error {
	return c.verb(ctx, func() error { return c.r.answer() })
}

// Play plays a prompt to its end.
func (c *Control) Play(ctx context.Context, p Prompt) error {
	if c.State().Status == StatusBridged {
		return c.Announce(ctx, p, "")
	}
	return c.verb(ctx, func() error { return c.r.play(p) })
}

// Pause keeps the line open and silent.
func (c *Control) Pause(ctx context.Context, d time.Duration) error {
	return c.verb(ctx, func() error {
		if err := c.r.answer(); err != nil {
			return err
		}
		return c.r.line.Wait(c.r.ctx, d)
	})
}

// Gather asks for digits or words once.
func (c *Control) Gather(ctx context.Context, g Gather) (got Gathered, err error) {
	err = c.verb(ctx, func() error {
		if err := c.r.answer(); err != nil {
			return err
		}
		got, err = c.r.line.Gather(c.r.ctx, g)
		return err
	})
	return got, err
}

// Message is a message to be left after a tone.
type Message struct {
	// Prompt is played first; Beep a tone after it.
	Prompt Prompt
	Beep   bool
	// MaxLength bounds the message (default 10 min). FinishKey ends it before.
	MaxLength time.Duration
	FinishKey string
	Options   RecordOptions
}

// beep is the tone before a message: the name that every driver knows it by.
var beep = Prompt{File: "tone:1000/400"}

// IsTone reports whether a prompt is a tone, and which: its frequency in Hz and its length. Drivers make tones
// themselves; their file name is "tone:FREQUENCY/MILLISECONDS".
func (p Prompt) IsTone() (frequency float64, length time.Duration, ok bool) { return parseTone(p.File) }

// RecordMessage records what the caller says until the finish key, the longest time, or the end of the call. When the
// call ended the recording stands in its CDR, and the error is a [*HangupError].
func (c *Control) RecordMessage(ctx context.Context, m Message) (rec Recording, err error) {
	line, err := c.controls("record")
	if err != nil {
		return rec, err
	}
	if m.MaxLength <= 0 {
		m.MaxLength = voicemailLimit
	}
	err = c.verb(ctx, func() error {
		if err := c.r.play(m.Prompt); err != nil {
			return err
		}
		if m.Beep {
			if err := c.r.play(beep); err != nil {
				return err
			}
		}
		if err := c.r.line.Record(c.r.ctx, m.Options); err != nil {
			return err
		}
		waitErr := c.awaitMessage(m)
		if err := line.ControlRecording(context.WithoutCancel(c.r.ctx), RecordingStop); err != nil && waitErr == nil {
			return err
		}
		if known, ok := c.r.line.(RecordingLister); ok {
			if all := known.Recordings(); len(all) > 0 {
				rec = all[len(all)-1]
			}
		}
		return waitErr
	})
	return rec, err
}

// awaitMessage lets the caller speak until the finish key or the longest time.
func (c *Control) awaitMessage(m Message) error {
	began := c.r.clock.Now()
	for left := m.MaxLength; left > 0; left = m.MaxLength - c.r.clock.Now().Sub(began) {
		got, err := c.r.line.Gather(c.r.ctx, Gather{
			MaxDigits: 1, FinishKey: m.FinishKey, FirstDigit: left, NextDigit: left, Attempt: 1, Attempts: 1,
		})
		if err != nil || got.Finished || got.Digits == "" {
			return err
		}
	}
	return nil
}

// DialPlan says whom to dial and how (protocol page sections 2.6 and 3.7).
type DialPlan struct {
	// Groups ring one after the other; the targets of one group all at once.
	Groups [][]Target
	// CallerID is what they see; "" is the platform's number in the call.
	CallerID string
	// Timeout is how long each group rings (default 40 s); MaxDuration bounds the conversation (default 5400 s).
	Timeout, MaxDuration time.Duration
	// Record, where set, records the conversation.
	Record *RecordOptions
	// The others are those of [Dial].
	Music, Whisper Prompt
	Accept         string
	DetectMachine  bool
}

// Dialled is what came of a [DialPlan].
type Dialled struct {
	// Status is StatusAnswered or StatusMissed.
	Status Status
	// LegID and Target are of the leg that answered, or of the one missed last.
	LegID  string
	Target Target
	// Cause is why the conversation ended, or the last leg was missed; By who ended it.
	Cause string
	By    Side
	// Duration is how long the conversation was.
	Duration time.Duration
}

// Dial rings the plan's targets and, when one answers, lets the parties talk. It returns when that is over.
func (c *Control) Dial(ctx context.Context, p DialPlan) (Dialled, error) {
	b := ringing{
		from: pcmo.Number(p.CallerID), groups: p.Groups, limit: p.MaxDuration, tries: 1, record: p.Record,
		dial: Dial{Timeout: p.Timeout, Music: p.Music, Whisper: p.Whisper, Accept: p.Accept, DetectMachine: p.DetectMachine},
	}
	if b.limit <= 0 {
		b.limit = pcmo.DefaultMaxDuration
	}
	if b.dial.Timeout <= 0 {
		b.dial.Timeout = pcmo.DefaultRingTimeout
	}
	out := Dialled{Status: StatusMissed, Cause: CauseUnreachable, By: SidePlatform}
	b.progress = func(o DialOutcome) {
		if o.Status == StatusMissed {
			out.LegID, out.Cause, out.By = o.LegID, o.Cause, missedBy(o.Cause)
		}
	}
	err := c.verb(ctx, func() error {
		talk, err := c.r.connect(b)
		if talk != nil {
			out = Dialled{
				Status: StatusAnswered, LegID: talk.leg.id, Target: Target{Target: talk.leg.to}, Cause: talk.ending.Cause,
				By: talk.ending.By, Duration: talk.length,
			}
		}
		return err
	})
	return out, err
}

// SetExtraParams replaces what travels with the call.
func (c *Control) SetExtraParams(text string) { c.r.setExtraParams(text) }

// verb does something with the line in its turn.
func (c *Control) verb(ctx context.Context, do func() error) error {
	if err := c.aside(ctx, do); err != nil {
		return c.endedOr(err)
	}
	return nil
}
