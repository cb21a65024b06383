package runtime

import (
	"context"
	"time"
)

// Clock tells a session the time and wakes it. Sessions never read the machine's clock: a virtual clock
// makes a half-hour call run in milliseconds, and a recorded one makes a replay exact.
type Clock interface {
	// Now returns the current time.
	Now() time.Time
	// AfterFunc runs f on its own goroutine once d has passed.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is a pending wake-up; Stop prevents it and reports whether it did. It is an alias, so that a clock
// written elsewhere need not import this package.
type Timer = interface{ Stop() bool }

// WorkTracker is implemented by clocks that must not advance while work is under way. A session calls Begin
// when it becomes runnable or starts an operation outside its VM (a fetch), and End when that is over. Whoever
// calls [Session.Call] or [Session.Run] in such a clock's time is at work, and rests while he waits in there.
type WorkTracker interface {
	Begin()
	End()
}

// cancelWatcher is implemented by a WorkTracker that must learn of a context's end before time may pass.
type cancelWatcher interface {
	AfterCancel(ctx context.Context, f func()) (stop func())
}

// SystemClock is the machine's clock.
var SystemClock Clock = systemClock{}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }
