// Package runtime runs people's JavaScript and TypeScript as long as a conversation lasts, and takes every edit
// live without disturbing what is running.
//
//	rt, err := runtime.New(runtime.Config{Callbacks: []string{"answer"}})
//	app, err := rt.Load(ctx, "support", runtime.FS(files), "support/main.ts")
//	session, err := app.NewSession(runtime.SessionConfig{ID: callID})
//	err = session.Call(ctx, "answer", args, result)
//
// An [App] is a named script. Its [Version] is an immutable compiled snapshot. A [Session] is the JavaScript
// world of one conversation: one VM, one event loop, one journal, pinned to the version it was born with. What
// scripts can touch comes from [Module]s. The package knows nothing of telephony, HTTP or storage: an embedder
// brings his own modules, [Journal] and [VersionStore], or uses the in-memory defaults.
package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/piopiy/piopiyd/runtime/guard"
)

// Config says what a Runtime offers to scripts. The zero value works: no modules, default limits, an in-memory
// journal, the machine's clock.
type Config struct {
	// Callbacks are the exports that a script may define. At least one must be there, and each must be a function.
	// Empty means: any export, none required.
	Callbacks []string
	// Modules are what scripts can use.
	Modules []Module
	// Stdlib holds JavaScript or TypeScript modules that scripts import by their path without extension, such as
	// "piopiy/hours" for piopiy/hours.ts.
	Stdlib fs.FS
	// Settings are the settings of apps by name; apps without an entry have none.
	Settings map[string]Settings
	// Journal keeps what sessions record.
	Journal Journal
	// Versions keeps versions over restarts; nil keeps them in memory only.
	Versions VersionStore
	// Clock is the time sessions live in.
	Clock Clock
	// Limits hold for every session.
	Limits Limits
	// KeepVersions is how many versions of an app are kept for rollback (default 10).
	KeepVersions int
	// MemoryLimit is the heap size, in bytes, above which running turns are stopped and resting sessions are shed,
	// largest first. 0 means 60 % of the memory this process may use.
	MemoryLimit int64
	// MaxSessions is how many sessions may live at once (default 100,000). Beyond, those that have rested longest are
	// ended for new ones; ErrBusy when none rests.
	MaxSessions int
	// Logger receives what scripts log and what goes wrong (default slog.Default()).
	Logger *slog.Logger
	// Observer is told of births, ends, faults and reloads, for metrics. Optional.
	Observer Observer
	// Coverage, where set, notes which lines of scripts run. It is for tests.
	Coverage *Coverage
}

// Settings are an app's own settings. They are inputs of its versions: changing them makes a new one.
type Settings struct {
	// Env is what the script sees as env.
	Env map[string]string `json:"env,omitempty"`
	// Isolation chooses what a session runs in.
	Isolation Isolation `json:"isolation,omitempty"`
}

// Isolation chooses what a session runs in.
type Isolation string

const (
	// Newborn gives every session a VM of its own, made for it and gone with it: the default.
	Newborn Isolation = "newborn"
	// Frozen runs a session in a pooled VM whose built-ins are deeply frozen; module variables are still new for
	// every session. Births are about twice as fast, scripts that change built-ins fail. A frozen VM is large
	// (about 1 MB), so it suits apps whose sessions end with their first answer.
	Frozen Isolation = "frozen"
)

// Observer is told what a Runtime does. Its methods are called from many goroutines and must return at once.
type Observer interface {
	SessionStarted(app string)
	SessionEnded(app string)
	TurnEnded(app string, d time.Duration)
	Faulted(app string, kind FaultKind)
	// Rebuilt tells that a session lives on from its journal, or with err that it cannot.
	Rebuilt(app string, err error)
	// Reloaded tells that an edit went live as v, or was refused with err.
	Reloaded(app string, v *Version, took time.Duration, err error)
}

// Runtime is the home of apps. All its methods are safe for concurrent use.
type Runtime struct {
	cfg     Config
	limits  Limits
	log     *slog.Logger
	globals map[string]Module
	imports map[string]Module
	exports map[string][]string
	inst    []Installer
	stdlib  fs.FS
	realms  realmPool
	workers workers

	mu   sync.RWMutex
	apps map[string]*App

	sessionsMu sync.Mutex
	sessions   map[*Session]struct{}
	turns      sync.Map // the sessions in a turn now
	shedding   atomic.Bool
	strays     atomic.Int64 // abandoned turns that still run
	closed     chan struct{}
	background sync.WaitGroup
	closeOnce  sync.Once
}

