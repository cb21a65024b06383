package intl

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dop251/goja"
)

// locale is a supported locale with what its tag's Unicode extension asked for.
type locale struct {
	name     string // the data's tag, such as "en-IN"
	language *language
	data     *localeData
	keywords map[string]string
}

// findLocale takes the first supported one of the requested tags; none is the default. Within a language,
// subtags are dropped from the right until there is data, as RFC 4647 section 3.4 looks up.
func findLocale(tags []tag) (*locale, error) {
	if len(tags) == 0 {
		tags = []tag{{language: "en", region: "US"}}
	}
	for _, t := range tags {
		name, ok := available(t)
		if !ok {
			continue
		}
		lang := load(t.language)
		return &locale{name: name, language: lang, data: lang.Pool.Locales[lang.Locales[name]], keywords: t.keywords}, nil
	}
	return nil, rangeError("locale %q is not supported by piopiyd; supported languages, with all their regions: %s",
		clip(tags[0].String()), strings.Join(theRoot().languages, ", "))
}

func available(t tag) (string, bool) {
	known := theRoot().tags
	subs := t.plain()
	for n := len(subs); n > 0; n-- {
		if name := strings.Join(subs[:n], "-"); known[name] {
			// A variant may change what is written ("en-US-posix"); those that CLDR knows are not in the data.
			return name, !slices.Contains(t.variants, "posix")
		}
	}
	return "", false
}

// requested reads a locales argument: undefined, a tag, or a list of tags.
func requested(vm *goja.Runtime, v goja.Value) ([]tag, error) {
	if v == nil || goja.IsUndefined(v) {
		return nil, nil
	}
	if goja.IsString(v) {
		t, err := parseTag(v.String())
		if err != nil {
			return nil, err
		}
		return []tag{t}, nil
	}
	if goja.IsNull(v) {
		return nil, typeError("the locale is null; leave it out or give a tag such as \"en-IN\"")
	}
	obj := v.ToObject(vm)
	var length int64
	if n := obj.Get("length"); n != nil {
		length = n.ToInteger()
	}
	if length > 1000 {
		return nil, rangeError("a list of %d locales is too long", length)
	}
	var tags []tag
	seen := map[string]bool{}
	for i := range length {
		item := obj.Get(strconv.FormatInt(i, 10))
		if item == nil {
			continue
		}
		if _, isObject := item.(*goja.Object); !goja.IsString(item) && !isObject {
			return nil, typeError("locale %d of the list is no language tag", i)
		}
		t, err := parseTag(item.String())
		if err != nil {
			return nil, err
		}
		if name := t.String(); !seen[name] {
			seen[name] = true
			tags = append(tags, t)
		}
	}
	return tags, nil
}

// localeOf is requested and findLocale in one, the common start of every constructor. The common cases, nothing
// and one plain tag, are remembered.
func localeOf(vm *goja.Runtime, v goja.Value) (*locale, error) {
	if v == nil || goja.IsUndefined(v) {
		return oneLocale(DefaultLocale)
	}
	if goja.IsString(v) {
		return oneLocale(v.String())
	}
	tags, err := requested(vm, v)
	if err != nil {
		return nil, err
	}
	return findLocale(tags)
}

var locales = newCache[string, *locale](512)

func oneLocale(name string) (*locale, error) {
	return locales.get(name, func() (*locale, error) {
		t, err := parseTag(name)
		if err != nil {
			return nil, err
		}
		return findLocale([]tag{t})
	})
}

// numbering picks the numbering system: the option, else the tag's -u-nu-, else the locale's own.
func (l *locale) numbering(class, option string) (string, error) {
	if option == "" {
		option = l.keywords["nu"]
	}
	if option == "" {
		return l.data.Numbers.Numbering, nil
	}
	if _, ok := l.data.Numbers.Systems[option]; !ok {
		var known []string
		for name := range l.data.Numbers.Systems {
			known = append(known, name)
		}
		slices.Sort(known)
		return "", rangeError("Intl.%s: numberingSystem: %q is not supported for locale %q; supported: %s", class, clip(option), l.name, strings.Join(known, ", "))
	}
	return option, nil
}

func (l *locale) numbers(system string) *numberSystem {
	return l.language.Pool.Numbers[l.data.Numbers.Systems[system]].get()
}

// resolved is the locale as resolvedOptions tells it, with those of the tag's keywords that were used.
func (l *locale) resolved(used ...string) string {
	name, u := l.name, ""
	for i := 0; i < len(used); i += 2 {
		if value, ok := l.keywords[used[i]]; ok && value == used[i+1] {
			u += "-" + used[i]
			if value != "" {
				u += "-" + value
			}
		}
	}
	if u != "" {
		name += "-u" + u
	}
	return name
}

// currencies are what the locale calls them, by ISO code.
func (l *locale) currencies() map[string]*currencyName {
	return l.language.Pool.Currencies[l.data.Numbers.Currencies].get()
}

func (r *realm) canonicalLocales(call goja.FunctionCall) goja.Value {
	tags, err := requested(r.vm, call.Argument(0))
	check(r.vm, err)
	out := make([]any, len(tags))
	for i, t := range tags {
		out[i] = t.String()
	}
	return r.vm.NewArray(out...)
}

func (r *realm) supportedLocales(call goja.FunctionCall) goja.Value {
	tags, err := requested(r.vm, call.Argument(0))
	check(r.vm, err)
	out := []any{}
	for _, t := range tags {
		if _, ok := available(t); ok {
			out = append(out, t.String())
		}
	}
	return r.vm.NewArray(out...)
}
