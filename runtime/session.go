package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime/guard"
)

// Session is the JavaScript world of one conversation: one VM, one event loop, one journal.
//
// At any moment at most one goroutine runs the VM: the session's. Everyone else posts to its mailbox. Methods
// marked "on the session's goroutine" may only be called from a posted task, a native function or a module.
type Session struct {
	id      string
	app     string
	version *Version
	rt      *Runtime
	clock   Clock
	dry     bool
	born    time.Time
	realm   *realm // nil for a newborn VM

	// Owned by the session's goroutine.
	vm        *goja.Runtime
	stop      *guard.Stop
	guard     *guard.Guard
	exports   *goja.Object
	instances map[Module]Instance
	globals   map[string]goja.Value
	imported  map[string]goja.Value
	rejected  []*goja.Promise
	timers    timerQueue
	values    map[any]any
	random    *sessionRandom
	ops       int // operations under way outside the VM
	settled   []*callback

	mu       sync.Mutex
	waiting  map[*callback]struct{}
	queue    []func() error
	running  bool
	inTurn   bool
	ended    bool
	closing  bool
	reason   string
	fault    *Fault
	entries  []Entry
	seq      uint64
	recorded int
	ctx      context.Context
	cancel   context.CancelCauseFunc
	done     chan struct{}
	watchdog *time.Timer
	grace    *time.Timer
	lifetime Timer
	released bool

	turnBegan atomic.Int64 // Unix ns; 0 while resting
	grown     atomic.Int64 // bytes the heap grew during this session's turns, measured under pressure only
}

// SessionConfig says how a session is born.
type SessionConfig struct {
	// ID names the session in journal and log: the call's id.
	ID string
	// Clock replaces the Runtime's.
	Clock Clock
	// Version replaces the app's current version; for a caller that holds one.
	Version *Version
	// Values are handed to modules through [Session.Value].
	Values map[any]any
	// Journal is false for sessions that must leave no trace, such as checks.
	NoJournal bool
}

// quarantineAfter is how many turns that could not be stopped take a version out of service: each of them still
// burns a processor.
const quarantineAfter = 3

// NewSession returns a session on the app's current version. The script's top level runs in the session's
// first turn. The caller must Close it.
func (a *App) NewSession(cfg SessionConfig) (*Session, error) {
	v := cfg.Version
	if v == nil {
		if v = a.acquire(); v == nil {
			if p := a.Problem(); p != nil {
				return nil, fmt.Errorf("app %q has no good version: %w", a.name, p)
			}
			return nil, fmt.Errorf("app %q has no version", a.name)
		}
	} else {
		v.refs.Add(1)
	}
	if n := v.abandoned.Load(); n >= quarantineAfter {
		v.release()
		return nil, &Fault{Kind: FaultLimit, Message: fmt.Sprintf("version %s is in quarantine: %d of its turns could not be stopped", v.ShortID(), n)}
	}
	s := newSession(a.rt, v, cfg)
	if err := a.rt.adopt(s); err != nil {
		v.release()
		return nil, err
	}
	v.sessions.Add(1)
	s.lifetime = s.clock.AfterFunc(a.rt.limits.Lifetime, func() {
		s.Post(func() error {
			return &Fault{Kind: FaultLimit, Message: fmt.Sprintf("the session outlived its limit of %s", a.rt.limits.Lifetime)}
		})
	})
	return s, nil
}

func newSession(rt *Runtime, v *Version, cfg SessionConfig) *Session {
	s := &Session{
		id: cfg.ID, app: v.app, version: v, rt: rt, clock: cfg.Clock, values: maps.Clone(cfg.Values), dry: cfg.NoJournal,
		done: make(chan struct{}),
	}
	if s.clock == nil {
		s.clock = rt.cfg.Clock
	}
	s.born = s.clock.Now()
	s.random = newSessionRandom()
	if !s.dry {
		s.record(s.born, "start", []byte(`{"app":"`+s.app+`","version":"`+v.id+`","seed":"`+s.random.seedText()+`"}`))
	}
	return s
}

// ID returns the session's id.
func (s *Session) ID() string { return s.id }

// App returns the name of the app.
func (s *Session) App() string { return s.app }

// Version returns the version the session is pinned to.
func (s *Session) Version() *Version { return s.version }

// Uses reports whether the text that the session runs contains a word, so that a module may leave out of a newborn
// session what its script cannot name.
func (s *Session) Uses(word string) bool { return strings.Contains(s.version.code, word) }

// Born returns when the session began, in its own time.
func (s *Session) Born() time.Time { return s.born }

// Limits returns the session's limits.
func (s *Session) Limits() Limits { return s.rt.limits }

// Logger returns the log that the app's own messages go to.
func (s *Session) Logger() *slog.Logger {
	return s.rt.log.With("app", s.app, "call", s.id, "version", s.version.ShortID())
}

// Now returns the session's time.
func (s *Session) Now() time.Time { return s.clock.Now() }

