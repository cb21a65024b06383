package call

import (
	"context"
	"errors"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// live carries verbs out with the call's control.
type live struct {
	session *runtime.Session
	control *call.Control // nil: the call was over before its first verb
	other   bool          // the call is not the script's own
	turns   turns         // of the verbs that use the line
	over    turns         // of sounds over a conversation
	quick   turns         // of verbs that take no time
	holds   turns
}

// carry implements carrier.
func (l *live) carry(t task) goja.Value {
	s := l.session
	if !s.DryRun() {
		s.Prolong()
	}
	if t.audio {
		s.Unrepeatable("the script works on the call's audio, which is not recorded")
	}
	ended := func() {}
	wait := func(begin func()) {
		others := &l.turns
		switch {
		case t.turn == aside:
			begin()
			return
		case t.turn == inOrder:
			others = &l.quick
		case t.turn == holding:
			others = &l.holds
		case t.turn == sound && l.control != nil && l.control.State().Status == call.StatusBridged:
			others = &l.over
		}
		ended = others.next
		others.take(begin)
	}
	return runtime.Operate(s, runtime.Operation[outcome]{
		Begin: "verb", End: "verb_end", Asks: t.entry(), Wait: wait, Plain: true,
		Do: func(ctx context.Context) (outcome, error) {
			if l.control == nil {
				return nil, call.ErrOver
			}
			return t.live(ctx, l.control)
		},
		Note: func(_ outcome, err error) any { return t.entry().ended(err) },
		Value: func(made outcome, err error) (goja.Value, error) {
			ended()
			if err != nil {
				return nil, l.scriptError(err)
			}
			return made(), nil
		},
	})
}

// scriptError is scriptError for a call whose end need not be that of the script.
func (l *live) scriptError(err error) error {
	err = scriptError(err)
	var known *runtime.ScriptError
	if l.other && errors.As(err, &known) && known.End {
		mine := *known
		mine.End = false
		return &mine
	}
	return err
}

// ask implements carrier.
func (l *live) ask(t task, g call.Gather, took func(call.Gathered, error)) {
	s := l.session
	s.Prolong()
	runtime.Operate(s, runtime.Operation[call.Gathered]{
		Begin: "verb", End: "verb_end", Asks: t.entry(), Unpromised: true,
		Wait: func(begin func()) {
			if g.Attempt > 1 {
				l.turns.again(begin)
				return
			}
			l.turns.take(begin)
		},
		Do: func(ctx context.Context) (call.Gathered, error) {
			if l.control == nil {
				return call.Gathered{}, scriptError(call.ErrOver)
			}
			got, err := l.control.Gather(ctx, g)
			return got, scriptError(err) // what the journal keeps of it
		},
		Note: func(got call.Gathered, err error) any { return t.entry().gathered(got, err) },
		Value: func(got call.Gathered, err error) (goja.Value, error) {
			took(got, err)
			l.turns.next()
			return goja.Undefined(), nil
		},
	})
}

// turns has the verbs that use the line begin in the order in which the script called them, each when the one before is
// done. Goroutines that meet only in package call would come there in any order. Owned by the session's goroutine.
type turns struct {
	taken   bool
	waiting []func()
}

// take begins something now, or when those before it are done; it must call next at its end.
func (t *turns) take(begin func()) {
	if t.taken {
		t.waiting = append(t.waiting, begin)
		return
	}
	t.taken = true
	begin()
}

// again is take for what has begun before: it comes ahead of those that wait.
func (t *turns) again(begin func()) {
	if t.taken {
		t.waiting = append([]func(){begin}, t.waiting...)
		return
	}
	t.take(begin)
}

func (t *turns) next() {
	if len(t.waiting) == 0 {
		t.taken = false
		return
	}
	begin := t.waiting[0]
	t.waiting = t.waiting[1:]
	begin()
}
