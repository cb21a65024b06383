package encoding

import "unicode/utf8"

// DecodeUTF8 decodes UTF-8 as the Encoding Standard does: each maximal broken sequence becomes one U+FFFD. Go's
// own conversions count broken bytes differently.
func DecodeUTF8(data []byte) string {
	if utf8.Valid(data) {
		return string(data)
	}
	out, rest, _ := appendUTF8(make([]byte, 0, len(data)+8), data, true, false)
	_ = rest
	return string(out)
}

// appendUTF8 appends data to out, replacing what is broken. Unless last is set, an incomplete sequence at the end
// is handed back as rest. With fatal it stops at the first broken sequence and reports false.
func appendUTF8(out, data []byte, last, fatal bool) (all, rest []byte, ok bool) {
	for len(data) > 0 {
		if data[0] < utf8.RuneSelf {
			n := 1
			for n < len(data) && data[n] < utf8.RuneSelf {
				n++
			}
			out, data = append(out, data[:n]...), data[n:]
			continue
		}
		r, n := utf8.DecodeRune(data)
		if r != utf8.RuneError || n == 3 {
			out, data = append(out, data[:n]...), data[n:]
			continue
		}
		n, complete := broken(data)
		if !complete && !last {
			return out, data, true
		}
		if fatal {
			return out, nil, false
		}
		out, data = append(out, "\uFFFD"...), data[n:]
	}
	return out, nil, true
}

// broken measures the maximal broken sequence at the start of data. complete is false when more bytes could
// still mend it.
func broken(data []byte) (n int, complete bool) {
	need, low, high := 0, byte(0x80), byte(0xBF)
	switch b := data[0]; {
	case b >= 0xC2 && b <= 0xDF:
		need = 1
	case b == 0xE0:
		need, low = 2, 0xA0
	case b == 0xED:
		need, high = 2, 0x9F
	case b >= 0xE1 && b <= 0xEF:
		need = 2
	case b == 0xF0:
		need, low = 3, 0x90
	case b >= 0xF1 && b <= 0xF3:
		need = 3
	case b == 0xF4:
		need, high = 3, 0x8F
	default:
		return 1, true
	}
	for n = 1; n <= need; n++ {
		if n == len(data) {
			return n, false
		}
		if data[n] < low || data[n] > high {
			return n, true
		}
		low, high = 0x80, 0xBF
	}
	return n, true
}
