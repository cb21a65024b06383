package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mattn/go-isatty"
)

// terminal is where a command reads and writes.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	colour   bool
}

// colourful reports whether a file is a terminal that colours are wanted on (https://no-color.org).
func colourful(f *os.File) bool {
	return isatty.IsTerminal(f.Fd()) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// Colours, as ANSI codes.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (t terminal) paint(colour, text string) string {
	if !t.colour || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (t terminal) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(t.out, format, args...)
}

func (t terminal) fail(err error) {
	_, _ = fmt.Fprintf(t.err, "piopiyd: %s\n", strings.TrimSpace(plain(err.Error())))
}

func (t terminal) json(v any) error {
	encoder := json.NewEncoder(t.out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// plain takes out of text what could steer a terminal: it may come from a caller or a script.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return '\ufffd'
		}
		return r
	}, text)
}

// table prints rows in aligned columns; the first row is the heading. What does not fit on a line is not cut.
func (t terminal) table(rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if i < len(row)-1 {
				widths[i] = max(widths[i], utf8.RuneCountInString(cell))
			}
		}
	}
	for n, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			cell = strings.ReplaceAll(plain(cell), "\n", " ")
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		line := strings.TrimRight(b.String(), " ")
		if n == 0 {
			line = t.paint(dim, line)
		}
		t.printf("%s\n", line)
	}
}

// clock shows a moment in local time: without the date when it is today.
func clock(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	at = at.Local()
	if y, m, d := time.Now().Date(); at.Year() == y && at.Month() == m && at.Day() == d {
		return at.Format("15:04:05")
	}
	return at.Format("2006-01-02 15:04:05")
}

// orDash keeps an empty cell visible.
func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// short shortens a version's name to what tells an app's versions apart.
func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}
