package pcmo

import (
	"encoding/json"
	"strings"
)

// Number is a phone number: digits with country code, such as "14155550101".
//
// It decodes from a JSON string or number and loses a leading "+" in doing so;
// nothing else is cleaned, so that "(415) 555" reaches Validate as it is. The
// classic dialect writes it as a JSON number when it consists of digits, has no
// leading zero and JavaScript can hold it exactly (up to 2^53), and as a
// string otherwise; the v3 dialect always writes a string. A "+" is never written.
type Number string

// Digits returns the number without a leading "+".
func (n Number) Digits() string { return strings.TrimPrefix(string(n), "+") }

// AppendJSON appends the number in its classic form.
func (n Number) AppendJSON(dst []byte) []byte {
	d := n.Digits()
	if isJSNumber(d) {
		return append(dst, d...)
	}
	return AppendString(dst, d)
}

// MarshalJSON returns the classic form.
func (n Number) MarshalJSON() ([]byte, error) { return n.AppendJSON(nil), nil }

// UnmarshalJSON accepts a JSON string or an integral JSON number.
func (n *Number) UnmarshalJSON(data []byte) error {
	if !json.Valid(data) {
		return syntaxError(data)
	}
	d := &decoder{data: data, report: newReport()}
	d.number(n)
	return d.err()
}

const (
	classicNumberRule = "must be a phone number: 3 to 16 digits with country code, without leading 0"
	v3NumberRule      = "must be a phone number: 7 to 16 digits with country code, without leading 0"
)

func (n Number) isJSNumber() bool { return isJSNumber(string(n)) }

func (n Number) valid(shortest int) bool {
	d := n.Digits()
	return len(d) >= shortest && len(d) <= 16 && d[0] != '0' && allDigits(d)
}

// number checks one that is present.
func (r *report) number(key string, n Number, d Dialect) {
	switch {
	case d == V3 && !n.valid(7):
		r.fail(key, quoted(string(n)), v3NumberRule)
	case d == Classic && !n.valid(3):
		r.fail(key, quoted(string(n)), classicNumberRule)
	}
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// isJSNumber reports whether JSON.stringify(Number(s)) would be s.
func isJSNumber(s string) bool {
	const most = "9007199254740992" // 2^53
	if !allDigits(s) || s[0] == '0' && len(s) > 1 {
		return false
	}
	return len(s) < len(most) || len(s) == len(most) && s <= most
}
