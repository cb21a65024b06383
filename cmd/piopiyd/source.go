package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/piopiy/piopiyd/config"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/scripts"
)

// apps is where a command reads the apps from.
type apps struct {
	runtime.Source
	// dir is the folder, or "" for the examples inside the program.
	dir string
}

// findApps returns the configured scripts folder. When it was left at its default and is not there, the examples
// inside the program stand in.
func findApps(cfg config.Config) (apps, error) {
	info, err := os.Stat(cfg.Scripts)
	switch {
	case err == nil && info.IsDir():
		return apps{runtime.Dir(cfg.Scripts), cfg.Scripts}, nil
	case err == nil:
		return apps{}, fmt.Errorf("the scripts folder %s is not a folder", cfg.Scripts)
	case errors.Is(err, fs.ErrNotExist) && cfg.Scripts == config.Default().Scripts:
		return apps{Source: runtime.FS(scripts.Files())}, nil
	case errors.Is(err, fs.ErrNotExist):
		return apps{}, fmt.Errorf("the scripts folder %s does not exist; make it, or begin with: piopiyd init", cfg.Scripts)
	}
	return apps{}, fmt.Errorf("the scripts folder cannot be read: %w", err)
}

// list returns the entry files of the apps by name, and the problems of those that have none.
func (a apps) list() (files fs.FS, done func(), entries map[string]string, problems map[string]error, err error) {
	files, done, err = a.Open()
	if err != nil {
		return nil, nil, nil, nil, fmt.Errorf("the scripts folder cannot be read: %w", err)
	}
	entries, problems, err = runtime.Discover(files)
	if err != nil {
		done()
		return nil, nil, nil, nil, fmt.Errorf("the scripts folder cannot be read: %w", err)
	}
	return files, done, entries, problems, nil
}

// name says where the apps are.
func (a apps) name() string {
	if a.dir == "" {
		return "the examples inside piopiyd"
	}
	return a.dir
}

// path returns where a script's file stands on disk, as an editor can open it.
func (a apps) path(file string) string {
	if a.dir == "" || file == "" {
		return file
	}
	onDisk := filepath.Join(a.dir, filepath.FromSlash(file))
	if _, err := os.Stat(onDisk); err != nil {
		return file // a module of the standard library
	}
	return onDisk
}

// explain shows an error of a script with its place and source line.
func (a apps) explain(err error) string {
	var fault *runtime.Fault
	if !errors.As(err, &fault) {
		return err.Error()
	}
	located := *fault
	located.Position.File = a.path(fault.Position.File)
	return located.Detail()
}

// unknownApp says that there is no such app, and which there are.
func unknownApp(name string, known []string, where string) error {
	slices.Sort(known)
	if len(known) == 0 {
		return fmt.Errorf("there is no app %q: %s holds no app; begin with: piopiyd init", name, where)
	}
	return fmt.Errorf("there is no app %q in %s; there are: %s", name, where, strings.Join(known, ", "))
}
