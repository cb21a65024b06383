package runtime

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// A session is a function of its journal: of the inputs in there, in their order and at their times. So it can be run
// again: to go on after the process that ran it has died ([Session.Resume]), or to see what another version would have
// made of the same inputs ([Session.Compare]).

// Recording is the journal of one session.
type Recording struct {
	// App and Version are what the session ran; Version is the whole id.
	App, Version string
	// Entries are the session's own, from its "start" on.
	Entries []Entry

	seed [32]byte
}

// ErrNoRecording says that a journal does not hold a session from its beginning.
var ErrNoRecording = errors.New("the journal does not hold the session from its beginning")

// NewRecording finds the last session in the journal of a call.
func NewRecording(entries []Entry) (*Recording, error) {
	first := -1
	own := make([]Entry, 0, len(entries))
	for _, e := range entries {
		if e.Seq == 0 {
			continue // the driver's, beside the session
		}
		if e.Kind == "start" && e.Seq == 1 {
			first = len(own)
		}
		own = append(own, e)
	}
	if first < 0 {
		return nil, ErrNoRecording
	}
	r := &Recording{Entries: own[first:]}
	var start struct{ App, Version, Seed string }
	if err := json.Unmarshal(r.Entries[0].Data, &start); err != nil {
		return nil, fmt.Errorf("%w: its first entry: %w", ErrNoRecording, err)
	}
	seed, err := base64.RawStdEncoding.DecodeString(start.Seed)
	if err != nil || len(seed) != len(r.seed) {
		return nil, fmt.Errorf("%w: its first entry has no seed", ErrNoRecording)
	}
	r.App, r.Version = start.App, start.Version
	copy(r.seed[:], seed)
	return r, nil
}

// Ended reports whether the session came to its end.
func (r *Recording) Ended() bool {
	return slices.ContainsFunc(r.Entries, func(e Entry) bool { return e.Kind == "end" })
}

// Difference says where a replay first differs from what was recorded.
type Difference struct {
	// Recorded and Replayed are what was recorded and what came instead; nil where there was nothing.
	Recorded, Replayed *Entry
	// Step is the number of the entry that the replay had come to; 0 at its end.
	Step uint64
	// Reason says why the replay cannot go on, where it is not the two.
	Reason string
}

// Error names the step.
func (d *Difference) Error() string {
	show := func(e *Entry) string {
		if e == nil {
			return "nothing"
		}
		text := fmt.Sprintf("%s %s", e.Kind, e.Data)
		if len(text) > 300 {
			text = text[:300] + "…"
		}
		return text
	}
	at := ""
	if d.Step != 0 {
		at = fmt.Sprintf(" at step %d", d.Step)
	}
	if d.Reason != "" {
		return fmt.Sprintf("the replay cannot go on%s: %s", at, d.Reason)
	}
	return fmt.Sprintf("the replay differs%s: recorded was %s, now there is %s", at, show(d.Recorded), show(d.Replayed))
}
