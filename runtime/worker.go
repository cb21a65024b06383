package runtime

import "sync/atomic"

// maxIdleWorkers bounds the goroutines kept between turns.
const maxIdleWorkers = 64

// workers run sessions. A goroutine that has run one stays for the next for a while: its stack has grown to what
// scripts need, and growing it anew took more than a twentieth of a callback's time.
type workers struct {
	next   chan *Session
	closed <-chan struct{}
	idle   atomic.Int32
}

// run runs the session on an idle goroutine, or on a new one.
func (w *workers) run(s *Session) {
	select {
	case w.next <- s:
	default:
		go w.work(s)
	}
}

func (w *workers) work(s *Session) {
	for {
		s.run()
		if w.idle.Add(1) > maxIdleWorkers {
			w.idle.Add(-1)
			return
		}
		select {
		case s = <-w.next:
			w.idle.Add(-1)
		case <-w.closed:
			return
		}
	}
}
