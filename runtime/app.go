package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dop251/goja"
)

// App is a named script. Its current version answers; an edit that passes its checks replaces it whole, one that
// does not leaves it as it was.
type App struct {
	name    string
	rt      *Runtime
	current atomic.Pointer[Version]

	change sync.Mutex // held while a version is being replaced

	mu      sync.Mutex
	kept    []*Version // newest first
	held    string
	problem error
	inputs  []string // files and names the last build looked at
}

// Name returns the app's name.
func (a *App) Name() string { return a.name }

// Current returns the live version, or nil when the app never had a good one.
func (a *App) Current() *Version { return a.current.Load() }

// Versions returns the versions that can be rolled back to, newest first; the current one is among them.
func (a *App) Versions() []*Version {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.kept)
}

// Problem returns why the newest files are not live, or nil when they are.
func (a *App) Problem() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.problem
}

// Version returns a version by its whole id, from the versions at hand or from the store; ErrNoVersion when it is gone.
func (a *App) Version(ctx context.Context, id string) (*Version, error) {
	for _, v := range a.Versions() {
		if v.id == id {
			return v, nil
		}
	}
	if a.rt.cfg.Versions == nil {
		return nil, ErrNoVersion
	}
	stored, err := a.rt.cfg.Versions.LoadVersion(ctx, a.name, id)
	if err != nil {
		return nil, err
	}
	v, err := restoreVersion(stored)
	if err != nil {
		return nil, fmt.Errorf("%w: what is stored of it cannot be used: %w", ErrNoVersion, err)
	}
	return v, nil
}

// Previous returns the newest version older than v, or nil.
func (a *App) Previous(v *Version) *Version {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, k := range a.kept {
		if k == v && i+1 < len(a.kept) {
			return a.kept[i+1]
		}
	}
	return nil
}

func (a *App) acquire() *Version {
	for {
		v := a.current.Load()
		if v == nil || v.tryAcquire() {
			return v
		}
	}
}

// Check builds an app from files and runs its top level in a throw-away session, without making it live.
// The error says file, line and reason.
func (rt *Runtime) Check(ctx context.Context, name string, files fs.FS, entry string) (*Version, error) {
	v, err := rt.build(name, rt.cfg.Settings[name], files, entry)
	if err != nil {
		return v, err
	}
	return v, rt.dryRun(ctx, v)
}

// dryRun runs a version's top level where nothing can have an effect, and looks at what it exports.
func (rt *Runtime) dryRun(ctx context.Context, v *Version) error {
	v.refs.Add(2) // one for this function, so that the version does not count as drained when the session ends
	defer v.refs.Add(-1)
	s := newSession(rt, v, SessionConfig{ID: "check", NoJournal: true})
	defer s.Close("checked")
	return s.Run(ctx, "load", func() (goja.Value, error) {
		for _, key := range s.exports.Keys() {
			_, callable := goja.AssertFunction(s.exports.Get(key))
			if slices.Contains(rt.cfg.Callbacks, key) && !callable {
				return nil, &Fault{Kind: FaultResult, Message: fmt.Sprintf("the export %q must be a function, not %s", key, Describe(s.exports.Get(key)))}
			}
			if callable {
				v.exports = append(v.exports, key)
			}
		}
		slices.Sort(v.exports)
		for _, known := range rt.cfg.Callbacks {
			if v.HasExport(known) {
				return goja.Undefined(), nil
			}
		}
		if len(rt.cfg.Callbacks) == 0 {
			return goja.Undefined(), nil
		}
		return nil, &Fault{Kind: FaultResult, Message: fmt.Sprintf("the script exports none of %s: write for instance `export function %s() { … }`", strings.Join(rt.cfg.Callbacks, ", "), rt.cfg.Callbacks[0])}
	}, nil)
}

// Load builds an app and makes it live, unless it is live already. On an error the app keeps its last good
// version, and its Problem says why.
func (rt *Runtime) Load(ctx context.Context, name string, source Source, entry string) (*App, error) {
	files, done, err := source.Open()
	if err != nil {
		return nil, err
	}
	defer done()
	a := rt.appNamed(name)
	return a, a.update(ctx, files, entry, nil)
}

// LoadAll loads every app of a source and joins what went wrong.
func (rt *Runtime) LoadAll(ctx context.Context, source Source) error {
	files, done, err := source.Open()
	if err != nil {
		return err
	}
	defer done()
	entries, problems, err := Discover(files)
	if err != nil {
		return err
	}
	var failed []error
	for name, problem := range problems {
		rt.appNamed(name).setProblem(problem)
		failed = append(failed, problem)
		delete(entries, name)
	}
	for name, entry := range entries {
		if err := rt.meet(ctx, name).update(ctx, files, entry, nil); err != nil {
			failed = append(failed, fmt.Errorf("app %q: %w", name, err))
		}
	}
	return errors.Join(failed...)
}

// errMoving says that files changed while they were read.
var errMoving = errors.New("the files changed while they were read")

