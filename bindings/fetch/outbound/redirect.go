package outbound

import (
	"net/http"
	"net/url"
)

// hop is one request on the way through redirects.
type hop struct {
	method string
	url    *url.URL
	header http.Header
	body   []byte
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// follow turns the hop into the next one, as the Fetch standard has it (section 4.4, HTTP-redirect fetch).
func (h *hop) follow(status int, location string) error {
	next, err := resolveLocation(h.url, location)
	if err != nil {
		return &Error{Code: "EURL", Message: h.url.Host + " redirects to a URL that cannot be used: " + err.Error(), Err: err}
	}
	h.header = h.header.Clone()
	post := h.method == http.MethodPost && (status == http.StatusMovedPermanently || status == http.StatusFound)
	other := h.method != http.MethodGet && h.method != http.MethodHead && status == http.StatusSeeOther
	if post || other {
		h.method, h.body = http.MethodGet, nil
		for _, name := range []string{"Content-Encoding", "Content-Language", "Content-Location", "Content-Type", "Content-Length"} {
			delete(h.header, name)
		}
	}
	if next.Scheme != h.url.Scheme || next.Host != h.url.Host {
		for _, name := range []string{"Authorization", "Proxy-Authorization", "Cookie", "Host"} {
			delete(h.header, name)
		}
	}
	h.url = next
	return nil
}

// resolveLocation reads a Location header, which may be relative and inherits the fragment.
func resolveLocation(from *url.URL, location string) (*url.URL, error) {
	next, err := resolve(from.String(), location)
	if err == nil && next.Fragment == "" {
		next.Fragment, next.RawFragment = from.Fragment, from.RawFragment
	}
	return next, err
}
