package sim

import (
	"context"
	"errors"
	"time"

	"github.com/piopiy/piopiyd/call"
)

var (
	_ call.Linker = (*line)(nil)
	_ call.Ringer = (*line)(nil)
)

// LetRing implements call.Ringer.
func (l *line) LetRing(ctx context.Context, d time.Duration) error {
	if err := ended(ctx); err != nil {
		return err
	}
	l.add(Entry{Kind: Rang, Length: d})
	return l.Wait(ctx, d)
}

// Link implements call.Linker: the two callers talk, for as long as nobody ends it.
func (l *line) Link(ctx context.Context, other call.Line, begun func()) error {
	o, ok := other.(*line)
	if !ok || o.clock != l.clock {
		return errors.New("the other call lives in another time")
	}
	if err := ended(ctx); err != nil {
		return err
	}
	defer l.busy()()
	defer o.busy()()
	began := l.clock.Now()
	l.add(Entry{Kind: Bridged, To: o.party()})
	o.add(Entry{Kind: Bridged, To: l.party()})
	begun()
	err := l.rest(ctx, l.clock.newGate())
	by, cause := call.SideApp, call.CauseNormal
	var hangup *call.HangupError
	if errors.As(err, &hangup) {
		by, cause = hangup.By, hangup.Cause
	}
	length := l.clock.Now().Sub(began)
	l.add(Entry{Kind: Unbridged, Length: length, By: by, Cause: cause})
	o.add(Entry{Kind: Unbridged, Length: length, By: seenByOther(by), Cause: cause})
	return err
}

// seenByOther is who ended it as the other call sees it.
func seenByOther(by call.Side) call.Side {
	switch by {
	case call.SideCaller:
		return call.SideCallee
	case call.SideCallee:
		return call.SideCaller
	}
	return by
}

// party is who is at the caller's end.
func (l *line) party() string {
	if l.call.Direction == call.Outbound {
		return l.call.To
	}
	return l.call.From
}
