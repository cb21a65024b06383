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
var ErrNoRecording = errors.New("the journal does not hold a script's session from its beginning")

// NewRecording finds the last session in the journal of a call.
func NewRecording(entries []Entry) (*Recording, error) {
	all := sessions(entries)
	if len(all) == 0 {
		return nil, ErrNoRecording
	}
	return newRecording(all[len(all)-1])
}

// Recordings finds all sessions in the journal of a call, the first one first: a call whose session failed has another
// one for what is still reported of it.
func Recordings(entries []Entry) (list []*Recording, err error) {
	for _, own := range sessions(entries) {
		r, err := newRecording(own)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	if len(list) == 0 {
		return nil, ErrNoRecording
	}
	return list, nil
}

// sessions parts the entries of a call by session. What comes before the first beginning is left out.
func sessions(entries []Entry) (list [][]Entry) {
	for _, e := range entries {
		switch {
		case e.Seq == 0: // the driver's, beside the session
		case e.Kind == "start" && e.Seq == 1:
			list = append(list, []Entry{e})
		case len(list) > 0:
			i := whose(list, e)
			list[i] = append(list[i], e)
		}
	}
	return list
}

// whose returns the session that an entry goes on with: the last one, mostly; but what a session that failed wrote last
// may be stored after the beginning of the next.
func whose(list [][]Entry, e Entry) int {
	for i, own := range slices.Backward(list) {
		if own[len(own)-1].Seq+1 == e.Seq {
			return i
		}
	}
	return len(list) - 1
}

func newRecording(own []Entry) (*Recording, error) {
	r := &Recording{Entries: own}
	var start struct{ App, Version, Seed string }
	if err := json.Unmarshal(own[0].Data, &start); err != nil {
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
