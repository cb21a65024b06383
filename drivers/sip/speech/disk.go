package speech

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/audio"
)

// defaultCacheBytes is some three hours of the embedded voice.
const defaultCacheBytes = 256 << 20

// disk keeps sounds in a folder. What was not asked for longest goes when it is full.
type disk struct {
	dir   string // empty: nothing is kept
	limit int64

	mu   sync.Mutex
	size int64 // -1: not known yet
}

const (
	soundEnding = ".wav"
	tempBegin   = ".speech-"
	// tempAge is how old a file is that was never finished.
	tempAge = time.Hour
)

func newDisk(dir string, limit int64) *disk {
	if limit <= 0 {
		limit = defaultCacheBytes
	}
	return &disk{dir: dir, limit: limit, size: -1}
}

func (d *disk) path(key string) string { return filepath.Join(d.dir, key+soundEnding) }

// get returns what is kept under a key. A file that was cut short by a crash is not taken.
func (d *disk) get(key string) ([]byte, bool) {
	if d.dir == "" {
		return nil, false
	}
	data, err := os.ReadFile(d.path(key))
	if err != nil || len(data) <= audio.WAVHeaderSize {
		return nil, false
	}
	now := time.Now()
	_ = os.Chtimes(d.path(key), now, now) // its last use
	return data, true
}

// put keeps a sound, whole or not at all.
func (d *disk) put(key string, data []byte) error {
	if d.dir == "" || int64(len(data)) > d.limit {
		return nil
	}
	// What is said on calls is nobody else's.
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(d.dir, tempBegin+"*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), d.path(key))
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.size >= 0 {
		d.size += int64(len(data))
	}
	if d.size < 0 || d.size > d.limit {
		d.prune()
	}
	return nil
}

// prune counts what is kept and, where it is too much, removes the oldest down to three quarters.
func (d *disk) prune() {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return
	}
	d.size = 0
	var sounds []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case err != nil || !info.Mode().IsRegular():
		case strings.HasSuffix(e.Name(), soundEnding):
			sounds = append(sounds, info)
			d.size += info.Size()
		case strings.HasPrefix(e.Name(), tempBegin) && time.Since(info.ModTime()) > tempAge:
			_ = os.Remove(filepath.Join(d.dir, e.Name()))
		}
	}
	if d.size <= d.limit {
		return
	}
	slices.SortFunc(sounds, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	for _, info := range sounds {
		if d.size <= d.limit/4*3 {
			return
		}
		if os.Remove(filepath.Join(d.dir, info.Name())) == nil {
			d.size -= info.Size()
		}
	}
}
