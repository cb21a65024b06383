package sip

import (
	"errors"
	"fmt"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/sdp"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// More causes of ITU-T Q.850 than package call names.
const (
	causeUnallocated  = "UNALLOCATED_NUMBER"
	causeIncompatible = "INCOMPATIBLE_DESTINATION"
	causeNoReply      = "RECOVERY_ON_TIMER_EXPIRE"
	causeBarred       = "OUTGOING_CALL_BARRED"
)

// code says what a cause is in SIP and in Q.850.
type code struct {
	cause  string
	status int
	phrase string
	q850   int
}

var codes = []code{
	{call.CauseNormal, 480, "Temporarily Unavailable", 16},
	{call.CauseBusy, 486, "Busy Here", 17},
	{call.CauseNoAnswer, 480, "Temporarily Unavailable", 19},
	{call.CauseRejected, 603, "Decline", 21},
	{call.CauseUnreachable, 404, "Not Found", 3},
	{causeUnallocated, 404, "Not Found", 1},
	{causeIncompatible, 488, "Not Acceptable Here", 88},
	{causeNoReply, 408, "Request Timeout", 102},
	{call.CauseTemporaryFailure, 500, "Server Internal Error", 41},
	{call.CauseCongestion, 503, "Service Unavailable", 42},
	{call.CauseTimeLimit, 480, "Temporarily Unavailable", 31},
	{call.CauseCancelled, 487, "Request Terminated", 16},
	{call.CauseElsewhere, 486, "Busy Here", 26},
	{causeBarred, 403, "Forbidden", 52},
	{call.CauseMachine, 480, "Temporarily Unavailable", 16},
}

// codeOf returns what to answer for a cause; a cause that is not known is a decline.
func codeOf(cause string) code {
	for _, c := range codes {
		if c.cause == cause {
			return c
		}
	}
	return code{cause, 603, "Decline", 31}
}

// reason is the Reason header for a cause (RFC 3326).
func (c code) reason() string { return fmt.Sprintf(`Q.850;cause=%d;text="%s"`, c.q850, c.cause) }

// causeOfReason reads a Reason header; "" when it has no cause that is known. One of Q.850 says more than one of SIP.
func causeOfReason(reason string) string {
	found := ""
	for _, r := range ua.Reasons(reason) {
		switch {
		case r.Protocol == "Q.850":
			for _, c := range codes {
				if c.q850 == r.Cause {
					return c.cause
				}
			}
		case r.Protocol == "SIP" && r.Cause >= 300:
			found = causeOfStatus(r.Cause)
		}
	}
	return found
}

// causeOf is the cause of a call that was not taken.
func causeOf(err error) string {
	var rejected *ua.Rejected
	var gaveUp *ua.GaveUp
	var lost *missed
	switch {
	case errors.As(err, &rejected):
	case errors.As(err, &lost):
		return lost.cause
	case errors.As(err, &gaveUp): // we did, because it rang too long
		return call.CauseNoAnswer
	case errors.Is(err, errNotAllowed), errors.Is(err, errNotInPrefixes):
		return causeBarred
	case errors.Is(err, errNotRegistered):
		return call.CauseUnreachable
	case errors.Is(err, errLimit):
		return call.CauseCongestion
	case errors.Is(err, sdp.ErrNoCodec), errors.Is(err, sdp.ErrNoAudio), errors.Is(err, sdp.ErrSecurity):
		return causeIncompatible
	default:
		return causeNoReply
	}
	if cause := causeOfReason(rejected.Reason); cause != "" && cause != call.CauseNormal {
		return cause
	}
	return causeOfStatus(rejected.Status)
}

// causeOfStatus is the cause that a refusal's status stands for.
func causeOfStatus(s int) string {
	switch {
	case s == 486 || s == 600:
		return call.CauseBusy
	case s == 480 || s == 408:
		return call.CauseNoAnswer
	case s == 487:
		return call.CauseCancelled
	case s == 404 || s == 410 || s == 484 || s == 604:
		return causeUnallocated
	case s == 488 || s == 606 || s == 415:
		return causeIncompatible
	case s == 503:
		return call.CauseCongestion
	case s == 603 || s == 401 || s == 403 || s == 407:
		return call.CauseRejected
	}
	return call.CauseTemporaryFailure
}

// refusal is what a call is answered with that cannot be taken at all.
func refusal(err error) (status int, phrase string) {
	if errors.Is(err, sdp.ErrNoAudio) || errors.Is(err, sdp.ErrNoCodec) || errors.Is(err, sdp.ErrSecurity) {
		return 488, "Not Acceptable Here"
	}
	if errors.Is(err, sdp.ErrTooLarge) {
		return 413, "Request Entity Too Large"
	}
	if errors.Is(err, errBadOffer) {
		return 400, "Bad Session Description"
	}
	return 503, "Service Unavailable"
}
