package sip

import (
	"errors"
	"net"
	"strings"

	"github.com/piopiy/piopiyd/call"
)

// splitURI returns host:port and the user of a sip: URI.
func splitURI(uri string) (hostPort, user string) {
	rest := strings.TrimPrefix(uri, "sip:")
	rest, _, _ = strings.Cut(rest, ";")
	rest, _, _ = strings.Cut(rest, "?")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		user, rest = rest[:i], rest[i+1:]
	}
	if _, _, err := net.SplitHostPort(rest); err != nil {
		rest = net.JoinHostPort(strings.Trim(rest, "[]"), "5060")
	}
	return rest, user
}

// endingOf is the ending of a leg whose call ended first.
func endingOf(cause error) call.Ending {
	var hangup *call.HangupError
	if errors.As(cause, &hangup) {
		return call.Ending{By: hangup.By, Cause: hangup.Cause}
	}
	return call.Ending{By: call.SidePlatform, Cause: call.CauseTemporaryFailure, Err: cause}
}
