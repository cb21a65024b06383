package runtime

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Source is where apps are read from: a folder, or any file system.
type Source interface {
	// Open returns the files as they are now, and a function that lets go of them.
	Open() (files fs.FS, done func(), err error)
}

// Dir is a folder on disk. Nothing outside it can be read through it, not by a link either.
type Dir string

// Open implements Source. It opens the folder anew each time, so that a folder which is a link may be switched
// to another one.
func (d Dir) Open() (fs.FS, func(), error) {
	root, err := os.OpenRoot(string(d))
	if err != nil {
		return nil, nil, err
	}
	return root.FS(), func() { _ = root.Close() }, nil
}

// FS returns a Source for files that are not a folder on disk: an embed.FS, a test's map.
func FS(files fs.FS) Source { return fixed{files} }

type fixed struct{ files fs.FS }

func (f fixed) Open() (fs.FS, func(), error) { return f.files, func() {}, nil }

// Discover finds the apps below a scripts root: NAME.ts or NAME.js, and folders NAME with a main.ts or main.js.
// Other folders are shared code. It returns each app's entry file by name; problems holds a reason for every
// name that is claimed twice.
func Discover(files fs.FS) (entries map[string]string, problems map[string]error, err error) {
	list, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, nil, err
	}
	entries, problems = map[string]string{}, map[string]error{}
	claim := func(app, entry string) {
		if strings.Trim(app, nameLetters) != "" || len(app) > 64 {
			problems[app] = fmt.Errorf("%q cannot be an app's name: it is part of addresses; use up to 64 letters, digits, - and _", app)
			return
		}
		if other, taken := entries[app]; taken {
			problems[app] = fmt.Errorf("%s and %s are both the app %q: remove one", other, entry, app)
			return
		}
		entries[app] = entry
	}
	for _, item := range list {
		name := item.Name()
		if strings.HasPrefix(name, ".") || name == "node_modules" {
			continue
		}
		info, err := fs.Stat(files, name) // follows links
		if err != nil {
			continue
		}
		if info.IsDir() {
			for _, ext := range entryExtensions {
				if main := path.Join(name, "main"+ext); isRegular(files, main) {
					claim(name, main)
				}
			}
			continue
		}
		ext := path.Ext(name)
		base := strings.TrimSuffix(name, ext)
		if !slices.Contains(entryExtensions, ext) || strings.HasSuffix(base, ".d") || strings.HasSuffix(base, ".test") || strings.Contains(base, ".config") {
			continue
		}
		claim(base, name)
	}
	return entries, problems, nil
}

const nameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

var entryExtensions = []string{".ts", ".js", ".mts", ".mjs", ".cts", ".cjs"}

func isRegular(files fs.FS, name string) bool {
	info, err := fs.Stat(files, name)
	return err == nil && info.Mode().IsRegular()
}
