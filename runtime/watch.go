package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settleTime is how long files must be quiet before an edit is taken; settleMax bounds the wait under
	// continuous writing.
	settleTime = 40 * time.Millisecond
	settleMax  = time.Second
	// pollInterval is how often files are looked at when the system reports nothing: network file systems and
	// some container mounts never do.
	pollInterval = 3 * time.Second
)

// Watch loads every app below a folder and follows all further edits until ctx ends. It returns once the first
// load is over; what was refused is in the error and in each app's Problem, and following goes on all the same.
// An error for which errors.Is(err, fs.ErrNotExist) holds says that the folder itself is not there.
func (rt *Runtime) Watch(ctx context.Context, dir string) error {
	if info, err := os.Stat(dir); err != nil {
		return fmt.Errorf("the scripts folder cannot be read: %w", err)
	} else if !info.IsDir() {
		return fmt.Errorf("the scripts folder %s is not a folder", dir)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	w := &watcher{rt: rt, dir: dir, watched: map[string]bool{}}
	w.apply = w.update
	return w.begin(ctx)
}

// Follow looks at a folder as Watch does, and loads nothing: changed is told of the paths of files that are new, gone or
// other than before, once the files have been quiet, until ctx ends or the Runtime is closed. It returns once it has
// looked at the folder for the first time.
func (rt *Runtime) Follow(ctx context.Context, dir string, changed func(paths []string)) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	w := &watcher{rt: rt, dir: dir, watched: map[string]bool{}}
	w.apply = func(_ context.Context, now tree) error {
		paths := slices.Sorted(maps.Keys(w.differences(now)))
		w.last = now
		if len(paths) > 0 {
			changed(paths)
		}
		return nil
	}
	return w.begin(ctx)
}

// begin takes the first look and goes on to follow.
func (w *watcher) begin(ctx context.Context) (err error) {
	if w.events, err = fsnotify.NewWatcher(); err != nil {
		w.rt.log.Warn("file events are not available; edits are found by polling", "error", err, "every", pollInterval)
	}
	first := w.scan(ctx)
	w.rt.background.Go(func() { w.follow(ctx) })
	return first
}

// differences lists the paths whose stamps differ between the last look and now; at the first look, none.
func (w *watcher) differences(now tree) map[string]bool {
	changed := map[string]bool{}
	if w.last.files == nil {
		return changed
	}
	for path, s := range now.files {
		if old, ok := w.last.files[path]; !ok || old != s {
			changed[path] = true
		}
	}
	for path := range w.last.files {
		if _, ok := now.files[path]; !ok {
			changed[path] = true
		}
	}
	return changed
}

// watcher follows one scripts folder. Events are only ever a hint to look again.
type watcher struct {
	rt      *Runtime
	dir     string
	events  *fsnotify.Watcher
	watched map[string]bool
	warned  bool
	last    tree
	apply   func(ctx context.Context, now tree) error // what a look is for
}

func (w *watcher) follow(ctx context.Context) {
	var hints <-chan fsnotify.Event
	var failures <-chan error
	if w.events != nil {
		defer w.events.Close()
		hints, failures = w.events.Events, w.events.Errors
	}
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.rt.closed:
			return
		case e := <-hints:
			if e.Op == fsnotify.Chmod || ignored(filepath.Base(e.Name)) {
				continue
			}
			w.settle(ctx, hints)
		case err := <-failures: // an overflow loses events for good: look again
			w.rt.log.Debug("file events failed", "error", err)
		case <-poll.C:
		}
		_ = w.scan(ctx) // refusals are logged and kept by the apps
	}
}

// settle waits until the files have been quiet for a while.
func (w *watcher) settle(ctx context.Context, hints <-chan fsnotify.Event) {
	quiet := time.NewTimer(settleTime)
	defer quiet.Stop()
	limit := time.NewTimer(settleMax)
	defer limit.Stop()
	for {
		select {
		case <-hints:
			quiet.Reset(settleTime)
		case <-quiet.C:
			return
		case <-limit.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// scan brings every app whose files changed up to date.
func (w *watcher) scan(ctx context.Context) error {
	for attempt := 0; ; attempt++ {
		w.awaitCheckout(ctx)
		now, err := w.look()
		if err != nil {
			if w.last.files == nil {
				return err
			}
			w.rt.log.Error("the scripts folder cannot be read; the last good versions keep answering", "error", err)
			return err
		}
		err = w.apply(ctx, now)
		if !errors.Is(err, errMoving) || attempt == 20 || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(settleTime):
		case <-ctx.Done():
		}
	}
}

// update rebuilds the apps that the difference between two looks can concern.
func (w *watcher) update(ctx context.Context, now tree) error {
	files, done, err := Dir(w.dir).Open()
	if err != nil {
		return err
	}
	defer done()
	entries, problems, err := Discover(files)
	if err != nil {
		return err
	}
	for name, problem := range problems {
		a := w.rt.appNamed(name)
		if p := a.Problem(); p == nil || p.Error() != problem.Error() {
			a.refuse(problem, 0)
		}
		delete(entries, name)
	}
	w.missing(entries, problems)
	changed := w.changes(now)
	var stale []string
	for name := range entries {
		if a, ok := w.rt.App(name); !ok || a.concerns(entries[name], changed) {
			stale = append(stale, name)
		}
	}
	slices.Sort(stale)
	still := func(inputs []string) bool { return w.unchanged(now, inputs) }
	var failed []error
	for _, name := range stale {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := w.rt.meet(ctx, name).update(ctx, files, entries[name], still)
		if errors.Is(err, errMoving) {
			return err // w.last stays: the next look sees every difference again
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("app %q: %w", name, err))
		}
	}
	w.last = now
	return errors.Join(failed...)
}

// missing marks the apps whose entry file is gone. They go on answering: a file that vanishes is more often an
// editor or a checkout at work than a wish.
func (w *watcher) missing(entries map[string]string, problems map[string]error) {
	for _, a := range w.rt.Apps() {
		_, here := entries[a.name]
		_, told := problems[a.name]
		if here || told || a.Current() == nil || a.Problem() != nil {
			continue
		}
		a.refuse(errors.New("the app's file is gone; its last version answers until the daemon restarts"), 0)
	}
}

// changes lists the paths that differ between the last look and now, nil at the first look.
func (w *watcher) changes(now tree) map[string]bool {
	if w.last.files == nil {
		return nil
	}
	changed := map[string]bool{}
	for path, s := range now.files {
		old, ok := w.last.files[path]
		if !ok || old != s || old.mtime.After(w.last.at.Add(-clockStep)) {
			changed[path] = true
		}
	}
	for path := range w.last.files {
		if _, ok := now.files[path]; !ok {
			changed[path] = true
		}
	}
	return changed
}

// concerns reports whether changed files can make a difference to the app.
func (a *App) concerns(entry string, changed map[string]bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if changed == nil || a.inputs == nil || changed[entry] {
		return true
	}
	if len(changed) == 0 {
		return false
	}
	if a.problem != nil {
		return true
	}
	return slices.ContainsFunc(a.inputs, func(in string) bool { return changed[in] }) ||
		slices.ContainsFunc(slices.Collect(maps.Keys(changed)), a.shadows)
}

// shadows reports whether a new file could be what one of the app's imports means now. It needs a.mu.
func (a *App) shadows(path string) bool {
	base := strings.TrimSuffix(path, filepath.Ext(path))
	base = strings.TrimSuffix(base, "/index")
	return slices.ContainsFunc(a.inputs, func(in string) bool {
		other := strings.TrimSuffix(in, filepath.Ext(in))
		return strings.TrimSuffix(other, "/index") == base
	})
}
