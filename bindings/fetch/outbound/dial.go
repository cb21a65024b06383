package outbound

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

type dialKey struct{}

// target is what a dial was asked for.
type target struct{ host string }

// DialContext connects to "host:port" under the client's rules, for protocols other than plain HTTP
// requests. A refused address is an [*Error] with code EBLOCKED, which may be wrapped.
func (c *Client) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if network != "tcp" && network != "tcp4" && network != "tcp6" {
		return nil, fmt.Errorf("outbound: the network %q is not TCP", network)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	ctx = context.WithValue(ctx, dialKey{}, target{host})
	if _, err := netip.ParseAddr(host); err == nil { // say no before a socket is opened
		if err := c.control(ctx, network, address, nil); err != nil {
			return nil, err
		}
	}
	return c.dialer.DialContext(ctx, network, address)
}

// control is called for every address that is about to be connected to: the last moment, with what DNS answered.
func (c *Client) control(ctx context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return &Error{Code: "EBLOCKED", Message: fmt.Sprintf("the address %q cannot be understood", address), Err: err}
	}
	asked, _ := ctx.Value(dialKey{}).(target)
	what := closedBecause(at.Addr())
	if what == "" || c.allow.address(at.Addr(), at.Port()) || c.allow.host(asked.host, at.Port()) {
		return nil
	}
	shown, entry := at.Addr().String(), asked.host
	if literal, err := netip.ParseAddr(asked.host); err != nil {
		shown = asked.host + " (" + shown + ")"
	} else {
		entry = literal.String()
	}
	return &Error{Code: "EBLOCKED", Message: fmt.Sprintf("%s is %s, which scripts may not reach; if they should, add %s to fetch.allow in the configuration", shown, what, strconv.Quote(entry))}
}
