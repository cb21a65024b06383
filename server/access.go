package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Access guards an app's hooks. A nil Access admits everybody.
type Access struct {
	// Token must follow the hook's name in the path: /hooks/APP/answer/TOKEN.
	Token string
	// User and Password are asked for by HTTP basic authentication.
	User, Password string
	// Sources are the addresses that may call.
	Sources Sources
}

// Sources is a set of addresses. An empty set holds every address where it guards, and none where it trusts.
type Sources []netip.Prefix

// ParseSources reads addresses and CIDRs.
func ParseSources(list []string) (Sources, error) {
	var s Sources
	for _, text := range list {
		if p, err := netip.ParsePrefix(text); err == nil {
			s = append(s, p.Masked())
			continue
		}
		a, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a CIDR such as 203.0.113.0/24", text)
		}
		s = append(s, netip.PrefixFrom(a, a.BitLen()))
	}
	return s, nil
}

func (s Sources) contains(a netip.Addr) bool {
	for _, p := range s {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

var (
	errHidden    = errors.New("nothing is served at this path")
	errPassword  = errors.New("user name and password are wrong or missing")
	errForbidden = errors.New("this address may not call the hook")
)

// admit reports why a request may not reach the app's hooks, or nil. Without the right path token the hook
// looks as if it were not there.
func (a *Access) admit(source netip.Addr, r *http.Request, token string) error {
	if a == nil {
		return nil
	}
	if len(a.Sources) > 0 && !a.Sources.contains(source) {
		return errForbidden
	}
	needsToken := !strings.Contains(r.URL.Path, "/input/")
	if needsToken && !same(a.Token, token) {
		return errHidden
	}
	if a.User != "" || a.Password != "" {
		user, password, _ := r.BasicAuth()
		if !same(a.User, user) || !same(a.Password, password) {
			return errPassword
		}
	}
	return nil
}

// same compares secrets in constant time.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func refuseAccess(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errPassword):
		w.Header().Set("WWW-Authenticate", `Basic realm="piopiyd hooks", charset="UTF-8"`)
		writeError(w, http.StatusUnauthorized, "unauthorized", err.Error())
	case errors.Is(err, errForbidden):
		writeError(w, http.StatusForbidden, "forbidden", err.Error())
	default:
		writeError(w, http.StatusNotFound, "not_found", err.Error())
	}
}

// peer returns the address of the connection's other end.
func peer(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	addr, _ := netip.ParseAddr(host)
	return addr.Unmap()
}

// source returns the address a request came from, seen through trusted proxies.
func (s *Server) source(r *http.Request) netip.Addr {
	addr := peer(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.opts.TrustedProxies.contains(addr); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = next.Unmap()
	}
	return addr
}
