package runtime

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
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
	durable bool
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
	ends      map[*goja.Object]error // errors that are an end (ScriptError.End)
	timers    timerQueue
	values    map[any]any
	random    *sessionRandom
	ops       int // what is pending: operations under way outside the VM, and
	deferred  int // those among them that the session's own inputs will settle
	settled   []*callback
	own       []func() error // what the session itself left for later turns
	now       time.Time      // of the turn under way
	streak    int            // timers run in a row
	begun     uint64         // operations
	starting  []func()       // operations that begin when this turn's entries are written
	scope     Scope          // of what runs; nil: it belongs to the session alone
	outer     Scope          // of what runs when a reaction of a promise is over

	unrepeatable bool // what came in is not in the journal
	hibernates   func(wake time.Time) bool
	letGo        func() // of the VM's values
	asleep       bool   // it ends without an end

	mu       sync.Mutex
	waiting  map[*callback]struct{}
	queue    []func() error
	running  bool
	inTurn   bool
	ended    bool
	closing  bool
	reason   string
	fault    *Fault
	replay   *replay // while the session is run again from its journal
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
	// NoJournal is for sessions that must leave no trace, such as checks.
	NoJournal bool
	// Durable sessions can be rebuilt after a crash of the process: an operation begins only when the journal has
	// stored that it does, where the journal can say so (see [Syncer]).
	Durable bool

	// Hibernate, where set, is asked when memory runs short and the session rests, with nothing under way outside:
	// whether it may end without an end in its journal, because it will be rebuilt from there when something comes in,
	// or at wake if that is not zero. It is called on the session's goroutine.
	Hibernate func(wake time.Time) bool

	// Released, where set, is called once when the session has ended and its VM will not run again: values of it that are
	// kept elsewhere would keep its memory. A session whose last turn had to be abandoned is not released.
	Released func()

	seed   [32]byte
	replay *replay
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
		durable: cfg.Durable, hibernates: cfg.Hibernate, letGo: cfg.Released,
		done: make(chan struct{}),
	}
	if s.clock == nil {
		s.clock = rt.cfg.Clock
	}
	s.born = s.clock.Now().Round(0)
	s.now, s.replay = s.born, cfg.replay
	s.random = newSessionRandom(cfg.seed)
	if !s.dry {
		s.record(Entry{Time: s.born, Kind: "start", Data: []byte(`{"app":"` + s.app + `","version":"` + v.id + `","seed":"` + s.random.seedText() + `"}`)})
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

// Logger returns the log that the app's own messages go to. While the session is run again it is silent: what was to be
// said has been said.
func (s *Session) Logger() *slog.Logger {
	if s.Replaying() {
		return silent
	}
	return s.rt.log.With("app", s.app, "call", s.id, "version", s.version.ShortID())
}

// Replaying reports whether the session is being run again from its journal: nothing it does has an effect outside.
func (s *Session) Replaying() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replay != nil
}

var silent = slog.New(slog.DiscardHandler)

// Now returns the session's time, which stands still within a turn.
func (s *Session) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.time()
}

// time needs s.mu.
func (s *Session) time() time.Time {
	if s.inTurn {
		return s.now
	}
	return s.clock.Now().Round(0)
}

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

// resting reports whether nobody waits for the session and nothing in it runs.
func (s *Session) resting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.running && !s.ended && !s.closing && len(s.waiting) == 0
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
