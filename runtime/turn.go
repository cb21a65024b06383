package runtime

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime/guard"
)

// Post queues a task for the session's goroutine and reports whether the session still takes one. An error the
// task returns is fatal to the session.
func (s *Session) Post(task func() error) bool { return s.post(task, nil) }

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
	wake := !s.running
	s.running = true
	s.mu.Unlock()
	if wake {
		s.beginWork()
		s.rt.workers.run(s)
	}
	return true
}

// run is the session's goroutine: it lives while there is something to do.
func (s *Session) run() {
	defer s.endWork()
	for {
		s.mu.Lock()
		if s.ended {
			s.mu.Unlock()
			return
		}
		if s.closing {
			s.mu.Unlock()
			s.finish(nil)
			return
		}
		if len(s.queue) == 0 {
			if s.stuck() {
				s.queue = append(s.queue, s.failStuck)
				s.mu.Unlock()
				continue
			}
			s.queue = nil
			s.running = false
			s.mu.Unlock()
			return
		}
		task := s.queue[0]
		s.queue = s.queue[1:]
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
			return
		}
		if fault != nil || closing {
			s.finish(fault) // the turn's entries and its callbacks' outcomes go with the end
			return
		}
		s.flush()
		s.deliver()
	}
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
