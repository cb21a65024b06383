package call

import (
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
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
	var b pcmo.Object // by hand: every call pays for it
	b.Text("id", c.ID)
	b.TextIf("request_id", c.RequestID)
	b.Text("from", c.From)
	b.Text("to", c.To)
	b.Text("driver", c.Driver)
	b.TextIf("direction", string(c.Direction))
	b.Text("time", c.Time.Format(time.RFC3339Nano))
	b.TextIf("extra_params", c.ExtraParams)
	if c.InputURL != nil {
		b.Text("input_url", c.InputURL(noToken))
	}
	b.TextIf("stream_url", c.StreamURL)
	if data == nil {
		data = answerEntry{c.From, c.To, c.Direction, c.Driver, c.Time.UnixMilli(), c.ExtraParams}
	}
	conv.session.RecordWith(kind, data, b.End())
}

// noToken stands where a token goes.
const noToken = "TOKEN"
