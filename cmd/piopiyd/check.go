package main

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/config"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/server"
)

type checkCommand struct {
	Apps   []string `arg:"" optional:"" name:"app" help:"Apps to check (default all)."`
	Driver string   `help:"Warn of verbs that this driver cannot carry: cloud, sip or sim. The sources are scanned for them, not run." enum:",cloud,sip,sim" default:"" placeholder:"NAME"`
	JSON   bool     `help:"Print JSON."`
}

// checked is what a check found of one app.
type checked struct {
	App       string          `json:"app"`
	OK        bool            `json:"ok"`
	Callbacks []string        `json:"callbacks,omitempty"`
	AnswerURL string          `json:"answer_url,omitempty"`
	Files     []string        `json:"files,omitempty"`
	Warnings  []string        `json:"warnings,omitempty"`
	Problem   *server.Problem `json:"problem,omitempty"`
	// Unsupported is where the sources use verbs that the driver asked about cannot carry.
	Unsupported []unsupportedUse `json:"unsupported,omitempty"`
	text        string
}

// unsupportedUse is a verb that a driver cannot carry, and where it stands.
type unsupportedUse struct {
	File string `json:"file"`
	bindcall.Use
}

// Run checks apps the way an edit is checked before it goes live.
func (c checkCommand) Run(ctx context.Context, t terminal, g globals) error {
	cfg, err := g.loadChecked([]config.Check{checkSIP})
	if err != nil {
		return err
	}
	found, err := findApps(cfg)
	if err != nil {
		return err
	}
	files, done, entries, problems, err := found.list()
	if err != nil {
		return err
	}
	defer done()
	if err := found.clash(cfg, entries); err != nil {
		return err
	}
	names := append(slices.Collect(maps.Keys(entries)), slices.Collect(maps.Keys(problems))...)
	names = append(names, webAppNames(cfg)...)
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		return fmt.Errorf("%s holds no app: write %s, or begin with: piopiyd init", found.name(), "hello/main.ts")
	}
	for _, app := range c.Apps {
		if !slices.Contains(names, app) {
			return unknownApp(app, names, found.name())
		}
	}
	if len(c.Apps) > 0 {
		names = c.Apps
	}
	e, err := newEngine(cfg, func(*runtime.Config) {})
	if err != nil {
		return err
	}
	defer e.close()
	var all []checked
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if address := cfg.Apps[name].AnswerURL; address != "" {
			all = append(all, checked{App: name, OK: true, AnswerURL: withoutSecrets(address)})
			continue
		}
		if problem := problems[name]; problem != nil {
			all = append(all, checked{App: name, Problem: &server.Problem{Message: problem.Error()}, text: problem.Error()})
			continue
		}
		result := check(ctx, e, found, files, name, entries[name])
		result.scan(c.Driver, found, files)
		all = append(all, result)
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Apps)) {
		if !slices.Contains(names, name) && len(c.Apps) == 0 {
			_, _ = fmt.Fprintf(t.err, "piopiyd: the configuration names the app %q, but %s does not hold it\n", name, found.name())
		}
	}
	return c.report(t, all)
}

func check(ctx context.Context, e *engine, found apps, files fs.FS, name, entry string) checked {
	v, err := e.rt.Check(ctx, name, files, entry)
	result := checked{App: name, OK: err == nil}
	if v != nil {
		result.Callbacks, result.Files, result.Warnings = v.Exports(), v.Files(), v.Warnings()
	}
	if err != nil {
		result.text = found.explain(err)
		result.Problem = problemView(err)
		result.Problem.File = found.path(result.Problem.File)
	}
	return result
}

// scan looks for verbs that a driver cannot carry in the app's own sources.
func (r *checked) scan(driver string, found apps, files fs.FS) {
	for _, name := range r.Files {
		source, err := fs.ReadFile(files, name)
		if err != nil {
			continue // a module of the standard library
		}
		for _, use := range bindcall.CannotCarry(driver, string(source)) {
			use := unsupportedUse{found.path(name), use}
			r.Unsupported = append(r.Unsupported, use)
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s:%d:%d: the driver %s cannot carry %s", use.File, use.Line, use.Column, driver, use))
		}
	}
}

func (c checkCommand) report(t terminal, all []checked) error {
	bad := 0
	for _, r := range all {
		if !r.OK {
			bad++
		}
	}
	if c.JSON {
		if err := t.json(map[string]any{"apps": all}); err != nil {
			return err
		}
	} else {
		width := 0
		for _, r := range all {
			width = max(width, len(r.App))
		}
		for _, r := range all {
			if r.OK {
				t.printf("%s  %-*s  %s\n", t.paint(green, "ok"), width, r.App, cmp.Or(r.AnswerURL, strings.Join(r.Callbacks, ", ")))
			} else {
				t.printf("%s %-*s  %s\n", t.paint(red, "bad"), width, r.App, indented(plain(r.text), width+6))
			}
			for _, w := range r.Warnings {
				t.printf("%s %s\n", t.paint(yellow, strings.Repeat(" ", width+5)+"warning:"), plain(w))
			}
		}
	}
	if bad > 0 {
		if !c.JSON {
			_, _ = fmt.Fprintf(t.err, "%d of %d apps cannot go live\n", bad, len(all))
		}
		return errSilent
	}
	return nil
}

// indented puts blanks before all lines but the first.
func indented(text string, n int) string {
	return strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", n))
}
