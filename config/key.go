package config

import (
	"reflect"
	"strings"
)

// Key is one key of the configuration.
type Key struct {
	// Path is where the key stands in the file, such as "limits.turn". NAME in it stands for the name of an app, a
	// trunk or a user, and KEY for a key of the app's env.
	Path string
	// Env is the environment variable that overrides it, such as "PIOPIYD_LIMITS_TURN".
	Env string
	// Type is what its value is: "text", "time", "size", "whole number", "number", "true or false", or a list of these.
	Type string
	// Default is its default as it would be written in the file, "" when it is empty.
	Default string
	// Secret says that its value is never shown.
	Secret bool
	// Struct and Field are the Go names that carry the key's description.
	Struct, Field string
}

// Keys returns all keys, in the order of the structs.
func Keys() []Key {
	c := Default()
	return keysOf(reflect.ValueOf(&c).Elem(), "")
}

func keysOf(v reflect.Value, path string) []Key {
	var keys []Key
	walk(v, path, func(f field) {
		k := f.key()
		switch {
		case f.value.Kind() != reflect.Map:
			keys = append(keys, k)
		case f.value.Type().Elem().Kind() == reflect.Struct:
			keys = append(keys, keysOf(whole(f.value.Type().Elem()), k.Path+".NAME")...)
		default:
			name := "NAME"
			if k.Struct == "App" {
				name = "KEY"
			}
			k.Path, k.Env, k.Type, k.Secret = k.Path+"."+name, k.Env+"_"+name, "text", true
			keys = append(keys, k)
		}
	})
	return keys
}

// fresh returns what an entry of a map begins with.
func fresh(t reflect.Type) reflect.Value {
	switch t {
	case reflect.TypeFor[App]():
		return reflect.ValueOf(defaultApp())
	case reflect.TypeFor[Trunk]():
		return reflect.ValueOf(defaultTrunk())
	}
	return reflect.Zero(t)
}

// whole returns a fresh entry with all that pointers may lead to.
func whole(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	v.Set(fresh(t))
	for i := range t.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Pointer {
			f.Set(reflect.New(f.Type().Elem()))
		}
	}
	return v
}

// field is a place in a Config that holds a value of its own.
type field struct {
	path   string
	value  reflect.Value
	owner  reflect.Type
	goName string
}

func (f field) key() Key {
	k := Key{
		Path: f.path, Env: envName(f.path), Type: kindName(f.value.Type()), Secret: isSecret(f.path),
		Struct: f.owner.Name(), Field: f.goName,
	}
	if !f.value.IsZero() || f.value.Kind() == reflect.Bool || f.value.CanInt() {
		k.Default = scalar(f.value, false)
	}
	return k
}

// walk visits every field below v that is not a struct. Of maps it visits the map, not the entries.
func walk(v reflect.Value, path string, visit func(field)) {
	t := v.Type()
	for i := range t.NumField() {
		name := yamlName(t.Field(i))
		at := join(path, name)
		f := v.Field(i)
		if f.Kind() == reflect.Pointer && !f.IsNil() {
			f = f.Elem()
		}
		switch {
		case f.Kind() == reflect.Struct:
			walk(f, at, visit)
		case f.Kind() == reflect.Pointer:
		default:
			visit(field{at, f, t, t.Field(i).Name})
		}
	}
}

func yamlName(f reflect.StructField) string { return f.Tag.Get("yaml") }

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

const envPrefix = "PIOPIYD_"

// envName returns the environment variable of a path.
func envName(path string) string { return envPrefix + upper(path) }

func upper(path string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z' || r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, path)
}

// isSecret reports whether a path's value must not be shown.
func isSecret(path string) bool {
	if path == "api.token" || path == "webhooks.secret" || strings.HasPrefix(path, "sip.users.") {
		return true
	}
	if strings.HasPrefix(path, "sip.") {
		return strings.HasSuffix(path, ".password") || strings.HasSuffix(path, ".api_key")
	}
	rest, ok := strings.CutPrefix(path, "apps.")
	if !ok {
		return false
	}
	for _, name := range []string{".token", ".password", ".secret"} {
		if strings.HasSuffix(rest, name) {
			return true
		}
	}
	return strings.HasSuffix(rest, ".env") || strings.Contains(rest, ".env.")
}
