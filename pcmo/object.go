package pcmo

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Object writes a JSON object whose keys keep their order: the bodies that the platform sends.
//
//	var o pcmo.Object
//	o.Text("status", "answered")
//	body := o.End()
type Object struct{ dst []byte }

func (o *Object) key(k string) {
	if len(o.dst) == 0 {
		o.dst = append(o.dst, '{')
	} else {
		o.dst = append(o.dst, ',')
	}
	o.dst = append(AppendString(o.dst, k), ':')
}

// Text adds a string.
func (o *Object) Text(key, value string) {
	o.key(key)
	o.dst = AppendString(o.dst, value)
}

// TextIf adds a string that is not empty.
func (o *Object) TextIf(key, value string) {
	if value != "" {
		o.Text(key, value)
	}
}

// Int adds a whole number.
func (o *Object) Int(key string, value int64) {
	o.key(key)
	o.dst = strconv.AppendInt(o.dst, value, 10)
}

// Float adds a number, rounded to decimals places.
func (o *Object) Float(key string, value float64, decimals int) {
	o.key(key)
	o.dst = strconv.AppendFloat(o.dst, value, 'f', decimals, 64)
}

// Bool adds true or false.
func (o *Object) Bool(key string, value bool) {
	o.key(key)
	o.dst = strconv.AppendBool(o.dst, value)
}

// Seconds adds a time as seconds since 1970; a zero time is left out.
func (o *Object) Seconds(key string, at time.Time) {
	if !at.IsZero() {
		o.Int(key, at.Unix())
	}
}

// Party adds a phone number as a JSON number, as PIOPIY's newest pages do, and any other party, such as a SIP
// user, as a string.
func (o *Object) Party(key, party string) {
	if !IsNumber(party) {
		o.Text(key, party)
		return
	}
	o.key(key)
	o.dst = Number(party).AppendJSON(o.dst)
}

// Raw adds JSON that is there already.
func (o *Object) Raw(key string, value json.RawMessage) {
	o.key(key)
	o.dst = append(o.dst, value...)
}

// End closes the object and returns it.
func (o *Object) End() json.RawMessage {
	if len(o.dst) == 0 {
		return json.RawMessage("{}")
	}
	return json.RawMessage(append(o.dst, '}'))
}

// IsNumber reports whether a party is a phone number: digits, with or without a leading +.
func IsNumber(party string) bool {
	digits := strings.TrimPrefix(party, "+")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}
