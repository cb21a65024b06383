package call

import (
	"encoding/json"
	"time"
)

// Status is what happened to a call or leg, in one vocabulary for the old and the new names on the wire.
type Status string

// Statuses of events; CDRs use StatusAnswered and StatusMissed.
const (
	StatusStarted            Status = "started"
	StatusRinging            Status = "ringing"
	StatusAnswered           Status = "answered"
	StatusBridged            Status = "bridged"
	StatusHangup             Status = "hangup"
	StatusMissed             Status = "missed"
	StatusStreamConnected    Status = "stream_connected"
	StatusStreamDisconnected Status = "stream_disconnected"
	StatusStreamError        Status = "stream_error"
)

// Event is one live event (protocol page, section 1.5).
type Event struct {
	// App is the app whose hook received the event; Driver is who carries the call.
	App, Driver string
	// CallID is the id that the app's sessions know the call by: the conversation's id, else the leg's.
	CallID string
	// LegID is the leg's own cmiuuid.
	LegID string
	// RequestID is the id that the make-call API returned, for outbound calls.
	RequestID string
	Leg       Leg
	Direction Direction
	// Status is the normalised status; WireStatus is as received ("in_answered", "STREAM_DISCONNECTED").
	Status     Status
	WireStatus string
	// Time is when it happened.
	Time        time.Time
	From, To    string
	ExtraParams string
	// Raw is the event as received: what the script sees beside the normalised fields.
	Raw json.RawMessage
}

// CDR is the record of one leg (protocol page, section 1.6).
type CDR struct {
	App, Driver string
	// CallID is the id that the app's sessions know the call by; LegID is the leg's own cmiuuid.
	CallID    string
	LegID     string
	RequestID string
	Leg       Leg
	Direction Direction
	// Status is StatusAnswered or StatusMissed.
	Status   Status
	From, To string
	// Start, Answer and End are zero where the wire has no value.
	Start, Answer, End time.Time
	// Duration is the talk time.
	Duration    time.Duration
	ExtraParams string
	// Raw is the record as received.
	Raw json.RawMessage
}
