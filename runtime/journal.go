package runtime

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

// Entry is one line of a session's journal: an input that reached the script or an effect it had.
type Entry struct {
	// Seq numbers the entries of one session from 1, without gaps. It is 0 for what the call's driver noted beside
	// the session.
	Seq uint64 `json:"seq"`
	// Time is the session's time.
	Time time.Time `json:"time"`
	// Kind names the input or effect: "answer", "pcmo", "log", "fault", "fetch", ...
	Kind string `json:"kind"`
	// Version is the app version the session runs.
	Version string `json:"version,omitempty"`
	// Data is the entry's JSON content. It never holds secrets; digits a caller presses are kept here
	// (a replay needs them) and nowhere else.
	Data json.RawMessage `json:"data,omitempty"`
	// Op is the number of the operation (see [Operate]) that begins or ends with this entry; else 0.
	Op uint64 `json:"op,omitempty"`
	// Outcome is what an operation brought, or whatever else only a replay needs. It may hold anybody's data, such as
	// the body of a reply: it is not for timelines.
	Outcome json.RawMessage `json:"outcome,omitempty"`
}

// Journal keeps what sessions record. The entries of one session arrive in order; different sessions append
// concurrently. Append is called at the end of a turn and may return before the entries are durable.
type Journal interface {
	Append(app, session string, entries []Entry) error
}

// Syncer is a [Journal] that can say when what was appended is safe.
type Syncer interface {
	// Sync returns when everything appended before survives the end of the process.
	Sync(ctx context.Context) error
}

// MemoryJournal is a Journal that keeps the entries of the most recent sessions in memory: the default for
// embedders, and for tests.
type MemoryJournal struct {
	mu       sync.Mutex
	max      int
	sessions map[string][]Entry
	order    []string
}

// NewMemoryJournal returns a journal that remembers the last max sessions; max <= 0 means 1,000.
func NewMemoryJournal(max int) *MemoryJournal {
	if max <= 0 {
		max = 1000
	}
	return &MemoryJournal{max: max, sessions: map[string][]Entry{}}
}

// Append implements Journal.
func (j *MemoryJournal) Append(app, session string, entries []Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, known := j.sessions[session]; !known {
		if len(j.order) == j.max {
			delete(j.sessions, j.order[0])
			j.order = j.order[1:]
		}
		j.order = append(j.order, session)
	}
	j.sessions[session] = append(j.sessions[session], entries...)
	return nil
}

// Sessions returns the names of the sessions that are remembered, the oldest first.
func (j *MemoryJournal) Sessions() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string(nil), j.order...)
}

// Entries returns what a session has recorded so far, in order.
func (j *MemoryJournal) Entries(session string) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]Entry(nil), j.sessions[session]...)
}
