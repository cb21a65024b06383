package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/journal"
	"github.com/piopiy/piopiyd/runtime"
)

// The call engine's calls end with the process. One that is killed cannot say so: its calls would be under way for ever,
// and nobody would be given their records. So the journal is told which legs there are, and the next process ends those
// that were left.

// carried tells the journal of the callers that the engine brings.
type carried struct {
	call.Handler
	underway *journal.Underway
}

// Answer implements call.Handler.
func (h carried) Answer(ctx context.Context, c *call.Call) (call.Reply, error) {
	h.underway.Began(c)
	reply, err := h.Handler.Answer(ctx, c)
	if errors.Is(err, call.ErrNoApp) {
		h.underway.Gone(c) // there is nobody to tell
	}
	return reply, err
}

// carriedInbox tells the journal what becomes of the engine's legs.
type carriedInbox struct {
	call.Inbox
	underway *journal.Underway
}

// AcceptEvent implements call.Inbox.
func (in carriedInbox) AcceptEvent(ctx context.Context, e *call.Event) (bool, error) {
	fresh, err := in.Inbox.AcceptEvent(ctx, e)
	if err == nil || e.Status != call.StatusHangup {
		in.underway.Event(e)
	}
	return fresh, err
}

// AcceptCDR implements call.Inbox.
func (in carriedInbox) AcceptCDR(ctx context.Context, r *call.CDR) (bool, error) {
	fresh, err := in.Inbox.AcceptCDR(ctx, r)
	if err == nil {
		in.underway.Ended(r)
	}
	return fresh, err
}

// lostCalls ends the calls that an earlier process left under way: in their journals, and by an event and a record for
// each leg that has none yet.
type lostCalls struct {
	journal *journal.Journal
	inbox   call.Inbox
	log     *slog.Logger
}

// end ends all of them. What it does is done once, also if this process is killed meanwhile and another one begins anew:
// the time of the end stands in the journal before anything is told, and the inbox knows what it has accepted.
func (l lostCalls) end(ctx context.Context) {
	ended := 0
	err := l.journal.Underway().Lost(ctx, func(lost journal.Lost) error {
		for _, legs := range lost.Calls {
			if err := l.endCall(ctx, legs, lost.Alive); err != nil {
				return fmt.Errorf("call %s of app %s: %w", legs[0].CallID, legs[0].App, err)
			}
			ended++
		}
		return nil
	})
	if ended > 0 {
		l.log.Warn("calls were ended that had been under way when piopiyd ended without a word", "calls", ended)
	}
	if err != nil && ctx.Err() == nil {
		l.log.Error("calls that were left under way have no end yet; the next start tries again", "error", err)
	}
}

// lostReason is why such a call ended.
const lostReason = "piopiyd ended without a word while the call was under way, killed or by a failure of the machine"

// endEntry is the entry of the kind "end" that stands beside the session: the call has ended, whatever became of that.
type endEntry struct {
	Reason string    `json:"reason"`
	Cause  string    `json:"cause"`
	By     call.Side `json:"by"`
}

// endCall ends one call. alive is when its process was last known to be there.
func (l lostCalls) endCall(ctx context.Context, legs []call.CDR, alive time.Time) error {
	app, id := legs[0].App, legs[0].CallID
	entries, err := l.journal.Recall(ctx, app, id)
	if err != nil && !errors.Is(err, runtime.ErrNoRecording) { // what is damaged keeps nobody from his record
		return err
	}
	over, version, noted := endOf(entries, alive)
	if !noted && len(entries) > 0 {
		text, err := json.Marshal(endEntry{lostReason, call.CauseTemporaryFailure, call.SidePlatform})
		if err == nil {
			err = l.journal.Append(app, id, []runtime.Entry{{Time: over, Kind: "end", Version: version, Data: text}})
		}
		if err == nil {
			err = l.journal.Sync(ctx)
		}
		if err != nil {
			return err
		}
	}
	told := accepts{inbox: l.inbox}
	call.ReportLost(ctx, legs, version, over, &told)
	return told.err
}

// endOf returns when a call ended: with the last that is known of it, unless that has been noted; and its app's version.
func endOf(entries []runtime.Entry, alive time.Time) (over time.Time, version string, noted bool) {
	over = alive
	for _, e := range entries {
		if e.Version != "" && version == "" {
			version = e.Version
		}
		if e.Seq == 0 && e.Kind == "end" {
			return e.Time, version, true
		}
		// What stands there from much later is of a later process, which was told what had waited for delivery.
		if e.Time.After(over) && e.Time.Before(alive.Add(staleAfter)) {
			over = e.Time
		}
	}
	return over, version, false
}

// staleAfter is beyond how long a process can have lived after it was last known to be there.
const staleAfter = 15 * time.Second

// accepts is a call.Reporter that keeps the first error.
type accepts struct {
	inbox call.Inbox
	err   error
}

// Event implements call.Reporter.
func (a *accepts) Event(ctx context.Context, e *call.Event) {
	if a.err == nil {
		_, a.err = a.inbox.AcceptEvent(ctx, e)
	}
}

// CDR implements call.Reporter.
func (a *accepts) CDR(ctx context.Context, r *call.CDR) {
	if a.err == nil {
		_, a.err = a.inbox.AcceptCDR(ctx, r)
	}
}
