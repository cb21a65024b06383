package siptest

import (
	"sync"
	"time"
)

// Watched is the lock of something that tests wait for. The zero Watched is ready to use.
type Watched struct {
	sync.Mutex
	changed chan struct{} // nil while nobody waits
}

// Change runs f with the lock held, and lets those who wait look again.
func (w *Watched) Change(f func()) {
	w.Lock()
	defer w.Unlock()
	f()
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}

// Until waits until ok, which is called with the lock held, is; it reports false when that takes too long.
func (w *Watched) Until(patience time.Duration, ok func() bool) bool {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		w.Lock()
		done := ok()
		if w.changed == nil {
			w.changed = make(chan struct{})
		}
		changed := w.changed
		w.Unlock()
		if done {
			return true
		}
		select {
		case <-changed:
		case <-deadline.C:
			return false
		}
	}
}
