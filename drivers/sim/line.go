package sim

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

// line is one virtual call: the call.Line that the performer acts on, and the caller at its other end.
type line struct {
	driver  *Driver
	clock   *Clock
	handler call.Handler
	call    *call.Call
	who     *Caller
	began   time.Time
	ctx     context.Context // the call's
	cancel  context.CancelCauseFunc
	mail    mail

	mu      sync.Mutex
	entries []Entry
	over    bool
	dead    DeadEnd
	resting *gate
	streams []*stream
	tape    tape

	// Owned by the performer's goroutine.
	answered bool
	script   []Press
	keys     []keyPress
	legs     map[string]Callee
}

// keyPress is a key that the caller will press.
type keyPress struct {
	at     time.Time
	key    byte
	words  string // what is said instead
	hangup bool
}

func newLine(d *Driver, h call.Handler, c *call.Call, who *Caller) *line {
	clock := d.opts.Clock
	return &line{
		driver: d, clock: clock, handler: h, call: c, who: who, began: clock.Now(), mail: mail{clock: clock},
		script: who.Press, legs: map[string]Callee{},
	}
}

func isNoCallback(err error) bool { return errors.Is(err, call.ErrNoCallback) }

// add notes what happened.
func (l *line) add(e Entry) {
	e.At = l.clock.Now().Sub(l.began)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
	if l.driver.opts.Observe != nil {
		l.driver.opts.Observe(e)
	}
}

// observe notes what the performer does that the line does not see.
func (l *line) observe(s call.Step) {
	switch {
	case s.Reply != nil:
		e := Entry{Kind: Replied, Data: s.Reply.JSON, Version: s.Reply.Version}
		if s.Reply.Fault != nil {
			e.Error = s.Reply.Fault.Error()
		}
		l.add(e)
	case s.Err != nil:
		l.add(Entry{Kind: Problem, Error: s.Err.Error()})
	default:
		if param, ok := s.Action.(*pcmo.Param); ok {
			l.add(Entry{Kind: Param, Text: param.Text})
		}
	}
}

// end ends the call from outside the performer: the caller hangs up, or a limit strikes. The goroutine that
// calls it is at work.
func (l *line) end(by call.Side, cause string, dead DeadEnd) {
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return
	}
	resting := l.resting
	l.over, l.dead = true, dead
	l.mu.Unlock()
	l.cancel(&call.HangupError{By: by, Cause: cause})
	l.clock.raise()
	if resting != nil {
		resting.open()
	}
}

// rest waits at g until somebody opens it or the call is over.
func (l *line) rest(ctx context.Context, g *gate) error {
	l.mu.Lock()
	l.resting = g
	over := l.over
	l.mu.Unlock()
	if over {
		g.open()
	}
	stop := l.clock.AfterCancel(ctx, g.open)
	g.wait()
	stop()
	l.mu.Lock()
	l.resting = nil
	l.mu.Unlock()
	return ended(ctx)
}

// Wait lets d pass.
func (l *line) Wait(ctx context.Context, d time.Duration) error {
	l.mail.wait(0)
	if err := ended(ctx); err != nil || d <= 0 {
		return err
	}
	g := l.clock.newGate()
	t := l.clock.AfterFunc(d, g.open)
	defer t.Stop()
	return l.rest(ctx, g)
}

func (l *line) waitUntil(ctx context.Context, t time.Time) error {
	return l.Wait(ctx, t.Sub(l.clock.Now()))
}

// ended is the reason why a call's context is over, or nil.
func ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return context.Cause(ctx)
}

// Answer answers the call.
func (l *line) Answer(ctx context.Context) error {
	if err := ended(ctx); err != nil || l.answered {
		return err
	}
	l.answered = true
	l.add(Entry{Kind: Answered})
	return nil
}

// Play plays a prompt to its end; keys pressed meanwhile wait for the next Gather.
func (l *line) Play(ctx context.Context, p call.Prompt) error {
	if err := ended(ctx); err != nil {
		return err
	}
	length := l.driver.length(p)
	l.add(Entry{Kind: Heard, Prompt: p, Length: length})
	return l.Wait(ctx, length)
}

