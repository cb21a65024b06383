package runtime

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

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

// ignored names files that editors leave beside the ones they save. The ..data link of a mounted ConfigMap is
// not among them.
func ignored(name string) bool {
	return strings.HasSuffix(name, "~") || strings.HasSuffix(name, ".swp") || strings.HasSuffix(name, ".swx") ||
		name == "4913" || strings.HasPrefix(name, ".#")
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
