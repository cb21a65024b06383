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
	order   *call.Order   // what an outbound call was placed with; nil when its party has answered already
	begun   chan struct{} // closed once the call is under way; may be nil

	mu       sync.Mutex
	entries  []Entry
	over     bool
	dead     DeadEnd
	resting  *gate
	streams  []*stream
	tape     tape
	quiet    quiet
	keys     []*keyPress
	fresh    *gate     // where somebody waits for a key
	soundEnd time.Time // until when the caller hears something
	sounds   map[*sounding]struct{}
	spoken   utterance // what was said last into streams

	awaitsWords bool // a Gather listens for words

	// Owned by the performer's goroutine.
	answered bool
	script   []Press
	legs     map[string]Callee
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
	if l.who.Controller != nil {
		l.who.Controller.Happened(e)
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
	l.listen()
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

// sounding is something that plays; stop, which needs line.mu, ends it before its time.
type sounding struct{ stop func() }

// plays notes what plays, until over is called.
func (l *line) plays(stop func()) (over func()) {
	s := &sounding{stop}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sounds == nil {
		l.sounds = map[*sounding]struct{}{}
	}
	l.sounds[s] = struct{}{}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.sounds, s)
	}
}

// hear lets the length of a sound pass, or less if it is silenced.
func (l *line) hear(ctx context.Context, length time.Duration) error {
	if err := ended(ctx); err != nil || length <= 0 {
		return err
	}
	g := l.clock.newGate()
	defer l.plays(g.open)()
	t := l.clock.AfterFunc(length, g.open)
	defer t.Stop()
	defer l.clock.AfterCancel(ctx, g.open)()
	g.wait()
	return ended(ctx)
}

// Wait lets d pass. While a recording runs, the caller leaves a message in it.
func (l *line) Wait(ctx context.Context, d time.Duration) error {
	l.mu.Lock()
	records := l.tape.on
	l.mu.Unlock()
	if records {
		defer l.busy()()
	}
	l.mail.wait(0)
	if err := ended(ctx); err != nil || d <= 0 {
		return err
	}
	return l.pass(ctx, l.clock.newGate(), d)
}

// pass lets d pass, or less if somebody opens the gate.
func (l *line) pass(ctx context.Context, g *gate, d time.Duration) error {
	t := l.clock.AfterFunc(d, g.open)
	defer t.Stop()
	return l.rest(ctx, g)
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
	l.mu.Lock()
	defer l.mu.Unlock()
	l.quiet.answered = true
	l.listen()
	return nil
}

// Play plays a prompt to its end; keys pressed meanwhile wait for the next Gather.
func (l *line) Play(ctx context.Context, p call.Prompt) error {
	if err := ended(ctx); err != nil {
		return err
	}
	if !p.IsSilence() {
		defer l.busy()()
	}
	length := l.driver.length(p)
	l.sounding(length)
	defer l.sounding(0)
	if !p.IsSilence() {
		l.add(Entry{Kind: Heard, Prompt: p, Length: length})
	}
	l.mail.wait(0)
	return l.hear(ctx, length)
}

// Hangup ends the call.
func (l *line) Hangup(_ context.Context, e call.Ending) call.Summary {
	l.mu.Lock()
	l.over = true
	if errors.Is(e.Err, call.ErrEndless) {
		l.dead = Endless
	}
	l.listen()
	dead := l.dead
	l.mu.Unlock()
	entry := Entry{Kind: HungUp, By: e.By, Cause: e.Cause, DeadEnd: dead}
	if e.Err != nil {
		entry.Error = e.Err.Error()
	}
	recordings := l.stopRecording()
	l.add(entry)
	return call.Summary{Recordings: recordings}
}
