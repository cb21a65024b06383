package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrLocked says that another piopiyd uses the data folder.
var ErrLocked = errors.New("the data folder is in use by another piopiyd")

// lockFolder takes the folder for this process. The lock is the operating system's and goes with the process; the
// file stays and holds the id of the process that had it last.
func lockFolder(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, "piopiyd.lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open journal: data folder %s is not writable: %w; change its owner or choose another with --data", dir, reason(err))
	}
	if err := tryLock(f); err != nil {
		pid, _ := io.ReadAll(io.LimitReader(f, 32))
		f.Close()
		if !errors.Is(err, errHeld) {
			return nil, fmt.Errorf("open journal: lock %s: %w", path, err)
		}
		who := ""
		if p := strings.TrimSpace(string(pid)); p != "" {
			who = " (process " + p + ")"
		}
		return nil, fmt.Errorf("open journal: %s: %w%s; stop it, or choose another folder with --data", dir, ErrLocked, who)
	}
	pid := strconv.Itoa(os.Getpid()) + "\n"
	if err := f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(pid), 0)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("open journal: write %s: %w", path, reason(err))
		}
	}
	return func() { f.Close() }, nil
}
