package call

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/pcmo"
)

// Announce plays a prompt over what a party hears ("" for both) and returns at its end.
func (c *Control) Announce(ctx context.Context, p Prompt, to Leg) error {
	return c.parties(ctx, "announce", to, func(ctx context.Context, line Controls, to Leg) error { return line.Announce(ctx, p, to) })
}

// Silence stops every prompt and announcement.
func (c *Control) Silence() error {
	line, err := c.controls("silence")
	if err != nil {
		return err
	}
	line.Silence()
	if other := c.linkedWith(); other != nil {
		if line, err := other.controls("silence"); err == nil {
			line.Silence()
		}
	}
	return nil
}

// SendDigits sends DTMF digits to a party.
func (c *Control) SendDigits(ctx context.Context, digits string, to Leg) error {
	return c.parties(ctx, "sendDigits", to, func(ctx context.Context, line Controls, to Leg) error { return line.SendDigits(ctx, digits, to) })
}

// Mute lets a party no longer be heard, or again.
func (c *Control) Mute(ctx context.Context, party Leg, muted bool) error {
	return c.parties(ctx, "mute", party, func(ctx context.Context, line Controls, party Leg) error { return line.Mute(ctx, party, muted) })
}

// Hold puts leg a on hold, with music, or takes it back. A zero music leaves it to the driver.
func (c *Control) Hold(ctx context.Context, held bool, music Prompt) error {
	err := c.beside(ctx, "hold", func(ctx context.Context, line Controls) error { return line.Hold(ctx, held, music) })
	if err == nil {
		c.change(func(s *State) { s.Held = held })
	}
	return err
}

// parties does something beside what is performed that is for one party or both. The other one of two calls that are
// connected by [Control.Bridge] is leg a of its own.
func (c *Control) parties(ctx context.Context, verb string, to Leg, do func(context.Context, Controls, Leg) error) error {
	on := func(c *Control, leg Leg) error {
		return c.beside(ctx, verb, func(ctx context.Context, line Controls) error { return do(ctx, line, leg) })
	}
	other := c.linkedWith()
	switch {
	case other == nil && to == LegB && c.State().Status != StatusBridged && c.Err() == nil:
		return &StateError{Verb: verb, Reason: StateNotConnected}
	case other == nil:
		return on(c, to)
	case to == LegA:
		return on(c, LegA)
	case to == LegB:
		return on(other, LegA)
	}
	theirs := beside(c.r.clock, func() error { return on(other, LegA) })
	err := on(c, LegA)
	if other := theirs(); err == nil && !errors.Is(other, ErrOver) {
		err = other
	}
	return err
}

// ControlRecording starts, stops, pauses or resumes the recording.
func (c *Control) ControlRecording(ctx context.Context, command RecordingCommand) error {
	return c.beside(ctx, "record", func(ctx context.Context, line Controls) error { return line.ControlRecording(ctx, command) })
}

// Refer asks leg a's phone to call somebody else, and ends the call once that was taken.
func (c *Control) Refer(ctx context.Context, to Target) error {
	err := c.beside(ctx, "refer", func(ctx context.Context, line Controls) error { return line.Refer(ctx, to) })
	if err == nil {
		err = c.Hangup(Ending{By: SideApp, Cause: CauseNormal})
	}
	return err
}

// beside does what the line can do beside what is performed.
func (c *Control) beside(ctx context.Context, verb string, do func(context.Context, Controls) error) error {
	line, err := c.controls(verb)
	if err != nil {
		return err
	}
	if c.State().Answered.IsZero() {
		return c.endedOr(&StateError{Verb: verb, Reason: StateNotAnswered})
	}
	ctx, cancel := c.while(ctx)
	defer cancel()
	if err := do(ctx, line); err != nil {
		return c.endedOr(err)
	}
	return nil
}

// Join takes the call into a conference and returns when it has left it: by Leave, by the conference's end, or
// because something else was performed. Then the document goes on.
func (c *Control) Join(ctx context.Context, room string, o JoinOptions) error {
	line, err := c.controls("conference")
	if err != nil {
		return err
	}
	return c.verb(ctx, func() error {
		if err := c.r.answer(); err != nil {
			return err
		}
		inside, leave := context.WithCancel(c.r.ctx)
		defer leave()
		c.mu.Lock()
		c.leave = leave
		c.mu.Unlock()
		err := line.Join(inside, room, o)
		c.mu.Lock()
		c.leave = nil
		c.mu.Unlock()
		if c.r.ctx.Err() == nil && inside.Err() != nil {
			return nil // it left
		}
		return err
	})
}

