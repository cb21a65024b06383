package websocket

import (
	"time"

	"github.com/piopiy/piopiyd/runtime"
)

// paceStep is how far simulated time may run ahead of the machine's while a socket is open.
const paceStep = 10 * time.Millisecond

// pace keeps simulated time from running faster than the machine's, which is also the server's, until done is closed.
// Time that is the machine's own needs no pace. A timer of a simulated clock counts as work while it runs: that is what
// holds time back, a step at a time.
func pace(s *runtime.Session, done <-chan struct{}) {
	clock := s.Clock()
	if _, ok := clock.(runtime.WorkTracker); !ok {
		return
	}
	last := time.Now()
	var step func()
	step = func() {
		rest := time.NewTimer(max(0, paceStep-time.Since(last)))
		defer rest.Stop()
		select {
		case <-rest.C:
		case <-done:
			return
		}
		last = time.Now()
		clock.AfterFunc(paceStep, step)
	}
	clock.AfterFunc(paceStep, step)
}
