package call

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Live knows the calls that are under way, so that any callback and any API can reach one by its id. One Live
// serves any number of performers. The zero Live is ready to use.
type Live struct {
	mu    sync.Mutex
	calls map[string]*Control
}

// Find returns the control of a call by its id, or by the request id of an outbound call.
func (l *Live) Find(id string) (*Control, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.calls[id]
	return c, ok
}

// All returns the calls under way, the oldest first.
func (l *Live) All() []*Control {
	l.mu.Lock()
	all := make([]*Control, 0, len(l.calls))
	for id, c := range l.calls {
		if id == c.id {
			all = append(all, c)
		}
	}
	l.mu.Unlock()
	slices.SortFunc(all, func(a, b *Control) int {
		if d := a.began.Compare(b.began); d != 0 {
			return d
		}
		return strings.Compare(a.id, b.id)
	})
	return all
}

// Len returns how many calls are under way.
func (l *Live) Len() int { return len(l.All()) }

func (l *Live) add(c *Control) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls == nil {
		l.calls = map[string]*Control{}
	}
	for _, id := range c.names() {
		l.calls[id] = c
	}
}

func (l *Live) remove(c *Control) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range c.names() {
		if l.calls[id] == c {
			delete(l.calls, id)
		}
	}
}

// State is how a call stands.
type State struct {
	// Status is StatusStarted, StatusRinging, StatusAnswered, StatusBridged or StatusHangup.
	Status Status
	// Since is when the call began, Answered when leg a answered: zero before.
	Since, Answered time.Time
	// Held reports that leg a is on hold; Transferring that a transfer is under way.
	Held, Transferring bool
}
