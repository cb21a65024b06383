package sim

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/call"
)

// keyPress is a key that the caller will press.
type keyPress struct {
	at     time.Time
	key    byte
	words  string // what is said instead
	hangup bool
	taken  func() // called once when the app has it; may be nil
	once   sync.Once
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
