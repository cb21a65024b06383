package runtime

import (
	"context"

	"github.com/dop251/goja"
)

// Scope is a part of a session's life that may be over before the session is, such as a call whose session still cleans
// up. What a script begins belongs to the scope of what began it, however many promises and timers lie in between; what a
// module begins in a task of its own, such as a listener, belongs to the session.
type Scope interface {
	// Life returns a context that ends with the scope, and with the session; nil where the scope is over already. It is
	// called on the session's goroutine.
	Life() context.Context
	// Err returns what scripts are to see of the scope's end; nil while it lasts. It may be called from any goroutine.
	Err() error
}

// Within runs f in a scope. On the session's goroutine.
func (s *Session) Within(scope Scope, f func() (goja.Value, error)) (goja.Value, error) {
	defer s.enter(scope)()
	return f()
}

// Scope returns the scope of what runs now, or nil where that belongs to the session alone. On the session's goroutine.
func (s *Session) Scope() Scope { return s.scope }

// scoped returns a task that runs f in the scope of what runs now.
func (s *Session) scoped(f func() error) func() error {
	scope := s.scope
	if scope == nil {
		return f
	}
	return func() error {
		defer s.enter(scope)()
		return f()
	}
}

// enter makes a scope that of what runs, until leave.
func (s *Session) enter(scope Scope) (leave func()) {
	outer, was := s.outer, s.scope
	s.outer, s.scope = scope, scope
	return func() { s.outer, s.scope = outer, was }
}

// scopes carries the session's scope through the reactions of promises.
type scopes struct{ s *Session }

var _ goja.AsyncContextTracker = scopes{}

// Grab implements goja.AsyncContextTracker.
func (t scopes) Grab() any { return t.s.scope }

// Resumed implements goja.AsyncContextTracker.
func (t scopes) Resumed(scope any) { t.s.scope, _ = scope.(Scope) }

// Exited implements goja.AsyncContextTracker.
func (t scopes) Exited() { t.s.scope = t.s.outer }
