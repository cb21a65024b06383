package intl

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// pattern is a compiled date pattern of the data; gen/dates.mjs tells how they are written.
type pattern []field

// field is literal text or one piece of a date.
type field struct {
	letter byte // 0 for literal text; else y M d m w H h K k i s f a z, and D T for a glue's two halves
	wide   bool // at least two digits
	text   string
	names  []string // m w a: by month, weekday, hour
	exact  []string // a: names on the exact hour, nil when they are the same
}

func (l *language) compile(text string) pattern {
	var p pattern
	for text != "" {
		open := strings.IndexByte(text, '{')
		if open != 0 {
			if open < 0 {
				open = len(text)
			}
			p = append(p, field{text: text[:open]})
			text = text[open:]
			continue
		}
		end := strings.IndexByte(text, '}')
		p = append(p, l.compileField(text[1:end]))
		text = text[end+1:]
	}
	return p
}

func (l *language) compileField(s string) field {
	switch s {
	case "date":
		return field{letter: 'D'}
	case "time":
		return field{letter: 'T'}
	}
	f := field{letter: s[0]}
	list := func(n string) []string {
		i, err := strconv.Atoi(n)
		if err != nil {
			panic(fmt.Sprintf("intl: data: field %q", s))
		}
		return l.Pool.Lists[i]
	}
	switch s[0] {
	case 'm', 'w':
		f.names = list(s[1:])
	case 'a':
		usual, exact, two := strings.Cut(s[1:], "/")
		f.names = list(usual)
		if two {
			f.exact = list(exact)
		}
	default:
		f.wide = len(s) == 2
	}
	return f
}

// glue puts a date and a time pattern together.
func (p pattern) glue(date, clock pattern) pattern {
	var out pattern
	for _, f := range p {
		switch f.letter {
		case 'D':
			out = append(out, date...)
		case 'T':
			out = append(out, clock...)
		default:
			out = append(out, f)
		}
	}
	return out
}

// withFraction adds fractions of a second after the seconds.
func (p pattern) withFraction(point string) pattern {
	var out pattern
	for _, f := range p {
		out = append(out, f)
		if f.letter == 's' {
			out = append(out, field{text: point}, field{letter: 'f'})
		}
	}
	return out
}

func (p pattern) has(letter byte) bool { return p.find(letter) != nil }

func (p pattern) find(letters ...byte) *field {
	for i := range p {
		for _, l := range letters {
			if p[i].letter == l {
				return &p[i]
			}
		}
	}
	return nil
}

var partNames = map[byte]string{
	0: "literal", 'y': "year", 'M': "month", 'm': "month", 'd': "day", 'w': "weekday", 'H': "hour", 'h': "hour", 'K': "hour", 'k': "hour",
	'i': "minute", 's': "second", 'f': "fractionalSecond", 'a': "dayPeriod", 'z': "timeZoneName",
}

// write returns one field of t, which is in the formatter's zone. Digits are ASCII.
func (f *field) write(t time.Time, d *dateFormatter) (string, error) {
	n := 0
	switch f.letter {
	case 0:
		return f.text, nil
	case 'y':
		if n = t.Year(); n <= 0 {
			n = 1 - n // years before 1 are counted back from 1
		}
		if f.wide {
			n %= 100
		}
	case 'M':
		n = int(t.Month())
	case 'd':
		n = t.Day()
	case 'm':
		return f.names[t.Month()-1], nil
	case 'w':
		return f.names[t.Weekday()], nil
	case 'H':
		n = t.Hour()
	case 'h':
		n = (t.Hour()+11)%12 + 1
	case 'K':
		n = t.Hour() % 12
	case 'k':
		n = (t.Hour()+23)%24 + 1
	case 'i':
		n = t.Minute()
	case 's':
		n = t.Second()
	case 'f':
		return fmt.Sprintf("%03d", t.Nanosecond()/1e6)[:d.fraction], nil
	case 'a':
		if f.exact != nil && (t.Minute() == 0 || !d.pattern.has('i')) && (t.Second() == 0 || !d.pattern.has('s')) {
			return f.exact[t.Hour()], nil
		}
		return f.names[t.Hour()], nil
	case 'z':
		return d.zoneNames.call(d.zone, d.zoneStyle, t)
	}
	if f.wide {
		return twoDigits(n), nil
	}
	return strconv.Itoa(n), nil
}
