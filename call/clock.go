package call

import "time"

// Clock is the time a performer and a driver live in: the machine's, or a virtual one that jumps to the next
// thing due whenever nobody is at work.
type Clock interface {
	// Now returns the current time.
	Now() time.Time
	// AfterFunc runs f on its own goroutine once d has passed; Stop on what it returns prevents that.
	AfterFunc(d time.Duration, f func()) interface{ Stop() bool }
}

// SystemClock is the machine's clock.
var SystemClock Clock = systemClock{}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) interface{ Stop() bool } {
	return time.AfterFunc(d, f)
}