// Leave takes the call out of its conference, or parts it from the call that [Control.Bridge] connected it with. It does
// nothing when there is neither.
func (c *Control) Leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leave != nil {
		c.leave()
	}
}

// Warm is a transfer to somebody who is asked first (protocol page section 3.8).
type Warm struct {
	Target Target
	// CallerID is what the target sees; "" is the platform's number in the call.
	CallerID string
	// Timeout is how long it may ring (default 40 s); MaxDuration bounds the conversation (default 5400 s).
	Timeout, MaxDuration time.Duration
	// Confirm has the target press 1 to take the call. Whisper is what it hears first.
	Confirm bool
	Whisper Prompt
	// Music is what leg a hears meanwhile.
	Music Prompt
}

// TransferError says why a transfer failed; the call goes on as before.
type TransferError struct {
	// Reason is one of the v3 API's: busy, no_answer, rejected, invalid_number, unreachable, call_barred,
	// network_error.
	Reason string
	// Cause is the leg's, one of the Cause constants or the carrier's own.
	Cause string
}

// Error names reason and cause.
func (e *TransferError) Error() string {
	return "the transfer failed: " + e.Reason + " (" + e.Cause + ")"
}

// ErrTransferring says that a transfer of the call is under way already.
var ErrTransferring = errors.New("a transfer of this call is under way")

// Transfer calls somebody and connects the call to them. It returns once they talk, or why they do not: then the
// document goes on where it was. When the conversation is over the call is hung up; streams end when it begins.
func (c *Control) Transfer(ctx context.Context, w Warm) error {
	c.mu.Lock()
	if c.state.Transferring {
		c.mu.Unlock()
		return ErrTransferring
	}
	c.state.Transferring = true
	c.mu.Unlock()
	defer c.change(func(s *State) { s.Transferring = false })
	b := ringing{
		groups: [][]Target{{w.Target}}, tries: 1, limit: w.MaxDuration,
		from: pcmo.Number(w.CallerID),
		dial: Dial{Timeout: w.Timeout, Music: w.Music, Whisper: w.Whisper},
	}
	if b.limit <= 0 {
		b.limit = pcmo.DefaultMaxDuration
	}
	if b.dial.Timeout <= 0 {
		b.dial.Timeout = pcmo.DefaultRingTimeout
	}
	if w.Confirm {
		b.dial.Accept = "1"
	}
	// The first to know tells the requester, who rests meanwhile in virtual time.
	told := make(chan error, 1)
	var once sync.Once
	tell := func(err error) {
		once.Do(func() {
			work(c.r.clock)
			told <- err
		})
	}
	b.progress = func(o DialOutcome) {
		if o.Status == StatusAnswered {
			c.r.closeStreams(1000, "transferred")
			tell(nil)
			return
		}
		if c.r.ctx.Err() == nil { // else it was missed because the call is over, or does something else
			tell(&TransferError{Reason: reasonOf(o.Cause), Cause: o.Cause})
		}
	}
	work(c.r.clock)
	go func() { // ends with the aside, which ends with the call
		defer rest(c.r.clock)
		err := c.aside(context.WithoutCancel(ctx), func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			talk, err := c.r.connect(b)
			if talk != nil {
				c.mu.Lock()
				if c.next == nil && !c.ended {
					c.replace(nil)
				}
				c.mu.Unlock()
			}
			return err
		})
		if err == nil {
			err = fmt.Errorf("the transfer did not begin: %w", errInterrupted)
		}
		tell(c.endedOr(err))
	}()
	defer whenOver(c.r.clock, ctx, func() { tell(context.Cause(ctx)) })()
	rest(c.r.clock)
	return <-told
}

// reasonOf is a cause in the v3 API's words.
func reasonOf(cause string) string {
	switch cause {
	case CauseBusy:
		return "busy"
	case CauseNoAnswer, CauseMachine, CauseCancelled:
		return "no_answer"
	case CauseRejected:
		return "rejected"
	case "UNALLOCATED_NUMBER", "INVALID_NUMBER_FORMAT":
		return "invalid_number"
	case CauseUnreachable:
		return "unreachable"
	case "OUTGOING_CALL_BARRED":
		return "call_barred"
	}
	return "network_error"
}
