package guard

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dop251/goja"
	"github.com/dop251/goja/unistring"
)

// reader reads JSON (ECMA-404) into JavaScript values.
type reader struct {
	core  *core
	vm    *goja.Runtime
	text  string
	pos   int
	depth int
	seen  int // values, to look at the stop flag now and then
}

func (r *reader) document() goja.Value {
	r.space()
	v := r.value()
	if r.space(); r.pos < len(r.text) {
		r.fail("after the end of the JSON text")
	}
	return v
}

// fail throws a SyntaxError about the character at the reader's position.
func (r *reader) fail(where string) {
	if r.pos >= len(r.text) {
		throw(r.vm, "SyntaxError", "JSON.parse: the text ends too early, at position %d", utf16Length(r.text))
	}
	c, _ := utf8.DecodeRuneInString(r.text[r.pos:])
	what := "unexpected " + strconv.QuoteRune(c)
	if where != "" {
		what += " " + where
	}
	before := r.text[:r.pos]
	line := 1 + strings.Count(before, "\n")
	column := 1 + utf16Length(before[strings.LastIndexByte(before, '\n')+1:])
	throw(r.vm, "SyntaxError", "JSON.parse: %s at position %d (line %d column %d)", what, utf16Length(before), line, column)
}

func utf16Length(s string) (n int) {
	for _, c := range s {
		n += utf16.RuneLen(c)
	}
	return n
}

