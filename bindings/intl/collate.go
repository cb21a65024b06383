package intl

import (
	"slices"
	"strings"
	"sync"

	"github.com/dop251/goja"
	"golang.org/x/text/collate"
	xlanguage "golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

const collatorClass = "Collator"

// collator compares strings in a locale's order. It is shared by all VMs.
type collator struct {
	locale      *locale
	sensitivity string
	numeric     bool
	free        sync.Pool // of *collate.Collator, each for one comparison at a time
}

type collatorKey struct {
	locale, sensitivity string
	numeric             bool
}

var (
	collators           = newCache[collatorKey, *collator](256)
	collatorOptionNames = optionNames("usage localeMatcher collation numeric caseFirst sensitivity ignorePunctuation")
)

// collatorLanguages are those which x/text's older root collation orders as CLDR does today; the others reorder
// scripts or have letters of their own.
var collatorLanguages = []string{"de", "en", "es", "fr", "id", "it", "nl", "pl", "pt", "tr"}

func readCollator(vm *goja.Runtime, locales, options goja.Value) (*collator, error) {
	l, err := localeOf(vm, locales)
	if err != nil {
		return nil, err
	}
	if lang, _, _ := strings.Cut(l.name, "-"); !slices.Contains(collatorLanguages, lang) {
		return nil, rangeError("Intl.Collator: locale %q is not supported by piopiyd for comparing; supported languages: %s", l.name, strings.Join(collatorLanguages, ", "))
	}
	b := newBag(vm, collatorClass, options, collatorOptionNames)
	b.only("usage", "search", "sort")
	b.choice("localeMatcher", "lookup", "best fit")
	if co, ok := l.keywords["co"]; ok && co != "standard" {
		b.fail(rangeError("Intl.Collator: collation: %q is not supported by piopiyd; supported: default", clip(co)))
	}
	if co := b.text("collation"); co != "" && co != "default" {
		b.fail(rangeError("Intl.Collator: collation: %q is not supported by piopiyd; supported: default", clip(co)))
	}
	if kf, ok := l.keywords["kf"]; ok && kf != "false" {
		b.fail(rangeError("Intl.Collator: caseFirst: %q is not supported by piopiyd; supported: false", clip(kf)))
	}
	key := collatorKey{locale: l.name}
	if kn, ok := l.keywords["kn"]; ok {
		key.numeric = kn == ""
	}
	if v := b.value("numeric"); v != nil {
		key.numeric = v.ToBoolean()
	}
	b.only("caseFirst", "upper lower", "false")
	key.sensitivity = b.only("sensitivity", "case", "variant", "accent", "base")
	if v := b.value("ignorePunctuation"); v != nil && v.ToBoolean() {
		b.fail(rangeError("Intl.Collator: ignorePunctuation: true is not supported by piopiyd; supported: false"))
	}
	if b.err != nil {
		return nil, b.err
	}
	return collators.get(key, func() (*collator, error) {
		c := &collator{locale: l, sensitivity: key.sensitivity, numeric: key.numeric}
		options := []collate.Option{}
		switch key.sensitivity {
		case "accent":
			options = append(options, collate.IgnoreCase)
		case "base":
			options = append(options, collate.IgnoreCase, collate.IgnoreDiacritics)
		}
		if key.numeric {
			options = append(options, collate.Numeric)
		}
		tag := xlanguage.Make(l.name)
		c.free.New = func() any { return collate.New(tag, options...) }
		return c, nil
	})
}

func (c *collator) compare(a, b string) int {
	if a == b {
		return 0
	}
	one := c.free.Get().(*collate.Collator)
	defer c.free.Put(one)
	return one.CompareString(norm.NFD.String(a), norm.NFD.String(b))
}

// collator adds Intl.Collator (ECMA-402 section 10).
func (r *realm) collator(intl *goja.Object) {
	state := func(this goja.Value, method string) *collator {
		return stateOf[*collator](r, this, collatorClass, method)
	}
	proto := r.class(intl, collatorClass, false, func(locales, options goja.Value) (any, error) {
		return readCollator(r.vm, locales, options)
	}, []method{
		{"resolvedOptions", 0, func(call goja.FunctionCall) goja.Value {
			c := state(call.This, "resolvedOptions")
			return r.object("locale", c.locale.name, "usage", "sort", "sensitivity", c.sensitivity, "ignorePunctuation", false,
				"collation", "default", "numeric", c.numeric, "caseFirst", "false")
		}},
	})
	r.boundGetter(proto, "compare", 2, func(this *goja.Object) func(goja.FunctionCall) goja.Value {
		c := state(this, "compare")
		return func(call goja.FunctionCall) goja.Value {
			return r.vm.ToValue(c.compare(call.Argument(0).String(), call.Argument(1).String()))
		}
	})
}
