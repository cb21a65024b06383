package call

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sort"
	"sync"
	"time"
)

// Accepted is an event or a record (one of the two) that an inbox has accepted.
type Accepted struct {
	Event *Event
	CDR   *CDR
	// Key tells it apart from all others.
	Key DeliveryKey
	// Time is when it was accepted.
	Time time.Time
	// Mark is the log's own: where it keeps this one.
	Mark uint64

	size      int
	attempts  int
	lastError string
	next      time.Time
	over      bool // the handler is through with it; only the log's mark is missing
}

func (a *Accepted) app() string {
	if a.CDR != nil {
		return a.CDR.App
	}
	return a.Event.App
}

func (a *Accepted) callID() string {
	if a.CDR != nil {
		return a.CDR.CallID
	}
	return a.Event.CallID
}

func (a *Accepted) kind() string {
	if a.CDR != nil {
		return "cdr"
	}
	return "event"
}

// deliveryState is what waits and what runs. A call's line of waiting deliveries is in exactly one place: among
// the ready ones, with a worker, or behind a timer.
type deliveryState struct {
	mu           sync.Mutex
	accepting    map[DeliveryKey]*acceptance
	pending      map[DeliveryKey]*Accepted
	pendingBytes int64
	done         memory
	lines        map[lineKey]*line
	ready        []*line
	handler      Handler // nil while nobody delivers
	ctx          context.Context
	workers      int
	working      map[string]int // by app
	idle         sync.WaitGroup
}

type lineKey struct{ app, call string }

// line is what waits for one call, in the order of acceptance.
type line struct {
	key   lineKey
	items []*Accepted
	timer *time.Timer
}

func (q *InboxQueue) init() {
	q.accepting = map[DeliveryKey]*acceptance{}
	q.pending = map[DeliveryKey]*Accepted{}
	q.lines = map[lineKey]*line{}
	q.working = map[string]int{}
	q.done = memory{keep: q.opts.Remember, max: q.opts.RememberMax}
}

// RestoreDone tells the inbox of a delivery that was over before this process started. Oldest first, before
// RestorePending.
func (q *InboxQueue) RestoreDone(k DeliveryKey, at time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.done.add(k, at)
}

// RestorePending hands back what was accepted before this process started, in the order of acceptance. It reports
// false when that one is over or known already and need not be kept.
func (q *InboxQueue) RestorePending(a *Accepted) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.knows(a.Key) {
		return false
	}
	a.size = 512
	if a.Event != nil {
		a.size += len(a.Event.Raw) + len(a.Event.ExtraParams)
	} else {
		a.size += len(a.CDR.Raw) + len(a.CDR.ExtraParams)
	}
	q.enqueue(a)
	return true
}

// knows needs q.mu.
func (q *InboxQueue) knows(k DeliveryKey) bool {
	_, waits := q.pending[k]
	return waits || q.done.has(k)
}

// enqueue needs q.mu.
func (q *InboxQueue) enqueue(a *Accepted) {
	q.pending[a.Key] = a
	q.pendingBytes += int64(a.size)
	k := lineKey{a.app(), a.callID()}
	if l := q.lines[k]; l != nil {
		l.items = append(l.items, a)
		return
	}
	l := &line{key: k, items: []*Accepted{a}}
	q.lines[k] = l
	q.makeReady(l)
}

// makeReady needs q.mu.
func (q *InboxQueue) makeReady(l *line) {
	q.ready = append(q.ready, l)
	if q.handler != nil && q.workers < q.opts.Concurrency {
		q.workers++
		q.idle.Go(q.work)
	}
}

// Deliver implements Inbox. Only one Deliver may run at a time; a second returns an error at once.
func (q *InboxQueue) Deliver(ctx context.Context, h Handler) error {
	if h == nil {
		return errors.New("deliver: no handler given")
	}
	q.mu.Lock()
	if q.ctx != nil {
		q.mu.Unlock()
		return errors.New("deliver: this inbox is being delivered already")
	}
	q.handler, q.ctx = h, ctx
	for q.workers < min(q.opts.Concurrency, len(q.ready)) {
		q.workers++
		q.idle.Go(q.work)
	}
	q.mu.Unlock()

	<-ctx.Done()
	q.mu.Lock()
	q.handler = nil // no new workers
	q.mu.Unlock()
	q.idle.Wait()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ctx = nil
	for _, l := range q.lines { // the next Deliver tries them all at once
		if l.timer != nil && l.timer.Stop() {
			l.timer = nil
			q.ready = append(q.ready, l)
		}
	}
	return nil
}

