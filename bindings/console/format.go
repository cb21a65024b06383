package console

import (
	"math"
	"strconv"
	"strings"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
)

// format joins the arguments of a console method: a first string with % directives takes what it names, the
// rest follows, separated by spaces (Console Standard, section 2.2).
func format(vm *goja.Runtime, args []goja.Value) string {
	if len(args) == 0 {
		return ""
	}
	var b strings.Builder
	rest := args
	if first, ok := args[0].(goja.String); ok {
		text := first.String()
		if len(text) > maxMessage {
			text = strings.ToValidUTF8(text[:maxMessage], "") + "…"
		}
		rest = args[1:]
		if len(rest) > 0 {
			text, rest = directives(vm, text, rest)
		}
		b.WriteString(text)
	}
	for i, v := range rest {
		if b.Len() > maxMessage {
			break
		}
		if i > 0 || len(rest) < len(args) {
			b.WriteByte(' ')
		}
		if s, ok := v.(goja.String); ok {
			if s.Length() > maxMessage {
				s = s.Substring(0, maxMessage)
			}
			b.WriteString(s.String())
			continue
		}
		b.WriteString(Inspect(vm, v))
	}
	return b.String()
}

// directives replaces the % directives of a text and returns the arguments that are left.
func directives(vm *goja.Runtime, text string, args []goja.Value) (string, []goja.Value) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		letter := text[i+1]
		if letter == '%' {
			b.WriteByte('%')
			i++
			continue
		}
		if len(args) == 0 || strings.IndexByte("sdifjoOc", letter) < 0 || b.Len() > maxMessage {
			b.WriteByte('%')
			continue
		}
		b.WriteString(directive(vm, letter, args[0]))
		args = args[1:]
		i++
	}
	return b.String(), args
}

func directive(vm *goja.Runtime, letter byte, v goja.Value) string {
	o, isObject := v.(*goja.Object)
	switch letter {
	case 's':
		if s, ok := v.(goja.String); ok {
			return clipUnits(s)
		}
		return Inspect(vm, v)
	case 'd', 'i', 'f':
		if _, ok := v.(*goja.Symbol); ok || isObject && letter == 'd' {
			return "NaN"
		}
		if isObject {
			return "NaN"
		}
		return numeral(letter, v)
	case 'j':
		if isObject {
			if text, err := o.MarshalJSON(); err == nil {
				return clipTo(string(text), maxText)
			}
			return "[Circular]"
		}
		if s, ok := v.(goja.String); ok {
			return strconv.Quote(clipUnits(s))
		}
		return primitive(v)
	case 'c':
		return "" // a style, which a log has not
	}
	return Inspect(vm, v)
}

func clipTo(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// numeral reads a number as Number, parseInt and parseFloat do.
func numeral(letter byte, v goja.Value) string {
	s, isString := v.(goja.String)
	if !isString || letter == 'd' {
		n := v.ToNumber()
		if f := n.ToFloat(); letter == 'i' && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return strconv.FormatFloat(math.Trunc(f), 'f', -1, 64)
		}
		return primitive(n)
	}
	text := strings.TrimSpace(clipUnits(s))
	end, digits, dot := 0, false, false
	for end < len(text) {
		c := text[end]
		switch {
		case c >= '0' && c <= '9':
			digits = true
		case c == '.' && letter == 'f' && !dot:
			dot = true
		case (c == '-' || c == '+') && end == 0:
		default:
			goto done
		}
		end++
	}
done:
	f, err := strconv.ParseFloat(strings.TrimSuffix(text[:end], "."), 64)
	if !digits || err != nil {
		return "NaN"
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// table draws rows of objects or arrays as text; anything else is shown as it is.
func table(vm *goja.Runtime, args []goja.Value) string {
	data, ok := args[0].(*goja.Object)
	if !ok || webidl.KindOf(data) == webidl.ProxyKind {
		return format(vm, args[:1])
	}
	in := &inspector{vm: vm}
	var rows [][]string
	header := []string{"(index)"}
	column := map[string]int{}
	values := false
	var wanted []string
	if len(args) > 1 {
		if list, ok := args[1].(*goja.Object); ok && webidl.KindOf(list) == webidl.ArrayKind {
			for _, key := range list.Keys() {
				wanted = append(wanted, in.text(list, key))
			}
		}
	}
	for _, name := range wanted {
		column[name] = len(header)
		header = append(header, clip(name))
	}
	last := map[int]string{}
	for i, key := range data.Keys() {
		if i == maxEntries {
			break
		}
		p, _ := in.own(data, vm.ToValue(key))
		row := []string{clip(key)}
		cells, ok := p.value.(*goja.Object)
		if !ok || webidl.IsProxy(cells) || webidl.KindOf(cells) == webidl.FunctionKind {
			values = true
			last[len(rows)] = clip(shown(vm, p))
			rows = append(rows, row)
			continue
		}
		for j, name := range cells.Keys() {
			at, known := column[name]
			if !known && (wanted != nil || j >= maxEntries || len(header) > maxEntries) {
				continue
			}
			if !known {
				at = len(header)
				column[name] = at
				header = append(header, clip(name))
			}
			for len(row) <= at {
				row = append(row, "")
			}
			cell, _ := in.own(cells, vm.ToValue(name))
			row[at] = clip(shown(vm, cell))
		}
		rows = append(rows, row)
	}
	if values {
		header = append(header, "Values")
		for i, text := range last {
			for len(rows[i]) < len(header) {
				rows[i] = append(rows[i], "")
			}
			rows[i][len(header)-1] = text
		}
	}
	return draw(header, rows)
}

func shown(vm *goja.Runtime, p property) string {
	if p.accessor != "" {
		return p.accessor
	}
	return Inspect(vm, p.value)
}

func draw(header []string, rows [][]string) string {
	widths := make([]int, len(header))
	measure := func(row []string) {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	measure(header)
	for _, row := range rows {
		measure(row)
	}
	var b strings.Builder
	line := func(row []string) {
		for i, w := range widths {
			cell := ""
			if i < len(row) {
				cell = row[i]
			}
			if i > 0 {
				b.WriteString(" | ")
			}
			b.WriteString(cell)
			if i < len(widths)-1 {
				b.WriteString(strings.Repeat(" ", w-len([]rune(cell))))
			}
		}
	}
	line(header)
	b.WriteByte('\n')
	for i, w := range widths {
		if i > 0 {
			b.WriteString("-+-")
		}
		b.WriteString(strings.Repeat("-", w))
	}
	for _, row := range rows {
		b.WriteByte('\n')
		line(row)
	}
	return b.String()
}
