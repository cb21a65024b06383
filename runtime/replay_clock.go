package runtime

import (
	"context"
	"sync"
	"time"
)

// replayClock shows the recorded time while a session is run again, and the real one afterwards. What is to happen later
// happens then.
type replayClock struct {
	real Clock

	mu     sync.Mutex
	now    time.Time
	live   bool
	timers []*replayTimer
}

type replayTimer struct {
	clock *replayClock
	due   time.Time
	f     func()
	over  bool
	real  Timer
}

// Now implements Clock.
func (c *replayClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live {
		return c.real.Now()
	}
	return c.now
}

// AfterFunc implements Clock.
func (c *replayClock) AfterFunc(d time.Duration, f func()) Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live {
		return c.real.AfterFunc(d, f)
	}
	t := &replayTimer{clock: c, due: c.now.Add(d), f: f}
	c.timers = append(c.timers, t)
	return t
}

// Stop takes the timer back.
func (t *replayTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	stopped := !t.over
	t.over = true
	if t.real != nil {
		return t.real.Stop()
	}
	return stopped
}

func (c *replayClock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

func (c *replayClock) goLive() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = true
	now := c.real.Now()
	for _, t := range c.timers {
		if !t.over {
			t.real = c.real.AfterFunc(max(0, t.due.Sub(now)), t.f)
		}
	}
	c.timers = nil
}

// Begin implements WorkTracker.
func (c *replayClock) Begin() {
	if t, ok := c.real.(WorkTracker); ok {
		t.Begin()
	}
}

// End implements WorkTracker.
func (c *replayClock) End() {
	if t, ok := c.real.(WorkTracker); ok {
		t.End()
	}
}

// AfterCancel implements cancelWatcher.
func (c *replayClock) AfterCancel(ctx context.Context, f func()) (stop func()) {
	if t, ok := c.real.(cancelWatcher); ok {
		return t.AfterCancel(ctx, f)
	}
	return func() {}
}
