package call

import (
	"context"
	"time"
)

// ReportLost tells of the end of a call whose process has ended without a word, as a [Performer] would have: a hangup and
// a record for each of its legs, the cause [CauseTemporaryFailure] by [SidePlatform].
//
// legs are the records of the legs that have none yet, as far as they are known: all of one call, without Raw, Duration
// and, mostly, End. The Status StatusHangup says that the leg's hangup has been told of. version is the app version that
// the call ran, "" where it is not known, and over when it ended: what has no End of its own ended then.
func ReportLost(ctx context.Context, legs []CDR, version string, over time.Time, to Reporter) {
	ending := Ending{By: SidePlatform, Cause: CauseTemporaryFailure}
	tell := func(l CDR) {
		at := l.End
		if at.IsZero() {
			at = over
		}
		r := newReport(ctx, &Call{
			ID: l.CallID, RequestID: l.RequestID, App: l.App, Driver: l.Driver, Direction: l.Direction, From: l.From, To: l.To,
			Time: l.Start, ExtraParams: l.ExtraParams,
		}, stopped(at), to)
		r.version = version
		g := leg{l.Leg, l.LegID, l.From, l.To}
		r.mu.Lock()
		defer r.mu.Unlock()
		if l.Status != StatusHangup {
			r.event(g, StatusHangup, "", nil)
		}
		r.cdr(g, times{l.Start, l.Answer, at}, ending, Summary{})
	}
	for _, l := range legs {
		if l.Leg == LegB {
			tell(l)
		}
	}
	for _, l := range legs { // the call ends with leg a
		if l.Leg != LegB {
			tell(l)
		}
	}
}

// stopped is a clock that stands still.
type stopped time.Time

func (s stopped) Now() time.Time { return time.Time(s) }

func (stopped) AfterFunc(time.Duration, func()) interface{ Stop() bool } { return stopped{} }

func (stopped) Stop() bool { return true }
