package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/piopiy/piopiyd/bindings/kv"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/server/rest"
)

// records keep the CDRs of ended calls, for who asks for them later. What the apps are told is the inbox's business:
// these are copies, and one that cannot be written costs nobody his CDR.
type records struct {
	store kv.Store
	keep  time.Duration // 0 keeps them for ever
	log   *slog.Logger
	queue chan call.CDR
	full  atomic.Bool // the last one found no room
}

var _ rest.Records = (*records)(nil)

const (
	// recordsApp is the store's own part of the key-value store: no app can have the name.
	recordsApp = ":records"
	// maxUnwritten bounds the records that wait to be written.
	maxUnwritten = 10_000
)

func newRecords(store kv.Store, keep time.Duration, log *slog.Logger) *records {
	return &records{store: store, keep: keep, log: log, queue: make(chan call.CDR, maxUnwritten)}
}

// run writes records until ctx ends, and then what waits.
func (r *records) run(ctx context.Context) {
	for {
		select {
		case c := <-r.queue:
			r.write(c)
		case <-ctx.Done():
			for {
				select {
				case c := <-r.queue:
					r.write(c)
				default:
					return
				}
			}
		}
	}
}

// add has a record written soon.
func (r *records) add(c call.CDR) {
	select {
	case r.queue <- c:
		r.full.Store(false)
	default:
		if !r.full.Swap(true) {
			r.log.Warn("CDRs cannot be asked for later: too many wait to be written", "app", c.App, "call", c.CallID)
		}
	}
}

func (r *records) write(c call.CDR) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	legs, err := r.get(ctx, c.CallID)
	if err == nil {
		for i := range legs {
			if legs[i].LegID == c.LegID {
				return
			}
		}
		err = r.put(ctx, c.CallID, entry{Legs: append(legs, c)})
	}
	for _, name := range []string{c.LegID, c.RequestID} {
		if name != "" && name != c.CallID && err == nil {
			err = r.put(ctx, name, entry{Call: c.CallID})
		}
	}
	if err != nil {
		r.log.Warn("a CDR cannot be asked for later", "app", c.App, "call", c.CallID, "error", err)
	}
}

// entry is what stands under an id: a call's records, or the call that has the id.
type entry struct {
	Call string     `json:"call,omitempty"`
	Legs []call.CDR `json:"legs,omitempty"`
}

func (r *records) put(ctx context.Context, id string, e entry) error {
	text, err := json.Marshal(e)
	if err == nil {
		_, err = r.store.Set(ctx, recordsApp, id, text, r.keep)
	}
	return err
}

// get returns the records of the call that an id belongs to.
func (r *records) get(ctx context.Context, id string) ([]call.CDR, error) {
	for range 2 {
		text, _, err := r.store.Get(ctx, recordsApp, id)
		if errors.Is(err, kv.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		var e entry
		if err := json.Unmarshal(text, &e); err != nil {
			return nil, err
		}
		if e.Call == "" {
			return e.Legs, nil
		}
		id = e.Call
	}
	return nil, nil
}

// ByCall implements rest.Records.
func (r *records) ByCall(ctx context.Context, id string) ([]call.CDR, error) {
	legs, err := r.get(ctx, id)
	for _, leg := range legs {
		if leg.LegID == id && leg.CallID != id {
			return []call.CDR{leg}, err
		}
	}
	return legs, err
}

// ByRequest implements rest.Records.
func (r *records) ByRequest(ctx context.Context, requestID string) ([]call.CDR, error) {
	legs, err := r.get(ctx, requestID)
	if len(legs) > 0 && legs[0].RequestID != requestID {
		return nil, err
	}
	return legs, err
}

// recordedInbox keeps a copy of every CDR.
type recordedInbox struct {
	call.Inbox
	records *records
}

// AcceptCDR implements call.Inbox.
func (in recordedInbox) AcceptCDR(ctx context.Context, c *call.CDR) (bool, error) {
	fresh, err := in.Inbox.AcceptCDR(ctx, c)
	if fresh && err == nil {
		in.records.add(*c)
	}
	return fresh, err
}

// recordings are the files of the recordings folder, which are named by their calls.
type recordings struct {
	dir     string
	records *records
}

var _ rest.Recordings = recordings{}

// Open implements rest.Recordings.
func (r recordings) Open(ctx context.Context, file string) (rest.Recording, error) {
	root, err := os.OpenRoot(r.dir) // nothing outside of it can be opened
	if err != nil {
		return rest.Recording{}, rest.ErrNoRecording
	}
	defer func() { _ = root.Close() }()
	f, err := root.Open(file)
	if err != nil {
		return rest.Recording{}, rest.ErrNoRecording
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		_ = f.Close()
		return rest.Recording{}, rest.ErrNoRecording
	}
	return rest.Recording{ReadSeekCloser: f, App: r.app(ctx, file), Modified: info.ModTime()}, nil
}

// app is whose call a recording is of; "" when that is not known any more.
func (r recordings) app(ctx context.Context, file string) string {
	id := strings.TrimSuffix(file, filepath.Ext(file))
	if len(id) > 36 { // a UUID, and what tells several recordings apart
		id = id[:36]
	}
	if legs, err := r.records.get(ctx, id); err == nil && len(legs) > 0 {
		return legs[0].App
	}
	return ""
}
