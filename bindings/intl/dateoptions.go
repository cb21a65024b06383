package intl

import (
	"strings"

	"github.com/dop251/goja"
)

// dateOptions are the options of Intl.DateTimeFormat as small numbers, in the order of gen/dates.mjs: 0 is not set.
// The value is comparable, so that equal formatters are made once.
type dateOptions struct {
	numbering                                string
	zone                                     *zone
	weekday, year, month, day                uint8
	period, hour, minute, second, fraction   uint8
	zoneName, dateStyle, timeStyle, hourMode uint8
}

var (
	nameWords   = []string{"narrow", "short", "long"}
	numberWords = []string{"numeric", "2-digit"}
	monthWords  = []string{"numeric", "2-digit", "narrow", "short", "long"}
	cycleWords  = []string{"h11", "h12", "h23", "h24"}
	styleWords  = []string{"full", "long", "medium", "short"}
	zoneWords   = []string{"short", "long", "shortOffset", "longOffset"}
)

var dateOptionNames = optionNames("localeMatcher calendar numberingSystem hour12 hourCycle timeZone weekday era year month day dayPeriod " +
	"hour minute second fractionalSecondDigits timeZoneName formatMatcher dateStyle timeStyle")

// Modes of hours in the data: the four cycles first, then hour12.
const (
	hour12True uint8 = iota + 5
	hour12False
)

// Which fields a formatter must have and gets when it is given none (ECMA-402 CreateDateTimeFormat).
type need uint8

const (
	needDate need = 1 << iota
	needTime
	needAny = needDate | needTime
)

// readDateOptions reads the options in the standard's order. required says what counts as a field given;
// defaults, what is put in when there is none.
func readDateOptions(vm *goja.Runtime, l *locale, v goja.Value, required, defaults need, local *zone) (dateOptions, error) {
	const class = "DateTimeFormat"
	b := newBag(vm, class, v, dateOptionNames)
	var o dateOptions
	b.choice("localeMatcher", "lookup", "best fit")
	calendar := b.text("calendar")
	if calendar == "" {
		calendar = l.keywords["ca"]
	}
	if b.err == nil && calendar != "" && !strings.EqualFold(calendar, "gregory") {
		b.fail(rangeError("Intl.%s: calendar: %q is not supported by piopiyd; supported: gregory", class, clip(calendar)))
	}
	if b.err == nil {
		var err error
		if o.numbering, err = l.numbering(class, b.text("numberingSystem")); err != nil {
			b.fail(err)
		}
	}
	hour12 := b.value("hour12")
	o.hourMode = b.index("hourCycle", cycleWords...)
	if o.hourMode == 0 {
		for i, w := range cycleWords {
			if l.keywords["hc"] == w {
				o.hourMode = uint8(i + 1)
			}
		}
	}
	if hour12 != nil {
		o.hourMode = hour12False
		if hour12.ToBoolean() {
			o.hourMode = hour12True
		}
	}
	o.zone = local
	if name := b.value("timeZone"); name != nil {
		z, err := findZone(name.String())
		if err != nil {
			b.fail(typePrefix(class, err))
		}
		o.zone = z
	}
	o.weekday = b.index("weekday", nameWords...)
	if era := b.value("era"); era != nil {
		b.fail(rangeError("Intl.%s: era is not supported by piopiyd; leave it out", class))
	}
	o.year = b.index("year", numberWords...)
	o.month = b.index("month", monthWords...)
	o.day = b.index("day", numberWords...)
	o.period = b.index("dayPeriod", nameWords...)
	o.hour = b.index("hour", numberWords...)
	o.minute = b.index("minute", numberWords...)
	o.second = b.index("second", numberWords...)
	o.fraction = uint8(b.number("fractionalSecondDigits", 1, 3, 0))
	o.zoneName = b.zoneName()
	b.choice("formatMatcher", "basic", "best fit")
	o.dateStyle = b.index("dateStyle", styleWords...)
	o.timeStyle = b.index("timeStyle", styleWords...)
	if b.err != nil {
		return o, b.err
	}
	return o.complete(required, defaults)
}

// zoneName reads timeZoneName, whose generic styles the data do not have.
func (b *bag) zoneName() uint8 {
	switch b.text("timeZoneName") {
	case "shortGeneric", "longGeneric":
		b.fail(rangeError("Intl.%s: timeZoneName: %q is not supported by piopiyd; supported: %s", b.class, b.text("timeZoneName"), strings.Join(zoneWords, ", ")))
		return 0
	}
	return b.index("timeZoneName", zoneWords...)
}

func (o dateOptions) complete(required, defaults need) (dateOptions, error) {
	const class = "DateTimeFormat"
	dates := o.weekday != 0 || o.year != 0 || o.month != 0 || o.day != 0
	times := o.period != 0 || o.hour != 0 || o.minute != 0 || o.second != 0 || o.fraction != 0
	if o.dateStyle != 0 || o.timeStyle != 0 {
		if dates || times || o.zoneName != 0 {
			return o, typeError("Intl.%s: dateStyle and timeStyle cannot be combined with weekday, year, month, day, dayPeriod, hour, minute, second, fractionalSecondDigits or timeZoneName", class)
		}
		if required == needDate && o.timeStyle != 0 {
			return o, typeError("toLocaleDateString: timeStyle writes a time; use toLocaleString")
		}
		if required == needTime && o.dateStyle != 0 {
			return o, typeError("toLocaleTimeString: dateStyle writes a date; use toLocaleString")
		}
		return o, nil
	}
	if required&needDate != 0 && dates || required&needTime != 0 && times {
		defaults = 0
	}
	if defaults&needDate != 0 {
		o.year, o.month, o.day = 1, 1, 1
	}
	if defaults&needTime != 0 {
		o.hour, o.minute, o.second = 1, 1, 1
	}
	if o.fraction != 0 && (o.second == 0 || o.minute == 0) {
		return o, rangeError("Intl.%s: fractionalSecondDigits needs minute and second in piopiyd", class)
	}
	return o, nil
}

// typePrefix says which class a fault of a shared reader belongs to.
func typePrefix(class string, err error) error {
	if f, ok := err.(*fault); ok {
		return &fault{f.kind, "Intl." + class + ": " + f.message}
	}
	return err
}
