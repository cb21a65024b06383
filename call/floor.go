package call

import (
	"context"
	"sync"
)

// floor is the right to use a call's line. Whoever waits for it gets it in turn.
type floor struct {
	clock Clock

	mu    sync.Mutex
	free  bool
	queue []*turn
}

// turn is somebody who waits; granted is guarded by floor.mu.
type turn struct {
	ch      chan struct{}
	granted bool
}

// take waits for the floor, until ctx ends or over is closed.
func (f *floor) take(ctx context.Context, over <-chan struct{}) error {
	f.mu.Lock()
	if f.free {
		f.free = false
		f.mu.Unlock()
		return nil
	}
	t := &turn{ch: make(chan struct{})}
	f.queue = append(f.queue, t)
	f.mu.Unlock()
	rest(f.clock)
	err := ErrOver
	select {
	case <-t.ch:
		return nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-over:
	}
	f.mu.Lock()
	granted := t.granted
	if !granted {
		for i, other := range f.queue {
			if other == t {
				f.queue = append(f.queue[:i], f.queue[i+1:]...)
				break
			}
		}
		work(f.clock)
	}
	f.mu.Unlock()
	if granted {
		f.leave()
	}
	return err
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
	t.granted = true
	work(f.clock)
	close(t.ch)
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
