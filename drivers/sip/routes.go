package sip

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
	"github.com/piopiy/piopiyd/pcmo"
)

// Trunk is a carrier that numbers are called through.
type Trunk struct {
	// Name names it in logs.
	Name string
	// Address is its SIP server, host:port, or its domain, whose SRV records say where its servers are (RFC 3263);
	// Transport is "udp" (the default), "tcp" or "tls".
	Address, Transport string
	// User and Password answer its challenges; both may be empty. The trunk may prove with them, too, that a call is
	// its own.
	User, Password string
	// Prefixes are the beginnings of the numbers, digits with country code, that may be called through it. Without
	// one none may; "*" stands for all. A number goes through the trunk with its longest prefix; when that does not
	// work, through the next: the one with the next shorter prefix, or the next in the list.
	Prefixes []string
	// CallerID is shown instead of the app's choice.
	CallerID string
	// Sources are the addresses or networks that its calls come from: those need no password. Calls from its own
	// address count as well when that is an IP address.
	Sources []string
	// Register lets us register with the trunk, for the time Expires (default 1 h; the trunk may choose another), so
	// that it sends its calls to us.
	Register bool
	Expires  time.Duration
}

// routes find the way to a target. Nobody can be called who is not a user, within a trunk's prefixes, or at an
// allowed host.
type routes struct {
	trunks  []*trunk
	allowed map[string][]string // Options.AllowPrefixes
	trusted []netip.Prefix
	hosts   []string
	nets    []netip.Prefix
}

func newRoutes(o Options) (*routes, error) {
	r := &routes{allowed: o.AllowPrefixes}
	for _, t := range o.Trunks {
		switch strings.ToLower(t.Transport) {
		case "", "udp", "tcp":
		case "tls":
			if o.TLSListen == "" {
				return nil, fmt.Errorf("sip.trunks: %s: TLS needs a certificate of ours: set sip.tls", t.Name)
			}
		default:
			return nil, fmt.Errorf("sip.trunks: %s: the transport %q is none of udp, tcp and tls", t.Name, t.Transport)
		}
		r.trunks = append(r.trunks, &trunk{Trunk: t})
		host, _, err := ua.SplitAddress(t.Address)
		if err != nil {
			return nil, fmt.Errorf("sip.trunks: %s: the address: %w", t.Name, err)
		}
		if ip, err := netip.ParseAddr(host); err == nil {
			r.trusted = append(r.trusted, netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()))
		}
		for _, s := range t.Sources {
			p, err := network(s)
			if err != nil {
				return nil, fmt.Errorf("sip.trunks: %s: the source %q is no address or network", t.Name, s)
			}
			r.trusted = append(r.trusted, p)
		}
	}
	for _, h := range o.AllowHosts {
		if p, err := network(h); err == nil {
			r.nets = append(r.nets, p)
		} else {
			r.hosts = append(r.hosts, strings.ToLower(h))
		}
	}
	return r, nil
}

func network(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}

// errNotAllowed says that a target may not be called.
var errNotAllowed = errors.New("it may not be called: it is no user of ours, no trunk has its prefix, and its host is not allowed")

// errNotInPrefixes says that an app may not call a number.
var errNotInPrefixes = errors.New("the app may not call it: no prefix allows it (sip.allow)")

// errNotRegistered says that a user's phones are all away.
var errNotRegistered = errors.New("the user is not registered")

// to returns the phones to call for a target: one, or all of a user's.
func (r *routes) to(agent *ua.Agent, app string, t pcmo.Target, callerID string) ([]phone, error) {
	user := strings.TrimPrefix(t.User, "sip:")
	if t.Type == pcmo.TargetPSTN {
		if user = t.Number.Digits(); !agent.IsUser(user) { // a user may have a number for a name
			return r.number(app, user, callerID)
		}
	}
	name, host, hasHost := strings.Cut(user, "@")
	if !hasHost {
		if !agent.IsUser(name) {
			if digits := strings.TrimPrefix(name, "+"); digits != "" && strings.Trim(digits, "0123456789") == "" {
				return r.number(app, digits, callerID)
			}
			return nil, fmt.Errorf("%q: %w", t.User, errNotAllowed)
		}
		contacts := agent.Contacts(name)
		if len(contacts) == 0 {
			return nil, fmt.Errorf("%q: %w", name, errNotRegistered)
		}
		var out []phone
		for _, c := range contacts {
			out = append(out, phone{{Outgoing: ua.Outgoing{URI: reach(c), To: c.Source, From: callerID}}})
		}
		return out, nil
	}
	if !r.allows(host) {
		return nil, fmt.Errorf("%q: %w", t.User, errNotAllowed)
	}
	return []phone{{{Outgoing: ua.Outgoing{URI: "sip:" + user, From: callerID, Redirect: r.redirects}}}}, nil
}

