package intl

import (
	"encoding/json"
	"math"
	"strings"
	"time"
)

// dateFormatter writes dates one way. It is immutable and shared by all VMs.
type dateFormatter struct {
	locale    *locale
	options   dateOptions
	zone      *zone
	pattern   pattern
	zoneNames *zoneTable
	zoneStyle uint8
	zero      rune // digit nought of the numbering system
	fraction  uint8
}

type dateKey struct {
	locale  string
	options dateOptions
}

var (
	dateFormatters = newCache[dateKey, *dateFormatter](1024)
	zoneTables     = newCache[*localeData, *zoneTable](512)
)

func findDateFormatter(l *locale, o dateOptions) *dateFormatter {
	d, _ := dateFormatters.get(dateKey{l.name, o}, func() (*dateFormatter, error) { return newDateFormatter(l, o), nil })
	return d
}

func newDateFormatter(l *locale, o dateOptions) *dateFormatter {
	d := &dateFormatter{locale: l, options: o, zone: o.zone, fraction: o.fraction, zoneStyle: o.zoneName}
	numbers := l.numbers(o.numbering)
	d.zero = numbers.Zero
	d.pattern = l.datePattern(o)
	if o.fraction != 0 {
		d.pattern = d.pattern.withFraction(numbers.Decimal.Point)
	}
	switch o.timeStyle { // full and long write the zone
	case 1:
		d.zoneStyle = zoneLong
	case 2:
		d.zoneStyle = zoneShort
	}
	if d.pattern.has('z') {
		d.zoneNames = l.zoneTable()
	}
	return d
}

// datePattern finds the pattern in the tables, which are laid out by gen/dates.mjs.
func (l *locale) datePattern(o dateOptions) pattern {
	data, lang := l.data, l.language
	if o.dateStyle != 0 || o.timeStyle != 0 {
		return lang.pattern(data.Stamps, (int(o.hourMode)*5+int(o.dateStyle))*5+int(o.timeStyle))
	}
	zoned := int(o.zoneName)
	date := func(zoned int) pattern {
		return lang.pattern(data.Dates, (((int(o.weekday)*3+int(o.year))*6+int(o.month))*3+int(o.day))*5+zoned)
	}
	clock := func(weekday uint8) pattern {
		block := 0
		if o.hour != 0 {
			block = 1 + (int(o.hour)-1)*7 + int(o.hourMode)
		}
		return lang.pattern(data.Times[block], (((int(weekday)*3+int(o.minute))*3+int(o.second))*4+int(o.period))*5+zoned)
	}
	hasDate := o.year != 0 || o.month != 0 || o.day != 0
	hasTime := o.period != 0 || o.hour != 0 || o.minute != 0 || o.second != 0
	switch {
	case hasDate && hasTime:
		return lang.compile(lang.Pool.Patterns[data.Glues[int(o.weekday)*6+int(o.month)]]).glue(date(0), clock(0))
	case hasTime:
		return clock(o.weekday)
	}
	return date(zoned)
}

func (l *locale) zoneTable() *zoneTable {
	table, _ := zoneTables.get(l.data, func() (*zoneTable, error) {
		raw, t := l.language.Pool.ZoneNames, new(zoneTable)
		must(json.Unmarshal(raw[l.data.Zones.Short], &t.short))
		must(json.Unmarshal(raw[l.data.Zones.Long], &t.long))
		must(json.Unmarshal(raw[l.data.Zones.GMT], &t.gmt))
		return t, nil
	})
	return table
}

// maxTime is the last millisecond a JavaScript Date can be.
const maxTime = 8.64e15

// timeOf turns a Date's milliseconds into a time.
func timeOf(ms float64) (time.Time, error) {
	if math.IsNaN(ms) || math.Abs(ms) > maxTime {
		return time.Time{}, rangeError("Intl.DateTimeFormat: the date is invalid")
	}
	return time.UnixMilli(int64(ms)), nil
}

// format writes t; with parts not nil it collects the pieces as well.
func (d *dateFormatter) format(t time.Time, parts *[]part) (string, error) {
	t = t.In(d.zone.where)
	var out strings.Builder
	for i := range d.pattern {
		f := &d.pattern[i]
		text, err := f.write(t, d)
		if err != nil {
			return "", err
		}
		if f.names == nil && f.letter != 0 && !(f.letter == 'z' && d.zoneNamed(text)) {
			text = native(text, d.zero)
		}
		out.WriteString(text)
		if parts != nil {
			*parts = appendPart(*parts, partNames[f.letter], text)
		}
	}
	// V8 writes an ordinary space for CLDR's narrow one before AM, though not in formatToParts: scripts that
	// split a time at the space must go on working.
	return strings.ReplaceAll(out.String(), "\u202f", " "), nil
}

// zoneNamed reports whether a zone's name has no digits of ours.
func (d *dateFormatter) zoneNamed(text string) bool {
	return d.zero == '0' || !strings.ContainsAny(text, "0123456789")
}

// appendPart adds a part; neighbouring literals are one.
func appendPart(parts []part, kind, value string) []part {
	if value == "" {
		return parts
	}
	if n := len(parts); kind == "literal" && n > 0 && parts[n-1].kind == "literal" {
		parts[n-1].value += value
		return parts
	}
	return append(parts, part{kind, value})
}

// native turns ASCII digits into those that begin at zero.
func native(s string, zero rune) string {
	if zero == '0' {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r - '0' + zero
		}
		return r
	}, s)
}
