package pcmo

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// validURL reports whether the URL constructor of the web accepts s without a base (URL Standard, sections 3.5 and
// 4.4). Names outside ASCII are taken as they are, without the tables of IDNA.
func validURL(s string) bool {
	return strings.Contains(s, ":") && (isCommonURL(s) || parses(s))
}

func parses(s string) bool {
	s = strings.TrimFunc(s, func(c rune) bool { return c <= ' ' })
	if strings.ContainsAny(s, "\t\n\r") {
		s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	}
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || !isScheme(scheme) {
		return false
	}
	switch scheme = strings.ToLower(scheme); scheme {
	case "http", "https", "ws", "wss", "ftp":
		rest = strings.TrimLeft(rest, `/\`)
		return validAuthority(rest, `/\?#`, true)
	case "file":
		if len(rest) < 2 || !isSlash(rest[0]) || !isSlash(rest[1]) {
			return true
		}
		rest = rest[2:]
		host := rest[:end(rest, `/\?#`)]
		if host == "" || len(host) == 2 && isLetter(host[0]) && (host[1] == ':' || host[1] == '|') {
			return true
		}
		return validHost(host, true)
	}
	if rest, ok = strings.CutPrefix(rest, "//"); ok {
		return validAuthority(rest, "/?#", false)
	}
	return true
}

// isCommonURL recognises most of what people write, at little cost: http or https, a name of plain letters, nothing
// special before the first slash.
func isCommonURL(s string) bool {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(s, "http://"); !ok {
			return false
		}
	}
	host := rest
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		host = rest[:i]
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	for i := range len(host) {
		if c := host[i]; (c < 'a' || c > 'z') && c != '.' && (!isDigit(c) || i >= len(host)-len(last)) {
			return false
		}
	}
	return last != ""
}

