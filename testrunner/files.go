package testrunner

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/piopiy/piopiyd/runtime"
)

// tree is what a scripts root holds: apps by their entry files, and test files.
type tree struct {
	apps     map[string]string
	problems map[string]error
	web      []string // apps that are web servers
	tests    []string
}

// extensions are those of test files.
var extensions = []string{".ts", ".js", ".mts", ".mjs", ".cts", ".cjs"}

// IsTest reports whether a file holds tests, by its name.
func IsTest(name string) bool {
	return strings.HasSuffix(strings.TrimSuffix(name, extension(name)), ".test")
}

// extension is a test file's extension, or "".
func extension(name string) string {
	if ext := path.Ext(name); slices.Contains(extensions, ext) {
		return ext
	}
	return ""
}

// look finds apps and tests.
func look(files fs.FS, below string, web []string) (*tree, error) {
	t := &tree{web: web}
	var err error
	if t.apps, t.problems, err = runtime.Discover(files); err != nil {
		return nil, err
	}
	if below == "" {
		below = "."
	}
	err = fs.WalkDir(files, below, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		switch {
		case d.IsDir() && name != below && (base == "node_modules" || strings.HasPrefix(base, ".")):
			return fs.SkipDir
		case !d.IsDir() && extension(name) != "" && IsTest(name):
			t.tests = append(t.tests, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("the tests cannot be read: %w", err)
	}
	return t, nil
}

// appOf returns the app that a test file stands beside: the folder it is in, or NAME.ts for NAME.test.ts.
func (t *tree) appOf(name string) string {
	folder, _, below := strings.Cut(name, "/")
	if !below {
		folder, _, _ = strings.Cut(name, ".test")
	}
	if _, ok := t.apps[folder]; ok || slices.Contains(t.web, folder) {
		return folder
	}
	return ""
}
