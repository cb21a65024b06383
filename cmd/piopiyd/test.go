package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/server/rest"
	"github.com/piopiy/piopiyd/testrunner"
)

type testCommand struct {
	Dir     string        `arg:"" optional:"" help:"Run only the tests of this file, or below this folder (default all of the scripts folder)."`
	Only    string        `name:"run" placeholder:"REGEXP" help:"Run the tests whose name matches; a name is FILE > TEST."`
	Watch   bool          `help:"Run them again after every save, until interrupted."`
	JUnit   string        `name:"junit" placeholder:"FILE" help:"Write the results as JUnit XML, too."`
	Timeout time.Duration `default:"10s" help:"How long one test may take, in real time."`
	Cover   bool          `name:"coverage" help:"Say which lines of the apps ran."`
	Verbose bool          `short:"v" help:"Show the calls and the console of tests that pass, too."`
}

// Run runs the tests of scripts in the simulator. It fails when one of them does.
func (c testCommand) Run(ctx context.Context, t terminal, g globals) error {
	below, err := c.place(&g)
	if err != nil {
		return err
	}
	cfg, err := g.load()
	if err != nil {
		return err
	}
	found, err := findApps(cfg)
	if err != nil {
		return err
	}
	if err := found.check(cfg); err != nil {
		return err
	}
	o := testrunner.Options{Below: below, Timeout: c.Timeout, Fault: faultPolicy(cfg.Fault)}
	if o.Only, err = regexp.Compile(c.Only); err != nil {
		return fmt.Errorf("--run: %w", err)
	}
	if c.Timeout <= 0 {
		return errors.New("--timeout: must be above 0")
	}
	quiet := slog.New(slog.DiscardHandler)
	o.Runtime = func(live *call.Live, place call.Originator) (runtime.Config, error) {
		return runtimeConfig(cfg, nil, bindcall.CallsOptions{Live: live, Originator: place}, nil, quiet)
	}
	o.Handler = func(rt *runtime.Runtime, live *call.Live) call.Handler { return newHandler(cfg, rt, live, quiet) }
	o.Platform = func(live *call.Live, place call.Originator) http.Handler {
		return rest.New(rest.Options{Platform: &rest.Calls{Live: live, Originator: place}, Authorize: rest.Everybody, Logger: quiet})
	}
	o.WebApps = webAppNames(cfg)
	o.Web = func(stubs testrunner.Doer) (*testrunner.Web, error) { return webOfTests(cfg, stubs, quiet) }
	o.Done = func(r testrunner.Result) { c.tell(t, found, r) }
	if c.Watch {
		return c.follow(ctx, t, found, o)
	}
	return c.once(ctx, t, found, o)
}

// place finds what the argument means: a folder below the scripts folder, or a scripts folder of its own.
func (c testCommand) place(g *globals) (below string, err error) {
	if c.Dir == "" {
		return "", nil
	}
	info, err := os.Stat(c.Dir)
	switch {
	case err != nil:
		return "", fmt.Errorf("there is no file or folder %s", c.Dir)
	case !info.IsDir() && !testrunner.IsTest(c.Dir):
		return "", fmt.Errorf("%s is no test: their names end in .test.ts or .test.js", c.Dir)
	}
	cfg, err := g.load()
	if err != nil {
		return "", err
	}
	root, err := filepath.Abs(cfg.Scripts)
	if err != nil {
		return "", err
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(root, dir); err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return filepath.ToSlash(rel), nil
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s is not below the scripts folder %s: name that with --scripts", c.Dir, cfg.Scripts)
	}
	g.Scripts = c.Dir
	return "", nil
}

// once runs the tests once.
func (c testCommand) once(ctx context.Context, t terminal, found apps, o testrunner.Options) error {
	files, done, err := found.Open()
	if err != nil {
		return fmt.Errorf("the scripts folder cannot be read: %w", err)
	}
	defer done()
	o.Files = files
	if c.Cover {
		o.Coverage = &runtime.Coverage{}
	}
	report, err := testrunner.Run(ctx, o)
	if errors.Is(err, testrunner.ErrNoTests) {
		return c.none(found)
	}
	if err != nil {
		return err
	}
	failed := report.Count(testrunner.Failed)
	summary, colour := fmt.Sprintf("%d passed", report.Count(testrunner.Passed)), green
	if failed > 0 {
		summary, colour = fmt.Sprintf("%d failed, %s", failed, summary), red
	}
	if n := report.Count(testrunner.Skipped); n > 0 {
		summary += fmt.Sprintf(", %d skipped", n)
	}
	t.printf("\n%s in %s\n", t.paint(colour, summary), report.Took.Round(time.Millisecond))
	if c.Cover {
		c.cover(t, found, o.Coverage.Files())
	}
	if c.JUnit != "" {
		text, err := report.JUnit()
		if err == nil {
			err = replace(c.JUnit, string(text))
		}
		if err != nil {
			return fmt.Errorf("--junit: %w", err)
		}
	}
	if failed > 0 {
		return errSilent
	}
	return nil
}

