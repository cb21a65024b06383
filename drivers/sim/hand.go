package sim

import (
	"slices"
	"time"

	"github.com/piopiy/piopiyd/call"
)

// Controller follows a call while it is under way and acts for its caller, step by step, in place of [Caller].Press.
// Its methods are called on the goroutines of the call, time standing still, and must return without waiting: an
// action is something to do in work of one's own (see [Clock.Begin]), with the [Hand].
type Controller interface {
	// Began hands over the caller of a call that begins. It is called once, before all others.
	Began(*Hand)
	// Happened tells of an entry of the transcript, in order. The hand must not be used in there.
	Happened(Entry)
	// Dialled is asked what becomes of a leg that is dialled, once all work that earlier entries gave rise to is done.
	// With false it is what Callees and Callee say.
	Dialled(to string) (Callee, bool)
	// Rung is asked what becomes of an outbound call when the party's phone rings. With false it is what Party says.
	Rung() (Callee, bool)
	// Over tells that the call is over and all that it reported was delivered. It is called once, after all others.
	Over(*Transcript)
}

// Hand acts for a caller. Whoever uses it is at work; nothing it does happens in the same moment, for a caller needs
// time to think. Once the call is over it does nothing.
type Hand struct{ line *line }

// Press presses keys one after the other: 0 to 9, *, # and A to D. The first comes after a time, or with 0 shortly after
// the end of what the caller hears now. taken, where it is not nil, is called when the app has taken the last of them,
// which may never be; it must not wait.
func (h *Hand) Press(keys string, after time.Duration, taken func()) {
	if keys == "" {
		return
	}
	h.line.soon(func() {
		at := h.line.moment(after)
		presses := make([]*keyPress, len(keys))
		for i := range len(keys) {
			presses[i] = &keyPress{at: at.Add(time.Duration(i) * keyTime), key: keys[i]}
		}
		presses[len(presses)-1].taken = taken
		h.line.press(presses...)
	})
}

// Say says words; the times, and taken, are as in Press.
func (h *Hand) Say(words string, after time.Duration, taken func()) {
	h.line.soon(func() { h.line.press(&keyPress{at: h.line.moment(after), words: words, taken: taken}) })
}

// Hangup hangs up after a time, or with 0 once the caller has thought.
func (h *Hand) Hangup(after time.Duration) {
	if after <= 0 {
		after = thinkTime
	}
	h.line.clock.AfterFunc(after, func() { h.line.end(call.SideCaller, call.CauseNormal, "") })
}

// soon does something once all work of this moment is done, so that it makes no difference whose was done first.
func (l *line) soon(f func()) { l.clock.AfterFunc(0, f) }

// moment is when the caller acts.
func (l *line) moment(after time.Duration) time.Time {
	now := l.clock.Now()
	if after > 0 {
		return now.Add(after)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.soundEnd.After(now) {
		now = l.soundEnd
	}
	return now.Add(thinkTime)
}

// press adds what the caller will press, and wakes whoever waits for it.
func (l *line) press(keys ...*keyPress) {
	now := l.clock.Now()
	l.mu.Lock()
	l.keys = append(l.keys, keys...)
	slices.SortStableFunc(l.keys, func(a, b *keyPress) int { return a.at.Compare(b.at) })
	fresh := l.fresh
	l.fresh = nil
	l.mu.Unlock()
	for _, k := range keys {
		l.clock.AfterFunc(k.at.Sub(now), func() { l.happens(k) })
	}
	if fresh != nil {
		fresh.open()
	}
}

// settle lets a controller act on what it was told before the call goes on in the same moment.
func (l *line) settle() {
	if l.who.Controller != nil {
		g := l.clock.newGate()
		l.clock.AfterFunc(0, g.open)
		g.wait()
	}
}
