package pcmo

import (
	"strconv"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string, byte for byte as JavaScript's
// JSON.stringify writes it: < > & and U+2028 stay as they are, control
// characters become \b \f \n \r \t or \u00xx. Bytes that are not UTF-8 become
// U+FFFD, since Go strings cannot hold JavaScript's lone surrogates.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\b':
				dst = append(dst, '\\', 'b')
			case '\f':
				dst = append(dst, '\\', 'f')
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[start:i]...)
			dst = utf8.AppendRune(dst, utf8.RuneError)
			i++
			start = i
			continue
		}
		i += size
	}
	return append(append(dst, s[start:]...), '"')
}

// begin opens an action object. Its name is one of ours and needs no escaping.
func begin(dst []byte, name string) []byte {
	dst = append(dst, `{"action":"`...)
	return append(append(dst, name...), '"')
}

// key appends ,"name": or, right after an opening brace, without the comma.
func key(dst []byte, name string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(append(dst, '"'), name...)
	return append(dst, '"', ':')
}

func str(dst []byte, name, value string) []byte { return AppendString(key(dst, name), value) }

func strIf(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return str(dst, name, value)
}

func intIf(dst []byte, name string, value *int) []byte {
	if value == nil {
		return dst
	}
	return strconv.AppendInt(key(dst, name), int64(*value), 10)
}

func boolIf(dst []byte, name string, value *bool) []byte {
	if value == nil {
		return dst
	}
	return strconv.AppendBool(key(dst, name), *value)
}
