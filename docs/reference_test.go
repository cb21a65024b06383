package docs_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/stdlib"
	"github.com/piopiy/piopiyd/stdlib/dts"
)

var update = flag.Bool("update", false, "write script-api.md anew")

// script-api.md is made from piopiy.d.ts, which stdlib's tests hold against the running system.
func TestReferenceIsUpToDate(t *testing.T) {
	file, err := dts.Parse(stdlib.Declarations)
	if err != nil {
		t.Fatal(err)
	}
	want := reference(file)
	if *update {
		if err := os.WriteFile("script-api.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("script-api.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("script-api.md is not what piopiy.d.ts says; run: go test ./docs -run Reference -update\n%s", diff)
	}
}

const preface = `# Script API

Everything a call script can touch. This page is made from [piopiy.d.ts](../stdlib/piopiy.d.ts), the file that tells
your editor the same; tests hold both against what is there at run time. [Writing call scripts](writing-scripts.md) is
the tutorial.

Where a default is called PIOPIY's, piopiyd sends nothing and the platform decides; its documentation is at
https://doc.telecmi.com/piopiy. Times are milliseconds as a number, or text such as "20s" or "2m"; times since 1970 are
in milliseconds. An option that does not exist, or a value that does not fit, is a TypeError that says what would.

Imports: ` + "`piopiy`, `piopiy/pcmo`, `piopiy/calls`, `piopiy/kv`, `piopiy/env`, `piopiy/crypto`, `piopiy/account`, `piopiy/hours`, `piopiy/audio`" + `, your own files
by relative path, JSON files, and packages in a ` + "`node_modules`" + ` below the scripts folder. Node's own modules are not there.
`

func reference(file *dts.File) string {
	var b strings.Builder
	b.WriteString(preface)
	for _, s := range file.Sections {
		fmt.Fprintf(&b, "\n## %s\n", s.Title)
		if s.Intro != "" {
			fmt.Fprintf(&b, "\n%s\n", s.Intro)
		}
		module := ""
		var loose []string // names without documentation of their own, gathered
		flush := func() {
			if len(loose) > 0 {
				fmt.Fprintf(&b, "\n%s\n", strings.Join(loose, "\n"))
			}
			loose = nil
		}
		for _, d := range s.Declarations {
			if d.Kind == "export" {
				continue
			}
			if d.Module != module {
				flush()
				module = d.Module
				if module != "" {
					fmt.Fprintf(&b, "\n### `import … from '%s'`\n", module)
				}
			}
			signature := strings.TrimPrefix(strings.TrimPrefix(d.Signature, "export "), "declare ")
			if len(d.Members) == 0 {
				loose = append(loose, item(signature, d.Doc))
				continue
			}
			flush()
			fmt.Fprintf(&b, "\n### %s\n", code(strings.TrimSuffix(signature, ":")))
			if d.Doc != "" {
				fmt.Fprintf(&b, "\n%s\n", prose(d.Doc))
			}
			b.WriteString("\n")
			for _, m := range d.Members {
				b.WriteString(item(m.Signature, m.Doc) + "\n")
			}
		}
		flush()
	}
	return b.String()
}

// item is a list item: what it looks like, and what it is.
func item(signature, doc string) string {
	if doc == "" {
		return "- " + code(signature)
	}
	return "- " + code(signature) + "  \n  " + prose(doc)
}

// code quotes a signature, which may hold a template literal's quotes itself.
func code(signature string) string {
	if strings.Contains(signature, "`") {
		return "`` " + signature + " ``"
	}
	return "`" + signature + "`"
}

// prose puts a documentation comment on one line.
func prose(doc string) string {
	var words []string
	for _, line := range strings.Split(doc, "\n") {
		switch {
		case strings.HasPrefix(line, "@param "):
			name, what, _ := strings.Cut(line[7:], " ")
			line = "`" + name + "`: " + what + "."
		case strings.HasPrefix(line, "@throws "):
			line = "Throws " + line[8:] + "."
		}
		words = append(words, line)
	}
	return strings.Join(words, " ")
}
