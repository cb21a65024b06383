// Package journal keeps what must outlive the process: the journals of calls, accepted events and CDRs until they
// are delivered, the scripts' key-value store, and the apps' versions.
//
// It is NATS JetStream: a server inside the process with no port open and its files under one folder, or a NATS
// server or cluster elsewhere when [Options].URL is given. [Open] returns a [Journal], which implements
// runtime.Journal; its Inbox, KV and Versions implement call.Inbox, kv.Store and runtime.VersionStore.
//
// What is written is in the operating system's hands before it counts: it survives kill -9 of the process. It
// survives a loss of power once it has reached the disk, which is forced every [Options].SyncInterval.
package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/piopiy/piopiyd/call"
)

// Options say where a journal lives and how much it keeps. The zero value of a field means its default.
type Options struct {
	// Dir is the data folder; the embedded server's files are in Dir/jetstream. Required unless URL is given.
	Dir string
	// URL of a NATS server or a comma-separated list of them. When given, nothing is embedded and Dir is not used.
	URL string
	// ConnectOptions are for the connection to URL: credentials, TLS.
	ConnectOptions []nats.Option
	// Node names this daemon among those that share a NATS cluster: each has its own inbox. Letters, digits, '_'
	// and '-'; default "main". Two daemons with one Node on one cluster deliver twice.
	Node string
	// Replicas is how many servers of a cluster keep each piece (default 1).
	Replicas int
	// Logger hears of what goes wrong (default: nobody).
	Logger *slog.Logger

	// MaxAge and MaxBytes bound the call journals (default 7 days, 2 GiB): beyond, the oldest entries go first.
	// A call costs some 400 bytes of memory for as long as its journal is kept.
	MaxAge   time.Duration
	MaxBytes int64
	// RecentCalls is how many calls Calls can list (default 10,000).
	RecentCalls int
	// AppendQueue is how many Appends may wait for the server before further ones are dropped and counted
	// (default 8192).
	AppendQueue int
	// SyncInterval is how often written data is forced to disk (default 10 s). It counts for the embedded
	// server only.
	SyncInterval time.Duration

	// Inbox says how events and CDRs are delivered. Its Logger is this Logger when not given.
	Inbox call.InboxOptions
	// InboxMaxBytes bounds what waits for delivery on disk (default 1 GiB): beyond, accepting fails with
	// call.ErrInboxFull.
	InboxMaxBytes int64
	// UnderwayEvery is how often the calls under way are noted (default 10 s): as exactly is known afterwards when a
	// process ended that was killed.
	UnderwayEvery time.Duration
}

