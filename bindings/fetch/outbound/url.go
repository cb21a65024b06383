package outbound

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	whatwg "github.com/nlnwa/whatwg-url/url"
)

var parser = whatwg.NewParser()

// maxURL bounds the length of a URL, in bytes.
const maxURL = 64 << 10

// ParseURL reads an absolute http or https URL as the URL standard has it, which browsers and Node follow and
// net/url does not: every spelling of an IPv4 address ("2130706433", "0x7f.1") becomes the usual one, dot segments
// vanish, international names become ASCII. URLs with a user name or password are refused. The error is an
// [*Error] with code EURL; it does not repeat the URL, which may hold secrets.
func ParseURL(text string) (*url.URL, error) { return resolve("", text) }

// resolve reads a URL that may be relative to another one.
func resolve(base, text string) (*url.URL, error) {
	if len(text) > maxURL {
		return nil, badURL("the URL is longer than %d bytes", maxURL)
	}
	var parsed *whatwg.Url
	var err error
	if base == "" {
		parsed, err = parser.Parse(text)
	} else {
		parsed, err = parser.ParseRef(base, text)
	}
	if err != nil {
		if base == "" && !strings.Contains(text, ":") {
			return nil, badURL("a URL must be absolute, such as https://example.com/path")
		}
		return nil, badURL("the URL cannot be understood")
	}
	if s := parsed.Scheme(); s != "http" && s != "https" {
		return nil, badURL("the scheme %q is not http or https", clip(s))
	}
	u, err := url.Parse(parsed.Href(false))
	if err != nil {
		var escape url.EscapeError
		if errors.As(err, &escape) {
			return nil, badURL("the URL holds a broken percent escape")
		}
		return nil, badURL("the URL cannot be understood")
	}
	return u, checkURL(u)
}

func badURL(format string, args ...any) *Error {
	return &Error{Code: "EURL", Message: fmt.Sprintf(format, args...)}
}

func clip(s string) string {
	if len(s) > 20 {
		return s[:20] + "…"
	}
	return s
}

// checkURL refuses what is never asked for.
func checkURL(u *url.URL) error {
	switch {
	case u == nil:
		return badURL("the request has no URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return badURL("the scheme %q is not http or https", clip(u.Scheme))
	case u.User != nil:
		return badURL("the URL holds a user name or password; send an Authorization header instead")
	case u.Hostname() == "":
		return badURL("the URL has no host")
	case strings.Contains(u.Hostname(), ".."): // the URL standard lets "0.." pass; no name or address is written so
		return badURL("the URL's host is neither a name nor an address: it has two dots in a row")
	}
	return nil
}

// Redact returns a URL for logs and journals: no user information, no fragment, and only the names of the query's
// parameters.
func Redact(u *url.URL) string {
	shown := *u
	shown.User, shown.Fragment, shown.RawFragment = nil, "", ""
	if shown.RawQuery == "" {
		return shown.String()
	}
	parts := strings.Split(shown.RawQuery, "&")
	for i, p := range parts {
		if name, _, ok := strings.Cut(p, "="); ok {
			parts[i] = name + "=…"
		} else if p != "" {
			parts[i] = "…" // a bare word may be the secret itself
		}
	}
	shown.RawQuery = ""
	return shown.String() + "?" + strings.Join(parts, "&")
}
