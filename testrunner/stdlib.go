package testrunner

import (
	"embed"
	"io/fs"
)

//go:embed piopiy
var module embed.FS

// Stdlib returns a standard library in which piopiy/test is found as well. Apps get the library without it, so that none
// can import what belongs to tests.
func Stdlib(library fs.FS) fs.FS { return overlay{library} }

// overlay is a file system with the module's files on top.
type overlay struct{ below fs.FS }

// Open implements fs.FS.
func (o overlay) Open(name string) (fs.File, error) {
	if f, err := module.Open(name); err == nil {
		if info, err := f.Stat(); err == nil && !info.IsDir() || o.below == nil {
			return f, nil
		}
		_ = f.Close()
	}
	if o.below == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return o.below.Open(name)
}