// DryRun reports whether this is the throw-away session that checks a version: nothing may have an effect.
func (s *Session) DryRun() bool { return s.dry }

// VM returns the JavaScript runtime. On the session's goroutine only.
func (s *Session) VM() *goja.Runtime { return s.vm }

// Value returns what the session's maker left under key for modules, or nil. On the session's goroutine.
func (s *Session) Value(key any) any { return s.values[key] }

// SetValue leaves something for other modules of the same session. On the session's goroutine.
func (s *Session) SetValue(key, value any) {
	if s.values == nil {
		s.values = map[any]any{}
	}
	s.values[key] = value
}

// Context ends with the session.
func (s *Session) Context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil {
		s.ctx, s.cancel = context.WithCancelCause(context.Background())
		if s.released {
			s.cancel(errEnded)
		}
	}
	return s.ctx
}

var errEnded = fmt.Errorf("the session has ended: %w", context.Canceled)

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// Fault returns why the session failed, or nil.
func (s *Session) Fault() *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

// Record adds an entry to the session's journal. data is encoded as JSON; json.RawMessage is taken as it is.
// It may be called from any goroutine.
func (s *Session) Record(kind string, data any) {
	if s.dry {
		return
	}
	raw, ok := data.(json.RawMessage)
	if !ok && data != nil {
		var err error
		if raw, err = json.Marshal(data); err != nil {
			raw, _ = json.Marshal(map[string]string{"unencodable": err.Error()})
		}
	}
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.released {
		return
	}
	s.record(now, kind, raw)
}

// record needs s.mu.
func (s *Session) record(now time.Time, kind string, raw json.RawMessage) {
	limit := s.rt.limits.JournalSize
	switch {
	case s.recorded > limit && kind != "fault" && kind != "end":
		return
	case s.recorded+len(raw) > limit && kind != "fault" && kind != "end":
		raw = json.RawMessage(fmt.Sprintf(`{"limit":%d}`, limit))
		kind = "journal_full"
		s.recorded = limit
	}
	s.recorded += len(raw) + 1
	s.seq++
	s.entries = append(s.entries, Entry{Seq: s.seq, Time: now, Kind: kind, Version: s.version.ShortID(), Data: raw})
}

func (s *Session) flush() {
	s.mu.Lock()
	entries := s.entries
	s.entries = nil
	s.mu.Unlock()
	if len(entries) == 0 || s.dry {
		return
	}
	if err := s.rt.cfg.Journal.Append(s.app, s.id, entries); err != nil {
		s.rt.log.Error("journal entries were lost", "app", s.app, "call", s.id, "entries", len(entries), "error", err)
	}
}

// Post queues a task for the session's goroutine and reports whether the session still takes one. An error the
// task returns is fatal to the session.
func (s *Session) Post(task func() error) bool { return s.post(task, nil) }

func (s *Session) post(task func() error, cb *callback) bool {
	s.mu.Lock()
	if s.ended || s.closing {
		s.mu.Unlock()
		return false
	}
	if cb != nil {
		if s.waiting == nil {
			s.waiting = map[*callback]struct{}{}
		}
		s.waiting[cb] = struct{}{}
	}
	s.queue = append(s.queue, task)
	wake := !s.running
	s.running = true
	s.mu.Unlock()
	if wake {
		s.beginWork()
		s.rt.workers.run(s)
	}
	return true
}

// run is the session's goroutine: it lives while there is something to do.
func (s *Session) run() {
	defer s.endWork()
	for {
		s.mu.Lock()
		if s.ended {
			s.mu.Unlock()
			return
		}
		if s.closing {
			s.mu.Unlock()
			s.finish(nil)
			return
		}
		if len(s.queue) == 0 {
			if s.stuck() {
				s.queue = append(s.queue, s.failStuck)
				s.mu.Unlock()
				continue
			}
			s.queue = nil
			s.running = false
			s.mu.Unlock()
			return
		}
		task := s.queue[0]
		s.queue = s.queue[1:]
		s.inTurn = true
		s.mu.Unlock()

		fault := s.turn(task)

		s.mu.Lock()
		s.inTurn = false
		abandoned := s.ended
		if s.fault != nil {
			fault = s.fault
		}
		s.mu.Unlock()
		if abandoned {
			return
		}
		if fault != nil {
			s.finish(fault)
			return
		}
		s.flush()
		s.deliver()
	}
}

// turn runs one task under the watchdog and returns what is fatal to the session.
func (s *Session) turn(task func() error) (fault *Fault) {
	began := time.Now()
	s.turnBegan.Store(began.UnixNano())
	heap := s.rt.pressureHeap()
	s.watch()
	defer func() {
		s.watchdog.Stop()
		s.turnBegan.Store(0)
		if heap > 0 {
			s.grown.Add(s.rt.pressureHeap() - heap)
		}
		s.rt.cfg.Observer.TurnEnded(s.app, time.Since(began))
	}()
	if s.vm == nil {
		if err := s.protect(s.start); err != nil {
			return s.explain(err)
		}
	}
	if err := s.protect(task); err != nil {
		return s.explain(err)
	}
	return s.unhandledRejection()
}

