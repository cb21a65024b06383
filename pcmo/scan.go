package pcmo

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The functions of this file walk text which json.Valid has accepted. That
// check is cheap, and it is what allows them to be short: they look for what
// comes next and never have to doubt it.

func (d *decoder) space() {
	for d.pos < len(d.data) {
		switch d.data[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}

// peek returns the first byte of the next token.
func (d *decoder) peek() byte {
	d.space()
	return d.data[d.pos]
}

func (d *decoder) colon() {
	d.space()
	d.pos++
	d.space()
}

// null consumes a null and reports whether there was one.
func (d *decoder) null() bool {
	if d.peek() != 'n' {
		return false
	}
	d.pos += len("null")
	return true
}

// members calls f at each value of an object; f must consume it.
func (d *decoder) members(f func(key []byte)) {
	d.space()
	d.pos++
	for d.peek() != '}' {
		if d.data[d.pos] == ',' {
			d.pos++
			d.space()
		}
		key := d.rawString()
		d.colon()
		f(key)
	}
	d.pos++
}

// array calls f at each element; f must consume it.
func (d *decoder) array(f func(i int)) {
	d.space()
	d.pos++
	for i := 0; d.peek() != ']'; i++ {
		if d.data[d.pos] == ',' {
			d.pos++
			d.space()
		}
		at := d.enterIndex(i)
		f(i)
		d.leave(at)
	}
	d.pos++
}

// rawString consumes a string and returns what it says. The bytes are part of
// the input unless escapes had to be resolved.
func (d *decoder) rawString() []byte {
	start := d.pos + 1
	i, plain := start, true
	for d.data[i] != '"' {
		if d.data[i] == '\\' {
			plain = false
			i++
		}
		i++
	}
	d.pos = i + 1
	body := d.data[start:i]
	if plain && utf8.Valid(body) {
		return body
	}
	var s string
	if err := json.Unmarshal(d.data[start-1:d.pos], &s); err != nil {
		return []byte(strings.ToValidUTF8(string(body), "\ufffd"))
	}
	return []byte(s)
}

// skip consumes a value of any kind, without recursion.
func (d *decoder) skip() {
	d.space()
	depth := 0
	for {
		switch d.data[d.pos] {
		case '"':
			d.pos++
			for d.data[d.pos] != '"' {
				if d.data[d.pos] == '\\' {
					d.pos++
				}
				d.pos++
			}
			d.pos++
		case '{', '[':
			depth++
			d.pos++
		case '}', ']':
			depth--
			d.pos++
		case ',', ':', ' ', '\t', '\n', '\r':
			d.pos++
		default:
			d.scalar()
		}
		if depth == 0 {
			return
		}
	}
}

// scalar consumes a number, true, false or null and returns its text.
func (d *decoder) scalar() []byte {
	start := d.pos
	for d.pos < len(d.data) {
		switch d.data[d.pos] {
		case ',', ']', '}', ':', ' ', '\t', '\n', '\r':
			return d.data[start:d.pos]
		}
		d.pos++
	}
	return d.data[start:]
}

// failHere reports the value which comes next, without consuming it.
func (d *decoder) failHere(key, rule string) {
	d.space()
	value := d.data[d.pos:min(d.pos+8*maxShown, len(d.data))]
	save := d.pos
	d.skip()
	value = value[:min(len(value), d.pos-save)]
	d.pos = save
	d.fail(key, shorten(strings.ToValidUTF8(string(value), "\ufffd")), rule)
}

// mismatch reports and consumes a value of the wrong kind.
func (d *decoder) mismatch(rule string) bool {
	d.failHere("", rule)
	d.skip()
	return true
}

// The readers below consume one value each and return true, so that a field
// method can end with them.

func (d *decoder) text(into *string) bool {
	if d.peek() != '"' {
		return d.mismatch("must be a string")
	}
	*into = string(d.rawString())
	return true
}

func (d *decoder) optText(into **string) bool {
	if d.peek() != '"' {
		return d.mismatch("must be a string")
	}
	*into = new(string(d.rawString()))
	return true
}

// word is text for the named string types.
func word[T ~string](d *decoder, into *T) bool {
	var s string
	d.text(&s)
	*into = T(s)
	return true
}

// number reads a phone number from a string or from a number.
func (d *decoder) number(into *Number) bool {
	switch c := d.peek(); {
	case c == '"':
		s := d.rawString()
		if len(s) > 1 && s[0] == '+' && s[1] != '+' {
			s = s[1:]
		}
		*into = Number(s)
		return true
	case c == '-' || c >= '0' && c <= '9':
		save := d.pos
		s := d.scalar()
		if !allDigits(string(s)) {
			n, ok := integral(s)
			if !ok || n < 0 {
				d.pos = save
				return d.mismatch("must be a phone number: a string or a whole number")
			}
			*into = Number(strconv.FormatInt(n, 10))
			return true
		}
		*into = Number(s)
		return true
	}
	return d.mismatch("must be a phone number: a string or a whole number")
}

// integer reads a whole number, also from a string.
func (d *decoder) integer(into **int) bool {
	const rule = "must be a whole number"
	save := d.pos
	var s []byte
	switch c := d.peek(); {
	case c == '"':
		s = []byte(strings.TrimSpace(string(d.rawString())))
	case c == '-' || c >= '0' && c <= '9':
		s = d.scalar()
	default:
		return d.mismatch(rule)
	}
	n, ok := integral(s)
	if !ok || n > math.MaxInt32 || n < math.MinInt32 {
		d.pos = save
		return d.mismatch(rule)
	}
	*into = new(int(n))
	return true
}

// real reads a number, also from a string.
func (d *decoder) real(into **float64) bool {
	save := d.pos
	var s string
	switch c := d.peek(); {
	case c == '"':
		s = strings.TrimSpace(string(d.rawString()))
	case c == '-' || c >= '0' && c <= '9':
		s = string(d.scalar())
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !decimal(s) || math.IsNaN(f) || math.IsInf(f, 0) {
		d.pos = save
		return d.mismatch("must be a number")
	}
	*into = new(f)
	return true
}

// boolean reads true or false, also as 1, 0 or a string of these.
func (d *decoder) boolean(into **bool) bool {
	save := d.pos
	var s []byte
	switch c := d.peek(); c {
	case '"':
		s = d.rawString()
	case 't', 'f', '0', '1':
		s = d.scalar()
	}
	switch string(s) {
	case "true", "1":
		*into = new(true)
	case "false", "0":
		*into = new(false)
	default:
		d.pos = save
		return d.mismatch("must be true or false")
	}
	return true
}

// integral returns the value of a number that JavaScript can hold exactly.
func integral(s []byte) (int64, bool) {
	if len(s) <= 15 {
		if n, err := strconv.ParseInt(string(s), 10, 64); err == nil {
			return n, true
		}
	}
	f, err := strconv.ParseFloat(string(s), 64)
	if err != nil || !decimal(string(s)) || f != math.Trunc(f) || math.Abs(f) > 1<<53-1 {
		return 0, false
	}
	return int64(f), true
}

// decimal keeps out what ParseFloat reads beyond JSON: hex, inf, underscores.
func decimal(s string) bool { return strings.Trim(s, "0123456789+-.eE") == "" }
