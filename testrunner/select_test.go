package testrunner_test

import (
	"context"
	"encoding/xml"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/testrunner"
)

// outcome lists results as "file > name: status".
func outcome(t *testing.T, o testrunner.Options) []string {
	t.Helper()
	report, err := testrunner.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, r := range report.Results {
		list = append(list, r.File+" > "+r.Name+": "+string(r.Status))
	}
	return list
}

func TestSelection(t *testing.T) {
	head := "import { test, call } from 'piopiy/test'\n"
	files := map[string]string{
		"app.ts":                    menu,
		"app.test.ts":               head + "test('a', () => {}); test.skip('b', () => {}); test('c', async () => { throw new Error('no') })",
		"desk/main.ts":              menu,
		"desk/deep/x.test.mjs":      head + "test('x', async () => { await (await call()).hears('Sales') })\ntest.only('only', async () => { await (await call()).hears('Sales') })",
		"shared/tools.test.ts":      head + "test('no app', async () => { await call() })\ntest('named', async () => { await (await call('desk')).hears('Sales') })",
		"node_modules/p/p.test.js":  head + "test('package', () => {})",
		"desk/.hidden/hide.test.js": head + "test('hidden', () => {})",
		"empty.test.ts":             head,
		"import.test.ts":            head + "import { nothing } from './nowhere'\ntest('never', () => nothing())",
	}
	want := []string{
		"app.test.ts > a: passed", "app.test.ts > b: skipped", "app.test.ts > c: failed",
		"desk/deep/x.test.mjs > x: skipped", "desk/deep/x.test.mjs > only: passed",
		"empty.test.ts > : failed", "import.test.ts > : failed",
		"shared/tools.test.ts > no app: failed", "shared/tools.test.ts > named: passed",
	}
	if diff := cmp.Diff(want, outcome(t, options(t, files))); diff != "" {
		t.Error(diff)
	}
	o := options(t, files)
	o.Below, o.Only = "desk", regexp.MustCompile("x.test.mjs > only")
	if diff := cmp.Diff(want[4:5], outcome(t, o)); diff != "" {
		t.Error(diff)
	}
	o.Only = regexp.MustCompile("nobody")
	if _, err := testrunner.Run(t.Context(), o); !errors.Is(err, testrunner.ErrNoTests) {
		t.Errorf("error %v", err)
	}
	o.Below = "nowhere"
	if _, err := testrunner.Run(t.Context(), o); err == nil || errors.Is(err, testrunner.ErrNoTests) {
		t.Errorf("error %v", err)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := options(t, map[string]string{"app.ts": menu, "app.test.ts": "import { test, call } from 'piopiy/test'\ntest('one', async () => {}); test('two', () => {})"})
	o.Done = func(testrunner.Result) { cancel() }
	report, err := testrunner.Run(ctx, o)
	if !errors.Is(err, context.Canceled) || len(report.Results) != 1 {
		t.Errorf("%d results, error %v", len(report.Results), err)
	}
}

func TestJUnit(t *testing.T) {
	o := options(t, map[string]string{
		"app.ts":      menu,
		"app.test.ts": "import { test, call } from 'piopiy/test'\ntest('a & b', () => {})\ntest.skip('s', () => {})\ntest('f', async () => { await (await call()).hears('<\x07>') })",
	})
	report, err := testrunner.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := report.JUnit()
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Suite struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Skipped  int `xml:"skipped,attr"`
			Cases    []struct {
				Name    string `xml:"name,attr"`
				Line    int    `xml:"line,attr"`
				Failure string `xml:"failure"`
				Output  string `xml:"system-out"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(text, &read); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	s := read.Suite
	if s.Tests != 3 || s.Failures != 1 || s.Skipped != 1 || len(s.Cases) != 3 {
		t.Fatalf("%s", text)
	}
	if f := s.Cases[2]; s.Cases[0].Name != "a & b" || f.Line != 4 || !strings.Contains(f.Failure, "did not hear “<\ufffd>”") || !strings.Contains(f.Output, "hears    “Sales, press 1") {
		t.Errorf("%s", text)
	}
}
