package intl

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dop251/goja"
	"golang.org/x/text/feature/plural"
	xlanguage "golang.org/x/text/language"
)

const pluralClass = "PluralRules"

var pluralForms = map[plural.Form]string{plural.Other: "other", plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many"}

// pluralCategory is the plural category of a number as it is written: the digits before and after the point.
func pluralCategory(l *locale, ordinal bool, whole, fraction string) string {
	// The rules are a language's; of the regions only Portugal has its own.
	lang, _, _ := strings.Cut(l.name, "-")
	name := lang
	if l.name == "pt-PT" {
		name = l.name
	}
	visible := strings.TrimRight(fraction, "0")
	// Rules which x/text's older CLDR does not have yet.
	if !ordinal && lang == "mr" {
		if strings.TrimLeft(whole, "0") == "1" && visible == "" {
			return "one"
		}
		return "other"
	}
	if !ordinal && slices.Contains([]string{"es", "fr", "it", "pt"}, lang) && fraction == "" && len(whole) > 6 && allZero(whole[len(whole)-6:]) && !allZero(whole) {
		return "many"
	}
	rules := plural.Cardinal
	if ordinal {
		rules = plural.Ordinal
	}
	return pluralForms[rules.MatchPlural(pluralTag(name), lastDigits(whole), len(fraction), len(visible), lastDigits(fraction), lastDigits(visible))]
}

var pluralTags = newCache[string, xlanguage.Tag](512)

func pluralTag(name string) xlanguage.Tag {
	t, _ := pluralTags.get(name, func() (xlanguage.Tag, error) { return xlanguage.Make(name), nil })
	return t
}

// lastDigits is the number that digits write, taken modulo ten million as the rules allow, but kept apart from
// small numbers that it is not.
func lastDigits(digits string) int {
	digits = strings.TrimLeft(digits, "0")
	if len(digits) > 7 {
		digits = "1" + digits[len(digits)-7:]
	}
	n, _ := strconv.Atoi(digits)
	return n
}

// pluralSelector is the state of an Intl.PluralRules.
type pluralSelector struct {
	locale  *locale
	ordinal bool
	digits  digitOptions
}

var pluralOptionNames = optionNames(digitNames + "localeMatcher type")

// pluralRules adds Intl.PluralRules (ECMA-402 section 17).
func (r *realm) pluralRules(intl *goja.Object) {
	state := func(this goja.Value, method string) *pluralSelector {
		return stateOf[*pluralSelector](r, this, pluralClass, method)
	}
	r.class(intl, pluralClass, true, func(locales, options goja.Value) (any, error) {
		l, err := localeOf(r.vm, locales)
		if err != nil {
			return nil, err
		}
		b := newBag(r.vm, pluralClass, options, pluralOptionNames)
		b.choice("localeMatcher", "lookup", "best fit")
		ordinal := b.choice("type", "cardinal", "ordinal") == "ordinal"
		return &pluralSelector{locale: l, ordinal: ordinal, digits: readDigits(b, 0, 3)}, b.err
	}, []method{
		{"select", 1, func(call goja.FunctionCall) goja.Value {
			p := state(call.This, "select")
			n, err := toFloat(call.Argument(0))
			check(r.vm, err)
			return r.vm.ToValue(p.choose(decimalOf(n)))
		}},
		{"resolvedOptions", 0, func(call goja.FunctionCall) goja.Value {
			p := state(call.This, "resolvedOptions")
			kind := "cardinal"
			if p.ordinal {
				kind = "ordinal"
			}
			pairs := append([]any{"locale", p.locale.name, "type", kind}, p.digits.resolved()...)
			return r.object(append(pairs, "pluralCategories", r.vm.NewArray(p.categories()...))...)
		}},
		{"selectRange", 2, r.unsupported("Intl.PluralRules.prototype.selectRange", "use select")},
	})
}

func (p *pluralSelector) choose(d decimal) string {
	if d.nan || d.infinite {
		return "other"
	}
	_, whole, fraction := p.digits.apply(d)
	return pluralCategory(p.locale, p.ordinal, whole, fraction)
}

// categories lists the categories which the locale's rules can answer.
func (p *pluralSelector) categories() []any {
	seen := map[string]bool{"other": true}
	for n := range 1001 {
		whole := strconv.Itoa(n)
		seen[pluralCategory(p.locale, p.ordinal, whole, "")] = true
		seen[pluralCategory(p.locale, p.ordinal, whole, "1")] = true
	}
	seen[pluralCategory(p.locale, p.ordinal, "1000000", "")] = true
	var out []any
	for _, c := range []string{"few", "many", "one", "two", "zero", "other"} {
		if seen[c] {
			out = append(out, c)
		}
	}
	return out
}
