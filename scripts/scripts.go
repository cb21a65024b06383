// Package scripts holds the templates that people start from. Each folder is an app that runs as it stands, with
// a README that says what to change.
package scripts

import (
	"embed"
	"io/fs"
	"slices"
	"strings"
)

//go:embed */*.ts */*.js */README.md
var files embed.FS

// Files returns the templates as a scripts root: NAME/main.ts, NAME/README.md.
func Files() fs.FS { return files }

// Template is one template.
type Template struct {
	// Name is the template's folder.
	Name string
	// Summary is one line that says what it does: the first line of text of its README.
	Summary string
}

// Templates lists the templates by name.
func Templates() []Template {
	entries, _ := fs.ReadDir(files, ".")
	var list []Template
	for _, e := range entries {
		if e.IsDir() {
			list = append(list, Template{Name: e.Name(), Summary: summary(e.Name())})
		}
	}
	slices.SortFunc(list, func(a, b Template) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func summary(name string) string {
	text, err := fs.ReadFile(files, name+"/README.md")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			return line
		}
	}
	return ""
}
