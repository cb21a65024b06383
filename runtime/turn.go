package runtime

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime/guard"
)

// Post queues a task for the session's goroutine and reports whether the session still takes one. An error the
// task returns is fatal to the session. It may be called from any goroutine; what happens within the session queues
// with [Session.Next].
func (s *Session) Post(task func() error) bool { return s.post(task, nil) }

// Next queues a task for a turn of its own right after this one, ahead of whatever comes from outside: so the order
// of turns follows from the order of the session's inputs. On the session's goroutine.
func (s *Session) Next(task func() error) { s.own = append(s.own, task) }

func (s *Session) post(task func() error, cb *callback) bool {
	s.mu.Lock()
	if s.ended || s.closing {
		s.mu.Unlock()
		return false
	}
	if cb != nil {
		if s.waiting == nil {
			s.waiting = map[*callback]struct{}{}
		}
		s.waiting[cb] = struct{}{}
	}
	s.queue = append(s.queue, task)
	if cb != nil && s.replay != nil {
		s.replay.posted()
	}
	s.rouse()
	return true
}

// rouse has the session run if it rests. It needs s.mu, and gives it back.
func (s *Session) rouse() {
	wake := !s.running && !s.ended && !s.closing && s.replay == nil
	if wake {
		s.running = true
	}
	s.mu.Unlock()
	if wake {
		s.beginWork()
		s.rt.workers.run(s)
	}
}

// run is the session's goroutine: it lives while there is something to do.
func (s *Session) run() {
	defer s.endWork()
	for s.step() {
	}
}

// step runs the next turn and reports whether there may be another.
func (s *Session) step() bool {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return false
	}
	if s.closing {
		s.mu.Unlock()
		s.finish(nil)
		return false
	}
	task := s.take()
	if task == nil {
		if s.stuck() {
			s.own = append(s.own, s.failStuck)
			s.mu.Unlock()
			return true
		}
		s.queue, s.own = nil, nil
		s.armTimer()
		s.running = false
		s.mu.Unlock()
		return false
	}
	s.inTurn = true
	s.mu.Unlock()

	fault := s.turn(task)

	s.mu.Lock()
	s.inTurn = false
	abandoned, closing := s.ended, s.closing
	if s.fault != nil && (fault == nil || fault.Kind != s.fault.Kind) {
		fault = s.fault // else it is the same one, with the line at which it stopped the script
	}
	s.mu.Unlock()
	if abandoned {
		s.rt.strays.Add(-1)
		return false
	}
	if fault != nil || closing {
		s.finish(fault) // the turn's entries and its callbacks' outcomes go with the end
		return false
	}
	s.flush()
	s.deliver()
	s.begin()
	return true
}

// fairness is how many timers may run in a row while something waits that came from outside.
const fairness = 16

// take returns what the next turn does, or nil, and sets the time of that turn. It needs s.mu.
//
// The order is a function of what comes from outside and of when that was: first what the session itself left for
// later, then the timers that are due, then what came. Time stands still within a turn, and a timer's turn has the
// time at which it was due: so a recorded session can be run again without a note of its every turn.
func (s *Session) take() func() error {
	if len(s.own) > 0 {
		task := s.own[0]
		s.own = s.own[1:]
		return task
	}
	now := s.clock.Now().Round(0)
	if due, ok := s.timers.due(); ok && !due.After(now) {
		if len(s.queue) == 0 || s.streak < fairness || !s.now.Before(due) {
			s.streak++
			if due.After(s.now) {
				s.now = due
			}
			return s.popTimer().f
		}
		now = s.now // a session that is late for its timers is so for everything
	}
	if len(s.queue) == 0 {
		return nil
	}
	s.streak, s.now = 0, now
	task := s.queue[0]
	s.queue = s.queue[1:]
	return task
}

// turn runs one task under the watchdog and returns what is fatal to the session.
func (s *Session) turn(task func() error) (fault *Fault) {
	began := time.Now()
	s.turnBegan.Store(began.UnixNano())
	s.rt.turns.Store(s, nil)
	heap := s.rt.pressureHeap()
	s.watch()
	defer func() {
		s.watchdog.Stop()
		s.turnBegan.Store(0)
		s.rt.turns.Delete(s)
		if heap > 0 {
			s.grown.Add(s.rt.pressureHeap() - heap)
		}
		s.rt.cfg.Observer.TurnEnded(s.app, time.Since(began))
	}()
	if s.vm == nil {
		if err := s.protect(s.start); err != nil {
			return s.explain(err)
		}
	}
	if err := s.protect(task); err != nil {
		return s.explain(err)
	}
	return s.unhandledRejection()
}

// protect turns panics of native code into faults: one broken binding must not end the process.
func (s *Session) protect(f func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *goja.InterruptedError:
			err = r
		case *goja.Exception:
			err = r
		case goja.Value:
			err = thrown{r}
		case *Fault:
			err = r
		default:
			if stop, ok := guard.Interrupted(r); ok {
				err = stop
				return
			}
			s.rt.log.Error("a binding panicked", "app", s.app, "call", s.id, "panic", r, "stack", string(debug.Stack()))
			err = &Fault{Kind: FaultInternal, Message: fmt.Sprintf("a binding failed: %v", r)}
		}
	}()
	return f()
}

// watch arms the watchdog for one turn.
func (s *Session) watch() {
	if s.watchdog == nil {
		s.watchdog = time.AfterFunc(s.rt.limits.Turn, func() {
			s.interrupt(&Fault{Kind: FaultTimeout, Message: fmt.Sprintf("one turn of the script took longer than %s", s.rt.limits.Turn)})
		})
		return
	}
	s.watchdog.Reset(s.rt.limits.Turn)
}

// interrupt stops the running turn with a fault; a turn that does not come back within the grace is abandoned.
func (s *Session) interrupt(f *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.inTurn || s.ended || s.fault != nil {
		return
	}
	s.fault = f
	if s.vm != nil {
		s.stop.Set()
		s.vm.Interrupt(f)
	}
	s.grace = time.AfterFunc(s.rt.limits.Grace, func() { s.abandon(f) })
}

// abandon gives up a turn that cannot be interrupted: its callers get the fault now, the VM is never used again.
func (s *Session) abandon(f *Fault) {
	s.mu.Lock()
	if !s.inTurn || s.ended {
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	s.version.abandoned.Add(1)
	s.rt.log.Error("a turn could not be stopped and was abandoned", "app", s.app, "call", s.id, "version", s.version.ShortID())
	s.finish(f)
}

func (s *Session) beginWork() {
	if t, ok := s.clock.(WorkTracker); ok {
		t.Begin()
	}
}

func (s *Session) endWork() {
	if t, ok := s.clock.(WorkTracker); ok {
		t.End()
	}
}
