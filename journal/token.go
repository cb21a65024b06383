package journal

import (
	"fmt"
	"strings"
)

// maxID is the longest id of an app or call in bytes.
const maxID = 256

// isPlain reports whether a byte stands for itself in a token.
func isPlain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// appendToken appends an id as one token of a NATS subject: plain bytes as they are, others as "=XX", and the
// empty id as "=". Ids come from outside and may hold anything; the token can always be turned back.
func appendToken(dst []byte, id string) []byte {
	if id == "" {
		return append(dst, '=')
	}
	const hex = "0123456789ABCDEF"
	for i := range len(id) {
		if c := id[i]; isPlain(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '=', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

func token(id string) string { return string(appendToken(nil, id)) }

// untoken turns a token back into the id.
func untoken(t string) (string, error) {
	if t == "=" {
		return "", nil
	}
	if strings.IndexByte(t, '=') < 0 {
		return t, nil
	}
	var b strings.Builder
	for i := 0; i < len(t); i++ {
		if t[i] != '=' {
			b.WriteByte(t[i])
			continue
		}
		if i+2 >= len(t) {
			return "", fmt.Errorf("token %q ends within an escape", t)
		}
		hi, lo := unhex(t[i+1]), unhex(t[i+2])
		if hi < 0 || lo < 0 {
			return "", fmt.Errorf("token %q has a bad escape at %d", t, i)
		}
		b.WriteByte(byte(hi<<4 | lo))
		i += 2
	}
	return b.String(), nil
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// checkID refuses ids that no subject can hold.
func checkID(what, id string) error {
	if len(id) > maxID {
		return fmt.Errorf("%s: %d bytes, at most %d are possible", what, len(id), maxID)
	}
	return nil
}

// parseCallSubject splits "call.<app>.<call>".
func parseCallSubject(subject string) (app, call string, err error) {
	parts := strings.Split(subject, ".")
	if len(parts) != 3 {
		return "", "", fmt.Errorf("subject %q is not a call's", subject)
	}
	if app, err = untoken(parts[1]); err != nil {
		return "", "", err
	}
	call, err = untoken(parts[2])
	return app, call, err
}

func callSubject(app, call string) string {
	buf := make([]byte, 0, 64)
	buf = append(buf, "call."...)
	buf = appendToken(buf, app)
	buf = append(buf, '.')
	buf = appendToken(buf, call)
	return string(buf)
}
