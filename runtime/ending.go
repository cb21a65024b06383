package runtime

import "encoding/json"

// Fail ends the session with a fault, as if the script had broken a rule.
func (s *Session) Fail(f *Fault) {
	s.Post(func() error { return f })
}

// Close ends the session in good order: pending operations are cancelled, timers dropped, callbacks still under
// way fail with FaultClosed. A running turn is allowed to end first. The reason goes into the journal.
func (s *Session) Close(reason string) {
	s.mu.Lock()
	if s.ended || s.closing {
		s.mu.Unlock()
		return
	}
	s.closing = true
	s.reason = reason
	running := s.running
	s.running = true
	s.mu.Unlock()
	if !running {
		s.beginWork()
		s.finish(nil)
		s.endWork()
	}
}

// finish ends the session: once, from whichever goroutine comes first.
func (s *Session) finish(f *Fault) {
	now := s.clock.Now()
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended = true
	if f != nil {
		s.fault = f
		data, _ := json.Marshal(f)
		s.record(now, "fault", data)
	}
	end, _ := json.Marshal(map[string]string{"reason": s.endReason(f)})
	if !s.dry {
		s.record(now, "end", end)
	}
	s.queue = nil
	abandoned := s.inTurn
	if abandoned {
		s.rt.strays.Add(1) // until its goroutine comes back
	}
	cancel := s.cancel
	waiting := s.waiting
	s.waiting = nil
	s.mu.Unlock()

	if f != nil && !s.dry {
		s.rt.cfg.Observer.Faulted(s.app, f.Kind)
		s.Logger().Error("script fault", "kind", f.Kind, "at", f.Position.String(), "error", f.Error(), "source", f.Position.Source)
	}
	s.flush()
	if s.grace != nil {
		s.grace.Stop()
	}
	if s.lifetime != nil {
		s.lifetime.Stop()
	}
	if cancel != nil {
		cancel(errEnded)
	}
	closed := f
	if closed == nil {
		closed = &Fault{Kind: FaultClosed, Message: "the session ended: " + s.endReason(nil)}
	}
	for cb := range waiting {
		cb.settle(closed)
	}
	if !abandoned {
		s.timers.stop()
		s.rt.realms.giveBack(s, f == nil)
		s.vm = nil
		s.exports = nil
		s.instances = nil
		s.globals = nil
		s.imported = nil
	}
	s.mu.Lock()
	s.released = true
	s.mu.Unlock()
	if !s.dry {
		s.version.sessions.Add(-1)
		s.rt.dismiss(s)
	}
	s.version.release()
	close(s.done)
}

func (s *Session) endReason(f *Fault) string {
	switch {
	case f != nil:
		return string(f.Kind)
	case s.reason != "":
		return s.reason
	default:
		return "closed"
	}
}