func (r *reader) space() {
	for r.pos < len(r.text) {
		switch r.text[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}

func (r *reader) value() goja.Value {
	if r.seen++; r.seen&255 == 0 {
		r.core.check(r.vm)
	}
	if r.pos >= len(r.text) {
		r.fail("")
	}
	switch c := r.text[r.pos]; {
	case c == '{':
		return r.object()
	case c == '[':
		return r.array()
	case c == '"':
		s, _ := r.quoted()
		return s.value(r.vm)
	case c == '-' || '0' <= c && c <= '9':
		return r.number()
	}
	for _, w := range [...]struct {
		text  string
		value goja.Value
	}{{"true", valueTrue}, {"false", valueFalse}, {"null", goja.Null()}} {
		if strings.HasPrefix(r.text[r.pos:], w.text) {
			r.pos += len(w.text)
			return w.value
		}
	}
	for _, w := range [...]string{"true", "false", "null"} { // point at the first wrong letter
		if n := commonPrefix(r.text[r.pos:], w); n > 0 {
			r.pos += n
			break
		}
	}
	r.fail("")
	return nil
}

func commonPrefix(a, b string) (n int) {
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// down and up count nesting.
func (r *reader) down() {
	if r.depth++; r.depth > r.core.limits.Nesting {
		throw(r.vm, "RangeError", "JSON.parse: the text is nested more than %d deep", r.core.limits.Nesting)
	}
}

func (r *reader) object() goja.Value {
	r.down()
	o := r.vm.NewObject()
	values, names, fast := properties(o)
	r.pos++
	for r.space(); ; r.space() {
		if r.pos < len(r.text) && r.text[r.pos] == '}' && (len(values) == 0 || !fast && len(o.Keys()) == 0) {
			break
		}
		if r.pos >= len(r.text) || r.text[r.pos] != '"' {
			r.fail("where a property name in double quotes is expected")
		}
		key, plain := r.quoted()
		if r.space(); r.pos >= len(r.text) || r.text[r.pos] != ':' {
			r.fail("where ':' is expected")
		}
		r.pos++
		r.space()
		v := r.value()
		if fast {
			name := unistring.String(key.text)
			if !plain {
				name = key.name()
			}
			if _, again := values[name]; !again {
				*names = append(*names, name)
			}
			values[name] = v
		} else {
			put(o, key.text, v)
		}
		r.space()
		if r.pos < len(r.text) && r.text[r.pos] == ',' {
			r.pos++
			r.space()
			if r.pos < len(r.text) && r.text[r.pos] == '}' {
				r.fail("where a property name in double quotes is expected")
			}
			continue
		}
		if r.pos >= len(r.text) || r.text[r.pos] != '}' {
			r.fail("where ',' or '}' is expected")
		}
		break
	}
	r.pos++
	r.depth--
	return o
}

func (r *reader) array() goja.Value {
	r.down()
	var elements []goja.Value
	r.pos++
	for r.space(); ; r.space() {
		if r.pos < len(r.text) && r.text[r.pos] == ']' && len(elements) == 0 {
			break
		}
		elements = append(elements, r.value())
		if len(elements) > r.core.limits.ArrayLength {
			r.core.checkArray(r.vm, "JSON.parse", int64(len(elements)))
		}
		if r.space(); r.pos < len(r.text) && r.text[r.pos] == ',' {
			r.pos++
			continue
		}
		if r.pos >= len(r.text) || r.text[r.pos] != ']' {
			r.fail("where ',' or ']' is expected")
		}
		break
	}
	r.pos++
	r.depth--
	return newArray(r.vm, elements)
}

func (r *reader) number() goja.Value {
	start, digits, isInt := r.pos, 0, true
	run := func() int {
		from := r.pos
		for r.pos < len(r.text) && '0' <= r.text[r.pos] && r.text[r.pos] <= '9' {
			r.pos++
		}
		if r.pos == from {
			r.fail("where a digit is expected")
		}
		return r.pos - from
	}
	if r.text[r.pos] == '-' {
		r.pos++
	}
	zero := r.pos < len(r.text) && r.text[r.pos] == '0'
	if zero {
		r.pos++
		digits = 1
	} else {
		digits = run()
	}
	if r.pos < len(r.text) && r.text[r.pos] == '.' {
		isInt = false
		r.pos++
		run()
	}
	if r.pos < len(r.text) && r.text[r.pos]|0x20 == 'e' {
		isInt = false
		r.pos++
		if r.pos < len(r.text) && (r.text[r.pos] == '+' || r.text[r.pos] == '-') {
			r.pos++
		}
		run()
	}
	text := r.text[start:r.pos]
	if isInt && digits <= 15 && !(zero && text[0] == '-') {
		n, _ := strconv.ParseInt(text, 10, 64)
		return r.vm.ToValue(n)
	}
	f, _ := strconv.ParseFloat(text, 64) // out of range is ±Inf or 0, as JavaScript reads it
	if f == 0 && text[0] == '-' {
		f = math.Copysign(0, -1)
	}
	return r.vm.ToValue(f)
}

// jsonString is a string read: UTF-8, or UTF-16 units where surrogates stand alone.
type jsonString struct {
	text  string
	units []uint16
}

func (s jsonString) value(vm *goja.Runtime) goja.Value {
	if s.units != nil {
		return goja.StringFromUTF16(s.units)
	}
	return vm.ToValue(s.text)
}

// name returns the string as goja keeps property names.
func (s jsonString) name() unistring.String {
	if s.units != nil {
		return unistring.FromUtf16(append([]uint16{unistring.BOM}, s.units...))
	}
	return unistring.NewFromString(s.text)
}

// quoted reads a string; plain means that it is ASCII.
func (r *reader) quoted() (s jsonString, plain bool) {
	r.pos++
	start := r.pos
	plain = true
	for r.pos < len(r.text) {
		switch c := r.text[r.pos]; {
		case c == '"':
			s.text = r.text[start:r.pos]
			r.pos++
			return s, plain
		case c == '\\':
			return r.escaped(start)
		case c < 0x20:
			r.fail("in a string: control characters must be escaped")
		case c >= utf8.RuneSelf:
			plain = false
		}
		r.pos++
	}
	r.fail("")
	return s, false
}

// escaped reads on from the first escape of a string that began at start.
func (r *reader) escaped(start int) (s jsonString, plain bool) {
	b := append(make([]byte, 0, r.pos-start+32), r.text[start:r.pos]...)
	lone := false
	for r.pos < len(r.text) {
		c := r.text[r.pos]
		switch {
		case c == '"':
			r.pos++
			s.text = string(b)
			if lone {
				s.units = unitsOf(b)
			}
			return s, false
		case c < 0x20:
			r.fail("in a string: control characters must be escaped")
		case c != '\\':
			b = append(b, c)
			r.pos++
			continue
		}
		if r.pos++; r.pos >= len(r.text) {
			break
		}
		if i := strings.IndexByte(`"\/bfnrt`, r.text[r.pos]); i >= 0 {
			b = append(b, "\"\\/\b\f\n\r\t"[i])
			r.pos++
			continue
		}
		if r.text[r.pos] != 'u' {
			r.fail("after a backslash in a string")
		}
		r.pos++
		u := r.hex()
		if utf16.IsSurrogate(u) && strings.HasPrefix(r.text[r.pos:], `\u`) {
			mark := r.pos
			r.pos += 2
			if pair := utf16.DecodeRune(u, r.hex()); pair != utf8.RuneError {
				u = pair
			} else {
				r.pos = mark
			}
		}
		if utf16.IsSurrogate(u) {
			lone = true
			b = append(b, 0xE0|byte(u>>12), 0x80|byte(u>>6)&0x3F, 0x80|byte(u)&0x3F)
		} else {
			b = utf8.AppendRune(b, u)
		}
	}
	r.fail("")
	return s, false
}

func (r *reader) hex() (u rune) {
	for range 4 {
		if r.pos >= len(r.text) {
			r.fail("")
		}
		n := strings.IndexByte("0123456789abcdef", r.text[r.pos]|0x20)
		if c := r.text[r.pos]; n < 0 || n < 10 && c != "0123456789"[n] {
			r.fail("where a hexadecimal digit is expected")
		}
		u = u<<4 | rune(n)
		r.pos++
	}
	return u
}

// unitsOf decodes UTF-8 in which unpaired surrogates were written like other characters.
func unitsOf(b []byte) []uint16 {
	units := make([]uint16, 0, len(b))
	for i := 0; i < len(b); {
		if b[i] == 0xED && i+2 < len(b) && b[i+1] >= 0xA0 {
			units = append(units, 0xD000|uint16(b[i+1]&0x3F)<<6|uint16(b[i+2]&0x3F))
			i += 3
			continue
		}
		c, size := utf8.DecodeRune(b[i:])
		units = utf16.AppendRune(units, c)
		i += size
	}
	return units
}

// wellFormed returns JSON text as UTF-8. Unpaired surrogates can stand only in strings, and are escaped there.
func wellFormed(s goja.String) string {
	text := s.String()
	if !strings.ContainsRune(text, utf8.RuneError) {
		return text
	}
	var b strings.Builder
	for i := 0; i < s.Length(); i++ {
		u := rune(s.CharAt(i))
		if utf16.IsSurrogate(u) {
			if i+1 < s.Length() {
				if pair := utf16.DecodeRune(u, rune(s.CharAt(i+1))); pair != utf8.RuneError {
					b.WriteRune(pair)
					i++
					continue
				}
			}
			fmt.Fprintf(&b, `\u%04x`, u)
			continue
		}
		b.WriteRune(u)
	}
	return b.String()
}

// put defines an ordinary property, whatever the prototypes say.
func put(o *goja.Object, key string, v goja.Value) {
	_ = o.DefineDataProperty(key, v, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE)
}
