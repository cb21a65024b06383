package ua

import (
	"strings"

	msg "github.com/emiago/sipgo/sip"
)

// message is a request or a response.
type message interface {
	Contact() *msg.ContactHeader
	Headers() []msg.Header
}

// lists reports whether a header that is a list has a value.
func lists(header, value string) bool {
	for v := range strings.SplitSeq(header, ",") {
		if strings.EqualFold(strings.TrimSpace(v), value) {
			return true
		}
	}
	return false
}

// values returns a header's values as one, separated by commas; names are its name and its short form.
func values(m message, names ...string) string {
	all := ""
	for _, h := range m.Headers() {
		for _, name := range names {
			switch {
			case !strings.EqualFold(h.Name(), name):
			case all == "":
				all = h.Value()
			default:
				all += ", " + h.Value()
			}
		}
	}
	return all
}

// text is values, "" when they cannot be passed on.
func text(m message, names ...string) string {
	if v := values(m, names...); safe(v) {
		return v
	}
	return ""
}
