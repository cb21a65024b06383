package docs_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// arrows say which of our own packages a package may import, by prefix below the module. The most exact rule holds.
// Packages of tests follow no rule.
var arrows = map[string][]string{
	"runtime":                 {"runtime/guard"},
	"runtime/guard":           {},
	"runtime/runtimetest":     {"runtime"},
	"pcmo":                    {},
	"audio":                   {},
	"call":                    {"pcmo"},
	"call/inboxtest":          {"call", "pcmo"},
	"bindings":                {"bindings", "runtime", "call", "pcmo", "audio"},
	"bindings/fetch/outbound": {},
	"drivers":                 {"drivers", "call", "pcmo", "audio"},
	"server":                  {"call", "pcmo", "server"},
	"webapp":                  {"call", "pcmo"},
	"testrunner":              {"runtime", "call", "drivers/sim", "bindings"},
	"journal":                 {"call", "pcmo", "runtime", "bindings/kv"}, // it implements what these declare
	"config":                  {"runtime", "bindings/fetch/outbound"},     // for their defaults
	"stdlib":                  {},
	"scripts":                 {},
	"scripts/realtimetest":    {"audio"},
	"docs":                    {},
	"bench":                   {"."},
	"cmd":                     {"."},
}

func TestImportsPointOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "github.com/piopiy/piopiyd/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	const module = "github.com/piopiy/piopiyd/"
	used := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg := strings.TrimPrefix(fields[0], module)
		rule, ok := ruleFor(pkg)
		if !ok {
			t.Errorf("%s: no rule says what it may import; add it to the table and to architecture.md", pkg)
			continue
		}
		used[rule] = true
		for _, imported := range fields[1:] {
			name, ours := strings.CutPrefix(imported, module)
			if ours && !allowed(arrows[rule], name) {
				t.Errorf("%s imports %s; it may import %v", pkg, name, arrows[rule])
			}
		}
	}
	page, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	for rule := range arrows {
		if folder, _, _ := strings.Cut(rule, "/"); !strings.Contains(string(page), "(../"+folder) {
			t.Errorf("architecture.md does not mention %s/", folder)
		}
		if !used[rule] {
			t.Errorf("the rule for %s is about no package", rule)
		}
	}
}

// ruleFor returns the longest rule that is the package or a folder above it.
func ruleFor(pkg string) (string, bool) {
	for rule := pkg; ; rule = rule[:strings.LastIndex(rule, "/")] {
		if _, ok := arrows[rule]; ok {
			return rule, true
		}
		if !strings.Contains(rule, "/") {
			return "", false
		}
	}
}

func allowed(rule []string, pkg string) bool {
	for _, prefix := range rule {
		if prefix == "." || pkg == prefix || strings.HasPrefix(pkg, prefix+"/") {
			return true
		}
	}
	return false
}
