package url

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/encoding"
)

// pair is one entry of a query.
type pair struct{ name, value string }

// params is the state of a URLSearchParams: its entries, and the URL it belongs to, if any.
type params struct {
	list []pair
	of   *location
}

// changed carries the entries over to the URL they belong to.
func (p *params) changed() {
	if p.of != nil {
		p.of.setSearch(encodeQuery(p.list))
	}
}

func (p *params) get(name string) (string, bool) {
	for _, e := range p.list {
		if e.name == name {
			return e.value, true
		}
	}
	return "", false
}

func (p *params) remove(name string, value *string) {
	p.list = slices.DeleteFunc(p.list, func(e pair) bool { return e.name == name && (value == nil || e.value == *value) })
	p.changed()
}

// set gives a name one value: its first entry gets it, the others go.
func (p *params) set(name, value string) {
	at := slices.IndexFunc(p.list, func(e pair) bool { return e.name == name })
	if at < 0 {
		p.list = append(p.list, pair{name, value})
	} else {
		p.list[at].value = value
		rest := slices.DeleteFunc(p.list[at+1:], func(e pair) bool { return e.name == name })
		p.list = p.list[:at+1+len(rest)]
	}
	p.changed()
}

// sort orders entries by name in UTF-16 code units, keeping the order of equal names.
func (p *params) sort() {
	slices.SortStableFunc(p.list, func(a, b pair) int { return compareUTF16(a.name, b.name) })
	p.changed()
}

// compareUTF16 compares as UTF-16 does: characters beyond U+FFFF come before U+E000.
func compareUTF16(a, b string) int {
	for a != "" && b != "" {
		x, n := utf8.DecodeRuneInString(a)
		y, m := utf8.DecodeRuneInString(b)
		if x != y {
			return int(unit(x)) - int(unit(y))
		}
		a, b = a[n:], b[m:]
	}
	return len(a) - len(b)
}

// unit maps a character to a number that sorts as its first UTF-16 unit, and within it by the second.
func unit(r rune) rune {
	switch {
	case r >= 0x10000:
		return r - 0x10000 + 0xD800
	case r >= 0xE000:
		return r + 0x110000
	}
	return r
}

// parseQuery reads application/x-www-form-urlencoded text (URL Standard, section 5.1).
func parseQuery(text string) []pair {
	var list []pair
	for part := range strings.SplitSeq(text, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		list = append(list, pair{decodeForm(name), decodeForm(value)})
	}
	return list
}

func decodeForm(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			out = append(out, ' ')
		case c == '%' && i+2 < len(s) && hex(s[i+1]) >= 0 && hex(s[i+2]) >= 0:
			out = append(out, byte(hex(s[i+1])<<4|hex(s[i+2])))
			i += 2
		default:
			out = append(out, c)
		}
	}
	// What is no UTF-8 becomes U+FFFD, once for each maximal broken sequence.
	return encoding.DecodeUTF8(out)
}

func hex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// encodeQuery writes application/x-www-form-urlencoded text (URL Standard, section 5.2).
func encodeQuery(list []pair) string {
	var b strings.Builder
	for i, e := range list {
		if i > 0 {
			b.WriteByte('&')
		}
		encodeForm(&b, e.name)
		b.WriteByte('=')
		encodeForm(&b, e.value)
	}
	return b.String()
}

func encodeForm(b *strings.Builder, s string) {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c == '*', c == '-', c == '.', c == '_':
			b.WriteByte(c)
		case c == ' ':
			b.WriteByte('+')
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
}

// fromValue fills the entries from what new URLSearchParams takes: text, a sequence of pairs, or a record.
func (m *instance) fromValue(v goja.Value) []pair {
	o, ok := v.(*goja.Object)
	if !ok {
		return parseQuery(strings.TrimPrefix(text(v), "?"))
	}
	if it := o.GetSymbol(goja.SymIterator); it != nil && !goja.IsUndefined(it) && !goja.IsNull(it) {
		if _, callable := goja.AssertFunction(it); !callable {
			panic(m.s.NewError("TypeError", "URLSearchParams: the argument's iterator is not a function"))
		}
		var list []pair
		m.s.VM().ForOf(o, func(item goja.Value) bool {
			list = append(list, m.pairOf(item))
			return true
		})
		return list
	}
	var list []pair
	for _, key := range o.Keys() {
		name, value := encoding.DecodeUTF8([]byte(key)), text(o.Get(key))
		if at := slices.IndexFunc(list, func(e pair) bool { return e.name == name }); at >= 0 {
			list[at].value = value
			continue
		}
		list = append(list, pair{name, value})
	}
	return list
}

func (m *instance) pairOf(v goja.Value) pair {
	var parts []string
	if o, ok := v.(*goja.Object); ok {
		m.s.VM().ForOf(o, func(item goja.Value) bool {
			parts = append(parts, text(item))
			return len(parts) < 3
		})
	}
	if len(parts) != 2 {
		panic(m.s.NewError("TypeError", "URLSearchParams: each entry of the sequence must be a pair [name, value]"))
	}
	return pair{parts[0], parts[1]}
}
