package runtime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	// checkoutMax is how long a git checkout under way is waited for; an older lock is a stale one.
	checkoutMax = 10 * time.Second
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
	w.events, err = fsnotify.NewWatcher()
	if err != nil {
		rt.log.Warn("file events are not available; edits are found by polling", "error", err, "every", pollInterval)
	}
	first := w.scan(ctx)
	rt.background.Go(func() { w.follow(ctx) })
	return first
}

// watcher follows one scripts folder. Events are only ever a hint to look again.
type watcher struct {
	rt      *Runtime
	dir     string
	events  *fsnotify.Watcher
	watched map[string]bool
	warned  bool
	last    tree
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
		case <-failures: // an overflow loses events for good
		case <-poll.C:
		}
		_ = w.scan(ctx) // refusals are logged and kept by the apps
	}
}

// ignored names files that editors leave beside the ones they save. The ..data link of a mounted ConfigMap is
// not among them.
func ignored(name string) bool {
	return strings.HasSuffix(name, "~") || strings.HasSuffix(name, ".swp") || strings.HasSuffix(name, ".swx") ||
		name == "4913" || strings.HasPrefix(name, ".#")
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

// awaitCheckout waits while git rewrites the tree: it holds its index lock from the first file to the last.
func (w *watcher) awaitCheckout(ctx context.Context) {
	lock := gitLock(w.dir)
	if lock == "" {
		return
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		info, err := os.Stat(lock)
		if err != nil || time.Since(info.ModTime()) > checkoutMax {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// gitLock returns where the work tree that holds dir has its index lock, or "" outside one.
func gitLock(dir string) string {
	for {
		git := filepath.Join(dir, ".git")
		if info, err := os.Stat(git); err == nil {
			if info.IsDir() {
				return filepath.Join(git, "index.lock")
			}
			if text, err := os.ReadFile(git); err == nil { // a linked work tree
				if to, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: "); ok {
					if !filepath.IsAbs(to) {
						to = filepath.Join(dir, to)
					}
					return filepath.Join(to, "index.lock")
				}
			}
			return ""
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// tree is what a look at the folder saw.
type tree struct {
	root  string
	at    time.Time
	files map[string]stamp
}

// clockStep is how coarse file times may be: within it a second write need not change a file's stamp.
const clockStep = 20 * time.Millisecond

// stamp changes whenever a file's content may have.
type stamp struct {
	size  int64
	mtime time.Time
	inode uint64
	mode  fs.FileMode
}

func stampOf(info fs.FileInfo) stamp {
	return stamp{size: info.Size(), mtime: info.ModTime(), inode: inodeOf(info), mode: info.Mode().Type()}
}

// look walks the folder, following links, and watches every directory it meets. A directory is watched before
// it is read, so that nothing that appears meanwhile is missed.
func (w *watcher) look() (tree, error) {
	root, err := filepath.EvalSymlinks(w.dir)
	if err != nil {
		return tree{}, err
	}
	t := tree{root: root, at: time.Now(), files: map[string]stamp{}}
	watch := map[string]bool{}
	// A root that is, or lies below, a link is switched without any event in the old place.
	for p := w.dir; ; p = filepath.Dir(p) {
		if info, err := os.Lstat(p); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			w.watch(filepath.Dir(p), watch)
		}
		if p == filepath.Dir(p) {
			break
		}
	}
	if err := w.walk(&t, watch, root, ".", 0); err != nil {
		return tree{}, err
	}
	for _, a := range w.rt.Apps() {
		w.packages(&t, a)
	}
	for p := range w.watched {
		if !watch[p] && w.events != nil {
			_ = w.events.Remove(p)
			delete(w.watched, p)
		}
	}
	return t, nil
}

func (w *watcher) walk(t *tree, watch map[string]bool, dir, below string, depth int) error {
	w.watch(dir, watch)
	list, err := os.ReadDir(dir)
	if err != nil {
		if below == "." {
			return err
		}
		return nil // gone again: the next look will tell
	}
	for _, item := range list {
		name := item.Name()
		if strings.HasPrefix(name, ".") || name == "node_modules" || ignored(name) {
			continue
		}
		full, path := filepath.Join(dir, name), name
		if below != "." {
			path = below + "/" + name
		}
		info, err := item.Info()
		if err == nil && info.Mode()&fs.ModeSymlink != 0 {
			info, err = os.Stat(full)
		}
		if err != nil {
			continue
		}
		if info.IsDir() {
			if depth < 32 {
				if err := w.walk(t, watch, full, path, depth+1); err != nil {
					return err
				}
			}
			continue
		}
		t.files[path] = stampOf(info)
	}
	return nil
}

// packages adds the files an app uses from node_modules folders, which are not walked: they are large.
func (w *watcher) packages(t *tree, a *App) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, in := range a.inputs {
		if strings.Contains("/"+in, "/node_modules/") {
			if info, err := os.Stat(filepath.Join(t.root, filepath.FromSlash(in))); err == nil {
				t.files[in] = stampOf(info)
			}
		}
	}
}

func (w *watcher) watch(dir string, watch map[string]bool) {
	watch[dir] = true
	if w.events == nil || w.watched[dir] {
		return
	}
	if err := w.events.Add(dir); err != nil {
		if !w.warned {
			w.warned = true
			w.rt.log.Warn("some folders cannot be watched; their edits are found by polling", "folder", dir, "error", err, "every", pollInterval)
		}
		return
	}
	w.watched[dir] = true
}

// apply rebuilds the apps that the difference between two looks can concern.
func (w *watcher) apply(ctx context.Context, now tree) error {
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

// unchanged looks again at the files a build has read.
func (w *watcher) unchanged(seen tree, inputs []string) bool {
	if lock := gitLock(w.dir); lock != "" {
		if info, err := os.Stat(lock); err == nil && time.Since(info.ModTime()) <= checkoutMax {
			return false
		}
	}
	root, err := filepath.EvalSymlinks(w.dir)
	if err != nil || root != seen.root {
		return false
	}
	for _, in := range inputs {
		want, ok := seen.files[in]
		if !ok {
			continue // the standard library, or a package not used before
		}
		info, err := os.Stat(filepath.Join(root, filepath.FromSlash(in)))
		if err != nil || stampOf(info) != want {
			return false
		}
	}
	return true
}