// reach is the URI that a contact is called by: over what it registered over.
func reach(c ua.Contact) string {
	uri := c.URI
	if rest, ok := strings.CutPrefix(uri, "sips:"); ok {
		uri = "sip:" + rest
	}
	if c.Transport != "UDP" && !strings.Contains(uri, "transport=") {
		uri += ";transport=" + strings.ToLower(c.Transport)
	}
	return uri
}

// transportOf is the transport that a URI names: UDP where it names none.
func transportOf(uri string) string {
	_, params, _ := strings.Cut(uri, ";")
	for p := range strings.SplitSeq(params, ";") {
		if name, value, _ := strings.Cut(p, "="); strings.EqualFold(name, "transport") {
			value, _, _ = strings.Cut(value, "?")
			return strings.ToUpper(value)
		}
	}
	return "UDP"
}

// allows reports whether apps may call a host; port and parameters do not matter.
func (r *routes) allows(host string) bool {
	host, _, _ = strings.Cut(host, ";")
	host, _, _ = strings.Cut(host, "?")
	if u, err := url.Parse("//" + host); err == nil {
		host = u.Hostname()
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return slices.ContainsFunc(r.nets, func(p netip.Prefix) bool { return p.Contains(addr.Unmap()) })
	}
	return slices.Contains(r.hosts, strings.ToLower(host))
}

// redirects reports whether a call may be sent on to a URI: to a user at an allowed host.
func (r *routes) redirects(uri string) bool {
	scheme, rest, _ := strings.Cut(uri, ":")
	user, host, ok := strings.Cut(rest, "@")
	return ok && user != "" && !strings.Contains(host, "@") && strings.EqualFold(scheme, "sip") && r.allows(host)
}

// maxNumber bounds a number: E.164 has 15 digits, and some dial a prefix before.
const maxNumber = 24

// longest returns the length of the longest prefix of a number, less than 0 if none is.
func longest(prefixes []string, digits string) int {
	best := -1
	for _, p := range prefixes {
		p = strings.TrimPrefix(p, "+")
		if p == "*" {
			p = ""
		} else if p == "" {
			continue
		}
		if strings.HasPrefix(digits, p) {
			best = max(best, len(p))
		}
	}
	return best
}

// number calls a number through the trunk with the longest prefix of it, or the next; one that has just failed comes
// last.
func (r *routes) number(app, digits, callerID string) ([]phone, error) {
	if len(digits) > maxNumber {
		return nil, fmt.Errorf("the number %s is too long", mask(digits))
	}
	if r.allowed != nil && longest(r.allowed[app], digits) < 0 && longest(r.allowed[""], digits) < 0 {
		return nil, fmt.Errorf("the number %s: %w", mask(digits), errNotInPrefixes)
	}
	type candidate struct {
		*trunk
		length int
		rests  bool
	}
	var all []candidate
	now := time.Now()
	for _, t := range r.trunks {
		if n := longest(t.Prefixes, digits); n >= 0 {
			all = append(all, candidate{t, n, t.rests(now)})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("the number %s: %w", mask(digits), errNotAllowed)
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		if a.rests != b.rests {
			if a.rests {
				return 1
			}
			return -1
		}
		return b.length - a.length
	})
	var p phone
	for _, c := range all {
		uri := "sip:+" + digits + "@" + c.Address
		if c.Transport != "" && !strings.EqualFold(c.Transport, "udp") {
			uri += ";transport=" + strings.ToLower(c.Transport)
		}
		from := callerID
		if c.CallerID != "" {
			from = c.CallerID
		}
		p = append(p, way{trunk: c.trunk, Outgoing: ua.Outgoing{URI: uri, From: from, User: c.User, Password: c.Password}})
	}
	return []phone{p}, nil
}

// peers are the trunks that may prove by digest that a call is theirs.
func (r *routes) peers(users map[string]string) map[string]string {
	peers := map[string]string{}
	for _, t := range r.trunks {
		if _, isUser := users[t.User]; t.User != "" && t.Password != "" && !isUser {
			peers[t.User] = t.Password
		}
	}
	return peers
}

// mask keeps a number's beginning and length, for logs.
func mask(digits string) string {
	keep := min(4, len(digits))
	return digits[:keep] + "…(" + strconv.Itoa(len(digits)) + " digits)"
}