func isSlash(c byte) bool  { return c == '/' || c == '\\' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

func isScheme(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && (i == 0 || !isDigit(c) && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

func end(s, stops string) int {
	if i := strings.IndexAny(s, stops); i >= 0 {
		return i
	}
	return len(s)
}

// validAuthority checks [user@]host[:port] at the beginning of s.
func validAuthority(s, stops string, special bool) bool {
	s = s[:end(s, stops)]
	credentials := false
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		s, credentials = s[i+1:], true
	}
	host, port, hasPort := s, "", false
	for i, inside := 0, false; i < len(s); i++ {
		switch c := s[i]; {
		case c == '[':
			inside = true
		case c == ']':
			inside = false
		case c == ':' && !inside:
			host, port, hasPort = s[:i], s[i+1:], true
			i = len(s)
		}
	}
	if host == "" {
		return !special && !hasPort && !credentials
	}
	if strings.Trim(port, "0123456789") != "" {
		return false
	}
	if port = strings.TrimLeft(port, "0"); len(port) > 5 {
		return false
	} else if n, err := strconv.Atoi(port); err == nil && n > 65535 {
		return false
	}
	return validHost(host, special)
}

// validHost is the host parser.
func validHost(host string, special bool) bool {
	if host[0] == '[' {
		return host[len(host)-1] == ']' && validIPv6(host[1:len(host)-1])
	}
	if !special {
		return !strings.ContainsFunc(host, func(c rune) bool { return strings.ContainsRune("\x00\t\n\r #/:<>?@[\\]^|", c) })
	}
	host = unescape(host)
	if !utf8.ValidString(host) {
		return false
	}
	host = strings.NewReplacer("\u00ad", "", "。", ".", "．", ".", "｡", ".").Replace(host)
	if host == "" {
		return false
	}
	for _, c := range host {
		if c <= ' ' || c == 0x7f || strings.ContainsRune("#/:<>?@[\\]^|%", c) {
			return false
		}
		if c >= utf8.RuneSelf && !unicode.IsGraphic(c) {
			return false
		}
	}
	for label := range strings.SplitSeq(strings.ToLower(host), ".") {
		if code, ok := strings.CutPrefix(label, "xn--"); ok && !validPunycode(code) {
			return false
		}
	}
	return validIPv4(strings.ToLower(host))
}

// unescape resolves %xx; what is no escape stays.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil && s[i+1] != '+' {
				out = append(out, byte(n))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// validPunycode reports whether the rest of an xn-- label decodes (RFC 3492 section 6.2) to something outside ASCII.
func validPunycode(code string) bool {
	basic := strings.LastIndexByte(code, '-') + 1
	digits := code[basic:]
	n, i, bias, length := 128, 0, 72, max(basic-1, 0)
	for digits != "" {
		old, weight := i, 1
		for k := 36; ; k += 36 {
			if digits == "" {
				return false
			}
			c := int(digits[0])
			switch digits = digits[1:]; {
			case c >= 'a' && c <= 'z':
				c -= 'a'
			case c >= '0' && c <= '9':
				c -= '0' - 26
			default:
				return false
			}
			if i += c * weight; i > 1<<28 {
				return false
			}
			t := min(max(k-bias, 1), 26)
			if c < t {
				break
			}
			weight *= 36 - t
		}
		length++
		delta := i - old
		if old == 0 {
			delta /= 700
		} else {
			delta /= 2
		}
		delta += delta / length
		for bias = 0; delta > 455; bias += 36 {
			delta /= 35
		}
		bias += 36 * delta / (delta + 38)
		n += i / length
		i = i%length + 1
		if n > unicode.MaxRune || !unicode.IsGraphic(rune(n)) {
			return false
		}
	}
	return n > 128 || length > max(basic-1, 0)
}

// validIPv4 checks a host which ends in a number, and that must therefore be an IPv4 address; others pass.
func validIPv4(host string) bool {
	parts := strings.Split(host, ".")
	if parts[len(parts)-1] == "" {
		if len(parts) == 1 {
			return true
		}
		parts = parts[:len(parts)-1]
	}
	last := parts[len(parts)-1]
	if _, ok := ipv4Number(last); !ok && (last == "" || strings.Trim(last, "0123456789") != "") {
		return true
	}
	if len(parts) > 4 {
		return false
	}
	for i, part := range parts {
		n, ok := ipv4Number(part)
		if !ok {
			return false
		}
		limit := uint64(256)
		if i == len(parts)-1 {
			limit = 1 << (8 * (5 - len(parts)))
		}
		if n >= limit {
			return false
		}
	}
	return true
}

func ipv4Number(s string) (uint64, bool) {
	base := 10
	switch {
	case s == "":
		return 0, false
	case strings.HasPrefix(s, "0x"):
		s, base = s[2:], 16
	case len(s) > 1 && s[0] == '0':
		s, base = s[1:], 8
	}
	if s == "" {
		return 0, true
	}
	if s[0] == '+' || s[0] == '-' {
		return 0, false
	}
	n, err := strconv.ParseUint(s, base, 64)
	if err != nil && strings.HasSuffix(err.Error(), "value out of range") {
		return 1 << 62, true
	}
	return n, err == nil
}

// validIPv6 checks what stands in the brackets. Unlike Go's parser it knows no zones.
func validIPv6(s string) bool {
	pieces, compressed := 0, false
	if rest, ok := strings.CutPrefix(s, "::"); ok {
		s, compressed = rest, true
		if s == "" {
			return true
		}
	} else if s == "" || s[0] == ':' {
		return false
	}
	for s != "" {
		n := 0
		for n < len(s) && n < 4 && (isDigit(s[n]) || s[n]|0x20 >= 'a' && s[n]|0x20 <= 'f') {
			n++
		}
		if n < len(s) && s[n] == '.' {
			return n > 0 && dottedQuad(s) && (pieces == 6 || compressed && pieces < 6)
		}
		if n == 0 {
			return false
		}
		pieces++
		if s = s[n:]; s == "" {
			break
		}
		if s[0] != ':' {
			return false
		}
		s = s[1:]
		if s == "" {
			return false
		}
		if s[0] == ':' {
			if compressed {
				return false
			}
			s, compressed = s[1:], true
		}
	}
	if compressed {
		return pieces < 8
	}
	return pieces == 8
}

func dottedQuad(s string) bool {
	parts := strings.Split(s, ".")
	for _, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n > 255 || p[0] == '+' || p[0] == '-' || len(p) > 1 && p[0] == '0' {
			return false
		}
	}
	return len(parts) == 4
}
