package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

var (
	_ call.Controls        = (*line)(nil)
	_ call.RecordingLister = (*line)(nil)
)

// tape is what is recorded of a call. Guarded by line.mu.
type tape struct {
	on, paused bool
	since      time.Time     // when it last began to run
	length     time.Duration // before that
	done       []call.Recording
}

// Record begins a recording.
func (l *line) Record(ctx context.Context, _ call.RecordOptions) error {
	if err := ended(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	on := l.tape.on
	if !on {
		l.tape.on, l.tape.paused, l.tape.since, l.tape.length = true, false, l.clock.Now(), 0
	}
	l.mu.Unlock()
	if !on {
		l.add(Entry{Kind: Recording})
	}
	return nil
}

// ControlRecording implements call.Controls.
func (l *line) ControlRecording(ctx context.Context, c call.RecordingCommand) error {
	if c == call.RecordingStart {
		return l.Record(ctx, call.RecordOptions{})
	}
	l.mu.Lock()
	t := &l.tape
	if !t.on {
		l.mu.Unlock()
		return fmt.Errorf("there is no recording to %s", c)
	}
	now := l.clock.Now()
	switch {
	case c == call.RecordingPause && !t.paused:
		t.paused, t.length = true, t.length+now.Sub(t.since)
	case c == call.RecordingResume && t.paused:
		t.paused, t.since = false, now
	}
	l.mu.Unlock()
	l.add(Entry{Kind: Recording, Status: string(c)})
	if c == call.RecordingStop {
		l.stopRecording()
	}
	return nil
}

// stopRecording ends the recording, if there is one, and returns all.
func (l *line) stopRecording() []call.Recording {
	l.mu.Lock()
	t := &l.tape
	on := t.on
	if on {
		if t.on = false; !t.paused {
			t.length += l.clock.Now().Sub(t.since)
		}
		name := l.call.ID
		if n := len(t.done); n > 0 {
			name = fmt.Sprintf("%s-%d", name, n+1)
		}
		t.done = append(t.done, call.Recording{File: name + ".wav", URL: "http://sim.invalid/recordings/" + name + ".wav", Duration: t.length})
	}
	all := t.done
	l.mu.Unlock()
	if on {
		r := all[len(all)-1]
		l.add(Entry{Kind: Recorded, Length: r.Duration, To: r.URL, Text: r.File})
	}
	return all
}

// Recordings implements call.RecordingLister.
func (l *line) Recordings() []call.Recording {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tape.done
}

// Announce implements call.Controls.
func (l *line) Announce(ctx context.Context, p call.Prompt, to call.Leg) error {
	if err := ended(ctx); err != nil {
		return err
	}
	defer l.busy()()
	length := l.driver.length(p)
	l.add(Entry{Kind: Announced, Prompt: p, Length: length, Leg: to})
	return l.hear(ctx, length)
}

// Silence implements call.Controls.
func (l *line) Silence() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.sounds {
		s.stop()
	}
	clear(l.sounds)
}

// SendDigits implements call.Controls.
func (l *line) SendDigits(ctx context.Context, digits string, to call.Leg) error {
	if err := ended(ctx); err != nil {
		return err
	}
	l.add(Entry{Kind: Sent, Digits: digits, Leg: to})
	return nil
}

// Mute implements call.Controls.
func (l *line) Mute(ctx context.Context, party call.Leg, muted bool) error {
	if err := ended(ctx); err != nil {
		return err
	}
	l.add(Entry{Kind: Muted, Leg: party, Status: onOff(muted)})
	return nil
}

// Hold implements call.Controls.
func (l *line) Hold(ctx context.Context, held bool, _ call.Prompt) error {
	if err := ended(ctx); err != nil {
		return err
	}
	l.add(Entry{Kind: Held, Status: onOff(held)})
	l.hold(held)
	return nil
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// Refer implements call.Controls: what becomes of the other call is what its callee does.
func (l *line) Refer(ctx context.Context, to call.Target) error {
	if err := ended(ctx); err != nil {
		return err
	}
	name := to.User
	if to.Type == pcmo.TargetPSTN {
		name = to.Number.Digits()
	}
	l.add(Entry{Kind: Referred, To: name})
	if model := l.callee(name); model.Outcome != Answers && model.Outcome != Voicemail {
		return fmt.Errorf("%s did not take the call: %s", name, model.Outcome.cause())
	}
	return nil
}

// Join implements call.Controls: a conference in which nobody else is.
func (l *line) Join(ctx context.Context, room string, _ call.JoinOptions) error {
	if err := ended(ctx); err != nil {
		return err
	}
	defer l.busy()()
	began := l.clock.Now()
	l.add(Entry{Kind: Joined, To: room})
	err := l.rest(ctx, l.clock.newGate())
	l.add(Entry{Kind: Left, To: room, Length: l.clock.Now().Sub(began)})
	return err
}
