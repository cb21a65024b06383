package pcmo

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Error is one thing wrong with a document.
type Error struct {
	// Path is the JSON path of the value, for example $[2].connect[0].number.
	Path string
	// Value is the offending value as JSON, shortened to some 40 characters, or ""
	// when it is absent. URLs lose their query and user: secrets live there.
	Value string
	// Rule says in words what would be right.
	Rule string
}

// Error returns path, value and rule on one line.
func (e *Error) Error() string {
	if e.Value == "" {
		return e.Path + ": " + e.Rule
	}
	return e.Path + ": " + e.Value + ": " + e.Rule
}

// Errors is every problem of a document, in document order. At most 50 are
// kept; a last one then says that there are more.
type Errors []*Error

// Error returns one problem a line.
func (e Errors) Error() string {
	var b strings.Builder
	for i, one := range e {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(one.Error())
	}
	return b.String()
}

// Unwrap returns the single errors, for errors.Is and errors.As.
func (e Errors) Unwrap() []error {
	list := make([]error, len(e))
	for i, one := range e {
		list[i] = one
	}
	return list
}

// Warnings are things in a document that were read past: unknown keys, a
// wrapper around the array, a value given twice. They use the shape of errors
// but do not stop the document from being used.
type Warnings []*Error

// Err returns the warnings as an error for callers that want a strict reading,
// and nil if there are none.
func (w Warnings) Err() error {
	if len(w) == 0 {
		return nil
	}
	return Errors(w)
}

const (
	maxProblems = 50
	maxShown    = 40
)

// report collects problems while a document is walked. The path is kept as one
// growing buffer, so that a clean walk costs no allocation for it.
type report struct {
	path  []byte
	errs  Errors
	warns Warnings
}

func newReport() *report {
	r := &report{path: make([]byte, 1, 64)}
	r.path[0] = '$'
	return r
}

// enter and enterIndex descend into a member; leave goes back with what they returned.
func (r *report) enter(key string) int {
	at := len(r.path)
	r.path = append(append(r.path, '.'), key...)
	return at
}

func (r *report) enterIndex(i int) int {
	at := len(r.path)
	r.path = append(r.path, '[')
	r.path = strconv.AppendInt(r.path, int64(i), 10)
	r.path = append(r.path, ']')
	return at
}

func (r *report) leave(at int) { r.path = r.path[:at] }

// fail records a problem at the member key of where the walk stands, or there
// itself if key is "". The value is short already.
func (r *report) fail(key, value, rule string) {
	switch {
	case len(r.errs) > maxProblems:
	case len(r.errs) == maxProblems:
		r.errs = append(r.errs, &Error{Path: "$", Rule: "has more problems; the first " + strconv.Itoa(maxProblems) + " are listed"})
	default:
		r.errs = append(r.errs, &Error{Path: r.at(key), Value: value, Rule: rule})
	}
}

func (r *report) warn(key, value, rule string) {
	if len(r.warns) < maxProblems {
		r.warns = append(r.warns, &Error{Path: r.at(key), Value: value, Rule: rule})
	}
}

func (r *report) at(key string) string {
	if key == "" {
		return string(r.path)
	}
	if isIdentifier(key) {
		return string(r.path) + "." + key
	}
	return string(r.path) + "[" + string(AppendString(nil, shorten(key))) + "]"
}

func (r *report) err() error {
	if len(r.errs) == 0 {
		return nil
	}
	return r.errs
}

// quoted is a value for fail: a string in JSON quotes.
func quoted(s string) string { return string(AppendString(nil, shorten(s))) }

// quotedURL is quoted without what may be secret in a URL.
func quotedURL(s string) string {
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		s = s[:i] + "?…"
	}
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		host, path, slash := strings.Cut(rest, "/")
		if i := strings.LastIndexByte(host, '@'); i >= 0 {
			host = "…" + host[i:]
		}
		s = scheme + "://" + host
		if slash {
			s += "/" + path
		}
	}
	return quoted(s)
}

// shorten cuts s to maxShown characters, never inside one.
func shorten(s string) string {
	if len(s) <= maxShown || utf8.RuneCountInString(s) <= maxShown {
		return s
	}
	n := 0
	for i := range s {
		if n == maxShown-1 {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

func isIdentifier(s string) bool {
	if len(s) == 0 || len(s) > maxShown {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		case c >= '0' && c <= '9' && i > 0:
		default:
			return false
		}
	}
	return true
}
