package sip

import (
	"context"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// maxDigits bounds the keys that wait for the next Gather.
const maxDigits = 128

// press takes a key of the caller.
func (l *line) press(digit byte) {
	l.streams.pressed(digit)
	l.mu.Lock()
	partner := l.partner
	if partner == nil && len(l.digits) < maxDigits {
		l.digits = append(l.digits, digit)
	}
	l.mu.Unlock()
	if partner != nil {
		partner.sendDigits(string(digit))
		return
	}
	select {
	case l.pressed <- struct{}{}:
	default:
	}
}

// digit takes the key that waits longest.
func (l *line) digit() (byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.digits) == 0 {
		return 0, false
	}
	d := l.digits[0]
	l.digits = l.digits[1:]
	return d, true
}

// flush forgets the keys that wait.
func (l *line) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.digits = nil
}

// gathering is one Gather under way.
type gathering struct {
	call.Gather
	line    *line
	prompt  *media.Playback // nil when it is over
	timer   *time.Timer     // until nothing comes any more
	digits  []byte
	ear     *ear     // nil when no words are asked for
	speaker *speaker // what is made of them
	calm    func()   // no longer lets the prompt hesitate
}

// Gather collects digits and words; the first of either stops the prompt, and a digit that came before there is no
// need for it.
//
// Words end it as soon as they are understood; digits end it as they do without words, and what is said after the
// first digit does not count.
func (l *line) Gather(ctx context.Context, want call.Gather) (call.Gathered, error) {
	sound, err := l.clip(ctx, want.Prompt)
	if err != nil {
		return call.Gathered{}, err
	}
	if want.Flush {
		l.flush()
	}
	g := &gathering{Gather: want, line: l, timer: time.NewTimer(want.FirstDigit), calm: func() {}}
	defer g.timer.Stop()
	first, early := byte(0), false
	if !g.SpeechOnly {
		first, early = l.digit()
	}
	if early {
		if g.press(first) {
			return g.result(true), nil
		}
	} else if !sound.Empty() {
		g.timer.Stop()
		g.prompt = l.play(sound, media.PlayOptions{})
	}
	if g.Speech && len(g.digits) == 0 {
		if err := g.listen(); err != nil {
			l.observe(call.Step{Err: err})
		}
		defer g.deafen()
	}
	return g.collect(ctx)
}

// collect waits for digits and words.
func (g *gathering) collect(ctx context.Context) (call.Gathered, error) {
	for g.SpeechOnly || len(g.digits) < max(g.MaxDigits, 1) {
		if !g.SpeechOnly {
			if d, ok := g.line.digit(); ok {
				g.hush()
				g.deafen()
				if g.press(d) {
					return g.result(true), nil
				}
				continue
			}
		}
		var pressed <-chan struct{}
		if !g.SpeechOnly {
			pressed = g.line.pressed
		}
		var played <-chan struct{}
		if g.prompt != nil {
			played = g.prompt.Done()
		}
		var frames <-chan media.Frame
		var words <-chan words
		if g.ear != nil {
			frames, words = g.ear.frames, g.speaker.words
		}
		select {
		case <-pressed:
		case <-played:
			g.hush()
			if g.speaker == nil || !g.speaker.busy() {
				g.timer.Reset(g.FirstDigit)
			}
		case <-g.timer.C:
			return g.result(false), nil
		case f := <-frames:
			if g.speaker.hear(ctx, f) {
				g.hush()
				g.timer.Stop()
			}
		case w := <-words:
			if g.understood(w) {
				return call.Gathered{Speech: w.text}, nil
			}
		case <-ctx.Done():
			g.hush()
			return call.Gathered{}, context.Cause(ctx)
		}
	}
	return g.result(false), nil
}

// understood takes what was made of an utterance, and reports whether it is something.
func (g *gathering) understood(w words) bool {
	g.speaker.asking = false
	if w.err != nil {
		g.line.observe(call.Step{Err: w.err})
	}
	if w.text == "" && !g.speaker.busy() && g.prompt == nil {
		g.timer.Reset(g.FirstDigit)
	}
	return w.text != ""
}

// press takes a digit, and reports whether it is the finish key.
func (g *gathering) press(d byte) bool {
	if string(d) == g.FinishKey {
		return true
	}
	g.digits = append(g.digits, d)
	g.timer.Reset(g.NextDigit)
	return false
}

func (g *gathering) result(finished bool) call.Gathered {
	return call.Gathered{Digits: string(g.digits), Finished: finished}
}

// hush stops the prompt.
func (g *gathering) hush() {
	g.calm()
	if g.prompt != nil {
		g.prompt.Stop()
		g.prompt = nil
	}
}
