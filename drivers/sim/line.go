package sim

import (
	"context"
	"errors"
	"slices"
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

// keyPress is a key that the caller will press.
type keyPress struct {
	at     time.Time
	key    byte
	words  string // what is said instead
	hangup bool
	taken  func() // called once when the app has it; may be nil
	once   sync.Once
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

// nextKey waits for a key until the deadline, which may be moved while it waits, and takes it; nil when none has come.
func (l *line) nextKey(ctx context.Context, last *deadline) (*keyPress, error) {
	for {
		l.mail.wait(0)
		if err := ended(ctx); err != nil {
			return nil, err
		}
		g := l.clock.newGate()
		now := l.clock.Now()
		l.mu.Lock()
		until := last.at
		if len(l.keys) > 0 && !l.keys[0].at.After(until) {
			if until = l.keys[0].at; !until.After(now) {
				k := l.keys[0]
				l.keys = l.keys[1:]
				l.mu.Unlock()
				return k, nil
			}
		}
		if !until.After(now) {
			l.mu.Unlock()
			return nil, nil
		}
		l.fresh = g
		l.mu.Unlock()
		err := l.pass(ctx, g, until.Sub(now))
		l.mu.Lock()
		l.fresh = nil
		l.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
}

// deadline is until when a key is waited for. Guarded by line.mu.
type deadline struct {
	prompt time.Time // the prompt's end
	at     time.Time
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

// Gather plays a prompt and takes the keys that the script presses in time, or what it says.
func (l *line) Gather(ctx context.Context, g call.Gather) (call.Gathered, error) {
	if err := ended(ctx); err != nil {
		return call.Gathered{}, err
	}
	defer l.busy()()
	l.mu.Lock()
	if g.Flush { // but for the keys that a controller's caller is about to press
		now := l.clock.Now()
		l.keys = slices.DeleteFunc(l.keys, func(k *keyPress) bool { return l.who.Controller == nil || !k.at.After(now) })
	}
	pressed := len(l.keys) > 0
	l.awaitsWords = g.Speech
	l.mu.Unlock()
	defer l.deaf()
	began := l.clock.Now()
	length := l.driver.length(g.Prompt)
	promptEnd := began.Add(length)
	l.sounding(length)
	defer l.sounding(0)
	if !g.Prompt.IsSilence() {
		l.add(Entry{Kind: Heard, Prompt: g.Prompt, Length: length})
	}
	l.add(Entry{Kind: Asked, MaxDigits: g.MaxDigits, Timeout: g.FirstDigit, Attempt: g.Attempt, Attempts: g.Attempts})
	if !pressed {
		l.plan(began, promptEnd)
	}
	var got call.Gathered
	last := &deadline{promptEnd, promptEnd.Add(g.FirstDigit)}
	bargedIn := false
	defer l.plays(func() {
		if now := l.clock.Now(); now.Before(last.prompt) && last.at.Equal(last.prompt.Add(g.FirstDigit)) {
			last.prompt, last.at = now, now.Add(g.FirstDigit)
			if l.fresh != nil {
				l.fresh.open()
			}
		}
	})()
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
		k, err := l.nextKey(ctx, last)
		if k == nil {
			if err == nil || got.Digits != "" {
				note()
			}
			return got, err
		}
		if k.hangup {
			l.end(call.SideCaller, call.CauseNormal, "")
			return call.Gathered{}, ended(ctx)
		}
		now := l.clock.Now()
		l.mu.Lock()
		early := now.Before(last.prompt)
		l.mu.Unlock()
		switch {
		case k.words != "" && g.Speech:
			bargedIn = bargedIn || early
			got.Speech = k.words
			k.isTaken()
			note()
			return got, nil
		case k.words != "" || g.SpeechOnly:
			continue // nobody listens for it
		}
		bargedIn = bargedIn || early
		k.isTaken()
		if string(k.key) == g.FinishKey {
			got.Finished = true
			note()
			return got, nil
		}
		got.Digits += string(k.key)
		l.mu.Lock()
		last.prompt, last.at = now, now.Add(g.NextDigit) // the key has stopped the prompt
		l.mu.Unlock()
	}
	note()
	return got, nil
}

// deaf says that nobody listens for words.
func (l *line) deaf() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.awaitsWords = false
}

// isTaken says that the app has it.
func (k *keyPress) isTaken() {
	if k.taken != nil {
		k.once.Do(k.taken)
	}
}

// plan takes the script's next item.
func (l *line) plan(began, promptEnd time.Time) {
	if len(l.script) == 0 || l.who.Controller != nil {
		return
	}
	p := l.script[0]
	l.script = l.script[1:]
	at := promptEnd.Add(thinkTime)
	if p.After > 0 {
		at = began.Add(p.After)
	}
	if p.Hangup {
		l.press(&keyPress{at: at, hangup: true})
		return
	}
	if p.Say != "" {
		l.press(&keyPress{at: at, words: p.Say})
		return
	}
	for i := range len(p.Keys) {
		l.press(&keyPress{at: at.Add(time.Duration(i) * keyTime), key: p.Keys[i]})
	}
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
