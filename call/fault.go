package call

import "github.com/piopiy/piopiyd/pcmo"

// FaultPolicy says what a caller meets when the app's script fails.
// The steps run in the order of the fields; an empty policy hangs up.
type FaultPolicy struct {
	// LastGood answers with the newest earlier version of the app that still can, before anything below.
	LastGood bool `json:"last_good,omitempty"`
	// Say is spoken to the caller.
	Say string `json:"say,omitempty"`
	// Play is an audio file name or URL.
	Play string `json:"play,omitempty"`
	// Forward is the number that the call is bridged to.
	Forward string `json:"forward,omitempty"`
	// Hangup is the cause the call is hung up with, such as "USER_BUSY"; empty names none, as PIOPIY's own hangup.
	Hangup string `json:"hangup,omitempty"`
}

// Document returns the policy as PCMO for a call.
func (p FaultPolicy) Document(c *Call) pcmo.Document { return p.document(c) }
