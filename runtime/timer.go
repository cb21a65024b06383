package runtime

import (
	"container/heap"
	"fmt"
	"time"
)

// AfterFunc runs f on the session's goroutine once d has passed, in a turn of its own; timers due at the same
// time run in the order they were made. The returned function cancels it. On the session's goroutine.
//
// It panics with a RangeError, which the script sees, when too many timers are pending.
func (s *Session) AfterFunc(d time.Duration, f func() error) (cancel func()) {
	if s.timers.len() >= s.rt.limits.Timers {
		panic(s.NewError("RangeError", fmt.Sprintf("too many timers are pending (limit %d)", s.rt.limits.Timers)))
	}
	if s.dry {
		return func() {}
	}
	t := &sessionTimer{due: s.now.Add(max(d, 0)), f: s.scoped(f)}
	s.timers.add(t)
	return func() {
		if t.index >= 0 {
			heap.Remove(&s.timers, t.index)
		}
	}
}

// Pending returns how many timers and operations outside the VM the session waits for. On the session's
// goroutine.
func (s *Session) Pending() int { return s.ops + s.timers.len() }

// armTimer makes sure the clock wakes the resting session for its earliest timer. It needs s.mu.
func (s *Session) armTimer() {
	q := &s.timers
	if q.len() == 0 || s.replay != nil {
		return
	}
	due := q.list[0].due
	if q.wake != nil {
		if !due.Before(q.wakeAt) {
			return
		}
		q.wake.Stop()
	}
	q.wakeAt = due
	var mine Timer
	mine = s.clock.AfterFunc(due.Sub(s.clock.Now()), func() {
		s.mu.Lock()
		if q.wake == mine {
			q.wake = nil
		}
		s.rouse()
	})
	q.wake = mine
}

// popTimer takes the earliest timer off.
func (s *Session) popTimer() *sessionTimer { return heap.Pop(&s.timers).(*sessionTimer) }

type sessionTimer struct {
	due   time.Time
	seq   uint64
	index int
	f     func() error
}

// timerQueue orders a session's timers by due time, then by age.
type timerQueue struct {
	list   []*sessionTimer
	seq    uint64
	wake   Timer
	wakeAt time.Time
}

func (q *timerQueue) len() int { return len(q.list) }

func (q *timerQueue) add(t *sessionTimer) {
	q.seq++
	t.seq = q.seq
	heap.Push(q, t)
}

// due returns when the earliest timer is due.
func (q *timerQueue) due() (at time.Time, ok bool) {
	if len(q.list) == 0 {
		return time.Time{}, false
	}
	return q.list[0].due, true
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (q *timerQueue) Len() int { return len(q.list) }

func (q *timerQueue) Less(i, j int) bool {
	a, b := q.list[i], q.list[j]
	if a.due.Equal(b.due) {
		return a.seq < b.seq
	}
	return a.due.Before(b.due)
}

func (q *timerQueue) Swap(i, j int) {
	q.list[i], q.list[j] = q.list[j], q.list[i]
	q.list[i].index, q.list[j].index = i, j
}

func (q *timerQueue) Push(x any) {
	t := x.(*sessionTimer)
	t.index = len(q.list)
	q.list = append(q.list, t)
}

func (q *timerQueue) Pop() any {
	t := q.list[len(q.list)-1]
	q.list = q.list[:len(q.list)-1]
	t.index = -1
	return t
}
