package docs_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// Every module that we import has a row in dependencies.md, and every row's module is imported.
func TestDependenciesAreListed(t *testing.T) {
	page, err := os.ReadFile("dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		listed[m[1]] = false
	}
	const imports = `{{join .Imports "\n"}}{{"\n"}}{{join .TestImports "\n"}}{{"\n"}}{{join .XTestImports "\n"}}`
	out, err := exec.Command("go", "list", "-f", imports, "github.com/piopiy/piopiyd/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{}
	for _, path := range strings.Fields(string(out)) {
		host, _, _ := strings.Cut(path, "/")
		if !strings.Contains(host, ".") || strings.HasPrefix(path, "github.com/piopiy/piopiyd") {
			continue
		}
		found := false
		for module := range listed {
			if path == module || strings.HasPrefix(path, module+"/") {
				listed[module], found = true, true
			}
		}
		if !found {
			missing[path] = true
		}
	}
	for path := range missing {
		t.Errorf("%s is imported and not in dependencies.md: say what it is for and why this one", path)
	}
	for module, imported := range listed {
		if !imported {
			t.Errorf("dependencies.md lists %s, which nothing imports", module)
		}
	}
}
