package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/piopiy/piopiyd/server"
)

type versionsCommand struct {
	remote
	App string `arg:"" optional:"" help:"The app whose versions are listed."`
}

// Run lists apps, or an app's versions.
func (c versionsCommand) Run(ctx context.Context, t terminal, g globals) (err error) {
	b, err := c.backend(ctx, t, g)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if c.App == "" {
		list, err := b.Apps(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return t.json(map[string]any{"apps": list})
		}
		t.apps(list)
		return nil
	}
	list, err := b.Versions(ctx, c.App)
	if err != nil {
		return explainUnknown(ctx, b, c.App, err)
	}
	if c.JSON {
		return t.json(map[string]any{"app": c.App, "versions": list})
	}
	rows := [][]string{{"", "VERSION", "CREATED", "SESSIONS", "FILES"}}
	for _, v := range list {
		rows = append(rows, []string{live(v.Live), short(v.ID), clock(v.Created), strconv.FormatInt(v.Sessions, 10), strings.Join(v.Files, " ")})
	}
	t.table(rows)
	return nil
}

// backend reads the configuration and finds who can answer.
func (r remote) backend(ctx context.Context, t terminal, g globals) (backend, error) {
	cfg, err := g.load()
	if err != nil {
		return nil, err
	}
	return r.open(ctx, t, cfg)
}

func live(is bool) string {
	if is {
		return "live"
	}
	return ""
}

// apps prints a table of apps; what is wrong with them comes below it.
func (t terminal) apps(list []server.App) {
	rows := [][]string{{"APP", "VERSION", "SESSIONS", "EXPORTS"}}
	for _, a := range list {
		if a.AnswerURL != "" {
			rows = append(rows, []string{a.Name, "-", "-", a.AnswerURL})
			continue
		}
		rows = append(rows, []string{a.Name, orDash(short(a.Version)), strconv.FormatInt(a.Sessions, 10), orDash(strings.Join(a.Exports, ", "))})
	}
	t.table(rows)
	for _, a := range list {
		if a.Problem == nil {
			continue
		}
		text := problemText(a.Problem)
		switch {
		case a.Problem.File == "":
		case a.Version == "":
			text = "calls meet the fault policy, because the script cannot go live: " + text
		default:
			text = "the version above keeps answering, because the newest edit cannot go live: " + text
		}
		t.printf("%s\n", t.paint(red, a.Name+": "+plain(text)))
	}
}

func problemText(p *server.Problem) string {
	if p.File == "" || strings.HasPrefix(p.Message, p.File+":") {
		return p.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// explainUnknown adds to "not found" which apps there are.
func explainUnknown(ctx context.Context, b backend, app string, err error) error {
	if !errors.Is(err, errNotFound) && !errors.Is(err, server.ErrNotFound) {
		return err
	}
	list, listErr := b.Apps(ctx)
	if listErr != nil {
		return err
	}
	var names []string
	for _, a := range list {
		names = append(names, a.Name)
	}
	if slices.Contains(names, app) {
		return err
	}
	return unknownApp(app, names, "the daemon")
}

type rollbackCommand struct {
	remote
	App     string `arg:"" help:"The app."`
	Version string `arg:"" optional:"" help:"The version, as many digits as tell it apart (default the one before the live one)."`
}

// Run makes an earlier version live again.
func (c rollbackCommand) Run(ctx context.Context, t terminal, g globals) (err error) {
	b, err := c.backend(ctx, t, g)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	v, err := b.Rollback(ctx, c.App, c.Version)
	if err != nil {
		return explainUnknown(ctx, b, c.App, err)
	}
	if c.JSON {
		return t.json(v)
	}
	t.printf("%s answers with version %s of %s. The files on disk stay as they are: the next edit goes live.\n", c.App, short(v.ID), clock(v.Created))
	return nil
}
