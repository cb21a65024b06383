package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/piopiy/piopiyd/runtime"
)

// Appends take the cheapest way to the server: one message each, without an acknowledgement of its own. The server
// stores the messages of one connection in order, so that the acknowledgement of every checkpointEvery-th says
// that those before it were stored too, or how many were not. At most appendWindow messages are unacknowledged; the
// server's own queue holds twice that, so it never has to drop one.
const (
	checkpointEvery = 128
	appendWindow    = 4096
	ackTimeout      = 5 * time.Second
	lagRemembered   = 10_000 // sessions whose gaps are remembered while lagging
)

// ErrLagging says that entries were dropped because the journal cannot keep up. The session goes on; the gap shows
// in its timeline.
var ErrLagging = errors.New("the journal lags behind: entries were dropped")

var _ runtime.Journal = (*Journal)(nil)

// Append implements runtime.Journal. It queues the entries of one turn and returns at once; a full queue drops
// them with ErrLagging, and the call's timeline then shows a gap. It keeps no reference to entries.
func (j *Journal) Append(app, session string, entries []runtime.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	if err := checkID("journal: app", app); err != nil {
		return err
	}
	if err := checkID("journal: session", session); err != nil {
		return err
	}
	return j.append.append(app, session, entries)
}

var _ runtime.Syncer = (*Journal)(nil)

// Sync implements runtime.Syncer: it returns when everything appended before is in the operating system's hands.
func (j *Journal) Sync(ctx context.Context) error { return j.append.flush(ctx) }

type appender struct {
	nc     *nats.Conn
	log    *slog.Logger
	recent *recentCalls
	limit  int // of a message's size

	queue   chan turn
	flushes chan chan error
	stop    chan struct{} // closed to end the writer, which empties the queue first
	abort   chan struct{} // closed to end it at once
	ended   chan struct{}

	closing sync.RWMutex // held for reading while queueing
	closed  bool

	mu      sync.Mutex
	gaps    map[string]gap // by subject, while lagging
	lagging atomic.Bool
	dropped atomic.Uint64 // entries, since the start
	unacked atomic.Int64  // messages
}

// turn is one Append on its way.
type turn struct {
	subject string
	data    *[]byte
	entries int
}

// gap is what was dropped of one session: how many entries, and the number of the last.
type gap struct {
	last, missing uint64
	time          time.Time
	version       string
}

var turnBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 2048); return &b }}

func newAppender(nc *nats.Conn, opts Options, recent *recentCalls) (*appender, error) {
	a := &appender{
		nc: nc, log: opts.Logger, recent: recent, limit: int(nc.MaxPayload()),
		queue:   make(chan turn, opts.AppendQueue),
		flushes: make(chan chan error),
		stop:    make(chan struct{}),
		abort:   make(chan struct{}),
		ended:   make(chan struct{}),
		gaps:    map[string]gap{},
	}
	acks := make(chan *nats.Msg, 2*appendWindow/checkpointEvery+16)
	inbox := nats.NewInbox()
	sub, err := nc.ChanSubscribe(inbox+".*", acks)
	if err != nil {
		return nil, err
	}
	w := &appendWriter{appender: a, acks: acks, sub: sub, reply: inbox + "."}
	go w.run()
	return a, nil
}

func (a *appender) append(app, session string, entries []runtime.Entry) error {
	buf := turnBuffers.Get().(*[]byte)
	*buf = appendEntries((*buf)[:0], entries)
	t := turn{subject: callSubject(app, session), data: buf, entries: len(entries)}
	a.recent.note(app, session, entries)
	if len(*buf) > a.limit-1024 {
		err := fmt.Errorf("journal: call %s: one turn's entries are %d bytes, at most %d are possible", session, len(*buf), a.limit-1024)
		a.drop(t, entries)
		return err
	}

	err := a.enqueue(t)
	switch {
	case errors.Is(err, ErrLagging):
		a.drop(t, entries)
	case err != nil:
		turnBuffers.Put(buf)
	}
	return err
}

func (a *appender) enqueue(t turn) error {
	a.closing.RLock()
	defer a.closing.RUnlock()
	if a.closed {
		return errors.New("journal: closed")
	}
	select {
	case a.queue <- t:
		return nil
	default:
		return ErrLagging
	}
}

// drop counts entries that will not be stored and remembers the gap.
func (a *appender) drop(t turn, entries []runtime.Entry) {
	if cap(*t.data) <= 64<<10 {
		turnBuffers.Put(t.data)
	}
	a.dropped.Add(uint64(len(entries)))
	if a.lagging.CompareAndSwap(false, true) {
		a.log.Error("the journal lags behind: entries are dropped until it has caught up")
	}
	first, last := &entries[0], &entries[len(entries)-1]
	a.mu.Lock()
	defer a.mu.Unlock()
	g, known := a.gaps[t.subject]
	switch {
	case known:
		g.last = last.Seq
		g.missing += uint64(len(entries))
	case len(a.gaps) < lagRemembered:
		g = gap{last: last.Seq, missing: uint64(len(entries)), time: first.Time, version: first.Version}
	default:
		return
	}
	a.gaps[t.subject] = g
}

// takeGaps ends the lagging state and returns what was missed in it.
func (a *appender) takeGaps() map[string]gap {
	a.mu.Lock()
	defer a.mu.Unlock()
	gaps := a.gaps
	a.gaps = map[string]gap{}
	a.lagging.Store(false)
	return gaps
}

// flush returns when everything appended before is stored.
func (a *appender) flush(ctx context.Context) error {
	done := make(chan error, 1)
	select {
	case a.flushes <- done:
	case <-a.ended:
		return errors.New("journal: closed")
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *appender) close(ctx context.Context) error {
	a.closing.Lock()
	already := a.closed
	a.closed = true
	a.closing.Unlock()
	if already {
		return nil
	}
	close(a.stop)
	select {
	case <-a.ended:
		return nil
	case <-ctx.Done():
		left := len(a.queue) + int(a.unacked.Load())
		close(a.abort)
		<-a.ended
		if left == 0 {
			return nil
		}
		return fmt.Errorf("close journal: %d turns' entries were not stored: %w", left, context.Cause(ctx))
	}
}

// gapKind is the kind of the entry that stands where entries are missing; its data is {"missing":n}.
const gapKind = "gap"

func gapEntry(seq, missing uint64, at time.Time, version string) runtime.Entry {
	data, err := json.Marshal(struct {
		Missing uint64 `json:"missing"`
	}{missing})
	if err != nil {
		panic(err) // a number can be marshalled
	}
	return runtime.Entry{Seq: seq, Time: at, Kind: gapKind, Version: version, Data: data}
}