func (o *Options) setDefaults() error {
	if o.Dir == "" && o.URL == "" {
		return errors.New("open journal: neither a data folder nor a NATS URL is given")
	}
	if o.Node == "" {
		o.Node = "main"
	}
	for _, c := range []byte(o.Node) {
		if !isPlain(c) {
			return fmt.Errorf("open journal: node name %q: use letters, digits, '_' and '-' only", o.Node)
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Inbox.Logger == nil {
		o.Inbox.Logger = o.Logger
	}
	orElse(&o.Replicas, 1)
	orElse(&o.MaxAge, 7*24*time.Hour)
	orElse(&o.MaxBytes, 2<<30)
	orElse(&o.RecentCalls, 10_000)
	orElse(&o.AppendQueue, 8192)
	orElse(&o.SyncInterval, 10*time.Second)
	orElse(&o.Inbox.Remember, 72*time.Hour)
	orElse(&o.InboxMaxBytes, 1<<30)
	orElse(&o.UnderwayEvery, 10*time.Second)
	return nil
}

func orElse[T int | int64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Journal is an open journal. All methods are safe for concurrent use until Close.
type Journal struct {
	opts     Options
	unlock   func() // nil without a data folder
	srv      *server.Server
	srvLog   *serverLog
	nc       *nats.Conn
	hot      *nats.Conn // Append's own, so that it never waits behind somebody's long read
	js       jetstream.JetStream
	append   *appender
	recent   *recentCalls
	inbox    *Inbox
	underway *Underway
	kv       *KV
	versions *Versions
	losses   []string
	began    bool // there were calls when it was opened
}

// Streams and buckets. The names are part of what is on disk.
const (
	streamCalls  = "calls"
	bucketKV     = "kv"
	bucketApps   = "apps"
	bucketBundle = "bundles"
)

// Open opens the journal, creating what is missing, and brings back what waits for delivery. ctx bounds the
// opening only. Errors say which folder or server is at fault and what to do.
func Open(ctx context.Context, opts Options) (*Journal, error) {
	if err := opts.setDefaults(); err != nil {
		return nil, err
	}
	j := &Journal{opts: opts}
	if err := j.open(ctx); err != nil {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return nil, errors.Join(err, j.Close(closing))
	}
	return j, nil
}

func (j *Journal) open(ctx context.Context) (err error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Minute)
		defer cancel()
	}
	if j.opts.URL != "" {
		err = j.connect()
	} else {
		err = j.embed()
	}
	if err != nil {
		return err
	}
	if j.js, err = jetstream.New(j.nc); err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	if err := j.ensure(ctx, jetstream.StreamConfig{
		Name: streamCalls, Subjects: []string{"call.*.*", "alias.*.*"},
		MaxAge: j.opts.MaxAge, MaxBytes: j.opts.MaxBytes, Discard: jetstream.DiscardOld,
	}); err != nil {
		return err
	}
	j.recent = newRecentCalls(j.opts.RecentCalls)
	if j.append, err = newAppender(j.hot, j.opts, j.recent); err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	if j.kv, err = openKV(ctx, j); err != nil {
		return err
	}
	if j.versions, err = openVersions(ctx, j); err != nil {
		return err
	}
	if j.inbox, err = openInbox(ctx, j); err != nil {
		return err
	}
	if j.underway, err = openUnderway(ctx, j); err != nil {
		return err
	}
	return nil
}

// ensure creates a stream or brings its limits up to date.
func (j *Journal) ensure(ctx context.Context, cfg jetstream.StreamConfig) error {
	cfg.Storage = jetstream.FileStorage
	cfg.Replicas = j.opts.Replicas
	cfg.AllowDirect = true
	s, err := j.js.CreateOrUpdateStream(ctx, cfg)
	if err != nil {
		return fmt.Errorf("open journal: stream %s: %w", cfg.Name, err)
	}
	return j.noteLosses(ctx, cfg.Name, s)
}

// noteLosses asks a stream what the server could not bring back of it.
func (j *Journal) noteLosses(ctx context.Context, name string, s jetstream.Stream) error {
	info, err := s.Info(ctx, jetstream.WithDeletedDetails(false))
	if err != nil {
		return fmt.Errorf("open journal: stream %s: %w", name, err)
	}
	if name == streamCalls {
		j.began = info.State.Msgs > 0
	}
	if lost := info.State.Lost; lost != nil && (len(lost.Msgs) > 0 || lost.Bytes > 0) {
		what := fmt.Sprintf("%s: %d messages (%d bytes) could not be read back", name, len(lost.Msgs), lost.Bytes)
		j.losses = append(j.losses, what)
		j.opts.Logger.Error("the journal's files were damaged", "stream", name, "messages", len(lost.Msgs), "bytes", lost.Bytes)
	}
	return nil
}

// connect reaches the NATS server at URL.
func (j *Journal) connect() (err error) {
	options := append([]nats.Option{
		nats.Name("piopiyd " + j.opts.Node),
		nats.MaxReconnects(-1),
		nats.Timeout(5 * time.Second),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				j.opts.Logger.Error("the connection to NATS is lost; reconnecting", "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { j.opts.Logger.Info("connected to NATS again") }),
	}, j.opts.ConnectOptions...)
	if j.nc, err = nats.Connect(j.opts.URL, options...); err == nil {
		j.hot, err = nats.Connect(j.opts.URL, options...)
	}
	if err != nil {
		return fmt.Errorf("open journal: connect to NATS at %s: %w; check that a server with JetStream runs there", j.opts.URL, err)
	}
	return nil
}

// Inbox returns the durable call.Inbox.
func (j *Journal) Inbox() *Inbox { return j.inbox }

// Underway returns the calls that end with the process.
func (j *Journal) Underway() *Underway { return j.underway }

// KV returns the kv.Store.
func (j *Journal) KV() *KV { return j.kv }

// Versions returns the runtime.VersionStore.
func (j *Journal) Versions() *Versions { return j.versions }

// Losses says, one sentence each, what of earlier data could not be brought back when the journal was opened.
// It is empty after a good start, which a kill -9 before it does not change.
func (j *Journal) Losses() []string {
	losses := append([]string(nil), j.losses...)
	if j.srvLog != nil {
		losses = append(losses, j.srvLog.recovery()...)
	}
	return losses
}

// Close writes out what Append has queued and stops. Deliveries must have ended. When ctx ends first, what is
// still queued is lost and the error says so; everything is released either way.
func (j *Journal) Close(ctx context.Context) error {
	var err error
	if j.append != nil {
		err = j.append.close(ctx)
	}
	if j.inbox != nil {
		err = errors.Join(err, j.inbox.close(ctx))
	}
	if j.underway != nil {
		err = errors.Join(err, j.underway.close(ctx))
	}
	for _, nc := range []*nats.Conn{j.hot, j.nc} {
		if nc != nil {
			nc.Close()
		}
	}
	if j.srv != nil {
		j.srv.Shutdown()
		j.srv.WaitForShutdown()
	}
	if j.unlock != nil {
		j.unlock()
	}
	return err
}

func reason(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
