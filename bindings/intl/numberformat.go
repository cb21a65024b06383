package intl

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// numberSystem is how a locale writes numbers in one numbering system; gen/numbers.mjs tells how it is read.
type numberSystem struct {
	Zero     rune   `json:"zero"`
	Minus    string `json:"minus"`
	Plus     string `json:"plus"`
	Percent  string `json:"percent"`
	NaN      string `json:"nan"`
	Infinity string `json:"infinity"`

	Decimal      numberStyle            `json:"decimal"`
	PercentStyle numberStyle            `json:"percentStyle"`
	Currency     moneyStyle             `json:"currency"`
	Special      map[string]*moneyStyle `json:"special"` // currencies that the locale writes its own way
	Muddled      []string               `json:"muddled"` // currencies of whose names nothing is known for certain
	Units        map[string]affixes     `json:"units"`   // round a currency's name, by plural category
}

// moneyStyle is how amounts are written: with a symbol, in an accountant's hand, with the currency's name.
type moneyStyle struct {
	Standard   currencyStyle `json:"standard"`
	Accounting currencyStyle `json:"accounting"`
	Named      numberStyle   `json:"named"`
}

// numberStyle is the shape of numbers of one style.
type numberStyle struct {
	Forms     [3]affixes `json:"forms"` // plain, with minus, with plus
	Point     string     `json:"point"`
	Group     string     `json:"group"`
	Primary   int        `json:"primary"`   // digits of the last group
	Secondary int        `json:"secondary"` // digits of the others
	Least     int        `json:"least"`     // digits before the last group, at least, for grouping to begin
}

// currencyStyle has forms next to a sign such as € and to letters such as EUR.
type currencyStyle struct {
	numberStyle
	Sign   [3]affixes `json:"sign"`
	Letter [3]affixes `json:"letter"`
}

// affixes are what stands before and after the digits.
type affixes [2]string

// numberFormatter writes numbers one way. It is immutable and shared by all VMs.
type numberFormatter struct {
	locale  *locale
	options numberOptions
	system  *numberSystem
	style   *numberStyle
	forms   [3]affixes
	bare    [3]affixes    // forms around what is no digits: NaN and infinity
	symbol  string        // of the currency
	names   *currencyName // with currencyDisplay: name
}

type numberKey struct {
	locale  string
	options numberOptions
}

var numberFormatters = newCache[numberKey, *numberFormatter](1024)

func findNumberFormatter(l *locale, o numberOptions) *numberFormatter {
	f, _ := numberFormatters.get(numberKey{l.name, o}, func() (*numberFormatter, error) { return newNumberFormatter(l, o), nil })
	return f
}

func newNumberFormatter(l *locale, o numberOptions) *numberFormatter {
	f := &numberFormatter{locale: l, options: o, system: l.numbers(o.numbering)}
	switch o.style {
	case "percent":
		f.style = &f.system.PercentStyle
		f.forms = f.style.Forms
	case "currency":
		f.currency()
	default:
		f.style = &f.system.Decimal
		f.forms = f.style.Forms
	}
	if f.symbol == "" {
		f.bare = f.forms
	}
	return f
}

func (f *numberFormatter) currency() {
	o := f.options
	names := f.locale.currencies()[o.currency]
	money := &f.system.Currency
	if special, ok := f.system.Special[o.currency]; ok {
		money = special
	}
	switch o.display {
	case "name":
		f.names = names
		f.style = &money.Named
		f.forms = f.style.Forms
		return
	case "code":
		f.symbol = o.currency
	case "narrowSymbol":
		f.symbol = names.narrow
	default:
		f.symbol = names.symbol
	}
	forms := &money.Standard
	if o.accounting {
		forms = &money.Accounting
	}
	f.style = &forms.numberStyle
	f.forms, f.bare = forms.Sign, forms.Sign
	for i, form := range forms.Letter {
		if f.touchesLetter(form) {
			f.forms[i] = form
		}
	}
}

// touchesLetter reports whether the end of the currency's symbol next to the number is no sign, which CLDR
// sets off with a space.
func (f *numberFormatter) touchesLetter(form affixes) bool {
	r, _ := utf8.DecodeLastRuneInString(f.symbol)
	if !strings.Contains(form[0], "{$}") {
		r, _ = utf8.DecodeRuneInString(f.symbol)
	}
	return !unicode.Is(unicode.S, r) && !unicode.Is(unicode.Z, r)
}

