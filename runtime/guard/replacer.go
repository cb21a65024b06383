package guard

import (
	"github.com/dop251/goja"
)

// countingReplacer returns a replacer function that does what a replacement string does (ECMA-262 section
// 22.1.3.19.1, GetSubstitution), and throws once the results pass the limit.
func (c *core) countingReplacer(vm *goja.Runtime, text, replacement goja.String) goja.Value {
	total := int64(0)
	return vm.ToValue(func(call goja.FunctionCall) goja.Value {
		s := substitution(vm, call.Arguments, text, replacement)
		total += int64(s.Length())
		c.checkString(vm, "String.prototype.replace", total)
		c.check(vm)
		return s
	})
}

// substitution expands a replacement string. The arguments are a replacer function's: the match, its groups,
// the position, the text, and named groups if the expression has any.
func substitution(vm *goja.Runtime, args []goja.Value, text, replacement goja.String) goja.String {
	var named *goja.Object
	end := len(args)
	if end > 0 {
		if o, ok := args[end-1].(*goja.Object); ok {
			named = o
			end--
		}
	}
	match, _ := args[0].(goja.String)
	groups, position := args[1:end-2], int(args[end-2].ToInteger())
	group := func(n int) goja.String {
		if v := groups[n-1]; !goja.IsUndefined(v) {
			return str(vm, v)
		}
		return nil
	}
	digit := func(i int) int {
		if i < replacement.Length() {
			if d := int(replacement.CharAt(i)) - '0'; d >= 0 && d <= 9 {
				return d
			}
		}
		return -1
	}
	var b goja.StringBuilder
	write := func(s goja.String) {
		if s != nil {
			b.WriteString(s)
		}
	}
	for i := 0; i < replacement.Length(); {
		if replacement.CharAt(i) != '$' || i+1 == replacement.Length() {
			b.WriteString(replacement.Substring(i, i+1))
			i++
			continue
		}
		switch next := replacement.CharAt(i + 1); {
		case next == '$':
			b.WriteRune('$')
			i += 2
			continue
		case next == '&':
			write(match)
			i += 2
			continue
		case next == '`':
			write(text.Substring(0, position))
			i += 2
			continue
		case next == '\'':
			if from := position + match.Length(); from < text.Length() {
				write(text.Substring(from, text.Length()))
			}
			i += 2
			continue
		case next == '<' && named != nil:
			to := i + 2
			for to < replacement.Length() && replacement.CharAt(to) != '>' {
				to++
			}
			if to < replacement.Length() {
				if v := named.Get(replacement.Substring(i+2, to).String()); v != nil && !goja.IsUndefined(v) {
					write(str(vm, v))
				}
				i = to + 1
				continue
			}
		}
		if tens := digit(i + 1); tens >= 0 {
			if ones := digit(i + 2); ones >= 0 && tens*10+ones >= 1 && tens*10+ones <= len(groups) {
				write(group(tens*10 + ones))
				i += 3
				continue
			}
			if tens >= 1 && tens <= len(groups) {
				write(group(tens))
				i += 2
				continue
			}
		}
		b.WriteRune('$')
		i++
	}
	return b.String()
}
