package es

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
)

// addText adds String.prototype.isWellFormed and toWellFormed, and RegExp.escape. The functions hold nothing of a
// session: a frozen realm outlives many.
func addText(vm *goja.Runtime) error {
	add := func(path []string, name string, length int, call func(goja.FunctionCall) goja.Value) error {
		on := vm.GlobalObject()
		for _, step := range path {
			on = on.Get(step).ToObject(vm)
		}
		if on.Get(name) != nil {
			return nil
		}
		return on.DefineDataProperty(name, webidl.Function(vm, name, length, call), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
	this := func(c goja.FunctionCall, name string) goja.String {
		if goja.IsUndefined(c.This) || goja.IsNull(c.This) {
			panic(vm.NewTypeError("String.prototype.%s called on %s", name, c.This))
		}
		return webidl.String(c.This)
	}
	if err := add([]string{"String", "prototype"}, "isWellFormed", 0, func(c goja.FunctionCall) goja.Value {
		return vm.ToValue(loneSurrogate(this(c, "isWellFormed"), 0) < 0)
	}); err != nil {
		return err
	}
	if err := add([]string{"String", "prototype"}, "toWellFormed", 0, func(c goja.FunctionCall) goja.Value {
		s := this(c, "toWellFormed")
		at := loneSurrogate(s, 0)
		if at < 0 {
			return s
		}
		units := make([]uint16, s.Length())
		for i := range units {
			units[i] = s.CharAt(i)
		}
		for ; at >= 0; at = loneSurrogate(s, at+1) {
			units[at] = unicode.ReplacementChar
		}
		return goja.StringFromUTF16(units)
	}); err != nil {
		return err
	}
	return add([]string{"RegExp"}, "escape", 1, func(c goja.FunctionCall) goja.Value {
		s, ok := c.Argument(0).(goja.String)
		if !ok {
			panic(vm.NewTypeError("RegExp.escape: the argument must be a string"))
		}
		return escapePattern(s)
	})
}

// loneSurrogate finds the first surrogate without its other half, from a unit on.
func loneSurrogate(s goja.String, from int) int {
	for i := from; i < s.Length(); i++ {
		switch u := s.CharAt(i); {
		case u < 0xD800 || u > 0xDFFF:
		case u < 0xDC00 && i+1 < s.Length() && s.CharAt(i+1)&0xFC00 == 0xDC00:
			i++
		case u >= 0xDC00 && i == from && i > 0 && s.CharAt(i-1)&0xFC00 == 0xD800:
			// the second half of a pair that began before
		default:
			return i
		}
	}
	return -1
}

// escapePattern makes text match itself in a pattern (RegExp.escape, ECMAScript 2025).
func escapePattern(s goja.String) goja.Value {
	var out []uint16
	write := func(text string) {
		for i := range len(text) {
			out = append(out, uint16(text[i]))
		}
	}
	for i := range s.Length() {
		u := s.CharAt(i)
		r := rune(u)
		switch {
		case i == 0 && u < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			write(fmt.Sprintf(`\x%02x`, u))
		case u < 128 && strings.ContainsRune(`^$\.*+?()[]{}|/`, r):
			write(`\` + string(r))
		case u >= '\t' && u <= '\r':
			write(`\` + string("tnvfr"[u-'\t']))
		case u < 256 && (strings.ContainsRune(",-=<>#&!%:;@~'`\" ", r) || u == 0xA0):
			write(fmt.Sprintf(`\x%02x`, u))
		case isSpace(r) || u&0xF800 == 0xD800 && loneSurrogate(s, i) == i:
			write(fmt.Sprintf(`\u%04x`, u))
		default:
			out = append(out, u)
		}
	}
	return goja.StringFromUTF16(out)
}

func isSpace(r rune) bool {
	return r == 0xFEFF || r == 0x2028 || r == 0x2029 || r > 0xFF && unicode.Is(unicode.Zs, r)
}
