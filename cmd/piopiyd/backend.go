package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"

	"github.com/piopiy/piopiyd/config"
	"github.com/piopiy/piopiyd/journal"
	"github.com/piopiy/piopiyd/server"
)

// backend answers questions about apps and calls: the daemon that runs, or the data folder of one that does not.
type backend interface {
	Apps(ctx context.Context) ([]server.App, error)
	Versions(ctx context.Context, app string) ([]server.Version, error)
	Rollback(ctx context.Context, app, id string) (server.Version, error)
	Calls(ctx context.Context, app string, limit int) ([]server.Call, error)
	Timeline(ctx context.Context, id string, follow bool) iter.Seq2[server.Entry, error]
	// Journal is Timeline as it stands, with what only a replay needs.
	Journal(ctx context.Context, id string) ([]server.Entry, error)
	Close() error
}

// remote are the flags of commands that ask a daemon.
type remote struct {
	Address string `placeholder:"URL" help:"Address of the daemon (default http:// and the configured listen)."`
	JSON    bool   `help:"Print JSON."`
}

// open finds who can answer. Without --address, the data folder stands in for a daemon that does not run.
func (r remote) open(ctx context.Context, t terminal, cfg config.Config) (backend, error) {
	address := r.Address
	if address == "" {
		address = "http://" + reachable(cfg.Listen)
	}
	c := &client{address: address, token: string(cfg.API.Token), http: &http.Client{}}
	err := c.probe(ctx)
	if err == nil {
		return c, nil
	}
	if !errors.Is(err, errNoDaemon) || r.Address != "" {
		return nil, err
	}
	b, offlineErr := openOffline(ctx, cfg)
	if offlineErr == nil {
		_, _ = fmt.Fprintf(t.err, "No daemon answers at %s; reading %s.\n", address, place(cfg))
		return b, nil
	}
	switch {
	case errors.Is(offlineErr, os.ErrNotExist):
		return nil, fmt.Errorf("no daemon answers at %s, and there is no data folder %s to read instead; %w", address, cfg.Data, errNoDaemon)
	case errors.Is(offlineErr, journal.ErrLocked):
		return nil, fmt.Errorf("no daemon answers at %s, but %s is in use: one runs with another address; name it with --address", address, cfg.Data)
	}
	return nil, errors.Join(err, offlineErr)
}

func place(cfg config.Config) string {
	if cfg.Journal.NATSURL != "" {
		return "the journal at journal.nats_url"
	}
	return "the data folder " + cfg.Data
}
