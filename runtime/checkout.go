package runtime

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// checkoutMax is how long a git checkout under way is waited for; an older lock is a stale one.
const checkoutMax = 10 * time.Second

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
