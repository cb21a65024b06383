package call

import (
	"context"
	"slices"
	"sync"
)

// floor is the right to use a call's line. Whoever waits for it gets it in turn.
type floor struct {
	clock Clock

	mu     sync.Mutex
	free   bool
	closed bool // nobody gets it any more
	queue  []*turn
}

// turn is somebody who waits. It is told once: that it has the floor, or why it will not get it.
type turn struct {
	ch   chan struct{}
	err  error
	told bool
}

// take waits for the floor, until ctx ends or the floor is closed.
func (f *floor) take(ctx context.Context) error {
	f.mu.Lock()
	switch {
	case f.closed:
		f.mu.Unlock()
		return ErrOver
	case f.free:
		f.free = false
		f.mu.Unlock()
		return nil
	}
	t := &turn{ch: make(chan struct{})}
	f.queue = append(f.queue, t)
	f.mu.Unlock()
	defer whenOver(f.clock, ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if !t.told {
			f.queue = slices.DeleteFunc(f.queue, func(o *turn) bool { return o == t })
			f.tell(t, context.Cause(ctx))
		}
	})()
	rest(f.clock)
	<-t.ch
	return t.err
}

// tell wakes somebody who waits, and has left the queue. Needs f.mu.
func (f *floor) tell(t *turn, err error) {
	t.told, t.err = true, err
	work(f.clock) // its own, which it took back before it waited
	close(t.ch)
}

// leave gives the floor to the next.
func (f *floor) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) == 0 {
		f.free = true
		return
	}
	t := f.queue[0]
	f.queue = f.queue[1:]
	f.tell(t, nil)
}

// close lets nobody have the floor any more.
func (f *floor) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for _, t := range f.queue {
		f.tell(t, ErrOver)
	}
	f.queue = nil
}

// workTracker is a clock that jumps when nobody is at work.
type workTracker interface {
	Begin()
	End()
}

// rest tells a virtual clock that a goroutine waits for another one of the call; work that it no longer does, which
// whoever wakes it says.
func rest(c Clock) {
	if t, ok := c.(workTracker); ok {
		t.End()
	}
}

func work(c Clock) {
	if t, ok := c.(workTracker); ok {
		t.Begin()
	}
}

// beside does something on a goroutine of its own, at work; wait waits for its end.
func beside(c Clock, do func() error) (wait func() error) {
	var mu sync.Mutex
	var done, waits bool
	told := make(chan error, 1)
	work(c)
	go func() {
		defer rest(c)
		err := do()
		mu.Lock()
		defer mu.Unlock()
		if done = true; waits {
			work(c)
		}
		told <- err
	}()
	return func() error {
		mu.Lock()
		waits = !done
		mu.Unlock()
		if waits {
			rest(c)
		}
		return <-told
	}
}

// whenOver has f called when ctx ends, until stop is called: with a virtual clock before any more time passes.
func whenOver(c Clock, ctx context.Context, f func()) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	if w, ok := c.(interface {
		AfterCancel(ctx context.Context, f func()) (stop func())
	}); ok {
		return w.AfterCancel(ctx, f)
	}
	undo := context.AfterFunc(ctx, f)
	return func() { undo() }
}
