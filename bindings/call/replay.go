package call

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// Replayed is what came of running a recorded call again.
type Replayed struct {
	// App and Version are what the call ran; Now is the version it was run with.
	App, Version, Now string
	// Began is when the call began; Lasted how long it was, as far as its script knows.
	Began  time.Time
	Lasted time.Duration
	// Met are the recorded steps that the caller met, and the answers he gave, as far as the replay met the same.
	Met []runtime.Entry
	// Difference is the first difference in what the caller would have met; nil when there is none.
	Difference *runtime.Difference
}

// Open reports whether nobody knows if the caller would have met the same: the replay had to stop.
func (r *Replayed) Open() bool { return r.Difference != nil && r.Difference.Reason != "" }

// Replay runs a recorded call again, in the recorded time and with the recorded answers to whatever its script asks, on
// the app's current version. Nothing reaches the world. entries are the call's journal. An error says that they hold no
// call that could be run again.
func (h *Handler) Replay(ctx context.Context, entries []runtime.Entry) (*Replayed, error) {
	rec, c, err := firstMet(entries)
	if err != nil {
		return nil, err
	}
	app, ok := h.rt.App(rec.App)
	if !ok {
		return nil, fmt.Errorf("%w: %q", call.ErrNoApp, rec.App)
	}
	conv := &conversation{handler: h, call: c, names: []key{{c.App, c.ID}}, again: true}
	whole := rec.Entries
	rec.Entries = untilEnd(whole)
	if conv.session, err = app.Rebuild(conv.config(), rec); err != nil {
		return nil, err
	}
	r := &Replayed{
		App: rec.App, Version: rec.Version, Now: conv.session.Version().ID(),
		Began: whole[0].Time, Lasted: lasted(rec.Entries),
	}
	shown := steps(c.Driver)
	replied := slices.ContainsFunc(rec.Entries, func(e runtime.Entry) bool { return e.Kind == "pcmo" || e.Kind == "policy" })
	err = conv.session.Compare(ctx, &player{conv: conv, unheard: c.Driver != hostedDriver && !replied}, shown)
	if err != nil && !errors.As(err, &r.Difference) {
		return nil, err
	}
	r.Met = met(whole[:len(rec.Entries)], r.Difference, c.Driver == hostedDriver, shown)
	return r, nil
}

// lasted is how long the call was: until its end, or until the last that its script had to do with it. Reports may come
// much later.
func lasted(entries []runtime.Entry) (d time.Duration) {
	for _, e := range entries {
		switch e.Kind {
		case "verb", "verb_end", "input", "pcmo", "policy", callEnd:
			d = e.Time.Sub(entries[0].Time)
		}
	}
	return d
}

// callEnd stands in a replay where the script learns that its call is over.
const callEnd = "call_end"

// firstMet finds the session that the caller met first: after one that failed there may be others.
func firstMet(entries []runtime.Entry) (*runtime.Recording, *call.Call, error) {
	all, err := runtime.Recordings(entries)
	if err != nil {
		return nil, nil, err
	}
	for _, rec := range all {
		if c, err := firstCall(rec); err != nil || c != nil {
			return rec, c, err
		}
	}
	return nil, nil, errors.New("the call's script was only told of what had happened: there is nothing that the caller met")
}

// met returns the steps before the difference, what the caller answered in between, and the end of the call.
func met(entries []runtime.Entry, d *runtime.Difference, hosted bool, shown func(runtime.Entry) (string, bool)) (list []runtime.Entry) {
	for _, e := range entries {
		if d != nil && d.Step != 0 && e.Seq >= d.Step {
			break
		}
		if _, counts := shown(e); counts || e.Kind == "input" || e.Kind == "verb_end" && !hosted && answered(e) || tellsOfEnd(e) {
			list = append(list, e)
		}
	}
	return list
}

// answered reports whether the end of a verb says something of the caller.
func answered(e runtime.Entry) bool {
	var v verbEntry
	return json.Unmarshal(e.Data, &v) == nil && (v.Verb == "gather" || v.Verb == "dial" || v.Verb == "record" || v.Error != "")
}

// untilEnd returns the part of a journal that a caller can meet: until the script learned that the call was over. What
// it did afterwards, such as posting the CDR elsewhere, makes no difference to anybody on the line.
func untilEnd(entries []runtime.Entry) []runtime.Entry {
	begun := false
	for i, e := range entries {
		begun = begun || e.Kind == "answer" || e.Kind == "input"
		if begun && tellsOfEnd(e) {
			last := runtime.Entry{Seq: e.Seq, Time: e.Time, Kind: callEnd} // timers go on until then
			return append(slices.Clone(entries[:i]), last)
		}
	}
	return entries
}

// tellsOfEnd reports whether a script learns from an input that its call is over.
func tellsOfEnd(e runtime.Entry) bool {
	switch e.Kind {
	case "event":
		var told call.Event
		return json.Unmarshal(e.Outcome, &told) == nil && told.Status == call.StatusHangup && told.Leg != call.LegB
	case "cdr":
		var told call.CDR
		return json.Unmarshal(e.Outcome, &told) == nil && told.Leg != call.LegB
	case "verb_end", "fetch", "fetch_body":
		var told struct {
			Error struct {
				Name string
				End  bool
			}
		}
		return json.Unmarshal(e.Outcome, &told) == nil && told.Error.Name == "HangupError" && told.Error.End
	}
	return false
}

// steps says which entries of a journal are what a caller meets, and what of them counts. Where documents are all that
// reaches a call they are what counts, not the verbs that wrote them.
func steps(driver string) func(runtime.Entry) (string, bool) {
	return func(e runtime.Entry) (string, bool) {
		switch e.Kind {
		case "verb":
			return "verb " + canonical(e.Data), driver != hostedDriver
		case "pcmo":
			return "pcmo " + canonical(e.Data), true
		case "policy":
			return "the fault policy", true // whatever the fault was
		}
		return "", false
	}
}

// inputAddress is the address of a continuation, which is another one in every session and at every base URL.
var inputAddress = regexp.MustCompile(`"[a-z]+://[^"]*/input/[a-z2-7]{24}"`)

// canonical is JSON with its members in one order, and without what is another in every session.
func canonical(raw json.RawMessage) string {
	var v any
	if json.Unmarshal(raw, &v) == nil {
		if ordered, err := json.Marshal(v); err == nil {
			raw = ordered
		}
	}
	return inputAddress.ReplaceAllString(string(raw), `"input"`)
}