// Gather plays a prompt and takes the keys that the script presses in time, or what it says.
func (l *line) Gather(ctx context.Context, g call.Gather) (call.Gathered, error) {
	if err := ended(ctx); err != nil {
		return call.Gathered{}, err
	}
	if g.Flush {
		l.keys = nil
	}
	began := l.clock.Now()
	length := l.driver.length(g.Prompt)
	promptEnd := began.Add(length)
	if !g.Prompt.IsSilence() {
		l.add(Entry{Kind: Heard, Prompt: g.Prompt, Length: length})
	}
	l.add(Entry{Kind: Asked, MaxDigits: g.MaxDigits, Timeout: g.FirstDigit, Attempt: g.Attempt, Attempts: g.Attempts})
	if len(l.keys) == 0 {
		l.plan(began, promptEnd)
	}
	var got call.Gathered
	deadline := promptEnd.Add(g.FirstDigit)
	bargedIn := false
	note := func() {
		switch {
		case got.Speech != "":
			l.add(Entry{Kind: Said, Text: got.Speech, BargedIn: bargedIn})
		case got.Digits != "" || got.Finished:
			l.add(Entry{Kind: Pressed, Digits: got.Digits, BargedIn: bargedIn})
		default:
			l.add(Entry{Kind: Silent})
		}
	}
	for len(got.Digits) < g.MaxDigits || g.SpeechOnly {
		if len(l.keys) == 0 || l.keys[0].at.After(deadline) {
			err := l.waitUntil(ctx, deadline)
			if err == nil || got.Digits != "" {
				note()
			}
			return got, err
		}
		k := l.keys[0]
		if err := l.waitUntil(ctx, k.at); err != nil {
			return call.Gathered{}, err
		}
		l.keys = l.keys[1:]
		if k.hangup {
			l.end(call.SideCaller, call.CauseNormal, "")
			return call.Gathered{}, ended(ctx)
		}
		now := l.clock.Now()
		switch {
		case k.words != "" && g.Speech:
			bargedIn = bargedIn || now.Before(promptEnd)
			got.Speech = k.words
			note()
			return got, nil
		case k.words != "" || g.SpeechOnly:
			continue // nobody listens for it
		}
		bargedIn = bargedIn || now.Before(promptEnd)
		if string(k.key) == g.FinishKey {
			got.Finished = true
			note()
			return got, nil
		}
		got.Digits += string(k.key)
		deadline = now.Add(g.NextDigit)
	}
	note()
	return got, nil
}

// plan takes the script's next item.
func (l *line) plan(began, promptEnd time.Time) {
	if len(l.script) == 0 {
		return
	}
	p := l.script[0]
	l.script = l.script[1:]
	at := promptEnd.Add(thinkTime)
	if p.After > 0 {
		at = began.Add(p.After)
	}
	if p.Hangup {
		l.keys = append(l.keys, keyPress{at: at, hangup: true})
		return
	}
	if p.Say != "" {
		l.keys = append(l.keys, keyPress{at: at, words: p.Say})
		return
	}
	for i := range len(p.Keys) {
		l.keys = append(l.keys, keyPress{at: at.Add(time.Duration(i) * keyTime), key: p.Keys[i]})
	}
}

// Hangup ends the call.
func (l *line) Hangup(_ context.Context, e call.Ending) call.Summary {
	l.mu.Lock()
	l.over = true
	if errors.Is(e.Err, call.ErrEndless) {
		l.dead = Endless
	}
	dead := l.dead
	l.mu.Unlock()
	entry := Entry{Kind: HungUp, By: e.By, Cause: e.Cause, DeadEnd: dead}
	if e.Err != nil {
		entry.Error = e.Err.Error()
	}
	l.add(entry)
	return call.Summary{Recordings: l.stopRecording()}
}
