package ua

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// SplitAddress reads the address of a SIP server: host, or host:port. port is 0 where it names none.
func SplitAddress(address string) (host string, port uint16, err error) {
	host = address
	if i := strings.LastIndexByte(address, ':'); i >= 0 && !strings.HasSuffix(address, "]") {
		n, err := strconv.ParseUint(address[i+1:], 10, 16)
		if err != nil || n == 0 {
			return "", 0, fmt.Errorf("%q: the port is not a number from 1 to 65535", address)
		}
		host, port = address[:i], uint16(n)
	}
	name, isIPv6 := strings.CutPrefix(host, "[")
	if isIPv6 {
		name, isIPv6 = strings.CutSuffix(name, "]")
	}
	if ip, err := netip.ParseAddr(name); isIPv6 && err == nil && ip.Is6() {
		return name, port, nil
	}
	if host == "" || !safe(host) || strings.ContainsAny(host, " []:/@") {
		return "", 0, fmt.Errorf("%q is neither host nor host:port", address)
	}
	return host, port, nil
}

// Locate returns where a SIP server can be reached, each as host:port, in the order to try them in (RFC 3263 section
// 4): an address stands for itself; a name with a port for its addresses; a name alone for what its SRV records say,
// or its addresses where it has none. Over TLS it is always the name, which the certificate is for.
//
// What failed lately, by [Agent.Avoid], comes last.
func (a *Agent) Locate(ctx context.Context, address, transport string) ([]string, error) {
	host, port, err := SplitAddress(address)
	if err != nil {
		return nil, err
	}
	usual := cmp.Or(port, uint16(msg.DefaultPort(transport)))
	if ip, err := netip.ParseAddr(host); err == nil {
		return []string{netip.AddrPortFrom(ip, usual).String()}, nil
	}
	ctx, cancel := context.WithTimeout(marked(ctx), connectTime)
	defer cancel()
	var places []string
	if port == 0 && transport != "TLS" {
		for _, server := range a.names.servers(ctx, host, transport) {
			found, err := a.names.addresses(ctx, server.Target)
			if err != nil {
				continue // another may be there
			}
			for _, ip := range found {
				places = append(places, netip.AddrPortFrom(ip, server.Port).String())
			}
		}
	}
	if len(places) == 0 {
		found, err := a.names.addresses(ctx, host)
		if err != nil {
			return nil, fmt.Errorf("the host cannot be found: %w", err)
		}
		if transport == "TLS" {
			return []string{net.JoinHostPort(host, strconv.Itoa(int(usual)))}, nil
		}
		for _, ip := range found {
			places = append(places, netip.AddrPortFrom(ip, usual).String())
		}
	}
	if len(places) > maxPlaces {
		places = places[:maxPlaces]
	}
	a.names.order(places)
	return places, nil
}

// Avoid has a place that [Agent.Locate] returned come last for a while: it does not work.
func (a *Agent) Avoid(place string) { a.names.avoid(place) }

const (
	// maxPlaces bounds where one call is tried.
	maxPlaces = 4
	// fresh is how long an answer is taken for true, missing how long a failure is: the resolver does not tell what
	// the zone says about that.
	fresh, missing = 30 * time.Second, 5 * time.Second
	// avoided is how long a place that does not work comes last.
	avoided = 30 * time.Second
	// maxNames bounds what is remembered: names come from the other side, too.
	maxNames = 1000
)

// names remembers what servers are called.
type names struct {
	resolver *net.Resolver

	mu      sync.Mutex
	found   map[string]found
	failing map[string]time.Time // places
}

// found is what a name stands for: servers where it is that of SRV records, else addresses.
type found struct {
	addresses []netip.Addr
	servers   []*net.SRV
	err       error
	until     time.Time
}

func newNames(resolver *net.Resolver) *names {
	return &names{resolver: resolver, found: map[string]found{}, failing: map[string]time.Time{}}
}

// addresses returns the addresses of a host; IPv4 comes first.
func (n *names) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	f := n.lookUp(ctx, host, func() (f found) {
		f.addresses, f.err = n.resolver.LookupNetIP(ctx, "ip", host)
		for i, ip := range f.addresses {
			f.addresses[i] = ip.Unmap()
		}
		slices.SortStableFunc(f.addresses, func(x, y netip.Addr) int { return x.BitLen() - y.BitLen() })
		return f
	})
	return f.addresses, f.err
}

// servers returns the servers of a domain, in the order of their priorities and by chance of their weights; none where
// it has no SRV records, or they cannot be had.
func (n *names) servers(ctx context.Context, domain, transport string) []*net.SRV {
	name := "_sip._" + strings.ToLower(transport) + "." + domain
	return n.lookUp(ctx, name, func() (f found) {
		_, f.servers, f.err = n.resolver.LookupSRV(ctx, "", "", name)
		return f
	}).servers
}

// lookUp returns what a name stands for. An old answer is better than none (RFC 8767): a call need not fail because
// the name server does.
func (n *names) lookUp(ctx context.Context, name string, ask func() found) found {
	n.mu.Lock()
	old, known := n.found[name]
	n.mu.Unlock()
	if known && time.Now().Before(old.until) {
		return old
	}
	f := ask()
	var dns *net.DNSError
	gone := errors.As(f.err, &dns) && dns.IsNotFound
	switch {
	case f.err == nil:
		f.until = time.Now().Add(fresh)
	case ctx.Err() != nil && !known: // nobody knows whether it would have been found
		return f
	case known && old.err == nil && !gone:
		f = old
		f.until = time.Now().Add(missing)
	default:
		f.until = time.Now().Add(missing)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.found) >= maxNames {
		clear(n.found)
	}
	n.found[name] = f
	return f
}

// known returns an address of a host that was found before; it asks nobody.
func (n *names) known(host string) (ip netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if f := n.found[host]; len(f.addresses) > 0 {
		ip = f.addresses[0]
	}
	return ip
}

func (n *names) avoid(place string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.failing) >= maxNames {
		clear(n.failing)
	}
	n.failing[place] = time.Now()
}

// order puts places that fail behind the others.
func (n *names) order(places []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fails := func(place string) int {
		if at, ok := n.failing[place]; ok && time.Since(at) < avoided {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(places, func(x, y string) int { return fails(x) - fails(y) })
}
