package sip

import (
	"fmt"
	"maps"
	"strings"

	"github.com/piopiy/piopiyd/call"
)

// extraParams is the header by which parameters travel with a call (protocol page section 6).
const extraParams = "X-cmi-extra_param"

// maxHeader bounds a header that an app sends, in octets: its value. Longer ones do not fit into a UDP packet with
// the rest.
const maxHeader = 1024

// ownHeaders are what makes, routes, proves or describes a dialog (RFC 3261 sections 8, 12, 20 and 22, and the
// extensions that are spoken here). An app does not send them.
var ownHeaders = func() map[string]bool {
	own := map[string]bool{}
	for _, name := range []string{
		"accept", "accept-contact", "accept-encoding", "alert-info", "allow", "allow-events", "authentication-info", "authorization",
		"call-id", "contact", "cseq", "date", "event", "expires", "from", "history-info", "identity", "in-reply-to", "join", "max-forwards",
		"mime-version", "min-expires", "min-se", "path", "privacy", "rack", "reason", "record-route", "refer-sub", "refer-to", "referred-by",
		"reject-contact", "remote-party-id", "replaces", "reply-to", "request-disposition", "require", "retry-after", "route", "rseq",
		"server", "service-route", "session-expires", "subscription-state", "supported", "target-dialog", "timestamp", "to",
		"unsupported", "user-agent", "via", "warning", "www-authenticate",
		// compact forms
		"a", "b", "c", "d", "e", "f", "i", "j", "k", "l", "m", "n", "o", "r", "s", "t", "u", "v", "x", "y",
	} {
		own[name] = true
	}
	return own
}()

// headersOf sorts the headers that an app wants to send: those that may be, and what is wrong with the first of the
// others.
func headersOf(all []call.Header) (headers map[string]string, err error) {
	for _, h := range all {
		if e := checkHeader(h); e != nil {
			if err == nil {
				err = e
			}
			continue
		}
		if headers == nil {
			headers = map[string]string{}
		}
		for name := range maps.Keys(headers) { // the last one counts, however it is written
			if strings.EqualFold(name, h.Name) {
				delete(headers, name)
			}
		}
		headers[h.Name] = h.Value
	}
	return headers, err
}

func checkHeader(h call.Header) error {
	name := strings.ToLower(h.Name)
	switch {
	case name == "" || strings.ContainsFunc(h.Name, notToken):
		return fmt.Errorf("the header %.40q is not sent: its name must be letters, digits, - and _", h.Name)
	case ownHeaders[name], strings.HasPrefix(name, "content-"), strings.HasPrefix(name, "proxy-"), strings.HasPrefix(name, "p-"),
		strings.HasPrefix(name, "security-"), strings.HasPrefix(name, "sip-"):
		return fmt.Errorf("the header %s is not sent: it belongs to the signalling; use a name of your own, such as X-%s", h.Name, h.Name)
	case len(h.Value) > maxHeader:
		return fmt.Errorf("the header %s is not sent: %d octets, at most %d are possible", h.Name, len(h.Value), maxHeader)
	case strings.ContainsFunc(h.Value, func(r rune) bool { return r < ' ' || r == 0x7F }):
		return fmt.Errorf("the header %s is not sent: its value holds a line break or another control character", h.Name)
	}
	return nil
}

func notToken(r rune) bool {
	return r != '-' && r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}
