package rest

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The rules of v3 bodies (protocol page 3.7), in the words of the SDKs' own checks.

// rule checks one value and tells the check what is wrong with it.
type rule func(c *check, at string, v any)

// field is one member of an object.
type field struct {
	name     string
	required bool
	rule     rule
}

func need(name string, r rule) field { return field{name, true, r} }
func may(name string, r rule) field  { return field{name, false, r} }

// check collects what is wrong with a body.
type check struct {
	errors []fieldError
	// findApp knows apps by other names than UUIDs; see appID.
	findApp func(string) (string, bool)
	// ownCallerID says that a connect without caller_id shows the call's own number.
	ownCallerID bool
}

// mostErrors bounds what one reply lists.
const mostErrors = 20

func (c *check) fail(at, format string, args ...any) {
	if len(c.errors) < mostErrors {
		c.errors = append(c.errors, fieldError{at, strings.TrimPrefix(at+" "+fmt.Sprintf(format, args...), " ")})
	}
}

// refusal is what the check found wrong, or nil.
func (c *check) refusal() *refusal {
	if len(c.errors) == 0 {
		return nil
	}
	return &refusal{status: 400, word: "validation_error", message: c.errors[0].Message, field: c.errors[0].Field, all: c.errors}
}

var (
	phonePattern    = regexp.MustCompile(`^[1-9][0-9]{6,15}$`)
	variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	headerPattern   = regexp.MustCompile(`^[Xx]-[A-Za-z0-9-]{1,62}$`)
)

// members checks an object against the members it may have.
func members(fields ...field) rule {
	return func(c *check, at string, v any) {
		o, ok := v.(object)
		if !ok {
			c.fail(at, "must be an object.")
			return
		}
		for _, f := range fields {
			if v, ok := o.values[f.name]; ok {
				f.rule(c, join(at, f.name), v)
			} else if f.required {
				c.fail(join(at, f.name), "is required.")
			}
		}
		for _, key := range o.keys {
			if !slices.ContainsFunc(fields, func(f field) bool { return f.name == key }) {
				c.fail(join(at, shown(key)), "is not known here.")
			}
		}
	}
}

// hasControls reports what would end the line that a text is put into.
func hasControls(s string) bool {
	return !utf8.ValidString(s) || strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c >= 0x7f && c <= 0x9f })
}

// shown shortens a name that came from outside.
func shown(s string) string {
	if utf8.RuneCountInString(s) > 64 {
		return string([]rune(s)[:64]) + "…"
	}
	return s
}

func list(least int, what string, each rule) rule {
	return func(c *check, at string, v any) {
		l, ok := v.([]any)
		if !ok {
			c.fail(at, "must be an array.")
			return
		}
		if len(l) < least {
			c.fail(at, "must contain at least one %s.", what)
		}
		for i, v := range l {
			each(c, at+"["+strconv.Itoa(i)+"]", v)
		}
	}
}

func isText(c *check, at string, v any) (string, bool) {
	s, ok := v.(string)
	if !ok {
		c.fail(at, "must be a string.")
	}
	return s, ok
}

// text checks a string's length in characters; most < 0 means no upper bound.
func text(least, most int) rule {
	return func(c *check, at string, v any) {
		s, ok := isText(c, at, v)
		n := utf8.RuneCountInString(s)
		switch {
		case !ok:
		case n < least:
			c.fail(at, "must be at least %d characters long.", least)
		case most >= 0 && n > most:
			c.fail(at, "must be at most %d characters long.", most)
		}
	}
}

func phone(c *check, at string, v any) {
	if s, ok := isText(c, at, v); ok && !phonePattern.MatchString(s) {
		c.fail(at, "must match %s.", phonePattern)
	}
}

// isUUID accepts what Python's uuid.UUID does, as the Python SDK lets all of it through.
func isUUID(s string) bool { return uuidOf(s) != "" }

func id(c *check, at string, v any) {
	if s, ok := isText(c, at, v); ok && !isUUID(s) {
		c.fail(at, "must be a valid UUID string.")
	}
}

// appID is the id of an app or agent: a UUID, or an app's name.
func appID(c *check, at string, v any) {
	s, ok := isText(c, at, v)
	if !ok || isUUID(s) {
		return
	}
	if _, known := c.findApp(s); !known {
		c.fail(at, "must be a valid UUID string or the name of an app.")
	}
}

func word(allowed ...string) rule {
	return func(c *check, at string, v any) {
		if s, ok := isText(c, at, v); ok && !slices.Contains(allowed, s) {
			c.fail(at, "must be one of: %s.", strings.Join(allowed, ", "))
		}
	}
}

func boolean(c *check, at string, v any) {
	if _, ok := v.(bool); !ok {
		c.fail(at, "must be a boolean.")
	}
}

// whole checks an integer; most < 0 means no upper bound.
func whole(least, most float64) rule {
	return func(c *check, at string, v any) {
		f, ok := float(v)
		switch {
		case !ok || f != math.Trunc(f) || math.Abs(f) > 1<<53:
			c.fail(at, "must be an integer.")
		case f < least:
			c.fail(at, "must be >= %v.", least)
		case most >= 0 && f > most:
			c.fail(at, "must be <= %v.", most)
		}
	}
}

func number(least, most float64) rule {
	return func(c *check, at string, v any) {
		f, ok := float(v)
		switch {
		case !ok:
			c.fail(at, "must be a number.")
		case f < least:
			c.fail(at, "must be >= %v.", least)
		case f > most:
			c.fail(at, "must be <= %v.", most)
		}
	}
}

// isWebURL reports whether s is an absolute http or https URL.
func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && !hasControls(s) && !strings.Contains(s, " ")
}

func float(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}

// webURL checks an http or https URL.
func webURL(c *check, at string, v any) {
	if s, ok := isText(c, at, v); ok && !isWebURL(s) {
		c.fail(at, "must be a URL that starts with http:// or https://.")
	}
}

// variables checks a flat object; bounds < 0 mean none.
func variables(most, longest int) rule {
	return func(c *check, at string, v any) {
		o, ok := v.(object)
		if !ok {
			c.fail(at, "must be an object.")
			return
		}
		if most >= 0 && len(o.keys) > most {
			c.fail(at, "supports at most %d entries.", most)
		}
		for _, key := range o.keys {
			if !variablePattern.MatchString(key) {
				c.fail(at, "has the invalid key '%s'; keys are letters, digits and _.", shown(key))
				continue
			}
			switch v := o.values[key].(type) {
			case string:
				if longest >= 0 && utf8.RuneCountInString(v) > longest {
					c.fail(join(at, key), "must be at most %d characters long.", longest)
				}
			case json.Number, bool:
			default:
				c.fail(join(at, key), "must be string, number, or boolean.")
			}
		}
	}
}

// join writes the path of a member.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
