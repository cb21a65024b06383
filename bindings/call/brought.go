package call

import (
	"time"

	"github.com/piopiy/piopiyd/call"
)

// answerEntry is the journal's entry for a call that begins.
type answerEntry struct {
	From        string         `json:"from"`
	To          string         `json:"to"`
	Direction   call.Direction `json:"direction,omitempty"`
	Driver      string         `json:"driver"`
	Time        int64          `json:"time"`
	ExtraParams string         `json:"extra_params,omitempty"`
}

// inputEntry is the journal's entry for what a caller answered to continuation N of the call.
type inputEntry struct {
	N            int    `json:"n"`
	Continuation string `json:"continuation"`
	Digits       string `json:"digits"`
	Speech       string `json:"speech"`
}

// broughtEntry is what a replay has to know of a webhook beside that: the addresses in it may hold secrets, and it can
// call the parties otherwise than the first one did.
type broughtEntry struct {
	ID          string         `json:"id"`
	RequestID   string         `json:"request_id,omitempty"`
	From        string         `json:"from"`
	To          string         `json:"to"`
	Driver      string         `json:"driver"`
	Direction   call.Direction `json:"direction,omitempty"`
	Time        time.Time      `json:"time"`
	ExtraParams string         `json:"extra_params,omitempty"`
	InputURL    string         `json:"input_url,omitempty"` // with a token of none
	StreamURL   string         `json:"stream_url,omitempty"`
}

// brought journals a webhook, or whatever else a driver asks. On the session's goroutine.
func (conv *conversation) brought(kind string, c *call.Call, data any) {
	b := broughtEntry{
		ID: c.ID, RequestID: c.RequestID, From: c.From, To: c.To, Driver: c.Driver, Direction: c.Direction, Time: c.Time,
		ExtraParams: c.ExtraParams, StreamURL: c.StreamURL,
	}
	if c.InputURL != nil {
		b.InputURL = c.InputURL(noToken)
	}
	if data == nil {
		data = answerEntry{c.From, c.To, c.Direction, c.Driver, c.Time.UnixMilli(), c.ExtraParams}
	}
	conv.session.RecordWith(kind, data, b)
}

// noToken stands where a token goes.
const noToken = "TOKEN"
