package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/server"
)

type replayCommand struct {
	remote
	Call string `arg:"" optional:"" help:"The call's id (cmiuuid); piopiyd calls lists them."`
	With string `placeholder:"DIR" help:"Folder of the scripts to run (default the scripts folder)."`
	Last int    `placeholder:"N" help:"Replay the newest N calls instead of one, and sum up."`
	App  string `placeholder:"APP" help:"With --last: only this app's calls."`
}

// Run runs recorded calls again. It fails when a caller would have met something else.
func (c replayCommand) Run(ctx context.Context, t terminal, g globals) (err error) {
	switch {
	case (c.Call == "") == (c.Last == 0):
		return errors.New("name one call, or say --last N; piopiyd calls lists them")
	case c.Last < 0 || c.Last > 1000:
		return errors.New("--last: must be from 1 to 1000")
	case c.App != "" && c.Last == 0:
		return errors.New("--app goes with --last")
	}
	b, err := c.backend(ctx, t, g)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if c.With != "" {
		if info, err := os.Stat(c.With); err != nil || !info.IsDir() {
			return fmt.Errorf("--with: %s is no folder", c.With)
		}
		g.Scripts = c.With
	}
	e, err := replayEngine(ctx, g)
	if err != nil {
		return err
	}
	defer e.close()
	if c.Last > 0 {
		return c.many(ctx, t, b, e)
	}
	r := replay(ctx, b, e, c.Call)
	if c.JSON {
		if err := t.json(r); err != nil {
			return err
		}
		return r.failure()
	}
	return r.show(t)
}

// replayEngine loads the apps as they are now. What does not load is told of when a call asks for it.
func replayEngine(ctx context.Context, g globals) (*engine, error) {
	cfg, err := g.load()
	if err != nil {
		return nil, err
	}
	found, err := findApps(cfg)
	if err != nil {
		return nil, err
	}
	e, err := newEngine(cfg, func(*runtime.Config) {})
	if err != nil {
		return nil, err
	}
	if err := e.rt.LoadAll(ctx, found); err != nil && len(e.rt.Apps()) == 0 {
		e.close()
		return nil, err
	}
	return e, nil
}

// Outcomes of a replay.
const (
	replaySame    = "same"
	replayDiffers = "differs"
	replayUnknown = "unknown" // the replay had to stop: nobody knows what the caller would have met
	replayFailed  = "failed"  // there is nothing to replay
)

// replayed is what came of one replay.
type replayed struct {
	Call    string  `json:"call"`
	App     string  `json:"app,omitempty"`
	Version string  `json:"version,omitempty"`
	Now     string  `json:"now,omitempty"`
	Outcome string  `json:"outcome"`
	Reason  string  `json:"reason,omitempty"`
	Seconds float64 `json:"seconds,omitempty"` // that the recorded call took
	Milli   float64 `json:"ms"`                // that the replay took

	Recorded *server.Entry  `json:"recorded,omitempty"`
	Replayed *server.Entry  `json:"replayed,omitempty"`
	Met      []server.Entry `json:"met,omitempty"` // before the difference
	err      error
}

func replay(ctx context.Context, b backend, e *engine, id string) replayed {
	r := replayed{Call: id, Outcome: replayFailed}
	entries, err := b.Journal(ctx, id)
	if errors.Is(err, errNotFound) || errors.Is(err, server.ErrNotFound) {
		err = fmt.Errorf("the journal holds no call %q: it never was, or is past journal.max_age; piopiyd calls lists the recent ones", id)
	}
	if err != nil {
		return r.fail(err)
	}
	recorded := make([]runtime.Entry, len(entries))
	for i, entry := range entries {
		recorded[i] = runtime.Entry(entry)
	}
	began := time.Now()
	got, err := e.handler.Replay(ctx, recorded)
	r.Milli = float64(time.Since(began).Microseconds()) / 1000
	switch {
	case errors.Is(err, runtime.ErrNoRecording):
		return r.fail(fmt.Errorf("call %s cannot be replayed: %w", id, err))
	case errors.Is(err, call.ErrNoApp):
		return r.fail(fmt.Errorf("call %s cannot be replayed: %w among the scripts; name their folder with --with", id, err))
	case err != nil:
		return r.fail(fmt.Errorf("call %s cannot be replayed: %w", id, err))
	}
	r.take(got)
	return r
}

func (r *replayed) fail(err error) replayed {
	r.err, r.Reason = err, err.Error()
	return *r
}

func (r *replayed) take(got *bindcall.Replayed) {
	r.App, r.Version, r.Now, r.Seconds = got.App, got.Version, got.Now, got.Lasted.Seconds()
	for _, e := range got.Met {
		e.Outcome = nil
		r.Met = append(r.Met, server.Entry(e))
	}
	d := got.Difference
	switch {
	case d == nil:
		r.Outcome = replaySame
		return
	case got.Open():
		r.Outcome, r.Reason = replayUnknown, d.Reason
	default:
		r.Outcome = replayDiffers
	}
	r.Recorded, r.Replayed = step(d.Recorded), step(d.Replayed)
}

func step(e *runtime.Entry) *server.Entry {
	if e == nil {
		return nil
	}
	shown := server.Entry(*e)
	shown.Outcome = nil
	return &shown
}

// failure is the error that a command ends with because of the replay; nil when all is the same.
func (r *replayed) failure() error {
	switch r.Outcome {
	case replaySame:
		return nil
	case replayFailed:
		return r.err
	}
	return errSilent
}
