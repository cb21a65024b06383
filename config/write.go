package config

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// String returns the configuration as YAML, with secrets masked.
func (c Config) String() string { return c.YAML() }

// YAML returns the configuration as a file would set it, every key of it, with secrets masked.
func (c Config) YAML() string {
	var b strings.Builder
	write(&b, reflect.ValueOf(c), "", 0)
	return b.String()
}

func write(b *strings.Builder, v reflect.Value, path string, depth int) {
	t := v.Type()
	for i := range t.NumField() {
		name, f := yamlName(t.Field(i)), v.Field(i)
		at, indent := join(path, name), strings.Repeat("  ", depth)
		if f.Kind() == reflect.Pointer {
			if f.IsNil() {
				continue
			}
			f = f.Elem()
		}
		switch {
		case f.Kind() == reflect.Struct:
			fmt.Fprintf(b, "%s%s:\n", indent, name)
			write(b, f, at, depth+1)
		case f.Kind() == reflect.Map && f.Len() == 0:
			fmt.Fprintf(b, "%s%s: {}\n", indent, name)
		case f.Kind() == reflect.Map:
			fmt.Fprintf(b, "%s%s:\n", indent, name)
			for _, key := range sortedKeys(f) {
				if entry := f.MapIndex(reflect.ValueOf(key)); entry.Kind() == reflect.Struct {
					fmt.Fprintf(b, "%s  %s:\n", indent, text(key))
					write(b, entry, join(at, key), depth+2)
				} else {
					fmt.Fprintf(b, "%s  %s: %q\n", indent, text(key), mask)
				}
			}
		default:
			fmt.Fprintf(b, "%s%s: %s\n", indent, name, scalar(f, true))
		}
	}
}

// scalar writes a value, or a list of values, on one line.
func scalar(v reflect.Value, quoted bool) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return formatDuration(x)
	case Size:
		return x.String()
	case Secret:
		return text(x.String())
	case string:
		if strings.Contains(x, "://") {
			address, query, _ := strings.Cut(x, "?")
			if strings.Contains(x, "@") {
				address = redact(address)
			}
			if x = address; query != "" {
				x += "?" + mask
			}
		}
		if !quoted && x == "" {
			return ""
		}
		return text(x)
	case bool:
		return strconv.FormatBool(x)
	case int:
		return strconv.Itoa(x)
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	if v.Kind() != reflect.Slice {
		return ""
	}
	items := make([]string, v.Len())
	for i := range items {
		items[i] = scalar(v.Index(i), true)
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// redact masks user names and passwords in addresses.
func redact(list string) string {
	parts := strings.Split(list, ",")
	for i, part := range parts {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil {
			parts[i] = mask
			continue
		}
		if u.User != nil {
			u.User = url.User("MASKED")
			parts[i] = strings.Replace(u.String(), "MASKED@", mask+"@", 1)
		}
	}
	return strings.Join(parts, ",")
}

// text writes a string as a YAML scalar, in quotes where it could be taken for something else.
func text(s string) string {
	plain := s != "" && !unicode.IsDigit(rune(s[0])) && s[0] != '.' && s[0] != '-' && s[0] != '+'
	for _, r := range s {
		if r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("./_-:", r) {
			plain = false
		}
	}
	if slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(s)) ||
		strings.HasSuffix(s, ":") || strings.HasPrefix(s, ":") || strings.HasPrefix(s, "_") {
		plain = false
	}
	if strings.HasPrefix(s, "./") && len(s) > 2 && strings.Trim(s[2:], "abcdefghijklmnopqrstuvwxyz/") == "" {
		plain = true
	}
	if plain {
		return s
	}
	return strconv.Quote(s)
}

func sortedKeys(m reflect.Value) []string {
	names := make([]string, 0, m.Len())
	for _, key := range m.MapKeys() {
		names = append(names, key.String())
	}
	slices.Sort(names)
	return names
}

func sortedNames[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
