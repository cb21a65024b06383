package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/docs/blocks"
)

var updateDocs = flag.Bool("update-docs", false, "write the output of commands into the documentation anew")

// documentation reads the blocks of all pages.
func documentation(t *testing.T) []blocks.Block {
	t.Helper()
	var all []blocks.Block
	for _, pattern := range []string{"../../README.md", "../../docs/*.md", "../../scripts/*/README.md"} {
		pages, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			list, err := blocks.Read(page)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, list...)
		}
	}
	return all
}

// The command lines that the documentation shows are understood.
func TestDocumentedCommands(t *testing.T) {
	seen := 0
	for _, b := range documentation(t) {
		if b.Language != "sh" {
			continue
		}
		for line := range strings.Lines(b.Text) {
			line = strings.TrimPrefix(strings.TrimSpace(line), "go run ./cmd/")
			if !strings.HasPrefix(line, "piopiyd") || strings.ContainsAny(line, "|>&…") {
				continue
			}
			seen++
			if _, err := kong.Must(&commands{}, kong.Vars{"version": ""}).Parse(words(line)[1:]); err != nil {
				t.Errorf("%s: %s: %v", b.Place, line, err)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d command lines were found", seen)
	}
}

// words splits a command line as a shell does, as far as the documentation needs it.
func words(line string) []string {
	var list []string
	for _, m := range regexp.MustCompile(`'([^']*)'|(#.*)|(\S+)`).FindAllStringSubmatch(line, -1) {
		switch {
		case m[2] != "":
			return list
		case strings.HasPrefix(m[0], "'"):
			list = append(list, m[1])
		default:
			list = append(list, m[3])
		}
	}
	return list
}

// changing matches what differs from run to run: tokens, and versions with every edit of a template.
var changing = regexp.MustCompile(`\[[0-9a-f]{12}\]|/input/[a-z2-7]+`)

// What the documentation shows as the output of a command is its output.
func TestDocumentedOutput(t *testing.T) {
	seen, script := 0, ""
	for _, b := range documentation(t) {
		if b.Language == "ts" {
			script = b.Text
		}
		for _, note := range b.Notes {
			line, ok := strings.CutPrefix(note, "output of: piopiyd ")
			if !ok {
				continue
			}
			seen++
			page := strings.Split(b.Place, ":")[0]
			absolute, err := filepath.Abs(page)
			if err != nil {
				t.Fatal(err)
			}
			got := outputOf(t, script, strings.Fields(line))
			if *updateDocs {
				rewrite(t, absolute, b.Text, got)
				continue
			}
			shorten := func(s string) string { return changing.ReplaceAllString(s, "[]") }
			if diff := cmp.Diff(shorten(b.Text), shorten(got)); diff != "" {
				t.Errorf("%s: run go test ./cmd/piopiyd -run Documented -update-docs\n%s", b.Place, diff)
			}
		}
	}
	if seen == 0 {
		t.Error("no output is shown anywhere")
	}
}

// outputOf runs a command where the script that the page showed last is the app desk.
func outputOf(t *testing.T, script string, args []string) string {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.Mkdir("scripts", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("scripts/desk.ts", []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	var out, errors bytes.Buffer
	if code := runWith(t.Context(), args, terminal{out: &out, err: &errors}); code != 0 {
		t.Fatalf("piopiyd %v: exit code %d\n%s%s", args, code, out.String(), errors.String())
	}
	return out.String()
}

func rewrite(t *testing.T, page, before, after string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(page, []byte(strings.Replace(string(text), "```text\n"+before+"```", "```text\n"+after+"```", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}
