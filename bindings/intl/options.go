package intl

import (
	"math"
	"strings"

	"github.com/dop251/goja"
)

// bag reads the options argument of a constructor. The first fault sticks.
type bag struct {
	class string
	obj   *goja.Object // nil when the argument was undefined
	err   error
}

// newBag looks at an options argument. Names that differ from a known option in case alone are refused, because
// {timezone: …} is an opening hour wrong in silence; other unknown names are ignored as the standard says.
func newBag(vm *goja.Runtime, class string, v goja.Value, known map[string]string) *bag {
	b := &bag{class: class}
	if v == nil || goja.IsUndefined(v) {
		return b
	}
	if goja.IsNull(v) {
		b.err = typeError("Intl.%s: options is null; leave it out or give an object", class)
		return b
	}
	b.obj = v.ToObject(vm)
	for _, name := range b.obj.Keys() {
		if right, ok := known[strings.ToLower(name)]; ok && right != name {
			b.fail(typeError("Intl.%s: unknown option %q; did you mean %q?", class, clip(name), right))
		}
	}
	return b
}

// optionNames indexes option names by their lower case.
func optionNames(names string) map[string]string {
	known := map[string]string{}
	for _, name := range strings.Fields(names) {
		known[strings.ToLower(name)] = name
	}
	return known
}

func (b *bag) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// value returns an option, nil when it is not set.
func (b *bag) value(name string) goja.Value {
	if b.obj == nil || b.err != nil {
		return nil
	}
	v := b.obj.Get(name)
	if v == nil || goja.IsUndefined(v) {
		return nil
	}
	return v
}

func (b *bag) text(name string) string {
	if v := b.value(name); v != nil {
		return v.String()
	}
	return ""
}

// choice returns one of the words, "" when the option is not set.
func (b *bag) choice(name string, words ...string) string {
	v := b.value(name)
	if v == nil {
		return ""
	}
	s := v.String()
	for _, w := range words {
		if s == w {
			return w
		}
	}
	b.fail(rangeError("Intl.%s: %s: %q is not one of %s", b.class, name, clip(s), strings.Join(words, ", ")))
	return ""
}

// index is choice by position: 0 when not set, else 1 + the word's place.
func (b *bag) index(name string, words ...string) uint8 {
	s := b.choice(name, words...)
	for i, w := range words {
		if s == w {
			return uint8(i + 1)
		}
	}
	return 0
}

// only accepts the given words alone of an option whose other standard values are not supported.
func (b *bag) only(name, standard string, words ...string) string {
	v := b.value(name)
	if v == nil {
		return words[0]
	}
	s := v.String()
	for _, w := range words {
		if s == w {
			return w
		}
	}
	for _, w := range strings.Fields(standard) {
		if s == w {
			b.fail(rangeError("Intl.%s: %s: %q is not supported by piopiyd; supported: %s", b.class, name, s, strings.Join(words, ", ")))
			return ""
		}
	}
	b.fail(rangeError("Intl.%s: %s: %q is not one of %s", b.class, name, clip(s), strings.Join(words, ", ")))
	return ""
}

// number returns an integer option, or the fallback.
func (b *bag) number(name string, least, most, fallback int) int {
	v := b.value(name)
	if v == nil {
		return fallback
	}
	f := v.ToNumber().ToFloat()
	if math.IsNaN(f) || f < float64(least) || f > float64(most) {
		b.fail(rangeError("Intl.%s: %s: %s is not between %d and %d", b.class, name, clip(v.String()), least, most))
		return fallback
	}
	return int(math.Floor(f))
}

// clip shortens a script's text for an error message.
func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
