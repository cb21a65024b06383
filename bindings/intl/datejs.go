package intl

import (
	"time"

	"github.com/dop251/goja"
)

const dateClass = "DateTimeFormat"

// dateTimeFormat adds Intl.DateTimeFormat (ECMA-402 section 11).
func (r *realm) dateTimeFormat(intl *goja.Object) {
	state := func(this goja.Value, method string) *dateFormatter {
		return stateOf[*dateFormatter](r, this, dateClass, method)
	}
	proto := r.class(intl, dateClass, false, func(locales, options goja.Value) (any, error) {
		l, err := localeOf(r.vm, locales)
		if err != nil {
			return nil, err
		}
		o, err := readDateOptions(r.vm, l, options, needAny, needDate, r.module.zone)
		if err != nil {
			return nil, err
		}
		return findDateFormatter(l, o), nil
	}, []method{
		{"formatToParts", 1, func(call goja.FunctionCall) goja.Value {
			var parts []part
			_, err := state(call.This, "formatToParts").format(r.time(call.Argument(0)), &parts)
			check(r.vm, err)
			return r.parts(parts)
		}},
		{"resolvedOptions", 0, func(call goja.FunctionCall) goja.Value {
			return r.dateResolved(state(call.This, "resolvedOptions"))
		}},
		{"formatRange", 2, r.unsupported("Intl.DateTimeFormat.prototype.formatRange", "format both ends")},
		{"formatRangeToParts", 2, r.unsupported("Intl.DateTimeFormat.prototype.formatRangeToParts", "format both ends")},
	})
	r.boundGetter(proto, "format", 1, func(this *goja.Object) func(goja.FunctionCall) goja.Value {
		d := state(this, "format")
		return func(call goja.FunctionCall) goja.Value {
			s, err := d.format(r.time(call.Argument(0)), nil)
			check(r.vm, err)
			return r.vm.ToValue(s)
		}
	})
}

// time reads the date argument of format: a Date, a number of milliseconds, or undefined for now.
func (r *realm) time(v goja.Value) time.Time {
	if goja.IsUndefined(v) {
		return r.now()
	}
	ms, err := toFloat(v)
	check(r.vm, err)
	t, err := timeOf(ms)
	check(r.vm, err)
	return t
}

func (r *realm) unsupported(what, instead string) func(goja.FunctionCall) goja.Value {
	return func(goja.FunctionCall) goja.Value {
		panic(r.vm.NewTypeError("%s is not supported by piopiyd; %s", what, instead))
	}
}

func (r *realm) dateResolved(d *dateFormatter) goja.Value {
	o, p := d.options, d.pattern
	word := func(words []string, index uint8) any {
		if index == 0 {
			return nil
		}
		return words[index-1]
	}
	digits := func(asked uint8, letters ...byte) any {
		f := p.find(letters...)
		if f == nil || o.dateStyle != 0 || o.timeStyle != 0 {
			return nil
		}
		if f.names != nil {
			return word(monthWords, asked)
		}
		if f.wide {
			return "2-digit"
		}
		return "numeric"
	}
	var cycle, hour12 any
	if f := p.find('H', 'h', 'K', 'k'); f != nil {
		cycle = map[byte]string{'K': "h11", 'h': "h12", 'H': "h23", 'k': "h24"}[f.letter]
		hour12 = f.letter == 'h' || f.letter == 'K'
	}
	hc := d.locale.keywords["hc"]
	if o.hourMode == 0 || o.hourMode > uint8(len(cycleWords)) || cycleWords[o.hourMode-1] != hc {
		hc = "none"
	}
	var fraction, period any
	if p.has('a') {
		period = word(nameWords, o.period)
	}
	if o.fraction != 0 {
		fraction = o.fraction
	}
	return r.object("locale", d.locale.resolved("ca", "gregory", "hc", hc, "nu", o.numbering), "calendar", "gregory", "numberingSystem", o.numbering,
		"timeZone", d.zone.name, "hourCycle", cycle, "hour12", hour12, "weekday", word(nameWords, o.weekday), "year", digits(o.year, 'y'),
		"month", digits(o.month, 'M', 'm'), "day", digits(o.day, 'd'), "dayPeriod", period, "hour", digits(o.hour, 'H', 'h', 'K', 'k'),
		"minute", digits(o.minute, 'i'), "second", digits(o.second, 's'), "fractionalSecondDigits", fraction,
		"timeZoneName", word(zoneWords, o.zoneName), "dateStyle", word(styleWords, o.dateStyle), "timeStyle", word(styleWords, o.timeStyle))
}
