package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/config"
	"github.com/piopiy/piopiyd/journal"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/server"
)

// appsView shows the runtime's apps to the API, and those that are web servers.
type appsView struct {
	runtime *runtime.Runtime
	cfg     config.Config
}

func (v appsView) Apps() []server.App {
	list := []server.App{}
	for _, name := range webAppNames(v.cfg) {
		list = append(list, server.App{Name: name, AnswerURL: withoutSecrets(v.cfg.Apps[name].AnswerURL)})
	}
	for _, a := range v.runtime.Apps() {
		if v.cfg.Apps[a.Name()].AnswerURL != "" {
			continue
		}
		item := server.App{Name: a.Name(), Problem: problemView(a.Problem())}
		if cur := a.Current(); cur != nil {
			item.Version, item.Exports = cur.ID(), cur.Exports()
		}
		for _, version := range a.Versions() {
			item.Sessions += version.Sessions()
		}
		list = append(list, item)
	}
	slices.SortFunc(list, func(a, b server.App) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func problemView(err error) *server.Problem {
	if err == nil {
		return nil
	}
	p := &server.Problem{Message: err.Error()}
	var f *runtime.Fault
	if errors.As(err, &f) {
		p.File, p.Line, p.Column, p.Source = f.Position.File, f.Position.Line, f.Position.Column, f.Position.Source
	}
	return p
}

func versionView(v *runtime.Version, live bool) server.Version {
	return server.Version{ID: v.ID(), Created: v.Created(), Live: live, Sessions: v.Sessions(), Files: v.Files()}
}

func (v appsView) app(name string) (*runtime.App, error) {
	a, ok := v.runtime.App(name)
	if v.cfg.Apps[name].AnswerURL != "" {
		return nil, fmt.Errorf("the app %q is a web server and has no versions: %w", name, server.ErrNotFound)
	}
	if !ok {
		return nil, fmt.Errorf("there is no app %q: %w", name, server.ErrNotFound)
	}
	return a, nil
}

func (v appsView) Versions(name string) ([]server.Version, error) {
	a, err := v.app(name)
	if err != nil {
		return nil, err
	}
	list := []server.Version{}
	for _, version := range a.Versions() {
		list = append(list, versionView(version, version == a.Current()))
	}
	return list, nil
}

func (v appsView) Rollback(ctx context.Context, name, id string) (server.Version, error) {
	a, err := v.app(name)
	if err != nil {
		return server.Version{}, err
	}
	version, err := a.Rollback(ctx, id)
	if errors.Is(err, runtime.ErrNoVersion) {
		err = fmt.Errorf("%w: %w", server.ErrNotFound, err)
	}
	if err != nil {
		return server.Version{}, err
	}
	return versionView(version, true), nil
}

// callsView shows the journal's calls to the API.
type callsView struct {
	journal *journal.Journal
	live    *call.Live // the calls that the engine carries now
}

// ended returns when a call ended. One that the engine still carries has not, though its session has nothing left to do.
func (v callsView) ended(id string, session time.Time) time.Time {
	if _, carried := v.live.Find(id); carried {
		return time.Time{}
	}
	return session
}

func (v callsView) List(ctx context.Context, app string, limit int) ([]server.Call, error) {
	summaries, err := v.journal.Calls(ctx, journal.CallFilter{App: app, Limit: limit})
	if err != nil {
		return nil, err
	}
	list := make([]server.Call, len(summaries))
	for i, s := range summaries {
		list[i] = server.Call{ID: s.ID, App: s.App, Version: s.Version, Started: s.Started, Faults: s.Faults}
		switch {
		case !s.Ended.IsZero():
			list[i].Ended = s.Ended
		case s.LastKind == "end":
			list[i].Ended = v.ended(s.ID, s.Last)
		}
	}
	return list, nil
}

func (v callsView) Show(ctx context.Context, id string) (server.Call, error) {
	entries, app, err := v.journal.Entries(ctx, id)
	if err != nil {
		return server.Call{}, callNotFound(err)
	}
	c := server.Call{ID: id, App: app}
	over := false // by an end beside the sessions: those that follow only hear of it
	for _, e := range entries {
		if c.Started.IsZero() {
			c.Started = e.Time
		}
		c.Version = e.Version
		switch e.Kind {
		case "fault":
			c.Faults++
		case "end":
			if beside := e.Seq == 0; beside || !over {
				c.Ended, over = v.ended(id, e.Time), beside
			}
		}
	}
	return c, nil
}

func (v callsView) Timeline(ctx context.Context, id string, follow bool) iter.Seq2[server.Entry, error] {
	return func(yield func(server.Entry, error) bool) {
		if follow {
			for e, err := range v.journal.Follow(ctx, id) {
				if !yield(server.Entry(e), err) {
					return
				}
			}
			return
		}
		entries, _, err := v.journal.Entries(ctx, id)
		if err != nil {
			yield(server.Entry{}, callNotFound(err))
			return
		}
		for _, e := range entries {
			if !yield(server.Entry(e), nil) {
				return
			}
		}
	}
}

func callNotFound(err error) error {
	if errors.Is(err, journal.ErrNoCall) {
		return fmt.Errorf("%w: %w", server.ErrNotFound, err)
	}
	return err
}

func (v callsView) Deliveries(context.Context) ([]server.Delivery, error) {
	list := []server.Delivery{}
	for _, d := range v.journal.Inbox().Deliveries(1000) {
		list = append(list, server.Delivery{App: d.App, Call: d.CallID, Kind: d.Kind, Attempts: d.Attempts, LastError: d.LastError})
	}
	return list, nil
}
