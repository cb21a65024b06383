package runtime

import (
	"cmp"
	"slices"
	"time"
)

// hibernate lets resting sessions end whose owner can rebuild them when they are needed again: a quarter of those that
// may, the oldest first. It returns how many were asked.
func (rt *Runtime) hibernate() int {
	var resting []*Session
	for _, s := range rt.Sessions() {
		if s.hibernates != nil && s.resting() {
			resting = append(resting, s)
		}
	}
	slices.SortFunc(resting, func(a, b *Session) int { return cmp.Or(a.born.Compare(b.born), cmp.Compare(a.id, b.id)) })
	resting = resting[:(len(resting)+3)/4]
	for _, s := range resting {
		s.Hibernate()
	}
	if len(resting) > 0 {
		rt.log.Warn("memory is short: resting sessions hibernate", "sessions", len(resting))
	}
	return len(resting)
}

// rest has a session that can be rebuilt end without an end in its journal, whatever it does now: it goes on in another
// process.
func (s *Session) rest() {
	if s.hibernates == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asleep = true
}

// Hibernate ends the session if it rests and its owner can rebuild it (see [SessionConfig].Hibernate); else it does
// nothing.
func (s *Session) Hibernate() {
	s.Post(func() error {
		s.mu.Lock()
		idle := len(s.waiting) == 0 && len(s.queue) == 0 && len(s.own) == 0
		s.mu.Unlock()
		if !idle || s.hibernates == nil || s.unrepeatable || s.ops > s.deferred {
			return nil
		}
		var wake time.Time
		if due, ok := s.timers.due(); ok {
			wake = due
		}
		if s.hibernates(wake) {
			s.rest()
			s.Close("hibernated")
		}
		return nil
	})
}