// format writes a number; with parts not nil it collects the pieces as well.
func (f *numberFormatter) format(d decimal, parts *[]part) string {
	if f.options.style == "percent" && len(d.digits) > 0 {
		d.point += 2
	}
	rounded, whole, fraction := f.options.digits.apply(d)
	w := numberWriter{f: f, parts: parts}
	form := f.forms[f.sign(rounded)]
	if rounded.nan || rounded.infinite {
		form = f.bare[f.sign(rounded)]
	}
	before, after := form[0], form[1]
	if f.names != nil {
		category := "other"
		if !rounded.nan && !rounded.infinite {
			category = pluralCategory(f.locale, false, whole, fraction)
		}
		named, ok := f.system.Units[category]
		if !ok {
			named = f.system.Units["other"]
		}
		w.symbol = f.names.name
		if special, ok := f.names.plural[category]; ok {
			w.symbol = special
		}
		before, after = named[0]+before, after+named[1]
	}
	w.affix(before)
	switch {
	case rounded.nan:
		w.add("nan", f.system.NaN)
	case rounded.infinite:
		w.add("infinity", f.system.Infinity)
	default:
		w.whole(whole)
		if fraction != "" {
			w.add("decimal", f.style.Point)
			w.add("fraction", native(fraction, f.system.Zero))
		}
	}
	w.affix(after)
	return w.out.String()
}

// sign chooses the form: plain, with minus, or with plus.
func (f *numberFormatter) sign(d decimal) int {
	zero := d.zero() || d.nan
	switch f.options.signDisplay {
	case "never":
		return 0
	case "always":
		if d.negative {
			return 1
		}
		return 2
	case "exceptZero":
		switch {
		case zero:
			return 0
		case d.negative:
			return 1
		}
		return 2
	case "negative":
		if d.negative && !zero {
			return 1
		}
		return 0
	}
	if d.negative {
		return 1
	}
	return 0
}

type numberWriter struct {
	f      *numberFormatter
	symbol string
	out    strings.Builder
	parts  *[]part
}

func (w *numberWriter) add(kind, text string) {
	w.out.WriteString(text)
	if w.parts != nil {
		*w.parts = appendPart(*w.parts, kind, text)
	}
}

func (w *numberWriter) affix(text string) {
	for text != "" {
		open := strings.IndexByte(text, '{')
		if open < 0 {
			w.add("literal", text)
			return
		}
		if open > 0 {
			w.add("literal", text[:open])
		}
		switch text[open+1] {
		case '-':
			w.add("minusSign", w.f.system.Minus)
		case '+':
			w.add("plusSign", w.f.system.Plus)
		case '%':
			w.add("percentSign", w.f.system.Percent)
		case '$':
			symbol := w.f.symbol
			if w.symbol != "" {
				symbol = w.symbol
			}
			bare := strings.TrimRight(symbol, "\u200e\u200f\u061c") // direction marks are no part of the symbol
			w.add("currency", bare)
			w.add("literal", symbol[len(bare):])
		}
		text = text[open+3:]
	}
}

// whole writes the digits before the decimal point in groups.
func (w *numberWriter) whole(digits string) {
	s := w.f.style
	least := s.Least
	switch w.f.options.grouping {
	case "false":
		least = -1
	case "always":
		least = 1
	case "min2":
		least = max(least, 2)
	}
	if least < 0 || s.Primary == 0 || len(digits) < s.Primary+least {
		w.add("integer", native(digits, w.f.system.Zero))
		return
	}
	groups := []string{digits[len(digits)-s.Primary:]}
	for rest := digits[:len(digits)-s.Primary]; rest != ""; {
		n := max(len(rest)-s.Secondary, 0)
		groups = append(groups, rest[n:])
		rest = rest[:n]
	}
	slices.Reverse(groups)
	for i, g := range groups {
		if i > 0 {
			w.add("group", s.Group)
		}
		w.add("integer", native(g, w.f.system.Zero))
	}
}
