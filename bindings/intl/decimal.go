package intl

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/dop251/goja"
)

// decimal is a number as people write it: ±0.d₁d₂d₃… × 10^point, without leading or trailing noughts.
type decimal struct {
	negative bool
	nan      bool
	infinite bool
	digits   []byte // '0'–'9'; empty is zero
	point    int    // how many digits stand before the decimal point; may be negative or beyond the digits
}

// decimalOf takes the shortest digits that read back as f, which is what scripts see when they print it. So
// 1.005 rounds to 1.01.
func decimalOf(f float64) decimal {
	d := decimal{negative: math.Signbit(f), nan: math.IsNaN(f), infinite: math.IsInf(f, 0)}
	if d.nan {
		d.negative = false
		return d
	}
	if d.infinite || f == 0 {
		return d
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(math.Abs(f), 'e', -1, 64), "e")
	e, _ := strconv.Atoi(exponent)
	d.digits = []byte(strings.Replace(mantissa, ".", "", 1))
	d.point = e + 1
	d.trim()
	return d
}

// decimalFrom reads a script's value: numbers, and BigInts and numeric strings with all their digits.
func decimalFrom(v goja.Value) (decimal, error) {
	if v == nil || goja.IsUndefined(v) {
		return decimal{nan: true}, nil
	}
	if obj, ok := v.(*goja.Object); ok {
		v = primitive(obj)
	}
	if _, ok := v.(*goja.Symbol); ok {
		_, err := toFloat(v)
		return decimal{}, err
	}
	switch x := v.Export().(type) {
	case *big.Int:
		return decimalText(x.String()), nil
	case string:
		return decimalText(x), nil
	}
	f, err := toFloat(v)
	return decimalOf(f), err
}

// toFloat is ToNumber. goja lets Symbols through, so they are turned away here.
func toFloat(v goja.Value) (float64, error) {
	if _, ok := v.(*goja.Symbol); ok {
		return 0, typeError("a Symbol is no number")
	}
	return v.ToNumber().ToFloat(), nil
}

// primitive is ToPrimitive with the hint number, for wrappers, dates and objects with valueOf.
func primitive(obj *goja.Object) goja.Value {
	if f, ok := goja.AssertFunction(obj.Get("valueOf")); ok {
		if v, err := f(obj); err == nil {
			if _, still := v.(*goja.Object); !still {
				return v
			}
		}
	}
	return obj.ToNumber()
}

// maxDigits bounds the digits taken from a string; longer ones are read as a double.
const maxDigits = 1000

// decimalText reads a StringNumericLiteral exactly.
func decimalText(s string) decimal {
	s = strings.TrimFunc(s, isSpace)
	body, negative := s, false
	if body != "" && (body[0] == '+' || body[0] == '-') {
		negative = body[0] == '-'
		body = body[1:]
	}
	mantissa, exponent, scientific := strings.Cut(strings.ToLower(body), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	e := 0
	if scientific {
		var err error
		if e, err = strconv.Atoi(exponent); err != nil || e > 1000 || e < -1000 {
			return decimalOther(s)
		}
	}
	if whole+fraction == "" || !numeric(whole) || !numeric(fraction) || len(whole)+len(fraction) > maxDigits {
		return decimalOther(s)
	}
	d := decimal{negative: negative, digits: []byte(whole + fraction), point: len(whole) + e}
	d.trim()
	return d
}

// decimalOther reads the strings which are no plain decimal: empty, hexadecimal, Infinity, or not a number.
func decimalOther(s string) decimal {
	switch s {
	case "":
		return decimal{}
	case "Infinity", "+Infinity":
		return decimal{infinite: true}
	case "-Infinity":
		return decimal{infinite: true, negative: true}
	}
	if len(s) > 2 && s[0] == '0' && strings.ContainsRune("xXoObB", rune(s[1])) && !strings.Contains(s, "_") {
		if n, ok := new(big.Int).SetString(s, 0); ok && len(s) <= maxDigits {
			return decimalText(n.String())
		}
	}
	if strings.Trim(s, "0123456789.eE+-") == "" {
		if f, err := strconv.ParseFloat(s, 64); err == nil || f != 0 {
			return decimalOf(f)
		}
	}
	return decimal{nan: true}
}

func isSpace(r rune) bool {
	return strings.ContainsRune("\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff", r) || r >= 0x2000 && r <= 0x200a
}

// trim drops noughts at both ends.
func (d *decimal) trim() {
	for len(d.digits) > 0 && d.digits[0] == '0' {
		d.digits = d.digits[1:]
		d.point--
	}
	for len(d.digits) > 0 && d.digits[len(d.digits)-1] == '0' {
		d.digits = d.digits[:len(d.digits)-1]
	}
	if len(d.digits) == 0 {
		d.point = 0
	}
}

func (d decimal) zero() bool { return !d.nan && !d.infinite && len(d.digits) == 0 }

// round keeps the digits before place, counted from the first digit (place may lie outside the digits).
func (d decimal) round(place int, mode string) decimal {
	if place >= len(d.digits) || d.nan || d.infinite {
		return d
	}
	// How the dropped tail compares with half a unit of the last kept place.
	half := 1
	switch {
	case place < 0:
		half = -1
	case d.digits[place] < '5':
		half = -1
	case d.digits[place] == '5' && place == len(d.digits)-1:
		half = 0
	}
	odd := place > 0 && (d.digits[place-1]-'0')%2 == 1
	up := false
	switch mode {
	case "ceil":
		up = !d.negative
	case "floor":
		up = d.negative
	case "expand":
		up = true
	case "trunc":
	case "halfCeil":
		up = half > 0 || half == 0 && !d.negative
	case "halfFloor":
		up = half > 0 || half == 0 && d.negative
	case "halfTrunc":
		up = half > 0
	case "halfEven":
		up = half > 0 || half == 0 && odd
	default: // halfExpand
		up = half >= 0
	}
	kept := append([]byte(nil), d.digits[:max(place, 0)]...)
	if up {
		if place < 0 { // the unit lies left of all digits
			kept, d.point = []byte{'1'}, d.point-place+1
		} else {
			i := len(kept) - 1
			for ; i >= 0 && kept[i] == '9'; i-- {
				kept[i] = '0'
			}
			if i >= 0 {
				kept[i]++
			} else {
				kept = append([]byte{'1'}, kept...)
				d.point++
			}
		}
	}
	d.digits = kept
	d.trim()
	return d
}

// split returns the digits before and after the decimal point, padded with noughts to at least these counts.
func (d decimal) split(whole, fraction int) (string, string) {
	var w, f string
	switch {
	case d.point <= 0:
		f = strings.Repeat("0", -d.point) + string(d.digits)
	case d.point >= len(d.digits):
		w = string(d.digits) + strings.Repeat("0", d.point-len(d.digits))
	default:
		w, f = string(d.digits[:d.point]), string(d.digits[d.point:])
	}
	if len(d.digits) == 0 {
		w, f = "", ""
	}
	if n := whole - len(w); n > 0 {
		w = strings.Repeat("0", n) + w
	}
	if n := fraction - len(f); n > 0 {
		f += strings.Repeat("0", n)
	}
	return w, f
}