// New returns a Runtime without apps. It fails when two modules provide the same name. Close ends it.
func New(cfg Config) (*Runtime, error) {
	if cfg.Journal == nil {
		cfg.Journal = NewMemoryJournal(0)
	}
	if cfg.Clock == nil {
		cfg.Clock = SystemClock
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	fill(&cfg.KeepVersions, 10)
	fill(&cfg.MaxSessions, 100_000)
	if cfg.Observer == nil {
		cfg.Observer = noObserver{}
	}
	rt := &Runtime{
		cfg:      cfg,
		limits:   cfg.Limits.withDefaults(),
		log:      cfg.Logger,
		globals:  map[string]Module{},
		imports:  map[string]Module{},
		exports:  map[string][]string{},
		stdlib:   cfg.Stdlib,
		apps:     map[string]*App{},
		sessions: map[*Session]struct{}{},
		closed:   make(chan struct{}),
	}
	guard.SetRegexpTimeout(regexpTimeout)
	for _, m := range cfg.Modules {
		p := m.Provides()
		for _, set := range []struct {
			names []string
			into  map[string]Module
		}{{p.Globals, rt.globals}, {p.Imports, rt.imports}} {
			for _, name := range set.names {
				if other, taken := set.into[name]; taken {
					return nil, fmt.Errorf("modules %q and %q both provide %q", other.Name(), m.Name(), name)
				}
				set.into[name] = m
			}
		}
		maps.Copy(rt.exports, p.Exports)
		if i, ok := m.(Installer); ok {
			rt.inst = append(rt.inst, i)
		}
	}
	rt.workers = workers{next: make(chan *Session), closed: rt.closed}
	rt.background.Go(rt.watchMemory)
	return rt, nil
}

// regexpTimeout bounds one match of a backtracking regular expression.
const regexpTimeout = 100 * time.Millisecond

// App returns a loaded app.
func (rt *Runtime) App(name string) (*App, bool) {
	rt.mu.RLock()
	defer rt.mu.RUnlock()
	a, ok := rt.apps[name]
	return a, ok
}

// Apps returns the loaded apps, sorted by name. Apps that never had a good version are among them: their
// Current is nil and their Problem says why.
func (rt *Runtime) Apps() []*App {
	rt.mu.RLock()
	defer rt.mu.RUnlock()
	list := make([]*App, 0, len(rt.apps))
	for _, a := range rt.apps {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b *App) int { return strings.Compare(a.name, b.name) })
	return list
}

func (rt *Runtime) appNamed(name string) *App {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	a, ok := rt.apps[name]
	if !ok {
		a = &App{name: name, rt: rt}
		rt.apps[name] = a
	}
	return a
}

// Sessions returns the sessions alive now, in no order.
func (rt *Runtime) Sessions() []*Session {
	rt.sessionsMu.Lock()
	defer rt.sessionsMu.Unlock()
	list := make([]*Session, 0, len(rt.sessions))
	for s := range rt.sessions {
		list = append(list, s)
	}
	return list
}

// SessionCount returns how many sessions are alive.
func (rt *Runtime) SessionCount() int {
	rt.sessionsMu.Lock()
	defer rt.sessionsMu.Unlock()
	return len(rt.sessions)
}

// ErrBusy says that no further session is taken: too many live, or memory is short.
var ErrBusy = errors.New("no further session is taken: too many are alive or memory is short")

// ErrClosed says that the Runtime was closed: it takes no further session, and those that were alive have ended.
var ErrClosed = errors.New("the runtime was closed")

func (rt *Runtime) adopt(s *Session) error {
	rt.sessionsMu.Lock()
	defer rt.sessionsMu.Unlock()
	select {
	case <-rt.closed:
		return ErrClosed
	default:
	}
	if rt.shedding.Load() && s.replay == nil { // one that wakes was here before
		return ErrBusy
	}
	if len(rt.sessions) >= rt.cfg.MaxSessions && !rt.evict() {
		return ErrBusy
	}
	rt.sessions[s] = struct{}{}
	rt.cfg.Observer.SessionStarted(s.app)
	return nil
}

// evict ends the oldest resting sessions, one in a hundred at a time, and reports whether there were any: calls
// that never report their end must not keep new ones out. Those that can be rebuilt hibernate. It needs rt.sessionsMu.
func (rt *Runtime) evict() bool {
	var resting []*Session
	for s := range rt.sessions {
		if s.resting() {
			resting = append(resting, s)
		}
	}
	slices.SortFunc(resting, func(a, b *Session) int { return a.born.Compare(b.born) })
	resting = resting[:min(len(resting), 1+rt.cfg.MaxSessions/100)]
	for _, s := range resting {
		if s.hibernates != nil {
			go s.Hibernate()
			continue
		}
		go s.Fail(&Fault{Kind: FaultLimit, Message: fmt.Sprintf("the session was ended because more than %d are alive, and it had rested longest", rt.cfg.MaxSessions)})
	}
	return len(resting) > 0
}

func (rt *Runtime) dismiss(s *Session) {
	rt.sessionsMu.Lock()
	_, adopted := rt.sessions[s] // the session of a dry run is not
	delete(rt.sessions, s)
	rt.sessionsMu.Unlock()
	if adopted {
		rt.cfg.Observer.SessionEnded(s.app)
	}
}

// Close ends all sessions and whatever the Runtime started. It waits for turns that are running, each at most
// for its turn limit.
func (rt *Runtime) Close() {
	rt.closeOnce.Do(func() {
		rt.sessionsMu.Lock()
		close(rt.closed)
		rt.sessionsMu.Unlock()
		for _, s := range rt.Sessions() {
			s.rest()
			s.Close(ErrClosed.Error())
			<-s.Done()
		}
		rt.background.Wait()
	})
}

type noObserver struct{}

func (noObserver) SessionStarted(string)                           {}
func (noObserver) SessionEnded(string)                             {}
func (noObserver) TurnEnded(string, time.Duration)                 {}
func (noObserver) Faulted(string, FaultKind)                       {}
func (noObserver) Rebuilt(string, error)                           {}
func (noObserver) Reloaded(string, *Version, time.Duration, error) {}

// stdlibID names the state of the standard library. Files of it that a version uses are inputs of that version,
// so this only tells apart builds whose module sets differ.
func (rt *Runtime) stdlibID() string {
	names := make([]string, 0, len(rt.imports))
	for name := range rt.imports {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}
