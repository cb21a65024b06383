package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
)

// Override is a value that a flag gives to a key. It wins over everything else.
type Override struct {
	// Path is the key, such as "listen".
	Path string
	// Value is what the flag says, as in the file; lists are separated by commas.
	Value string
	// Flag is the flag's name for errors, such as "--listen".
	Flag string
}

// Check looks at a configuration whose values can all be used on their own, and returns what else is wrong: a Key and
// a Message each. Load finds the place.
type Check func(Config) []Problem

// Load reads the configuration: the defaults, then the file at path, then environ (as os.Environ returns it), then
// the overrides. A file that does not exist is an error only when it was asked for explicitly. What is wrong comes
// as an [*Error] that lists all of it; the Config then holds what could be read.
func Load(path string, explicit bool, environ []string, overrides ...Override) (Config, error) {
	return LoadChecked(path, explicit, environ, nil, overrides...)
}

// LoadChecked is Load with further checks.
func LoadChecked(path string, explicit bool, environ []string, checks []Check, overrides ...Override) (Config, error) {
	c := &collector{origins: map[string]origin{}}
	cfg := Default()
	text, err := readFile(path)
	switch {
	case err == nil:
		decode(&cfg, path, text, c)
	case errors.Is(err, fs.ErrNotExist) && !explicit:
	case errors.Is(err, fs.ErrNotExist):
		c.add("", origin{from: path}, "there is no such configuration file")
	default:
		c.add("", origin{from: path}, "the configuration file cannot be read: %v", err)
	}
	applyEnv(&cfg, environ, c)
	for _, o := range overrides {
		if err := apply(&cfg, o, c); err != nil {
			return cfg, err
		}
	}
	validate(&cfg, c)
	if len(c.problems) == 0 {
		for _, check := range checks {
			for _, p := range check(cfg) {
				c.blame(p.Key, "%s", p.Message)
			}
		}
	}
	return cfg, c.err()
}

// Parse reads a configuration file's text over the defaults. name stands for the file in errors.
func Parse(name string, text []byte) (Config, error) {
	c := &collector{origins: map[string]origin{}}
	cfg := Default()
	decode(&cfg, name, text, c)
	validate(&cfg, c)
	return cfg, c.err()
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, reason(err)
	}
	return text, nil
}

// reason leaves out of an error what its reader knows: the path.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func apply(cfg *Config, o Override, c *collector) error {
	found := false
	walk(reflect.ValueOf(cfg).Elem(), "", func(f field) {
		if f.path == o.Path {
			found = true
			c.setFrom(f.value, f.path, o.Value, origin{from: o.Flag})
		}
	})
	if !found {
		return fmt.Errorf("%s: the configuration has no key %q", o.Flag, o.Path)
	}
	return nil
}
