package sim

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Clock is virtual time. It stands still while anybody is at work and jumps to the next timer when nobody is,
// so that a half-hour call takes milliseconds and runs the same way every time. It only moves while a simulated
// call is under way or somebody is in Advance.
//
// A handler is at work while one of its methods runs: code that waits for time in there must say so, with [Clock.Sleep]
// or as a runtime.Session does, or time stands still for it.
//
// A Clock is a [call.Clock], a runtime.Clock and a runtime.WorkTracker. It starts no goroutine that outlives the
// work it was started for.
type Clock struct {
	mu     sync.Mutex
	now    time.Time
	timers timerHeap
	seq    uint64
	busy   int // who is at work
	movers int // simulated calls under way
	alarms map[*alarm]struct{}
}

// Epoch is where virtual time begins when nobody says otherwise: a Monday morning.
var Epoch = time.Date(2026, time.January, 5, 9, 0, 0, 0, time.UTC)

// NewClock returns a clock that shows start, or Epoch when start is zero.
func NewClock(start time.Time) *Clock {
	if start.IsZero() {
		start = Epoch
	}
	return &Clock{now: start}
}

// Now returns the virtual time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc runs f on its own goroutine once d of virtual time has passed. Timers run one after the other, by due
// time and then by age; f counts as work.
func (c *Clock) AfterFunc(d time.Duration, f func()) interface{ Stop() bool } {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	t := &timer{clock: c, due: c.now.Add(max(d, 0)), seq: c.seq, f: f}
	heap.Push(&c.timers, t)
	c.changed()
	return t
}

// Begin says that somebody is at work: time stands still until the matching End.
func (c *Clock) Begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy++
	c.changed()
}

// End takes back one Begin. It panics without one.
func (c *Clock) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy == 0 {
		panic("sim: Clock.End without Begin")
	}
	c.busy--
	c.changed()
}

// Advance lets d of virtual time pass and returns when it has; the timers due in it ran, in order. The caller
// must not be at work.
func (c *Clock) Advance(d time.Duration) {
	reached := make(chan struct{})
	c.AfterFunc(d, func() {
		c.pause()
		close(reached)
	})
	c.move()
	<-reached
}

// Start lets time run, also while no call is under way, until stop is called. The caller need not be at work.
func (c *Clock) Start() (stop func()) {
	c.move()
	return sync.OnceFunc(c.pause)
}

// Set puts the clock to another time at once. What waits for time goes on to wait as long as it had to.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	by := t.Sub(c.now)
	c.now = t
	for _, timer := range c.timers {
		timer.due = timer.due.Add(by)
	}
}

// Sleep lets d of virtual time pass for a caller who is at work, such as a handler. It returns early, with the
// context's cause, when ctx ends.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	g := c.newGate()
	t := c.AfterFunc(d, g.open)
	undo := c.AfterCancel(ctx, g.open)
	g.wait()
	undo()
	t.Stop()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// alarm is what to do when a context ends.
type alarm struct {
	ctx context.Context
	f   func()
}

// AfterCancel has f run when ctx ends, until stop is called. Unlike context.AfterFunc it leaves no moment in which
// time could pass: a context that a simulated call ends has run its f when the hang-up is over.
func (c *Clock) AfterCancel(ctx context.Context, f func()) (stop func()) {
	a := &alarm{ctx, sync.OnceFunc(f)}
	c.mu.Lock()
	if c.alarms == nil {
		c.alarms = map[*alarm]struct{}{}
	}
	c.alarms[a] = struct{}{}
	c.mu.Unlock()
	undo := context.AfterFunc(ctx, func() { // for contexts that somebody else ends
		c.Begin()
		defer c.End()
		a.f()
	})
	return func() {
		undo()
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.alarms, a)
	}
}

// raise runs what waits for contexts that have ended. The caller is at work.
func (c *Clock) raise() {
	var due []*alarm
	c.mu.Lock()
	for a := range c.alarms {
		if a.ctx.Err() != nil {
			due = append(due, a)
			delete(c.alarms, a)
		}
	}
	c.mu.Unlock()
	for _, a := range due {
		a.f()
	}
}

// move lets time run until the matching pause.
func (c *Clock) move() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.movers++
	c.changed()
}

func (c *Clock) pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.movers--
}

// changed moves time on when nobody is at work, and nobody is about to because a context has ended. It needs c.mu.
func (c *Clock) changed() {
	if c.busy > 0 || c.movers == 0 {
		return
	}
	for a := range c.alarms {
		if a.ctx.Err() == nil {
			continue
		}
		delete(c.alarms, a)
		c.busy++
		go func() {
			defer c.End()
			a.f()
		}()
		return
	}
	if len(c.timers) > 0 {
		c.fire()
	}
}

// fire runs the next timer. It needs c.mu and an idle clock.
func (c *Clock) fire() {
	t := heap.Pop(&c.timers).(*timer)
	if t.due.After(c.now) {
		c.now = t.due
	}
	c.busy++
	go func() {
		defer c.End()
		t.f()
	}()
}

// gate is where one goroutine that is at work rests until somebody opens it.
type gate struct {
	clock *Clock
	once  sync.Once
	ch    chan struct{}
}

func (c *Clock) newGate() *gate { return &gate{clock: c, ch: make(chan struct{})} }

// open wakes the goroutine at the gate. Whoever opens is at work or a timer; the work of the woken begins here.
func (g *gate) open() {
	g.once.Do(func() {
		g.clock.Begin()
		close(g.ch)
	})
}

// wait ends the caller's work until the gate opens. A gate is waited at exactly once.
func (g *gate) wait() {
	g.clock.End()
	<-g.ch
}

type timer struct {
	clock *Clock
	due   time.Time
	seq   uint64
	index int
	f     func()
}

// Stop prevents the timer from running and reports whether it did.
func (t *timer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	if t.index < 0 {
		return false
	}
	heap.Remove(&t.clock.timers, t.index)
	return true
}

// timerHeap orders timers by due time, then by age.
type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	return h[i].seq < h[j].seq
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *timerHeap) Pop() any {
	t := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	t.index = -1
	return t
}

// Timers returns how many timers wait.
func (c *Clock) Timers() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.timers)
}
