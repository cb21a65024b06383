package intl

import (
	"encoding/json"
	"strings"

	"github.com/dop251/goja"
)

const listClass = "ListFormat"

// listFormatter is the state of an Intl.ListFormat.
type listFormatter struct {
	locale      *locale
	kind, style string
	joins       [4]string // between a pair; after the first, in the middle, before the last
}

var (
	listOptionNames = optionNames("localeMatcher type style")
	listJoins       = newCache[*localeData, map[string][4]string](512)
)

// listFormat adds Intl.ListFormat (ECMA-402 section 14).
func (r *realm) listFormat(intl *goja.Object) {
	state := func(this goja.Value, method string) *listFormatter {
		return stateOf[*listFormatter](r, this, listClass, method)
	}
	r.class(intl, listClass, true, func(locales, options goja.Value) (any, error) {
		l, err := localeOf(r.vm, locales)
		if err != nil {
			return nil, err
		}
		b := newBag(r.vm, listClass, options, listOptionNames)
		b.choice("localeMatcher", "lookup", "best fit")
		f := &listFormatter{locale: l, kind: b.choice("type", "conjunction", "disjunction", "unit"), style: b.choice("style", "long", "short", "narrow")}
		if f.kind == "" {
			f.kind = "conjunction"
		}
		if f.style == "" {
			f.style = "long"
		}
		joins, _ := listJoins.get(l.data, func() (joins map[string][4]string, err error) {
			return joins, json.Unmarshal(l.language.Pool.Words[l.data.Words.Lists], &joins)
		})
		f.joins = joins[f.kind+" "+f.style]
		return f, b.err
	}, []method{
		{"format", 1, func(call goja.FunctionCall) goja.Value {
			f := state(call.This, "format")
			var out strings.Builder
			for _, p := range f.parts(r.strings(call.Argument(0))) {
				out.WriteString(p.value)
			}
			return r.vm.ToValue(out.String())
		}},
		{"formatToParts", 1, func(call goja.FunctionCall) goja.Value {
			f := state(call.This, "formatToParts")
			return r.parts(f.parts(r.strings(call.Argument(0))))
		}},
		{"resolvedOptions", 0, func(call goja.FunctionCall) goja.Value {
			f := state(call.This, "resolvedOptions")
			return r.object("locale", f.locale.name, "type", f.kind, "style", f.style)
		}},
	})
}

// strings reads an iterable of strings.
func (r *realm) strings(v goja.Value) []string {
	var out []string
	if goja.IsUndefined(v) {
		return nil
	}
	r.vm.ForOf(v, func(item goja.Value) bool {
		if !goja.IsString(item) {
			panic(r.vm.NewTypeError("Intl.ListFormat: item %d of the list is no string", len(out)))
		}
		out = append(out, item.String())
		return true
	})
	return out
}

func (f *listFormatter) parts(items []string) []part {
	var out []part
	for i, item := range items {
		if i > 0 {
			join := f.joins[2]
			switch {
			case len(items) == 2:
				join = f.joins[0]
			case i == len(items)-1:
				join = f.joins[3]
			case i == 1:
				join = f.joins[1]
			}
			out = append(out, part{"literal", f.elide(join, item)})
		}
		out = append(out, part{"element", item})
	}
	return out
}

// elide changes the Spanish "y" and "o" before a word that begins with the same sound.
func (f *listFormatter) elide(join, next string) string {
	if !strings.HasPrefix(f.locale.name, "es") {
		return join
	}
	next = strings.ToLower(next)
	begins := func(words ...string) bool {
		for _, w := range words {
			if strings.HasPrefix(next, w) {
				return true
			}
		}
		return false
	}
	switch {
	case strings.HasSuffix(join, " y ") && (begins("i") || begins("hi") && !begins("hia", "hie")):
		return strings.TrimSuffix(join, "y ") + "e "
	case strings.HasSuffix(join, " o ") && (begins("o", "ho", "8") || next == "11" || begins("11 ")):
		return strings.TrimSuffix(join, "o ") + "u "
	}
	return join
}
