package pcmo

import (
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf16"
)

// Variables is a flat JSON object whose order is kept: the data of a param,
// metadata, SIP headers. Nil means absent where the object is optional.
type Variables []Variable

// Variable is one member of [Variables].
type Variable struct {
	// Key is a letter or _ followed by letters, digits and _; headers may have hyphens.
	Key string
	// Value is a string, a bool, a json.Number, an int or a float64. Decoding
	// yields the first three only.
	Value any
}

// Get returns the value of the last variable with the key, and whether there is one.
func (v Variables) Get(key string) (any, bool) {
	for i := len(v) - 1; i >= 0; i-- {
		if v[i].Key == key {
			return v[i].Value, true
		}
	}
	return nil, false
}

// maxVariables bounds an object, whose keys are compared with each other.
const maxVariables = 200

const valueRule = "must be a string, a number or a boolean"

func (d *decoder) variables(into *Variables) bool {
	if d.peek() != '{' {
		return d.mismatch("must be an object")
	}
	vars, full := make(Variables, 0, 4), false
	d.members(func(key []byte) {
		if len(vars) == maxVariables {
			if !full {
				d.fail("", "", "must have at most "+strconv.Itoa(maxVariables)+" keys")
				full = true
			}
			d.skip()
			return
		}
		name := string(key)
		at := d.enter(name)
		defer d.leave(at)
		var value any
		switch d.peek() {
		case '"':
			value = string(d.rawString())
		case 't', 'f':
			value = string(d.scalar()) == "true"
		case 'n', '{', '[':
			d.mismatch(valueRule)
			return
		default:
			value = json.Number(d.scalar())
		}
		// As in JavaScript a repeated key keeps its first place and its last value.
		for i := range vars {
			if vars[i].Key == name {
				vars[i].Value = value
				return
			}
		}
		vars = append(vars, Variable{Key: name, Value: value})
	})
	*into = vars
	return true
}

// AppendJSON appends the object as JSON and returns the extended buffer.
func (v Variables) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	for i, one := range v {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, one.Key), ':')
		switch x := one.Value.(type) {
		case string:
			dst = AppendString(dst, x)
		case bool:
			dst = strconv.AppendBool(dst, x)
		case json.Number:
			dst = append(dst, x...)
		case int:
			dst = strconv.AppendInt(dst, int64(x), 10)
		case float64:
			dst = appendFloat(dst, x)
		default:
			dst = append(dst, "null"...)
		}
	}
	return append(dst, '}')
}

// variables checks keys and values; longest < 0 means no limit for texts.
func (r *report) variables(key string, vars Variables, longest int) {
	at := r.enter(key)
	for _, v := range vars {
		if len(v.Key) > 0 && !isName(v.Key) || v.Key == "" {
			r.fail(v.Key, "", "must have a name of letters, digits and _, not beginning with a digit")
		}
		r.value(v.Key, v.Value, longest)
	}
	r.leave(at)
}

func (r *report) value(key string, value any, longest int) {
	switch x := value.(type) {
	case string:
		if longest >= 0 && utf16Len(x) > longest {
			r.fail(key, quoted(x), "must have at most "+strconv.Itoa(longest)+" characters")
		}
	case bool, int:
	case json.Number:
		if !json.Valid([]byte(x)) || !decimal(string(x)) {
			r.fail(key, quoted(string(x)), valueRule)
		}
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			r.fail(key, strconv.FormatFloat(x, 'g', -1, 64), valueRule)
		}
	default:
		r.fail(key, "", valueRule)
	}
}

func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// utf16Len counts as JavaScript's length does.
func utf16Len(s string) int {
	n := 0
	for _, c := range s {
		n += max(1, utf16.RuneLen(c))
	}
	return n
}

// appendFloat writes a number as JavaScript does; what JSON cannot hold becomes null.
func appendFloat(dst []byte, f float64) []byte {
	switch abs := math.Abs(f); {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return append(dst, "null"...)
	case f == 0:
		return append(dst, '0')
	case abs >= 1e21 || abs < 1e-6:
		b := strconv.AppendFloat(nil, f, 'e', -1, 64)
		// Go writes e-07 and e+21; JavaScript e-7 and e+21.
		if n := len(b); n >= 4 && b[n-4] == 'e' && b[n-2] == '0' {
			b[n-2] = b[n-1]
			b = b[:n-1]
		}
		return append(dst, b...)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}
