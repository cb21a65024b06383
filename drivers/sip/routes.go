package sip

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
	"github.com/piopiy/piopiyd/pcmo"
)

// Trunk is a carrier that numbers are called through.
type Trunk struct {
	// Name names it in logs.
	Name string
	// Address is host:port of its SIP server; Transport is "udp" (the default) or "tcp".
	Address, Transport string
	// User and Password answer its challenges; both may be empty.
	User, Password string
	// Prefixes are the beginnings of the numbers, digits with country code, that may be called through it. Without
	// one none may; "*" stands for all.
	Prefixes []string
	// CallerID is shown instead of the app's choice.
	CallerID string
	// Sources are the addresses or networks that its calls come from: those need no password. Calls from its own
	// address count as well when that is an IP address.
	Sources []string
}

// routes find the way to a target. Nobody can be called who is not a user, within a trunk's prefixes, or at an
// allowed host.
type routes struct {
	trunks  []Trunk
	trusted []netip.Prefix
	hosts   []string
	nets    []netip.Prefix
}

func newRoutes(o Options) (*routes, error) {
	r := &routes{trunks: o.Trunks}
	for _, t := range o.Trunks {
		at, err := netip.ParseAddrPort(t.Address)
		if err == nil {
			r.trusted = append(r.trusted, netip.PrefixFrom(at.Addr(), at.Addr().BitLen()))
		} else if host, _, ok := strings.Cut(t.Address, ":"); !ok || host == "" {
			return nil, fmt.Errorf("sip.trunks: %s: the address %q is not host:port", t.Name, t.Address)
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

// errNotRegistered says that a user's phones are all away.
var errNotRegistered = errors.New("the user is not registered")

// to returns the calls to make for a target: one, or one for each phone of a user.
func (r *routes) to(agent *ua.Agent, t pcmo.Target, callerID string) ([]ua.Outgoing, error) {
	if t.Type == pcmo.TargetPSTN {
		return r.number(t.Number.Digits(), callerID)
	}
	user := strings.TrimPrefix(t.User, "sip:")
	name, host, hasHost := strings.Cut(user, "@")
	if !hasHost {
		if !agent.IsUser(name) {
			if digits := strings.TrimPrefix(name, "+"); digits != "" && strings.Trim(digits, "0123456789") == "" {
				return r.number(digits, callerID)
			}
			return nil, fmt.Errorf("%q: %w", t.User, errNotAllowed)
		}
		contacts := agent.Contacts(name)
		if len(contacts) == 0 {
			return nil, fmt.Errorf("%q: %w", name, errNotRegistered)
		}
		var out []ua.Outgoing
		for _, c := range contacts {
			uri := c.URI
			if c.Transport == "TCP" && !strings.Contains(uri, "transport=") {
				uri += ";transport=tcp"
			}
			out = append(out, ua.Outgoing{URI: uri, To: c.Source, From: callerID})
		}
		return out, nil
	}
	if !r.allows(host) {
		return nil, fmt.Errorf("%q: %w", t.User, errNotAllowed)
	}
	return []ua.Outgoing{{URI: "sip:" + user, From: callerID}}, nil
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

// number calls a number through the trunk with the longest prefix of it.
func (r *routes) number(digits, callerID string) ([]ua.Outgoing, error) {
	best, length := -1, -1
	for i, t := range r.trunks {
		for _, p := range t.Prefixes {
			p = strings.TrimPrefix(p, "+")
			if p == "*" {
				p = ""
			} else if p == "" {
				continue
			}
			if strings.HasPrefix(digits, p) && len(p) > length {
				best, length = i, len(p)
			}
		}
	}
	if best < 0 {
		return nil, fmt.Errorf("the number %s: %w", mask(digits), errNotAllowed)
	}
	t := r.trunks[best]
	uri := "sip:+" + digits + "@" + t.Address
	if strings.EqualFold(t.Transport, "tcp") {
		uri += ";transport=tcp"
	}
	if t.CallerID != "" {
		callerID = t.CallerID
	}
	return []ua.Outgoing{{URI: uri, From: callerID, User: t.User, Password: t.Password}}, nil
}

// mask keeps a number's beginning and length, for logs.
func mask(digits string) string {
	keep := min(4, len(digits))
	return digits[:keep] + "…(" + strconv.Itoa(len(digits)) + " digits)"
}
