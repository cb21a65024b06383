package nodetest

import (
	"slices"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/runtime"
)

// Clock is a virtual clock: when nothing is under way it jumps to the next timer, if that is due within a minute.
// It starts at 2020-01-01T00:00:00Z. The test that made it counts as work, except while it waits in a session's
// Call; a test that waits for something else calls End first.
type Clock struct {
	mu     sync.Mutex
	now    time.Time
	work   int
	timers []*timer
}

type timer struct {
	clock *Clock
	due   time.Time
	f     func()
}

// NewClock returns a virtual clock.
func NewClock() *Clock {
	return &Clock{now: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), work: 1}
}

// Now implements runtime.Clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc implements runtime.Clock.
func (c *Clock) AfterFunc(d time.Duration, f func()) runtime.Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &timer{c, c.now.Add(d), f}
	c.timers = append(c.timers, t)
	return t
}

// Stop takes the timer back.
func (t *timer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	i := slices.Index(t.clock.timers, t)
	if i < 0 {
		return false
	}
	t.clock.timers = slices.Delete(t.clock.timers, i, i+1)
	return true
}

// Begin implements runtime.WorkTracker.
func (c *Clock) Begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.work++
}

// End implements runtime.WorkTracker.
func (c *Clock) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.work--; c.work > 0 || len(c.timers) == 0 {
		return
	}
	next := slices.MinFunc(c.timers, func(a, b *timer) int { return a.due.Compare(b.due) })
	if next.due.Sub(c.now) > time.Minute {
		return
	}
	c.timers = slices.Delete(c.timers, slices.Index(c.timers, next), slices.Index(c.timers, next)+1)
	if next.due.After(c.now) {
		c.now = next.due
	}
	c.work++
	go func() {
		next.f()
		c.End()
	}()
}
