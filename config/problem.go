package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Error lists everything that is wrong with a configuration.
type Error struct {
	Problems []Problem
}

// Problem is one thing that is wrong.
type Problem struct {
	// Key is the key's path, such as "limits.turn"; empty when the file as a whole is wrong.
	Key string
	// Message says what is wrong and what was expected. It holds no secrets.
	Message string
	// From names where the value came from: the file, the environment variable or the flag.
	From string
	// Line and Column count from 1; they are 0 outside a file.
	Line, Column int
	// Source is the line's text, where it can be shown.
	Source string
}

// maxProblems bounds how many problems an Error shows.
const maxProblems = 20

// Error shows each problem with its place and its source line.
func (e *Error) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i == maxProblems {
			fmt.Fprintf(&b, "\nand %d more", len(e.Problems)-i)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// String shows the problem: place, key, message, and below it the source line with a caret.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.From)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	if p.From != "" {
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Message)
	if p.Source != "" {
		margin := fmt.Sprintf("%5d | ", p.Line)
		fmt.Fprintf(&b, "\n%s%s\n%s%s^", margin, p.Source, strings.Repeat(" ", len(margin)), indentLike(p.Source, p.Column-1))
	}
	return b.String()
}

// indentLike returns blanks as wide as the first n characters of a line.
func indentLike(line string, n int) string {
	var b strings.Builder
	for i, r := range []rune(line) {
		if i >= n {
			break
		}
		if r == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// secretLine finds lines that may hold a secret whatever else is wrong with them.
var secretLine = regexp.MustCompile(`(?i)(token|password|secret|_key|apikey|credential)["']?\s*:`)

const maxSource = 160

// showable returns a source line as far as it may be shown.
func showable(line string) string {
	line = strings.TrimRight(line, "\r ")
	if secretLine.MatchString(line) || strings.Contains(line, "://") && strings.ContainsAny(line, "@?") {
		return ""
	}
	if r := []rune(line); len(r) > maxSource {
		return string(r[:maxSource]) + "…"
	}
	return line
}

// collector gathers problems, and knows where every value came from.
type collector struct {
	problems []Problem
	origins  map[string]origin
}

// origin is where a value came from.
type origin struct {
	from         string
	line, column int
	source       string
}

func (c *collector) add(key string, at origin, format string, args ...any) {
	p := Problem{Key: key, Message: fmt.Sprintf(format, args...), From: at.from, Line: at.line, Column: at.column, Source: at.source}
	if isSecret(key) {
		p.Source = ""
	}
	c.problems = append(c.problems, p)
}

// blame adds a problem with a value that was read already, unless the reading had one with it.
func (c *collector) blame(key, format string, args ...any) {
	if slices.ContainsFunc(c.problems, func(p Problem) bool { return p.Key == key }) {
		return
	}
	at, path := origin{}, key
	for path != "" {
		var known bool
		if at, known = c.origins[path]; known {
			break
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	c.add(key, at, format, args...)
}

// err returns what was gathered, in the order of the file; nil when there is nothing.
func (c *collector) err() error {
	if len(c.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(c.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.From, b.From))
	})
	return &Error{Problems: c.problems}
}

// rank puts problems of files first.
func rank(p Problem) int {
	if p.Line > 0 {
		return 0
	}
	return 1
}

// nearest returns the candidate that a misspelt word most likely means, or "".
func nearest(word string, candidates []string) string {
	best, least := "", max(2, len(word)/3)+1
	for _, c := range candidates {
		if d := distance(strings.ToLower(word), c); d < least && d < len(c) {
			best, least = c, d
		}
	}
	return best
}

// distance is the number of characters to insert, delete, replace or swap with their neighbour.
func distance(a, b string) int {
	if len(a) > 100 || len(b) > 100 {
		return 100
	}
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(above[j+1]+1, row[j]+1, above[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
