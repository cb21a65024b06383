package intl

import (
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones are there on machines that have none

	"github.com/dop251/goja"
)

// zoneData is one time zone of the root file. From Since (milliseconds since 1970) on, locales call
// Offsets[k] (seconds east of UTC) by name k of Group.
type zoneData struct {
	Name    string `json:"name"`
	Group   int    `json:"group"`
	Offsets []int  `json:"offsets"`
	Since   int64  `json:"since"`
}

// zone is a time zone ready for use. An offset zone has no names.
type zone struct {
	name  string
	where *time.Location
	names *zoneData
}

var zones = newCache[string, *zone](1024)

// findZone returns the zone of an IANA name in any case, or of an offset ±HH, ±HHMM or ±HH:MM.
func findZone(name string) (*zone, error) {
	if i, ok := theRoot().zones[strings.ToLower(name)]; ok {
		data := &theRoot().Zones[i]
		return zones.get(data.Name, func() (*zone, error) {
			where, err := time.LoadLocation(data.Name)
			if err != nil {
				return nil, rangeError("timeZone: %q cannot be loaded", data.Name)
			}
			return &zone{name: data.Name, where: where, names: data}, nil
		})
	}
	if seconds, ok := parseOffset(name); ok {
		canonical := offsetName(seconds)
		return zones.get(canonical, func() (*zone, error) {
			return &zone{name: canonical, where: time.FixedZone(canonical, seconds)}, nil
		})
	}
	return nil, rangeError("timeZone: %q is no time zone; use an IANA name such as \"Asia/Kolkata\", \"UTC\" or an offset such as \"+05:30\"", clip(name))
}

func parseOffset(s string) (seconds int, ok bool) {
	if len(s) < 3 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	digits := s[1:]
	if len(digits) == 5 && digits[2] == ':' {
		digits = digits[:2] + digits[3:]
	}
	if len(digits) != 2 && len(digits) != 4 || !numeric(digits) {
		return 0, false
	}
	hours, _ := strconv.Atoi(digits[:2])
	minutes := 0
	if len(digits) == 4 {
		minutes, _ = strconv.Atoi(digits[2:])
	}
	if hours > 23 || minutes > 59 {
		return 0, false
	}
	seconds = hours*3600 + minutes*60
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

func offsetName(seconds int) string {
	sign := "+"
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	return sign + twoDigits(seconds/3600) + ":" + twoDigits(seconds/60%60)
}

func twoDigits(n int) string {
	if n < 10 {
		return "0" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

// zoneTable is what a locale calls time zones.
type zoneTable struct {
	short, long [][]*string // by group, then offset; nil where the locale writes the offset
	gmt         struct {
		Zero      string `json:"zero"`
		Plus      string `json:"plus"`
		Minus     string `json:"minus"`
		Separator string `json:"separator"`
		Suffix    string `json:"suffix"`
	}
}

// Styles of a zone's name, in the order of the option's words.
const (
	zoneShort uint8 = iota + 1
	zoneLong
	zoneShortOffset
	zoneLongOffset
)

// call returns what the zone is called at t, digits in ASCII.
func (zt *zoneTable) call(z *zone, style uint8, t time.Time) (string, error) {
	_, offset := t.Zone()
	if z.names != nil && (style == zoneShort || style == zoneLong) {
		if t.UnixMilli() < z.names.Since {
			return "", rangeError("timeZoneName: the names of %s are known from %s on; use shortOffset or longOffset for earlier dates",
				z.name, time.UnixMilli(z.names.Since).UTC().Format(time.DateOnly))
		}
		names := zt.short
		if style == zoneLong {
			names = zt.long
		}
		k := slices.Index(z.names.Offsets, offset)
		if k < 0 {
			return "", rangeError("timeZoneName: %s has no known name at offset %s; use shortOffset or longOffset", z.name, offsetName(offset))
		}
		if of := names[z.names.Group]; of != nil && of[k] != nil {
			return *of[k], nil
		}
	}
	return zt.offset(offset, style == zoneLong || style == zoneLongOffset), nil
}

func (zt *zoneTable) offset(seconds int, long bool) string {
	sign := zt.gmt.Plus
	if seconds < 0 {
		sign, seconds = zt.gmt.Minus, -seconds
	}
	hours, minutes, rest := strconv.Itoa(seconds/3600), seconds/60%60, seconds%60
	if long {
		hours = twoDigits(seconds / 3600)
	}
	s := sign + hours
	if long || minutes != 0 || rest != 0 {
		s += zt.gmt.Separator + twoDigits(minutes)
	}
	if rest != 0 {
		s += zt.gmt.Separator + twoDigits(rest)
	}
	return s + zt.gmt.Suffix
}

// supportedValues is Intl.supportedValuesOf. Time zones are all that findZone takes, older names included.
func (r *realm) supportedValues(call goja.FunctionCall) goja.Value {
	var out []any
	switch key := call.Argument(0).String(); key {
	case "timeZone":
		for _, z := range theRoot().Zones {
			out = append(out, z.Name)
		}
	case "calendar":
		out = append(out, "gregory")
	case "currency":
		for _, code := range currencyCodes() {
			out = append(out, code)
		}
	case "numberingSystem":
		for _, name := range []string{"arab", "arabext", "beng", "deva", "gujr", "guru", "knda", "latn", "mlym", "tamldec", "telu"} {
			out = append(out, name)
		}
	default:
		check(r.vm, rangeError("Intl.supportedValuesOf: %q is not one of calendar, currency, numberingSystem, timeZone", clip(key)))
	}
	return r.vm.NewArray(out...)
}
