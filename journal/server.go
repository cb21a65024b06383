package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// maxMessage is the largest message of the embedded server. A version's bundle is cut into pieces, so the largest
// is one turn's entries or one accepted record.
const maxMessage = 8 << 20

// embed starts the server in this process, on the data folder, and connects to it without a port.
func (j *Journal) embed() error {
	dir, err := filepath.Abs(j.opts.Dir)
	if err != nil {
		return fmt.Errorf("open journal: data folder %q: %w", j.opts.Dir, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("open journal: data folder %s cannot be made: %w; choose another with --data", dir, reason(err))
	}
	if j.unlock, err = lockFolder(dir); err != nil {
		return err
	}
	store := filepath.Join(dir, "jetstream")
	if err := checkWritable(store); err != nil {
		return err
	}
	j.srv, err = server.NewServer(&server.Options{
		ServerName:             "piopiyd-" + j.opts.Node,
		DontListen:             true,
		JetStream:              true,
		DisableJetStreamBanner: true,
		StoreDir:               store,
		SyncInterval:           j.opts.SyncInterval,
		MaxPayload:             maxMessage,
		MaxPending:             64 << 20,
		StreamMaxBufferedMsgs:  2 * appendWindow,
		JetStreamMaxStore:      1 << 50, // the streams have their own bounds
		JetStreamMaxMemory:     64 << 20,
		NoSigs:                 true,
	})
	if err != nil {
		return fmt.Errorf("open journal: data folder %s: %w", dir, err)
	}
	files := lastFiles(store)
	j.srvLog = &serverLog{log: j.opts.Logger.With("from", "nats")}
	j.srv.SetLoggerV2(j.srvLog, false, false, false)
	j.srv.Start()
	if !j.srv.ReadyForConnections(30*time.Second) || !j.srv.JetStreamEnabled() {
		return fmt.Errorf("open journal: data folder %s: the embedded NATS server did not start: %s", dir, j.srvLog.lastError())
	}
	j.srvLog.started()
	j.noteCutFiles(files)
	for _, nc := range []**nats.Conn{&j.nc, &j.hot} {
		if err == nil {
			*nc, err = nats.Connect("", nats.InProcessServer(j.srv), nats.Name("piopiyd"), nats.NoReconnect())
		}
	}
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	return nil
}

// checkWritable makes the folder and tries a file in it, because the server would only say so later and less clearly.
func checkWritable(dir string) error {
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		var f *os.File
		if f, err = os.CreateTemp(dir, ".writable-*"); err == nil {
			err = errors.Join(f.Close(), os.Remove(f.Name()))
		}
	}
	if err != nil {
		return fmt.Errorf("open journal: data folder %s is not writable: %w; change its owner or choose another with --data", dir, reason(err))
	}
	return nil
}

// serverLog takes the embedded server's log: warnings and errors pass on, and those of the start are kept, because
// they tell what damage was found.
type serverLog struct {
	log *slog.Logger

	mu      sync.Mutex
	running bool
	last    string
	found   []string
}

func (l *serverLog) keep(msg string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = msg
	if !l.running {
		l.found = append(l.found, msg)
	}
}

func (l *serverLog) started() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = true
}

func (l *serverLog) lastError() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == "" {
		return "it gave no reason"
	}
	return l.last
}

// recovery returns the start's messages that speak of damaged data. An outdated index, as every kill -9 leaves
// one, loses nothing and is not among them.
func (l *serverLog) recovery() (damage []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.found {
		for _, sign := range []string{"corrupt", "truncat", "Error recovering", "Error recreating"} {
			if strings.Contains(m, sign) {
				damage = append(damage, m)
				break
			}
		}
	}
	return damage
}

// Noticef and the others implement server.Logger.
func (l *serverLog) Noticef(string, ...any) {}
func (l *serverLog) Debugf(string, ...any)  {}
func (l *serverLog) Tracef(string, ...any)  {}
func (l *serverLog) Warnf(format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	l.keep(msg)
	l.log.Warn(msg)
}
func (l *serverLog) Errorf(format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	l.keep(msg)
	l.log.Error(msg)
}
func (l *serverLog) Fatalf(format string, args ...any) { l.Errorf(format, args...) }
