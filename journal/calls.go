package journal

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/runtime"
)

// CallSummary is a call as a list shows it.
type CallSummary struct {
	ID  string `json:"id"`
	App string `json:"app"`
	// Version is the app version that the call runs.
	Version string `json:"version,omitempty"`
	// Started and Last are the times of its first and its newest entry; LastKind is the newest one's kind.
	Started  time.Time `json:"started"`
	Last     time.Time `json:"last"`
	LastKind string    `json:"last_kind"`
	// Ended is when the call ended, where that is known otherwise than by the end of its session: zero for most calls.
	Ended time.Time `json:"ended,omitzero"`
	// Entries counts its entries, Faults those of them that are faults.
	Entries uint64 `json:"entries"`
	Faults  int    `json:"faults,omitempty"`
}

// CallFilter selects calls. The zero value selects all.
type CallFilter struct {
	// App is the calls' app; "" selects all apps.
	App string
	// Since leaves out calls whose newest entry is older.
	Since time.Time
	// FaultsOnly leaves out calls without a fault.
	FaultsOnly bool
	// Limit is how many to return at most (default 100).
	Limit int
}

// Calls lists recent calls, the one with the newest entry first. It knows the last Options.RecentCalls of them;
// older ones can still be read with Entries. The first use after a start reads them back from the stream.
func (j *Journal) Calls(ctx context.Context, f CallFilter) ([]CallSummary, error) {
	if err := j.recent.load(ctx, j); err != nil {
		return nil, err
	}
	if f.Limit <= 0 {
		f.Limit = 100
	}
	return j.recent.list(f), nil
}

// recentCalls is the list of recent calls, kept in memory as entries are appended. What was there before this
// process started is read back when somebody asks.
type recentCalls struct {
	max int

	mu    sync.Mutex
	calls map[callName]*CallSummary
	ring  []callName // in order of appearance; next is the oldest once it is full
	next  int

	loading sync.Mutex
	loaded  bool
	began   time.Time // entries stored later are this process's own
}

type callName struct{ app, call string }

func newRecentCalls(max int) *recentCalls {
	return &recentCalls{max: max, calls: map[callName]*CallSummary{}, began: time.Now()}
}

// note takes entries that are being appended.
func (r *recentCalls) note(app, call string, entries []runtime.Entry) {
	name := callName{app, call}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.calls[name]
	if s == nil {
		s = r.insert(name, entries[0].Time)
	}
	s.take(entries)
}

// insert needs r.mu.
func (r *recentCalls) insert(name callName, started time.Time) *CallSummary {
	if len(r.ring) < r.max {
		r.ring = append(r.ring, name)
	} else {
		delete(r.calls, r.ring[r.next])
		r.ring[r.next] = name
		r.next = (r.next + 1) % r.max
	}
	s := &CallSummary{ID: name.call, App: name.app, Started: started}
	r.calls[name] = s
	return s
}

func (s *CallSummary) take(entries []runtime.Entry) {
	for i := range entries {
		switch e := &entries[i]; {
		case e.Kind == "fault":
			s.Faults++
		case e.Kind == "end" && e.Seq == 0:
			s.Ended = e.Time
		}
	}
	last := &entries[len(entries)-1]
	s.Entries += uint64(len(entries))
	if !last.Time.Before(s.Last) && (last.Seq > 0 || s.LastKind == "") { // what stands beside a session ends none
		s.Last, s.LastKind = last.Time, last.Kind
	}
	if last.Version != "" {
		s.Version = last.Version
	}
}

func (r *recentCalls) list(f CallFilter) []CallSummary {
	r.mu.Lock()
	var found []CallSummary
	for name, s := range r.calls {
		if (f.App == "" || f.App == name.app) && !s.Last.Before(f.Since) && (!f.FaultsOnly || s.Faults > 0) {
			found = append(found, *s)
		}
	}
	r.mu.Unlock()
	slices.SortFunc(found, func(a, b CallSummary) int {
		if c := b.Last.Compare(a.Last); c != 0 {
			return c
		}
		return compareNames(a, b)
	})
	return found[:min(len(found), f.Limit):len(found)]
}

func compareNames(a, b CallSummary) int {
	if a.App != b.App {
		if a.App < b.App {
			return -1
		}
		return 1
	}
	if a.ID < b.ID {
		return -1
	}
	return 1
}

// messagesPerCall is how far back load reads for each call it can list.
const messagesPerCall = 8

// load reads the stream's end back, once.
func (r *recentCalls) load(ctx context.Context, j *Journal) error {
	r.loading.Lock()
	defer r.loading.Unlock()
	if r.loaded {
		return nil
	}
	stream, err := j.js.Stream(ctx, streamCalls)
	if err != nil {
		return fmt.Errorf("list calls: %w", err)
	}
	last := stream.CachedInfo().State.LastSeq
	from := uint64(1)
	if back := uint64(r.max * messagesPerCall); last > back {
		from = last - back
	}
	earlier := map[callName]*CallSummary{}
	var order []callName
	err = j.scan(ctx, streamCalls, "call.>", from, func(m stored) (bool, error) {
		if m.time.After(r.began) {
			return false, nil // noted as it was appended
		}
		app, call, err := parseCallSubject(m.subject)
		if err != nil {
			return false, err
		}
		turn, err := decodeEntries(m.data)
		if err != nil || len(turn) == 0 {
			return err == nil, err
		}
		name := callName{app, call}
		s := earlier[name]
		if s == nil {
			s = &CallSummary{ID: call, App: app, Started: turn[0].Time}
			earlier[name] = s
			order = append(order, name)
		}
		s.take(turn)
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("list calls: %w", err)
	}
	r.merge(earlier, order)
	r.loaded = true
	return nil
}

// merge puts what was there before in front of what has come since.
func (r *recentCalls) merge(earlier map[callName]*CallSummary, order []callName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	since, ring, next := r.calls, r.ring, r.next
	r.calls, r.ring, r.next = map[callName]*CallSummary{}, nil, 0
	for _, name := range order {
		s := earlier[name]
		*r.insert(name, s.Started) = *s
	}
	for i := range ring {
		name := ring[(next+i)%len(ring)]
		now := since[name]
		before := r.calls[name]
		if before == nil {
			before = r.insert(name, now.Started)
		}
		entries, faults, started, ended := before.Entries, before.Faults, before.Started, before.Ended
		*before = *now
		if before.Ended.IsZero() {
			before.Ended = ended
		}
		before.Started = started
		before.Entries += entries
		before.Faults += faults
	}
}
