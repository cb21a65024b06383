package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/piopiy/piopiyd/stdlib"
)

type typesCommand struct {
	Dir   string `arg:"" optional:"" help:"Folder to write into (default that of the apps)."`
	Force bool   `help:"Replace a tsconfig.json, or a piopiy.d.ts, that is not ours."`
}

// Run writes what an editor needs to complete and check scripts: the declarations of this piopiyd, in place of those of
// an earlier one, and a tsconfig.json where there is none.
func (c typesCommand) Run(t terminal, g globals) error {
	dir := c.Dir
	if dir == "" {
		cfg, err := g.load()
		if err != nil {
			return err
		}
		dir = cfg.Scripts
	}
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no folder %s: name the folder of your scripts, or begin with: piopiyd init", dir)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is no folder", dir)
	}
	declared, err := c.put(t, filepath.Join(dir, "piopiy.d.ts"), stdlib.Declarations, isDeclarations)
	if err != nil {
		return err
	}
	configured, err := c.put(t, filepath.Join(dir, "tsconfig.json"), stdlib.TSConfig, func(string) bool { return false })
	if err != nil {
		return err
	}
	if !declared || !configured {
		_, _ = fmt.Fprintln(t.err, "What is yours was kept; --force replaces it.")
	}
	if !configured {
		_, _ = fmt.Fprintln(t.err, `Your tsconfig.json must include piopiy.d.ts, and have "types": [] and no "DOM" in "lib": scripts run neither in Node nor in a browser.`)
	}
	return nil
}

// isDeclarations reports whether a text was written by this command or by init, of whatever version.
func isDeclarations(text string) bool {
	first, _, _ := strings.Cut(stdlib.Declarations, ",")
	return strings.HasPrefix(text, first)
}

// put writes a file unless another one is there that is not ours, says what it did, and reports whether the file is now
// as it should be.
func (c typesCommand) put(t terminal, path, text string, ours func(string) bool) (done bool, err error) {
	there, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return false, err
	case string(there) == text:
		t.printf("%s is up to date\n", path)
		return true, nil
	case !c.Force && !ours(string(there)):
		t.printf("kept %s\n", path)
		return false, nil
	}
	if err := replace(path, text); err != nil {
		return false, err
	}
	t.printf("wrote %s\n", path)
	return true, nil
}

// replace writes a file so that whoever reads it meanwhile sees the old one or the new one, whole.
func replace(path, text string) error {
	out, err := os.CreateTemp(filepath.Dir(path), ".piopiyd-*")
	if err != nil {
		return err
	}
	_, err = out.WriteString(text)
	if err = errors.Join(err, out.Chmod(0o644), out.Close()); err == nil {
		err = os.Rename(out.Name(), path)
	}
	if err != nil {
		_ = os.Remove(out.Name())
	}
	return err
}
