package outbound

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// closed lists the addresses that are not public, with a word for what they are. It follows the IANA IPv4 and
// IPv6 special-purpose address registries (RFC 6890), and adds the addresses at which clouds hand out secrets.
var closed = func() (list []block) {
	for _, e := range []struct{ what, prefixes string }{
		{"a cloud's metadata service", "169.254.169.254/32 100.100.100.200/32 168.63.129.16/32 192.0.0.192/32 fd00:ec2::254/128 fd20:ce::254/128"},
		{"unspecified", "0.0.0.0/8 ::/128"},
		{"a loopback address", "127.0.0.0/8 ::1/128"},
		{"a private address", "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fec0::/10"},
		{"a link-local address", "169.254.0.0/16 fe80::/10"},
		{"an address of carrier-grade NAT", "100.64.0.0/10"},
		{"a multicast address", "224.0.0.0/4 ff00::/8"},
		{"a reserved address", "192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 ::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 3fff::/20 5f00::/16"},
	} {
		for p := range strings.FieldsSeq(e.prefixes) {
			list = append(list, block{netip.MustParsePrefix(p), e.what})
		}
	}
	return list
}()

type block struct {
	prefix netip.Prefix
	what   string
}

// carried are the IPv6 prefixes behind which an IPv4 address is reached, and the byte it begins at: NAT64
// (RFC 6052), SIIT (RFC 7915) and 6to4 (RFC 3056).
var carried = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12},
	{netip.MustParsePrefix("2002::/16"), 2},
}

// destination returns the address that a packet to addr arrives at in the end.
func destination(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	for _, c := range carried {
		if c.prefix.Contains(addr) {
			b := addr.As16()
			var v4 [4]byte
			binary.BigEndian.PutUint32(v4[:], binary.BigEndian.Uint32(b[c.at:]))
			return netip.AddrFrom4(v4)
		}
	}
	return addr
}

// closedBecause says what a non-public address is; it is empty for a public one.
func closedBecause(addr netip.Addr) string {
	if !addr.IsValid() {
		return "not an address"
	}
	addr = destination(addr)
	for _, b := range closed {
		if b.prefix.Contains(addr) {
			return b.what
		}
	}
	return ""
}

// Public reports whether an address is on the public internet: neither loopback, private, link-local,
// carrier-grade NAT, multicast or reserved, nor a form of IPv6 that leads to such an IPv4 address.
func Public(addr netip.Addr) bool { return closedBecause(addr) == "" }

// allowList is what may be reached although it is not public.
type allowList []allowed

// allowed is an entry: either a host name, which may begin with "*.", or a prefix. Port 0 means every port.
type allowed struct {
	host   string
	prefix netip.Prefix
	port   uint16
}

func parseAllow(entries []string) (allowList, error) {
	var list allowList
	for _, text := range entries {
		a, err := parseAllowed(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("fetch.allow: %q: %w", text, err)
		}
		list = append(list, a)
	}
	return list, nil
}

func parseAllowed(text string) (a allowed, err error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return allowed{prefix: p.Masked()}, nil
	}
	if strings.Contains(text, "/") {
		return a, fmt.Errorf(`it is neither a CIDR such as "10.1.0.0/16" nor a host name; a URL is not taken, write its host`)
	}
	host := text
	if h, port, err := net.SplitHostPort(text); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return a, fmt.Errorf("the port %q is not a number from 1 to 65535", port)
		}
		host, a.port = h, uint16(n)
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = addr.Unmap().WithZone("")
		a.prefix = netip.PrefixFrom(addr, addr.BitLen())
		return a, nil
	}
	a.host = canonicalHost(host)
	name := strings.TrimPrefix(a.host, "*.")
	if name == "" || strings.ContainsAny(name, "*:@ \t%?#\\[]") {
		return a, fmt.Errorf(`it is no host name, address or CIDR; write for instance "crm.internal", "*.internal", "10.1.2.3" or "10.1.0.0/16"`)
	}
	return a, nil
}

// host reports whether a name is allowed, whatever its addresses.
func (l allowList) host(host string, port uint16) bool {
	host = canonicalHost(host)
	for _, a := range l {
		if a.host == "" || a.port != 0 && a.port != port {
			continue
		}
		if suffix, ok := strings.CutPrefix(a.host, "*"); a.host == host || ok && strings.HasSuffix(host, suffix) && host != suffix[1:] {
			return true
		}
	}
	return false
}

// address reports whether an address is allowed.
func (l allowList) address(addr netip.Addr, port uint16) bool {
	plain, final := addr.Unmap().WithZone(""), destination(addr)
	for _, a := range l {
		if a.host == "" && (a.port == 0 || a.port == port) && (a.prefix.Contains(plain) || a.prefix.Contains(final)) {
			return true
		}
	}
	return false
}

func canonicalHost(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }
