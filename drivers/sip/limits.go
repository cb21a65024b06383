package sip

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// AppLimit bounds the legs that one app calls; 0 is no bound.
type AppLimit struct {
	// Calls bounds the legs at a time: those that ring and those that talk.
	Calls int
	// PerMinute bounds the legs begun within a minute.
	PerMinute int
}

// errLimit says that an app calls too much.
var errLimit = errors.New("the app's limit of outbound legs is reached")

// limits count what apps call.
type limits struct {
	of map[string]AppLimit

	mu   sync.Mutex
	apps map[string]*usage
}

// usage is what an app calls.
type usage struct {
	legs  int
	begun []time.Time // within the last minute
}

func newLimits(of map[string]AppLimit) *limits {
	return &limits{of: of, apps: map[string]*usage{}}
}

// take counts a leg in. It is over when release is called; that may be done more than once.
func (l *limits) take(app string) (release func(), err error) {
	limit, own := l.of[app]
	if !own {
		limit = l.of[""]
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.apps[app]
	if u == nil {
		u = &usage{}
		l.apps[app] = u
	}
	now := time.Now()
	old := 0
	for old < len(u.begun) && now.Sub(u.begun[old]) >= time.Minute {
		old++
	}
	u.begun = u.begun[old:]
	switch {
	case limit.Calls > 0 && u.legs >= limit.Calls:
		return nil, fmt.Errorf("%w: %d at a time (apps.%s.dial.calls)", errLimit, limit.Calls, app)
	case limit.PerMinute > 0 && len(u.begun) >= limit.PerMinute:
		return nil, fmt.Errorf("%w: %d a minute (apps.%s.dial.per_minute)", errLimit, limit.PerMinute, app)
	}
	u.legs++
	if limit.PerMinute > 0 {
		u.begun = append(u.begun, now)
	}
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if u.legs--; u.legs == 0 && len(u.begun) == 0 {
			delete(l.apps, app)
		}
	}), nil
}
