package ua

import (
	"strconv"
	"strings"
)

// Reason is one value of a Reason header (RFC 3326): why a call ended.
type Reason struct {
	// Protocol is what Cause is a number of, in capitals: SIP, where it is a status, or Q.850.
	Protocol string
	Cause    int
	// Text says it to people; it may be empty.
	Text string
}

// Reasons reads a Reason header. Values that cannot be read, or have no cause, are left out.
func Reasons(header string) []Reason {
	var all []Reason
	for _, value := range split(header, ',') {
		parts := split(value, ';')
		r := Reason{Protocol: strings.ToUpper(strings.TrimSpace(parts[0])), Cause: -1}
		for _, p := range parts[1:] {
			name, v, _ := strings.Cut(p, "=")
			v = strings.TrimSpace(v)
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "cause":
				if n, err := strconv.ParseUint(v, 10, 16); err == nil {
					r.Cause = int(n)
				}
			case "text":
				r.Text = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(strings.TrimSuffix(strings.TrimPrefix(v, `"`), `"`))
			}
		}
		if r.Protocol != "" && r.Cause >= 0 {
			all = append(all, r)
		}
	}
	return all
}

// split splits a header's value, but not within quotes.
func split(s string, at byte) []string {
	var parts []string
	quoted, begin := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == at && !quoted:
			parts = append(parts, s[begin:i])
			begin = i + 1
		}
	}
	return append(parts, s[begin:])
}