// cover prints which lines ran, of those on which statements begin.
func (c testCommand) cover(t terminal, found apps, files []runtime.LineCoverage) {
	rows := [][]string{{"FILE", "LINES", "RAN", "MISSED"}}
	for _, f := range files {
		all := len(f.Ran) + len(f.Missed)
		rows = append(rows, []string{found.path(f.File), strconv.Itoa(all), fmt.Sprintf("%d %%", len(f.Ran)*100/all), spans(f.Missed)})
	}
	t.printf("\n")
	t.table(rows)
}

// spans shortens a list of numbers: 3, 7-9.
func spans(list []int) string {
	var parts []string
	for i := 0; i < len(list); {
		last := i
		for last+1 < len(list) && list[last+1] == list[last]+1 {
			last++
		}
		part := strconv.Itoa(list[i])
		if last > i {
			part += "-" + strconv.Itoa(list[last])
		}
		parts = append(parts, part)
		i = last + 1
	}
	return strings.Join(parts, ", ")
}

// none says that there was nothing to run.
func (c testCommand) none(found apps) error {
	if c.Only != "" {
		return fmt.Errorf("no test below %s has a name that matches %s", found.name(), c.Only)
	}
	return fmt.Errorf("%s holds no tests: write one beside an app, such as hello/main.test.ts or hello.test.ts", found.name())
}

// follow runs the tests after every save.
func (c testCommand) follow(ctx context.Context, t terminal, found apps, o testrunner.Options) error {
	if found.dir == "" {
		return errors.New("--watch: the examples inside piopiyd do not change")
	}
	saved := make(chan struct{}, 1)
	rt, err := runtime.New(runtime.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer rt.Close()
	err = rt.Follow(ctx, found.dir, func([]string) {
		select {
		case saved <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return err
	}
	for {
		if err := c.once(ctx, t, found, o); err != nil && !errors.Is(err, errSilent) && ctx.Err() == nil {
			t.fail(err)
		}
		t.printf("%s\n", t.paint(dim, "watching "+found.dir))
		select {
		case <-saved:
			t.printf("\n")
		case <-ctx.Done():
			return nil
		}
	}
}

// mostShown is how many problems and calls of one test are shown, and a tenth of how many lines of its console.
const mostShown = 10

// tell prints what became of a test.
func (c testCommand) tell(t terminal, found apps, r testrunner.Result) {
	name := r.File
	if r.Name != "" {
		name += " > " + r.Name
	}
	took := t.paint(dim, fmt.Sprintf("(%s)", r.Took.Round(time.Millisecond)))
	switch r.Status {
	case testrunner.Passed:
		t.printf("%s    %s %s\n", t.paint(green, "ok"), plain(name), took)
	case testrunner.Skipped:
		t.printf("%s  %s\n", t.paint(yellow, "skip"), plain(name))
		return
	default:
		t.printf("%s  %s %s\n", t.paint(red, "FAIL"), plain(name), took)
	}
	for i, problem := range r.Problems {
		if i == mostShown {
			t.printf("      %s\n", t.paint(red, fmt.Sprintf("and %d problems more", len(r.Problems)-i)))
			break
		}
		t.printf("      %s\n", t.paint(red, indented(plain(found.onDisk(problem)), 6)))
	}
	if r.Status == testrunner.Passed && !c.Verbose {
		return
	}
	for i, one := range r.Calls {
		if i == mostShown {
			t.printf("      and %d calls more\n", len(r.Calls)-i)
			break
		}
		for _, e := range one.Entries {
			t.printf("      %s\n", indented(t.entry(e), 6))
		}
	}
	for i, line := range r.Logged {
		if i == 10*mostShown {
			t.printf("      %s\n", t.paint(yellow, fmt.Sprintf("console  and %d lines more", len(r.Logged)-i)))
			break
		}
		t.printf("      %s\n", t.paint(yellow, "console  "+indented(plain(line), 15)))
	}
}

// scriptLine is a file and line in a text, with what stands before them.
var scriptLine = regexp.MustCompile(`(^|\s)([\w./-]+\.[cm]?[jt]s)(:\d+)`)

// onDisk names the scripts in a text as an editor can open them.
func (a apps) onDisk(text string) string {
	if a.dir == "" {
		return text
	}
	return scriptLine.ReplaceAllStringFunc(text, func(found string) string {
		parts := scriptLine.FindStringSubmatch(found)
		if _, err := os.Stat(filepath.Join(a.dir, filepath.FromSlash(parts[2]))); err != nil {
			return found
		}
		return parts[1] + a.path(parts[2]) + parts[3]
	})
}