// update is the one way a version goes live: build, check, settle, swap. still reports whether the files are
// unchanged since the caller looked; nil means they cannot change.
func (a *App) update(ctx context.Context, files fs.FS, entry string, still func(inputs []string) bool) error {
	a.change.Lock()
	defer a.change.Unlock()
	began := time.Now()
	settings := a.rt.cfg.Settings[a.name]
	v, err := a.rt.build(a.name, settings, files, entry)
	a.mu.Lock()
	a.inputs = v.Files()
	held := a.held
	a.mu.Unlock()
	if still != nil && !still(v.Files()) {
		return errMoving
	}
	if err == nil {
		if cur := a.Current(); cur != nil && cur.id == v.id || v.id == held {
			a.setProblem(nil)
			return nil
		}
		err = a.rt.dryRun(ctx, v)
	}
	if err != nil {
		a.refuse(err, time.Since(began))
		return err
	}
	a.activate(ctx, v, "")
	a.announce(v, "live", time.Since(began))
	return nil
}

func (a *App) setProblem(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.problem = err
}

// refuse leaves the app as it is and tells why.
func (a *App) refuse(err error, took time.Duration) {
	a.mu.Lock()
	repeated := a.problem != nil && a.problem.Error() == err.Error()
	a.problem = err
	a.mu.Unlock()
	a.rt.cfg.Observer.Reloaded(a.name, nil, took, err)
	if repeated {
		return
	}
	attrs := []any{"app", a.name, "error", err.Error()}
	var f *Fault
	if errors.As(err, &f) && f.Position.Source != "" {
		attrs = append(attrs, "source", strings.TrimSpace(f.Position.Source))
	}
	if cur := a.Current(); cur != nil {
		attrs = append(attrs, "answering", cur.ShortID())
	}
	a.rt.log.Error("edit refused; the last good version keeps answering", attrs...)
}

// activate swaps the pointer and stores the version. held names a version taken out of service, or is empty.
func (a *App) activate(ctx context.Context, v *Version, held string) {
	v.refs.Add(1)
	old := a.current.Swap(v)
	a.mu.Lock()
	a.problem, a.held = nil, held
	a.kept = slices.DeleteFunc(a.kept, func(k *Version) bool { return k.id == v.id })
	a.kept = slices.Insert(a.kept, 0, v)
	var dropped []*Version
	if len(a.kept) > a.rt.cfg.KeepVersions {
		dropped = slices.Clone(a.kept[a.rt.cfg.KeepVersions:])
		a.kept = slices.Clip(slices.Clone(a.kept[:a.rt.cfg.KeepVersions]))
	}
	a.mu.Unlock()
	if old != nil {
		old.release()
	}
	if err := a.store(ctx, v, held, dropped); err != nil {
		a.rt.log.Error("the version is live but could not be stored; a restart will not know it", "app", a.name, "version", v.ShortID(), "error", err)
	}
}

func (a *App) store(ctx context.Context, v *Version, held string, dropped []*Version) error {
	store := a.rt.cfg.Versions
	if store == nil {
		return nil
	}
	stored, err := v.stored()
	if err != nil {
		return err
	}
	if err := store.SaveVersion(ctx, stored); err != nil {
		return err
	}
	if err := store.Select(ctx, a.name, Selection{Current: v.id, Held: held}); err != nil {
		return err
	}
	for _, d := range dropped {
		if err := store.DeleteVersion(ctx, a.name, d.id); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) announce(v *Version, how string, took time.Duration) {
	a.rt.cfg.Observer.Reloaded(a.name, v, took, nil)
	a.rt.log.Info("version is "+how, "app", a.name, "version", v.ShortID(), "files", len(v.inputs), "took", took.Round(time.Millisecond).String())
	for _, w := range v.warnings {
		a.rt.log.Warn("script warning", "app", a.name, "warning", w)
	}
}

// Rollback makes an earlier version live. id may be shortened as long as it is unambiguous; empty means the
// version before the current one. What was live is held back until the files on disk change.
func (a *App) Rollback(ctx context.Context, id string) (*Version, error) {
	a.change.Lock()
	defer a.change.Unlock()
	began := time.Now()
	cur := a.Current()
	if cur == nil {
		return nil, fmt.Errorf("app %q: %w", a.name, ErrNoVersion)
	}
	var target *Version
	if id == "" {
		target = a.Previous(cur)
	} else {
		for _, v := range a.Versions() {
			if !strings.HasPrefix(v.id, id) {
				continue
			}
			if target != nil {
				return nil, fmt.Errorf("app %q: %q means more than one version; write more digits", a.name, id)
			}
			target = v
		}
	}
	switch {
	case target == nil:
		return nil, fmt.Errorf("app %q has no version %q to go back to: %w", a.name, id, ErrNoVersion)
	case target == cur:
		return cur, nil
	}
	a.mu.Lock()
	held := cmp.Or(a.held, cur.id)
	a.mu.Unlock()
	if held == target.id {
		held = ""
	}
	// The version may have drained when it was replaced; a copy begins its life anew.
	again := &Version{
		app: target.app, id: target.id, created: target.created, settings: target.settings, exports: target.exports,
		inputs: target.inputs, code: target.code, sourceMap: target.sourceMap, warnings: target.warnings, program: target.program, regexps: target.regexps, drained: make(chan struct{}),
	}
	a.activate(ctx, again, held)
	a.announce(again, "live again", time.Since(began))
	return again, nil
}
