package intl

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/dop251/goja"
)

const relativeClass = "RelativeTimeFormat"

// relativeFormatter is the state of an Intl.RelativeTimeFormat.
type relativeFormatter struct {
	locale       *locale
	style        string
	auto         bool
	numbering    string
	numbers      *numberFormatter
	phrasesOfAll map[string]relativePhrases
}

// relativePhrases are what a locale says with one unit in one style.
type relativePhrases struct {
	Future map[string]string `json:"future"` // by plural category, {0} for the number
	Past   map[string]string `json:"past"`
	Words  map[string]string `json:"words"` // by number: "tomorrow"
}

var (
	relativeOptionNames = optionNames("localeMatcher numberingSystem style numeric")
	relativeData        = newCache[*localeData, map[string]relativePhrases](512)
	relativeUnits       = []string{"second", "minute", "hour", "day", "week", "month", "quarter", "year"}
)

// relativeTimeFormat adds Intl.RelativeTimeFormat (ECMA-402 section 18).
func (r *realm) relativeTimeFormat(intl *goja.Object) {
	state := func(this goja.Value, method string) *relativeFormatter {
		return stateOf[*relativeFormatter](r, this, relativeClass, method)
	}
	r.class(intl, relativeClass, true, func(locales, options goja.Value) (any, error) {
		l, err := localeOf(r.vm, locales)
		if err != nil {
			return nil, err
		}
		b := newBag(r.vm, relativeClass, options, relativeOptionNames)
		b.choice("localeMatcher", "lookup", "best fit")
		f := &relativeFormatter{locale: l}
		if f.numbering, err = l.numbering(relativeClass, b.text("numberingSystem")); err != nil {
			b.fail(err)
		}
		if f.style = b.choice("style", "long", "short", "narrow"); f.style == "" {
			f.style = "long"
		}
		f.auto = b.choice("numeric", "always", "auto") == "auto"
		if b.err != nil {
			return nil, b.err
		}
		f.numbers = findNumberFormatter(l, numberOptions{numbering: f.numbering, style: "decimal", grouping: "auto", signDisplay: "never",
			digits: digitOptions{whole: 1, maxFraction: 3, rounding: "halfExpand"}})
		f.phrasesOfAll, err = relativeData.get(l.data, func() (all map[string]relativePhrases, err error) {
			return all, json.Unmarshal(l.language.Pool.Words[l.data.Words.Relative], &all)
		})
		return f, err
	}, []method{
		{"format", 2, func(call goja.FunctionCall) goja.Value {
			f := state(call.This, "format")
			text, _ := f.format(r, call)
			return r.vm.ToValue(text)
		}},
		{"formatToParts", 2, func(call goja.FunctionCall) goja.Value {
			f := state(call.This, "formatToParts")
			_, parts := f.format(r, call)
			return parts
		}},
		{"resolvedOptions", 0, func(call goja.FunctionCall) goja.Value {
			f := state(call.This, "resolvedOptions")
			numeric := "always"
			if f.auto {
				numeric = "auto"
			}
			return r.object("locale", f.locale.resolved("nu", f.numbering), "style", f.style, "numeric", numeric, "numberingSystem", f.numbering)
		}},
	})
}

// format answers both as text and as parts.
func (f *relativeFormatter) format(r *realm, call goja.FunctionCall) (string, goja.Value) {
	n, err := toFloat(call.Argument(0))
	check(r.vm, err)
	unit := call.Argument(1).String()
	if math.IsNaN(n) || math.IsInf(n, 0) {
		check(r.vm, rangeError("Intl.%s: the number is %v; it must be finite", relativeClass, n))
	}
	phrases, ok := f.phrasesOfAll[strings.TrimSuffix(unit, "s")+" "+f.style]
	if !ok {
		check(r.vm, rangeError("Intl.%s: unit %q is not one of %s", relativeClass, clip(unit), strings.Join(relativeUnits, ", ")))
	}
	unit = strings.TrimSuffix(unit, "s")
	if f.auto { // n+0 is 0 for -0
		if word, ok := phrases.Words[strconv.FormatFloat(n+0, 'f', -1, 64)]; ok {
			return word, r.parts([]part{{"literal", word}})
		}
	}
	side := phrases.Future
	if math.Signbit(n) {
		side = phrases.Past
	}
	d := decimalOf(math.Abs(n))
	_, whole, fraction := f.numbers.options.digits.apply(d)
	template, ok := side[pluralCategory(f.locale, false, whole, fraction)]
	if !ok {
		template = side["other"]
	}
	var pieces []part
	number := f.numbers.format(d, &pieces)
	before, after, has := strings.Cut(template, "{0}")
	if !has { // the phrase says the number itself
		return template, r.parts([]part{{"literal", template}})
	}
	var out []any
	literal := func(text string) {
		if text != "" {
			out = append(out, r.object("type", "literal", "value", text))
		}
	}
	literal(before)
	for _, p := range pieces {
		out = append(out, r.object("type", p.kind, "value", p.value, "unit", unit))
	}
	literal(after)
	return before + number + after, r.vm.NewArray(out...)
}
