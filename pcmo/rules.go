package pcmo

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Upper bounds where the platforms state none: a day, and a thousand times.
const (
	maxSeconds = 86400
	maxCount   = 1000
)

// The rules below check a member of the place where the walk stands.

// within checks an optional whole number; most < 0 means no upper bound.
func (r *report) within(key string, value *int, least, most int) {
	if value == nil || *value >= least && (most < 0 || *value <= most) {
		return
	}
	rule := "must be a whole number, at least " + strconv.Itoa(least)
	if most >= 0 {
		rule = "must be a whole number from " + strconv.Itoa(least) + " to " + strconv.Itoa(most)
	}
	r.fail(key, strconv.Itoa(*value), rule)
}

// oneOf checks an optional word.
func (r *report) oneOf(key, value string, allowed ...string) {
	if value == "" || slices.Contains(allowed, value) {
		return
	}
	r.fail(key, quoted(value), "must be "+orList(allowed))
}

// required checks a text that must be there.
func (r *report) required(key, value, rule string) bool {
	if value == "" {
		r.fail(key, "", rule)
	}
	return value != ""
}

// url checks a required absolute URL of one of two schemes.
func (r *report) url(key, value, scheme, secure string) {
	if value == "" {
		r.fail(key, "", "is required: a "+scheme+":// or "+secure+":// URL")
		return
	}
	u, err := url.Parse(value)
	if err == nil && (u.Scheme == scheme || u.Scheme == secure) && u.Hostname() != "" && !hasControls(value) {
		return
	}
	r.fail(key, quotedURL(value), "must be an absolute URL beginning with "+scheme+":// or "+secure+"://")
}

// audio checks the pair file_name and file_url.
func (r *report) audio(fileName, fileURL string) {
	if fileURL != "" {
		r.url("file_url", fileURL, "http", "https")
		return
	}
	r.required("file_name", fileName, "is required, or file_url")
}

func orList(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// hasControls reports spaces and control characters, which would let a value
// break out of the header or request line it ends up in.
func hasControls(s string) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == 0x7f })
}

func hasScheme(s, scheme string) bool {
	return len(s) >= len(scheme) && strings.EqualFold(s[:len(scheme)], scheme)
}

func isHTTP(s string) bool { return hasScheme(s, "http://") || hasScheme(s, "https://") }

// audioSource chooses between the two ways to name audio.
func audioSource(fileName, fileURL string) (source string, isURL bool) {
	if fileURL != "" {
		return fileURL, true
	}
	return fileName, isHTTP(fileName)
}

func seconds(value *int, otherwise time.Duration) time.Duration {
	if value == nil || *value < 1 {
		return otherwise
	}
	return time.Duration(*value) * time.Second
}

func count(value *int, otherwise int) int {
	if value == nil || *value < 1 {
		return otherwise
	}
	return *value
}
