package call

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// InboxOptions say how an inbox delivers and what it remembers. The zero value means the defaults.
type InboxOptions struct {
	// Concurrency is how many calls are delivered for at a time (default 64); one app gets seven eighths of
	// them at most.
	Concurrency int
	// Backoff is how long to wait after the first, second, ... failure; the last one repeats. Each wait is
	// varied by up to a fifth either way. Default 1 s, 5 s, 30 s, 2 min, 5 min.
	Backoff []time.Duration
	// BackoffFor, where set, is asked for the Backoff of one app's "event" or "cdr"; an empty answer means Backoff.
	BackoffFor func(app, kind string) []time.Duration
	// EventMaxAge is how long after its acceptance an event is still tried (default 15 min): a live event is
	// worth little later, and the rest of its call waits behind it. CDRMaxAge is the same for records
	// (default 72 h).
	EventMaxAge, CDRMaxAge time.Duration
	// MaxPending and MaxPendingBytes bound what waits for delivery (default 200,000 and 256 MiB); beyond,
	// accepting returns ErrInboxFull.
	MaxPending      int
	MaxPendingBytes int64
	// Remember is how long the inbox knows what it has delivered, so that a duplicate is told apart
	// (default 72 h), and RememberMax how many it knows at most (default 4,000,000, about 40 bytes each):
	// beyond, the oldest are forgotten early.
	Remember    time.Duration
	RememberMax int
	// Logger hears of failures and of deliveries given up (default: nobody).
	Logger *slog.Logger
}

func (o InboxOptions) withDefaults() InboxOptions {
	setDefault(&o.Concurrency, 64)
	setDefault(&o.EventMaxAge, 15*time.Minute)
	setDefault(&o.CDRMaxAge, 72*time.Hour)
	setDefault(&o.MaxPending, 200_000)
	setDefault(&o.MaxPendingBytes, 256<<20)
	setDefault(&o.Remember, 72*time.Hour)
	setDefault(&o.RememberMax, 4_000_000)
	if len(o.Backoff) == 0 {
		o.Backoff = []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 5 * time.Minute}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func setDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// InboxLog makes an [InboxQueue] durable. Both methods return at once and call done exactly once, from any
// goroutine, when the write is durable or has failed.
type InboxLog interface {
	// LogAccepted stores an event or record that was accepted.
	LogAccepted(a *Accepted, done func(error))
	// LogDone stores that its delivery is over.
	LogDone(a *Accepted, done func(error))
}

// InboxQueue is the Inbox: it tells duplicates apart and delivers, call by call. What it holds lives in memory;
// with an [InboxLog] it is also written there before it counts, and handed back by Restore after a restart.
type InboxQueue struct {
	log  InboxLog
	opts InboxOptions
	deliveryState
}

// NewMemoryInbox returns an Inbox that keeps everything in memory and loses it with the process: for embedders
// whose carrier sends again, and for tests.
func NewMemoryInbox(opts InboxOptions) *InboxQueue { return NewInboxQueue(nil, opts) }

// NewInboxQueue returns an Inbox that writes to log, or keeps everything in memory when log is nil.
func NewInboxQueue(log InboxLog, opts InboxOptions) *InboxQueue {
	q := &InboxQueue{log: log, opts: opts.withDefaults()}
	q.init()
	return q
}

// AcceptEvent implements Inbox. Two events are the same when app, call, leg, status and time are; where the time
// is zero because the wire has none, when their raw content is the same too.
func (q *InboxQueue) AcceptEvent(ctx context.Context, e *Event) (fresh bool, err error) {
	if e == nil {
		return false, fmt.Errorf("accept event: no event given")
	}
	if e.CallID == "" {
		return false, fmt.Errorf("accept event: the call's id is empty; set CallID, or LegID's value where the wire has one id only")
	}
	return q.accept(ctx, &Accepted{Event: e, Key: eventKey(e), Time: time.Now(), size: 512 + len(e.Raw) + len(e.ExtraParams)})
}

// AcceptCDR implements Inbox. Two records are the same when app, call and leg are.
func (q *InboxQueue) AcceptCDR(ctx context.Context, r *CDR) (fresh bool, err error) {
	if r == nil {
		return false, fmt.Errorf("accept CDR: no record given")
	}
	if r.CallID == "" {
		return false, fmt.Errorf("accept CDR: the call's id is empty; set CallID, or LegID's value where the wire has one id only")
	}
	return q.accept(ctx, &Accepted{CDR: r, Key: cdrKey(r), Time: time.Now(), size: 512 + len(r.Raw) + len(r.ExtraParams)})
}

func (q *InboxQueue) accept(ctx context.Context, a *Accepted) (fresh bool, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		q.mu.Lock()
		if q.knows(a.Key) {
			q.mu.Unlock()
			return false, nil
		}
		if other, busy := q.accepting[a.Key]; busy {
			q.mu.Unlock()
			select {
			case <-other.settled:
				if other.err == nil {
					return false, nil
				}
				continue // the other failed, so this one takes its turn
			case <-ctx.Done():
				return false, ctx.Err()
			}
		}
		if len(q.pending)+len(q.accepting) >= q.opts.MaxPending || q.pendingBytes+int64(a.size) > q.opts.MaxPendingBytes {
			q.mu.Unlock()
			return false, ErrInboxFull
		}
		if q.log == nil {
			q.enqueue(a)
			q.mu.Unlock()
			return true, nil
		}
		turn := &acceptance{settled: make(chan struct{})}
		q.accepting[a.Key] = turn
		q.pendingBytes += int64(a.size)
		q.mu.Unlock()

		// The write goes on when ctx ends: whatever becomes durable is delivered.
		q.log.LogAccepted(a, func(err error) {
			q.mu.Lock()
			delete(q.accepting, a.Key)
			q.pendingBytes -= int64(a.size)
			if err == nil {
				q.enqueue(a)
			}
			q.mu.Unlock()
			turn.err = err
			close(turn.settled)
		})
		select {
		case <-turn.settled:
			return turn.err == nil, turn.err
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// acceptance is one acceptance on its way to the log.
type acceptance struct {
	settled chan struct{}
	err     error // valid once settled
}
