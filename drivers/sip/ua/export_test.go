package ua

import (
	"net"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// WithNetwork lets an agent open its sockets in another network than the system's.
func WithNetwork(o Options, open func(address string) (net.PacketConn, net.Listener, error)) Options {
	o.network = open
	return o
}

// ParseReplaces reads a Replaces header, and writes it again.
func ParseReplaces(value string) (string, error) {
	r, err := parseReplaces(value)
	return r.callID + ";to-tag=" + r.to + ";from-tag=" + r.from, err
}

// ParseReferTo reads a Refer-To header.
func ParseReferTo(value string) (r *Referral, ok bool) {
	r = &Referral{dialog: &Dialog{agent: &Agent{}}}
	return r, r.aim(value)
}

// ParseSipfrag reads the body of a NOTIFY.
func ParseSipfrag(body string) (Outcome, bool) { return sipfrag(body) }

// ParseSessionExpires reads the header of a session timer.
func ParseSessionExpires(value string) (interval time.Duration, refresher string, ok bool) {
	res := msg.NewResponse(200, "OK")
	res.AppendHeader(msg.NewHeader("Session-Expires", value))
	return readSessionExpires(res)
}
