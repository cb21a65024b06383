package sim

import (
	"time"

	"github.com/piopiy/piopiyd/call"
)

// quiet watches over dead air: time in which a caller who was answered hears nothing and nobody wants anything from
// him. Guarded by line.mu.
type quiet struct {
	answered bool
	busy     int // what he hears, is asked, talks in or leaves a message in
	held     bool
	timer    interface{ Stop() bool }
}

// busy says that there is no dead air until done is called.
func (l *line) busy() (done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.quiet.busy++
	l.listen()
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.quiet.busy--
		l.listen()
	}
}

// listen begins to count, or stops. It needs l.mu.
func (l *line) listen() {
	q := &l.quiet
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
	limit := l.driver.opts.MaxQuiet
	if limit <= 0 || q.busy > 0 || q.held || !q.answered || l.over {
		return
	}
	q.timer = l.clock.AfterFunc(limit, func() { l.end(call.SidePlatform, call.CauseNormal, DeadAir) })
}

// hold notes that the caller is on hold, where music plays, or no longer.
func (l *line) hold(held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.quiet.held = held
	l.listen()
}

// sounding notes until when the caller hears something.
func (l *line) sounding(length time.Duration) {
	end := l.clock.Now().Add(length)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.soundEnd = end
}
