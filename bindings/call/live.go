package call

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// live carries verbs out with the call's control.
type live struct {
	session *runtime.Session
	control *call.Control
	turns   turns // of the verbs that use the line
	over    turns // of sounds over a conversation
}

// carry implements carrier.
func (l *live) carry(t task) goja.Value {
	s := l.session
	promise, settle := s.Promise()
	if s.DryRun() {
		return promise
	}
	s.Prolong()
	s.Record("verb", verbEntry{Verb: t.verb})
	begin := func(ended func()) {
		ctx, done := s.Context(), s.Work()
		go func() { // ends with the session's context
			defer done()
			made, err := t.live(ctx, l.control)
			settle(func() (goja.Value, error) {
				ended()
				if err != nil {
					s.Record("verb_end", verbEntry{Verb: t.verb, Error: err.Error()})
					return nil, scriptError(err)
				}
				s.Record("verb_end", verbEntry{Verb: t.verb})
				return made(), nil
			})
		}()
	}
	if t.turn == aside {
		begin(func() {})
		return promise
	}
	others := &l.turns
	if t.turn == sound && l.control.State().Status == call.StatusBridged {
		others = &l.over
	}
	others.take(func() { begin(others.next) })
	return promise
}

// ask implements carrier.
func (l *live) ask(g call.Gather, took func(call.Gathered, error)) {
	s := l.session
	s.Prolong()
	take := l.turns.take
	if g.Attempt > 1 {
		take = l.turns.again
	}
	take(func() {
		ctx, done := s.Context(), s.Work()
		go func() { // ends with the session's context
			defer done()
			got, err := l.control.Gather(ctx, g)
			s.Post(func() error {
				took(got, err)
				l.turns.next()
				return nil
			})
		}()
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
