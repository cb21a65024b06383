package journal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/piopiy/piopiyd/call"
)

// Lost hands settle what earlier processes of this node left under way, one process after the other, and forgets it once
// settle has returned without an error; otherwise the next Lost finds it again.
//
// With a data folder of its own no other process can be there, and Lost returns soon. On a shared server one may still be
// about to end: Lost waits until it has been silent for several [Options].UnderwayEvery, or ctx ends.
func (u *Underway) Lost(ctx context.Context, settle func(Lost) error) error {
	for {
		gone, err := u.traces(ctx)
		if err != nil {
			return err
		}
		if len(gone) == 0 {
			break
		}
		if u.j.srv == nil {
			if gone, err = u.silent(ctx, gone); err != nil {
				return err
			}
		}
		for _, t := range gone {
			if err := u.settle(ctx, t, settle); err != nil {
				return err
			}
		}
	}
	u.mu.Lock()
	u.left = false
	u.mu.Unlock()
	return nil
}

// silent waits, and returns the processes that have written nothing meanwhile.
func (u *Underway) silent(ctx context.Context, before []*trace) ([]*trace, error) {
	select {
	case <-time.After(silentFor * u.j.opts.UnderwayEvery):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	now, err := u.traces(ctx)
	return slices.DeleteFunc(now, func(t *trace) bool {
		return !slices.ContainsFunc(before, func(b *trace) bool { return b.subject == t.subject && b.last == t.last })
	}), err
}

// silentFor is for how many snapshots' time a process is silent that is gone.
const silentFor = 3

func (u *Underway) settle(ctx context.Context, t *trace, settle func(Lost) error) error {
	if len(t.calls) > 0 {
		if err := settle(t.lost()); err != nil {
			return err
		}
	}
	// Only what was read: a process that is there after all loses nothing that it wrote since.
	if err := u.stream.Purge(ctx, jetstream.WithPurgeSubject(t.subject), jetstream.WithPurgeSequence(t.last+1)); err != nil {
		return fmt.Errorf("calls that were left under way: %w", err)
	}
	return nil
}

// trace is what a process wrote.
type trace struct {
	subject string
	last    uint64 // message
	alive   time.Time
	calls   map[callName][]*call.CDR
}

// traces reads what other processes of the node wrote.
func (u *Underway) traces(ctx context.Context) (all []*trace, err error) {
	err = u.j.scan(ctx, u.name, "", 1, func(m stored) (bool, error) {
		if m.subject == u.subject {
			return true, nil
		}
		i := slices.IndexFunc(all, func(t *trace) bool { return t.subject == m.subject })
		if i < 0 {
			i = len(all)
			all = append(all, &trace{subject: m.subject, calls: map[callName][]*call.CDR{}})
		}
		t := all[i]
		t.last = m.seq
		if err := decodeUnderway(m.data, t); err != nil { // the rest of what it says is good
			u.j.opts.Logger.Error("a note about calls under way cannot be read", "stream", u.name, "message", m.seq, "error", err)
		}
		return true, nil
	})
	return all, err
}

func (t *trace) leg(c *call.CDR) {
	name := callName{c.App, c.CallID}
	for i, known := range t.calls[name] {
		if known.Leg == c.Leg && known.LegID == c.LegID {
			t.calls[name][i] = c
			return
		}
	}
	t.calls[name] = append(t.calls[name], c)
}

func (t *trace) over(name callName, which call.Leg, id string) {
	if t.calls[name] = without(t.calls[name], which, id); len(t.calls[name]) == 0 {
		delete(t.calls, name)
	}
}

func (t *trace) at(now time.Time) {
	if now.After(t.alive) {
		t.alive = now
	}
}

func (t *trace) lost() Lost {
	l := Lost{Alive: t.alive}
	for _, legs := range t.calls {
		one := make([]call.CDR, len(legs))
		for i, leg := range legs {
			one[i] = *leg
		}
		l.Calls = append(l.Calls, one)
	}
	slices.SortFunc(l.Calls, func(a, b []call.CDR) int { return a[0].Start.Compare(b[0].Start) })
	return l
}