// protect turns panics of native code into faults: one broken binding must not end the process.
func (s *Session) protect(f func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *goja.InterruptedError:
			err = r
		case *goja.Exception:
			err = r
		case goja.Value:
			err = thrown{r}
		case *Fault:
			err = r
		default:
			if stop, ok := guard.Interrupted(r); ok {
				err = stop
				return
			}
			s.rt.log.Error("a binding panicked", "app", s.app, "call", s.id, "panic", r, "stack", string(debug.Stack()))
			err = &Fault{Kind: FaultInternal, Message: fmt.Sprintf("a binding failed: %v", r)}
		}
	}()
	return f()
}

// watch arms the watchdog for one turn.
func (s *Session) watch() {
	if s.watchdog == nil {
		s.watchdog = time.AfterFunc(s.rt.limits.Turn, func() {
			s.interrupt(&Fault{Kind: FaultTimeout, Message: fmt.Sprintf("one turn of the script took longer than %s", s.rt.limits.Turn)})
		})
		return
	}
	s.watchdog.Reset(s.rt.limits.Turn)
}

// interrupt stops the running turn with a fault; a turn that does not come back within the grace is abandoned.
func (s *Session) interrupt(f *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.inTurn || s.ended || s.fault != nil {
		return
	}
	s.fault = f
	if s.vm != nil {
		s.stop.Set()
		s.vm.Interrupt(f)
	}
	s.grace = time.AfterFunc(s.rt.limits.Grace, func() { s.abandon(f) })
}

// abandon gives up a turn that cannot be interrupted: its callers get the fault now, the VM is never used again.
func (s *Session) abandon(f *Fault) {
	s.mu.Lock()
	if !s.inTurn || s.ended {
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	s.version.abandoned.Add(1)
	s.rt.log.Error("a turn could not be stopped and was abandoned", "app", s.app, "call", s.id, "version", s.version.ShortID())
	s.finish(f)
}

// Fail ends the session with a fault, as if the script had broken a rule.
func (s *Session) Fail(f *Fault) {
	s.Post(func() error { return f })
}

// Close ends the session in good order: pending operations are cancelled, timers dropped, callbacks still under
// way fail with FaultClosed. A running turn is allowed to end first. The reason goes into the journal.
func (s *Session) Close(reason string) {
	s.mu.Lock()
	if s.ended || s.closing {
		s.mu.Unlock()
		return
	}
	s.closing = true
	s.reason = reason
	running := s.running
	s.running = true
	s.mu.Unlock()
	if !running {
		s.beginWork()
		s.finish(nil)
		s.endWork()
	}
}

// finish ends the session: once, from whichever goroutine comes first.
func (s *Session) finish(f *Fault) {
	now := s.clock.Now()
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended = true
	if f != nil {
		s.fault = f
		data, _ := json.Marshal(f)
		s.record(now, "fault", data)
	}
	end, _ := json.Marshal(map[string]string{"reason": s.endReason(f)})
	if !s.dry {
		s.record(now, "end", end)
	}
	s.queue = nil
	abandoned := s.inTurn
	cancel := s.cancel
	waiting := s.waiting
	s.waiting = nil
	s.mu.Unlock()

	if f != nil && !s.dry {
		s.rt.cfg.Observer.Faulted(s.app, f.Kind)
		s.Logger().Error("script fault", "kind", f.Kind, "at", f.Position.String(), "error", f.Error(), "source", f.Position.Source)
	}
	s.flush()
	if s.grace != nil {
		s.grace.Stop()
	}
	if s.lifetime != nil {
		s.lifetime.Stop()
	}
	if cancel != nil {
		cancel(errEnded)
	}
	closed := f
	if closed == nil {
		closed = &Fault{Kind: FaultClosed, Message: "the session ended: " + s.endReason(nil)}
	}
	for cb := range waiting {
		cb.settle(closed)
	}
	if !abandoned {
		s.timers.stop()
		s.rt.realms.giveBack(s, f == nil)
		s.vm = nil
		s.exports = nil
		s.instances = nil
		s.globals = nil
		s.imported = nil
	}
	s.mu.Lock()
	s.released = true
	s.mu.Unlock()
	if !s.dry {
		s.version.sessions.Add(-1)
		s.rt.dismiss(s)
	}
	s.version.release()
	close(s.done)
}

func (s *Session) endReason(f *Fault) string {
	switch {
	case f != nil:
		return string(f.Kind)
	case s.reason != "":
		return s.reason
	default:
		return "closed"
	}
}

func (s *Session) beginWork() {
	if t, ok := s.clock.(WorkTracker); ok {
		t.Begin()
	}
}

func (s *Session) endWork() {
	if t, ok := s.clock.(WorkTracker); ok {
		t.End()
	}
}