// work delivers for one ready line after another.
func (q *InboxQueue) work() {
	q.mu.Lock()
	defer q.mu.Unlock()
	defer func() { q.workers-- }()
	for {
		h, ctx := q.handler, q.ctx
		if h == nil || ctx.Err() != nil {
			return
		}
		l := q.next()
		if l == nil {
			return
		}
		a := l.items[0]
		q.working[l.key.app]++
		q.mu.Unlock()
		over, wait := q.deliver(ctx, h, a)
		q.mu.Lock()
		if q.working[l.key.app]--; q.working[l.key.app] == 0 {
			delete(q.working, l.key.app)
		}
		switch {
		case over:
			l.items = l.items[1:]
			delete(q.pending, a.Key)
			q.pendingBytes -= int64(a.size)
			q.done.add(a.Key, time.Now())
			if len(l.items) == 0 {
				delete(q.lines, l.key)
			} else {
				q.ready = append(q.ready, l)
			}
		case wait == 0:
			q.ready = append(q.ready, l)
		default:
			a.next = time.Now().Add(wait)
			l.timer = time.AfterFunc(wait, func() {
				q.mu.Lock()
				defer q.mu.Unlock()
				if l.timer == nil {
					return
				}
				l.timer = nil
				q.makeReady(l)
			})
		}
	}
}

// next takes the line that has been ready longest, nil if there is none. One app gets no more than seven eighths
// of the workers, so that a web server that hangs leaves the others of other apps; whoever works for it takes its next line.
// Needs q.mu.
func (q *InboxQueue) next() *line {
	most := q.opts.Concurrency - q.opts.Concurrency/8
	for i, l := range q.ready {
		if q.working[l.key.app] >= most {
			continue
		}
		if i == 0 {
			q.ready[0] = nil
			q.ready = q.ready[1:]
		} else {
			q.ready = slices.Delete(q.ready, i, i+1)
		}
		return l
	}
	return nil
}

// deliver tries once. It reports that the delivery is over and marked so, or how long to wait before the next
// try; zero when this one does not count because ctx ended.
func (q *InboxQueue) deliver(ctx context.Context, h Handler, a *Accepted) (over bool, wait time.Duration) {
	maxAge := q.opts.CDRMaxAge
	if a.Event != nil {
		maxAge = q.opts.EventMaxAge
	}
	log := func() *slog.Logger { return q.opts.Logger.With("app", a.app(), "call", a.callID(), "kind", a.kind()) }
	if !a.over {
		err := handle(ctx, h, a)
		if err != nil && ctx.Err() != nil && !IsPermanent(err) {
			return false, 0
		}
		q.mu.Lock()
		a.attempts++
		a.next = time.Time{}
		if err != nil {
			a.lastError = err.Error()
		}
		attempts := a.attempts
		q.mu.Unlock()
		// What a script throws may quote a caller, so the message is for Deliveries and not for the log.
		switch {
		case err == nil, errors.Is(err, ErrNoCallback):
		case IsPermanent(err):
			log().Warn("delivery given up: the handler refuses it for good", "attempts", attempts)
		case time.Since(a.Time) >= maxAge:
			log().Error("delivery given up: too old", "attempts", attempts, "accepted", a.Time)
		default:
			wait = q.backoff(a, attempts)
			log().Warn("delivery failed", "attempts", attempts, "again_in", wait.Round(time.Millisecond))
			return false, wait
		}
		a.over = true
	}
	if q.log == nil {
		return true, 0
	}
	marked := make(chan error, 1)
	q.log.LogDone(a, func(err error) { marked <- err })
	if err := <-marked; err != nil {
		// The handler is not asked again: only the mark is.
		log().Error("a finished delivery could not be marked as done; a restart now would deliver it again", "error", err)
		return false, q.opts.Backoff[0]
	}
	return true, 0
}

func (q *InboxQueue) backoff(a *Accepted, attempts int) time.Duration {
	waits := q.opts.Backoff
	if q.opts.BackoffFor != nil {
		if own := q.opts.BackoffFor(a.app(), a.kind()); len(own) > 0 {
			waits = own
		}
	}
	d := waits[min(attempts, len(waits))-1]
	return max(1, time.Duration(float64(d)*(0.8+0.4*rand.Float64())))
}

// handle keeps a handler's panic to its own delivery.
func handle(ctx context.Context, h Handler, a *Accepted) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the handler panicked: %v", p)
		}
	}()
	if a.CDR != nil {
		return h.CDR(ctx, a.CDR)
	}
	return h.Event(ctx, a.Event)
}

// Deliveries lists what waits for delivery, oldest first, up to limit (0: all).
func (q *InboxQueue) Deliveries(limit int) []Delivery {
	q.mu.Lock()
	all := make([]Delivery, 0, len(q.pending))
	for _, a := range q.pending {
		all = append(all, Delivery{
			App: a.app(), CallID: a.callID(), Kind: a.kind(), Key: a.Key.String(),
			Attempts: a.attempts, LastError: a.lastError, Accepted: a.Time, Next: a.next,
		})
	}
	q.mu.Unlock()
	sort.Slice(all, func(i, j int) bool { return all[i].Accepted.Before(all[j].Accepted) })
	if limit > 0 && len(all) > limit {
		all = all[:limit]
	}
	return all
}

// Waiting returns how many deliveries wait and when the oldest of them was accepted (zero when none waits).
func (q *InboxQueue) Waiting() (count int, oldest time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, a := range q.pending {
		if oldest.IsZero() || a.Time.Before(oldest) {
			oldest = a.Time
		}
	}
	return len(q.pending), oldest
}
