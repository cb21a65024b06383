package main

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"time"

	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/config"
	"github.com/piopiy/piopiyd/journal"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/server"
)

// engine runs scripts for a command that is no daemon: nothing of it is kept.
type engine struct {
	rt      *runtime.Runtime
	handler *bindcall.Handler
	live    *call.Live
}

// newEngine returns an engine; set changes what the configuration says of its runtime.
func newEngine(cfg config.Config, set func(*runtime.Config)) (*engine, error) {
	return newPlacingEngine(cfg, nil, set)
}

// newPlacingEngine is newEngine with somebody who places the calls that scripts ask for.
func newPlacingEngine(cfg config.Config, place call.Originator, set func(*runtime.Config)) (*engine, error) {
	quiet := slog.New(slog.DiscardHandler)
	live := &call.Live{}
	rc, err := runtimeConfig(cfg, nil, bindcall.CallsOptions{Live: live, Originator: place}, nil, quiet)
	if err != nil {
		return nil, err
	}
	set(&rc)
	rt, err := runtime.New(rc)
	if err != nil {
		return nil, err
	}
	return &engine{rt: rt, handler: newHandler(cfg, rt, live, quiet), live: live}, nil
}

func (e *engine) close() { e.rt.Close() }

// offline answers from the data folder of a daemon that does not run.
type offline struct {
	journal *journal.Journal
	runtime *runtime.Runtime
	cfg     config.Config
}

var _ backend = (*offline)(nil)

// openOffline opens the data folder and brings the stored versions back. It makes no folder: without one the error
// is os.ErrNotExist.
func openOffline(ctx context.Context, cfg config.Config) (*offline, error) {
	if cfg.Journal.NATSURL == "" {
		if _, err := os.Stat(cfg.Data); err != nil {
			return nil, fmt.Errorf("the data folder cannot be read: %w", err)
		}
	}
	quiet := slog.New(slog.DiscardHandler)
	j, err := openJournal(ctx, cfg, quiet)
	if err != nil {
		return nil, err
	}
	o := &offline{journal: j, cfg: cfg}
	if o.runtime, err = newRuntime(cfg, j, bindcall.CallsOptions{}, nil, quiet); err == nil {
		err = o.runtime.Restore(ctx)
	}
	if err != nil {
		_ = o.Close()
		return nil, err
	}
	return o, nil
}

// Apps implements backend.
func (o *offline) Apps(context.Context) ([]server.App, error) {
	return appsView{o.runtime, o.cfg}.Apps(), nil
}

// Versions implements backend.
func (o *offline) Versions(_ context.Context, app string) ([]server.Version, error) {
	return appsView{o.runtime, o.cfg}.Versions(app)
}

// Rollback implements backend. The next daemon begins with what it chose.
func (o *offline) Rollback(ctx context.Context, app, id string) (server.Version, error) {
	return appsView{o.runtime, o.cfg}.Rollback(ctx, app, id)
}

// Calls implements backend.
func (o *offline) Calls(ctx context.Context, app string, limit int) ([]server.Call, error) {
	return callsView{o.journal, &call.Live{}}.List(ctx, app, limit)
}

// Timeline implements backend. Nothing new comes without a daemon, so that following ends with what is there.
func (o *offline) Timeline(ctx context.Context, id string, _ bool) iter.Seq2[server.Entry, error] {
	return callsView{o.journal, &call.Live{}}.Timeline(ctx, id, false)
}

// Journal implements backend.
func (o *offline) Journal(ctx context.Context, id string) (all []server.Entry, err error) {
	for e, err := range o.Timeline(ctx, id, false) {
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// Close implements backend.
func (o *offline) Close() error {
	if o.runtime != nil {
		o.runtime.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return o.journal.Close(ctx)
}
