package intl

import (
	"maps"
	"slices"
	"strings"

	"github.com/dop251/goja"
)

const numberClass = "NumberFormat"

// numberOptions are the options of Intl.NumberFormat, comparable so that equal formatters are made once.
type numberOptions struct {
	numbering, style, currency, display, grouping, signDisplay string
	accounting                                                 bool
	digits                                                     digitOptions
}

var numberOptionNames = optionNames(digitNames + "localeMatcher numberingSystem style currency currencyDisplay currencySign unit unitDisplay notation compactDisplay " +
	"signDisplay useGrouping")

func readNumberOptions(vm *goja.Runtime, l *locale, v goja.Value) (numberOptions, error) {
	b := newBag(vm, numberClass, v, numberOptionNames)
	var o numberOptions
	b.choice("localeMatcher", "lookup", "best fit")
	var err error
	if o.numbering, err = l.numbering(numberClass, b.text("numberingSystem")); err != nil {
		b.fail(err)
	}
	o.style = b.only("style", "unit", "decimal", "percent", "currency")
	o.currency = strings.ToUpper(b.text("currency"))
	o.display = b.choice("currencyDisplay", "symbol", "narrowSymbol", "code", "name")
	o.accounting = b.choice("currencySign", "standard", "accounting") == "accounting"
	if b.err == nil && o.currency != "" {
		checkCurrency(b, l, o.currency)
	}
	if b.err == nil && o.style == "currency" && o.currency == "" {
		b.fail(typeError("Intl.%s: style: \"currency\" needs a currency, such as currency: \"INR\"", numberClass))
	}
	least, most := 0, 3
	switch o.style {
	case "percent":
		most = 0
	case "currency":
		least = 2
		if n, ok := theRoot().CurrencyDigits[o.currency]; ok {
			least = n
		}
		most = least
	}
	b.only("notation", "scientific engineering compact", "standard")
	o.digits = readDigits(b, least, most)
	o.grouping = readGrouping(b)
	o.signDisplay = b.choice("signDisplay", "auto", "never", "always", "exceptZero", "negative")
	if o.style != "currency" {
		o.currency, o.display, o.accounting = "", "", false
	} else if o.display == "" {
		o.display = "symbol"
	}
	if o.signDisplay == "never" {
		o.accounting = false // without a sign there is nothing to bracket
	}
	if o.signDisplay == "" {
		o.signDisplay = "auto"
	}
	if b.err == nil && o.display == "name" && slices.Contains(l.numbers(o.numbering).Muddled, o.currency) {
		b.fail(rangeError("Intl.%s: currencyDisplay: \"name\" is not supported by piopiyd for %s in locale %q; supported: symbol, narrowSymbol, code", numberClass, o.currency, l.name))
	}
	return o, b.err
}

func checkCurrency(b *bag, l *locale, code string) {
	if _, ok := l.currencies()[code]; !ok {
		b.fail(rangeError("Intl.%s: currency: %q is not a currency in use; give an ISO 4217 code such as \"INR\", \"USD\" or \"EUR\"", b.class, clip(code)))
	}
}

// readGrouping reads useGrouping, a word or a boolean.
func readGrouping(b *bag) string {
	v := b.value("useGrouping")
	if v == nil {
		return "auto"
	}
	if on, ok := v.Export().(bool); ok {
		if on {
			return "always"
		}
		return "false"
	}
	if goja.IsString(v) {
		switch s := v.String(); s {
		case "true", "false":
			return "auto"
		case "":
			return "false"
		}
	} else if !v.ToBoolean() {
		return "false"
	}
	return b.choice("useGrouping", "min2", "auto", "always")
}

func currencyCodes() []string {
	en := load("en")
	return slices.Sorted(maps.Keys(en.Pool.Currencies[0].get()))
}

// numberFormat adds Intl.NumberFormat (ECMA-402 section 15).
func (r *realm) numberFormat(intl *goja.Object) {
	state := func(this goja.Value, method string) *numberFormatter {
		return stateOf[*numberFormatter](r, this, numberClass, method)
	}
	number := func(v goja.Value) decimal {
		d, err := decimalFrom(v)
		check(r.vm, err)
		return d
	}
	proto := r.class(intl, numberClass, false, func(locales, options goja.Value) (any, error) {
		l, err := localeOf(r.vm, locales)
		if err != nil {
			return nil, err
		}
		o, err := readNumberOptions(r.vm, l, options)
		if err != nil {
			return nil, err
		}
		return findNumberFormatter(l, o), nil
	}, []method{
		{"formatToParts", 1, func(call goja.FunctionCall) goja.Value {
			var parts []part
			state(call.This, "formatToParts").format(number(call.Argument(0)), &parts)
			return r.parts(parts)
		}},
		{"resolvedOptions", 0, func(call goja.FunctionCall) goja.Value {
			return r.numberResolved(state(call.This, "resolvedOptions"))
		}},
		{"formatRange", 2, r.unsupported("Intl.NumberFormat.prototype.formatRange", "format both ends")},
		{"formatRangeToParts", 2, r.unsupported("Intl.NumberFormat.prototype.formatRangeToParts", "format both ends")},
	})
	r.boundGetter(proto, "format", 1, func(this *goja.Object) func(goja.FunctionCall) goja.Value {
		f := state(this, "format")
		return func(call goja.FunctionCall) goja.Value {
			return r.vm.ToValue(f.format(number(call.Argument(0)), nil))
		}
	})
}

func (r *realm) numberResolved(f *numberFormatter) goja.Value {
	o := f.options
	sign, grouping, zeros := any(nil), any(o.grouping), "auto"
	if o.style == "currency" {
		sign = "standard"
		if o.accounting {
			sign = "accounting"
		}
	}
	if o.grouping == "false" {
		grouping = false
	}
	if o.digits.stripZeros {
		zeros = "stripIfInteger"
	}
	pairs := []any{"locale", f.locale.resolved("nu", o.numbering), "numberingSystem", o.numbering, "style", o.style, "currency", o.currency,
		"currencyDisplay", o.display, "currencySign", sign}
	pairs = append(pairs, o.digits.resolved()...)
	pairs = append(pairs, "useGrouping", grouping, "notation", "standard", "signDisplay", o.signDisplay, "roundingMode", o.digits.rounding,
		"roundingIncrement", 1, "trailingZeroDisplay", zeros, "roundingPriority", "auto")
	return r.object(pairs...)
}
