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
	s.mu.Lock()
	now := s.time()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended = true
	if f != nil {
		s.fault = f
		data, _ := json.Marshal(f)
		s.record(Entry{Time: now, Kind: "fault", Data: data})
	}
	end, _ := json.Marshal(map[string]string{"reason": s.endReason(f)})
	if !s.dry && !s.asleep {
		s.record(Entry{Time: now, Kind: "end", Data: end})
	}
	s.queue = nil
	abandoned := s.inTurn
	if abandoned {
		s.rt.strays.Add(1) // until its goroutine comes back
	}
	cancel := s.cancel
	waiting := s.waiting
	s.waiting = nil
	if s.timers.wake != nil {
		s.timers.wake.Stop()
	}
	s.mu.Unlock()

	if f != nil && !s.dry && s.replay == nil {
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
		s.timers.list, s.own, s.starting = nil, nil, nil
		s.rt.realms.giveBack(s, f == nil)
		s.vm = nil
		s.exports = nil
		s.instances = nil
		s.globals = nil
		s.imported = nil
		s.guard, s.rejected, s.ends, s.settled, s.values = nil, nil, nil, nil, nil
		s.scope, s.outer = nil, nil
		if s.letGo != nil {
			s.letGo()
		}
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
