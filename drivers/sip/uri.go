package sip

import (
	"errors"
	"strings"

	"github.com/piopiy/piopiyd/call"
)

// hostOf is what a sip: URI says of its host: the host, and its port where it names one.
func hostOf(uri string) string {
	rest := strings.TrimPrefix(uri, "sip:")
	rest, _, _ = strings.Cut(rest, ";")
	rest, _, _ = strings.Cut(rest, "?")
	return rest[strings.LastIndexByte(rest, '@')+1:]
}

// endingOf is the ending of a leg whose call ended first.
func endingOf(cause error) call.Ending {
	var hangup *call.HangupError
	if errors.As(cause, &hangup) {
		return call.Ending{By: hangup.By, Cause: hangup.Cause}
	}
	return call.Ending{By: call.SidePlatform, Cause: call.CauseTemporaryFailure, Err: cause}
}
