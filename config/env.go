package config

import (
	"cmp"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// variables returns what environ sets of ours. A variable that is empty counts as not set.
func variables(environ []string) map[string]string {
	set := map[string]string{}
	for _, item := range environ {
		name, value, _ := strings.Cut(item, "=")
		if strings.HasPrefix(name, envPrefix) && value != "" {
			set[name] = value
		}
	}
	return set
}

// applyEnv lays the environment over cfg.
func applyEnv(cfg *Config, environ []string, c *collector) {
	set := variables(environ)
	names := sortedNames(set)
	walk(reflect.ValueOf(cfg).Elem(), "", func(f field) {
		if f.value.Kind() != reflect.Map {
			if value, ok := set[envName(f.path)]; ok {
				c.setFrom(f.value, f.path, value, origin{from: envName(f.path)})
			}
			return
		}
		for _, name := range names {
			if rest, ok := strings.CutPrefix(name, envName(f.path)+"_"); ok {
				c.setEntry(f.value, f.path, rest, set[name], origin{from: name})
			}
		}
	})
}

func (c *collector) setFrom(v reflect.Value, path, text string, from origin) {
	c.origins[path] = from
	if err := setText(v, text); err != nil {
		c.add(path, from, "%s %v", quote(text, path), err)
	}
}

// setEntry lays one variable over an entry of a map. rest is what follows the map's own name: for apps
// NAME_TOKEN or NAME_ENV_KEY, for users NAME.
func (c *collector) setEntry(m reflect.Value, path, rest, value string, from origin) {
	name, key := splitEntry(m, rest)
	if name == "" {
		return
	}
	elem := m.Type().Elem()
	entry := reflect.New(elem).Elem()
	if before := m.MapIndex(reflect.ValueOf(name)); before.IsValid() {
		entry.Set(before)
	} else {
		entry.Set(fresh(elem))
	}
	at := join(path, name)
	if elem.Kind() != reflect.Struct {
		c.setFrom(entry, at, value, from)
	} else {
		c.setField(entry, at, key, value, from)
	}
	if m.IsNil() {
		m.Set(reflect.MakeMap(m.Type()))
	}
	m.SetMapIndex(reflect.ValueOf(name), entry)
}

// setField sets the field of an entry that a variable spells as key. What the entry points to is copied first.
func (c *collector) setField(entry reflect.Value, path, key, value string, from origin) {
	t := entry.Type()
	for i := range t.NumField() {
		name, f := yamlName(t.Field(i)), entry.Field(i)
		rest, below := strings.CutPrefix(key, upper(name)+"_")
		switch {
		case f.Kind() == reflect.Map && below:
			m := reflect.MakeMap(f.Type())
			for _, k := range f.MapKeys() {
				m.SetMapIndex(k, f.MapIndex(k))
			}
			m.SetMapIndex(reflect.ValueOf(rest), reflect.ValueOf(value))
			f.Set(m)
			c.origins[join(join(path, name), rest)] = from
			return
		case f.Kind() == reflect.Pointer && below:
			into := reflect.New(f.Type().Elem())
			if !f.IsNil() {
				into.Elem().Set(f.Elem())
			}
			f.Set(into)
			c.setField(into.Elem(), join(path, name), rest, value, from)
			return
		case upper(name) == key:
			c.setFrom(f, join(path, name), value, from)
			return
		}
	}
}

// splitEntry finds the entry and the key in NAME_KEY, or NAME alone where entries hold no keys. An entry that the
// file names is meant before one that it does not; the latter's name is then in lower case.
func splitEntry(m reflect.Value, rest string) (name, key string) {
	elem := m.Type().Elem()
	if elem.Kind() != reflect.Struct {
		for _, known := range sortedKeys(m) {
			if upper(known) == rest {
				return known, ""
			}
		}
		return strings.ToLower(rest), ""
	}
	keys := entryKeys(elem)
	for _, known := range sortedKeys(m) {
		if k, ok := strings.CutPrefix(rest, upper(known)+"_"); ok && isEntryKey(keys, k) && len(known) > len(name) {
			name, key = known, k
		}
	}
	if name != "" {
		return name, key
	}
	for _, k := range keys {
		if open := strings.HasSuffix(k, "_"); open {
			if i := strings.Index(rest, "_"+k); i > 0 && len(rest) > i+1+len(k) {
				return strings.ToLower(rest[:i]), rest[i+1:]
			}
		}
	}
	for _, k := range keys {
		if entry, ok := strings.CutSuffix(rest, "_"+k); ok && entry != "" && len(k) > len(key) {
			name, key = strings.ToLower(entry), k
		}
	}
	return name, key
}

func isEntryKey(keys []string, key string) bool {
	return slices.ContainsFunc(keys, func(k string) bool {
		return k == key || strings.HasSuffix(k, "_") && strings.HasPrefix(key, k) && len(key) > len(k)
	})
}

// entryKeys are the keys of an entry as environment variables spell them; those that go on with a name end in _.
func entryKeys(elem reflect.Type) []string {
	var keys []string
	walk(whole(elem), "", func(f field) {
		key := upper(f.path)
		if f.value.Kind() == reflect.Map {
			key += "_"
		}
		keys = append(keys, key)
	})
	return keys
}

// orchestrated are variables that Kubernetes and Docker set for a service called piopiyd.
var orchestrated = regexp.MustCompile(`^PIOPIYD_(SERVICE_|PORT$|PORT_\d+_|ENV_|NAME$)`)

// UnknownEnv returns a sentence for each variable of the environment that begins with PIOPIYD_ and is none of
// ours. known names further variables that are right.
func UnknownEnv(environ []string, known ...string) []string {
	names := append([]string(nil), known...)
	for _, k := range Keys() {
		if !strings.Contains(k.Path, "NAME") {
			names = append(names, k.Env)
		}
	}
	var unknown []string
	for name := range variables(environ) {
		if slices.Contains(names, name) || orchestrated.MatchString(name) || isEntry(name) {
			continue
		}
		text := "the environment variable " + name + " is unknown and has no effect"
		if meant := nearest(strings.ToLower(name), lowered(names)); meant != "" {
			text += "; did you mean " + strings.ToUpper(meant) + "?"
		}
		unknown = append(unknown, text)
	}
	slices.SortFunc(unknown, cmp.Compare[string])
	return unknown
}

// isEntry reports whether a variable is meant for an entry of a map.
func isEntry(name string) (found bool) {
	cfg := Default()
	walk(reflect.ValueOf(&cfg).Elem(), "", func(f field) {
		if rest, ok := strings.CutPrefix(name, envName(f.path)+"_"); ok && f.value.Kind() == reflect.Map {
			entry, _ := splitEntry(f.value, rest)
			found = found || entry != ""
		}
	})
	return found
}

func lowered(names []string) []string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = strings.ToLower(name)
	}
	return list
}
