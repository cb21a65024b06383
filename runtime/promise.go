package runtime

import (
	"context"
	"fmt"

	"github.com/dop251/goja"
)

// Promise makes a promise for an operation outside the VM. settle must be called exactly once, from any
// goroutine; its function runs on the session's goroutine and returns the value or the error to reject with.
// After the session's end settle does nothing. On the session's goroutine.
//
// It panics with a RangeError, which the script sees, when too many operations are pending.
func (s *Session) Promise() (promise goja.Value, settle func(outcome func() (goja.Value, error))) {
	return s.pending(func(task func() error) { s.Post(task) })
}

// Deferred is Promise for what the session's own inputs will settle: settle may be called on the session's goroutine
// only, and its function runs in a turn right after that one.
func (s *Session) Deferred() (promise goja.Value, settle func(outcome func() (goja.Value, error))) {
	promise, settle = s.pending(func(task func() error) {
		s.Next(func() error {
			s.deferred--
			return task()
		})
	})
	s.deferred++
	return promise, settle
}

// pending makes a promise that is settled in a turn of its own, which queue brings about.
func (s *Session) pending(queue func(task func() error)) (promise goja.Value, settle func(outcome func() (goja.Value, error))) {
	s.expect()
	p, resolve, reject := s.vm.NewPromise()
	scope := s.scope
	return s.vm.ToValue(p), func(outcome func() (goja.Value, error)) {
		queue(func() error {
			defer s.enter(scope)()
			s.ops--
			v, err := outcome()
			if err != nil {
				return reject(s.ErrorValue(err))
			}
			return resolve(v)
		})
	}
}

// expect counts an operation in.
func (s *Session) expect() {
	if s.ops >= s.rt.limits.Pending {
		panic(s.NewError("RangeError", fmt.Sprintf("too many operations are pending at once (limit %d)", s.rt.limits.Pending)))
	}
	s.ops++
}

// unpromised is Promise without a promise: nobody waits for the outcome, whose error is fatal to the session.
func (s *Session) unpromised() (settle func(outcome func() (goja.Value, error))) {
	s.expect()
	scope := s.scope
	return func(outcome func() (goja.Value, error)) {
		s.Post(func() error {
			defer s.enter(scope)()
			s.ops--
			_, err := outcome()
			return err
		})
	}
}

// Go runs work on a goroutine of its own and returns a promise for its outcome, which the journal does not keep: what a
// script may wait for in a call is an [Operation]. work must end when its context
// does, which is at the session's end at the latest; the function it returns runs on the session's goroutine.
// On the session's goroutine. In a dry run nothing is started and the promise stays pending.
func (s *Session) Go(work func(ctx context.Context) (outcome func() (goja.Value, error))) goja.Value {
	promise, settle := s.Promise()
	if s.dry {
		return promise
	}
	ctx := s.Context()
	s.beginWork()
	go func() {
		defer s.endWork()
		settle(work(ctx))
	}()
	return promise
}

// Hold keeps the session from counting as stuck while something outside the VM, such as an open socket, may
// still wake it. The returned function lets go; it may be called from any goroutine, once. On the session's
// goroutine.
func (s *Session) Hold() (release func()) {
	s.ops++
	done := s.Work()
	return func() {
		s.Post(func() error { s.ops--; return nil })
		done()
	}
}

// Work tells a virtual clock of work outside the VM, until done is called. It may be called from any goroutine.
func (s *Session) Work() (done func()) {
	s.beginWork()
	return s.endWork
}
