package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/piopiy/piopiyd/config"
	"github.com/piopiy/piopiyd/scripts"
	"github.com/piopiy/piopiyd/stdlib"
)

type initCommand struct {
	Dir      string `arg:"" optional:"" default:"." help:"Folder to begin in (default the current one); the app goes into its scripts folder."`
	Template string `short:"t" placeholder:"NAME" help:"The template; --list shows them."`
	Name     string `placeholder:"APP" help:"Name of the new app (default the template's)."`
	List     bool   `help:"List the templates and exit."`
}

// defaultTemplate is what init writes when no template is named.
const defaultTemplate = "hello"

// Run writes a template. Nothing that exists is overwritten.
func (c initCommand) Run(t terminal) error {
	var names []string
	rows := [][]string{{"TEMPLATE", "WHAT IT DOES"}}
	for _, one := range scripts.Templates() {
		names = append(names, one.Name)
		rows = append(rows, []string{one.Name, one.Summary})
	}
	if c.List {
		t.table(rows)
		return nil
	}
	template := c.Template
	if template == "" {
		template = defaultTemplate
	}
	if !slices.Contains(names, template) {
		return fmt.Errorf("there is no template %q; there are: %s", template, strings.Join(names, ", "))
	}
	app := c.Name
	if app == "" {
		app = template
	}
	if strings.ContainsAny(app, `/\?#% `) || strings.HasPrefix(app, ".") {
		return fmt.Errorf("--name: %q cannot be an app's name: it becomes a folder and part of an address", app)
	}
	files, err := planned(c.Dir, template, app)
	if err != nil {
		return err
	}
	if err := write(files); err != nil {
		return err
	}
	for _, f := range files {
		t.printf("wrote %s\n", f.path)
	}
	t.printf("\nNext:\n")
	if c.Dir != "." {
		t.printf("  cd %s\n", c.Dir)
	}
	if answers(files) {
		t.printf("  piopiyd call %s     hear it in the terminal\n  piopiyd%s           answer calls; every save is live\n", app, strings.Repeat(" ", len(app)))
	} else {
		t.printf("  scripts/%s/README.md says how it places calls\n", app)
	}
	return nil
}

// answers reports whether the template answers calls, rather than only placing them.
func answers(files []file) bool {
	for _, f := range files {
		if strings.HasPrefix(filepath.Base(f.path), "main.") {
			return bytes.Contains(f.text, []byte("function answer(")) || bytes.Contains(f.text, []byte("exports.answer"))
		}
	}
	return true
}

// file is one file to write.
type file struct {
	path string
	text []byte
}

// planned lists what init writes.
func planned(dir, template, app string) ([]file, error) {
	var files []file
	into := filepath.Join(dir, "scripts", app)
	err := fs.WalkDir(scripts.Files(), template, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(scripts.Files(), name)
		if err != nil {
			return err
		}
		rest := strings.TrimPrefix(name, template+"/")
		files = append(files, file{filepath.Join(into, filepath.FromSlash(rest)), text})
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if _, err := os.Lstat(f.path); err == nil {
			return nil, fmt.Errorf("%s exists already and is left as it is; choose another name with --name", f.path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	for _, f := range []file{
		{filepath.Join(dir, "scripts", "piopiy.d.ts"), []byte(stdlib.Declarations)},
		{filepath.Join(dir, "scripts", "tsconfig.json"), []byte(stdlib.TSConfig)},
		{filepath.Join(dir, defaultConfig), []byte(config.Example())},
	} {
		if _, err := os.Lstat(f.path); errors.Is(err, fs.ErrNotExist) {
			files = append(files, f)
		}
	}
	return files, nil
}

// write makes the files; one that appeared meanwhile is an error.
func write(files []file) error {
	for _, f := range files {
		if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
			return err
		}
		out, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		_, err = out.Write(f.text)
		if err := errors.Join(err, out.Close()); err != nil {
			return err
		}
	}
	return nil
}
