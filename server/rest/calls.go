package rest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

// The calls under way, in v3.

// callID is the id of the call that a request is about: in the path or in the body.
func (q *request) callID() string {
	if id := q.param("call"); id != "" {
		return canonicalID(id)
	}
	return canonicalID(q.text("call_id"))
}

// showCall is GET /v3/calls/{call_id}: 404 once the call has ended.
func (a *API) showCall(q *request) (any, *refusal) {
	c, refused := a.call(q, q.callID())
	if refused != nil {
		return nil, refused
	}
	return struct {
		CallID     string         `json:"call_id"`
		RequestID  string         `json:"request_id,omitempty"`
		App        string         `json:"app"`
		AppID      string         `json:"app_id"`
		Direction  call.Direction `json:"direction"`
		Status     call.Status    `json:"status"`
		From       string         `json:"from_number"`
		To         string         `json:"to_number"`
		OnHold     bool           `json:"on_hold"`
		StartedAt  time.Time      `json:"started_at"`
		AnsweredAt time.Time      `json:"answered_at,omitzero"`
	}{c.ID, c.RequestID, c.App, AppID(c.App), c.Direction, c.Status, c.From, c.To, c.Held, c.Started.UTC(), c.Answered.UTC()}, nil
}

// hangup is POST /v3/voice/call/hangup, its old path /v3/voice/ai/hangup, and /v3/calls/{call_id}/actions/hangup.
// The cause "normal", which is the last one's default, is NORMAL_CLEARING.
func (a *API) hangup(q *request) (any, *refusal) {
	c, refused := a.call(q, q.callID())
	if refused != nil {
		return nil, refused
	}
	why := Hangup{Cause: oneLine(q.text("cause")), Reason: oneLine(q.text("reason"))}
	if why.Cause == "" || strings.EqualFold(why.Cause, "normal") {
		why.Cause = call.CauseNormal
	}
	if err := a.opts.Platform.Hangup(q.ctx, c.ID, why); err != nil {
		return nil, a.refuse(q.ctx, err)
	}
	id := call.NewRequestID()
	a.opts.Logger.InfoContext(q.ctx, "a call was hung up by REST", "call", c.ID, "app", c.App, "request", id)
	return queued{"queued", c.ID, id}, nil
}

// oneLine keeps a text from ending the header it may be put into.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c <= 0x9f {
			return ' '
		}
		return c
	}, s))
}

// pcmoTransfer is POST /v3/voice/pcmo/transfer: the call goes on with the pipeline.
func (a *API) pcmoTransfer(q *request) (any, *refusal) { return a.blind(q, "") }

// transferCall is POST /v3/calls/{call_id}/actions/transfer: blind with a pipeline, warm otherwise. A connect of the
// pipeline may leave out its caller_id and then shows the call's own number.
func (a *API) transferCall(q *request) (any, *refusal) {
	if q.body.has("pipeline") {
		if refused := a.check(q, blindBody, true); refused != nil {
			return nil, refused
		}
		c, refused := a.call(q, q.callID())
		if refused != nil {
			return nil, refused
		}
		own := c.To
		if c.Direction == call.Outbound {
			own = c.From
		}
		return a.blind(q, own)
	}
	if refused := a.check(q, warmBody, false); refused != nil {
		return nil, refused
	}
	if q.body.has("to_number") == q.body.has("sip_uri") {
		return nil, &refusal{status: http.StatusBadRequest, word: "validation_error", message: "exactly one of to_number, sip_uri and pipeline is required.", field: "to_number"}
	}
	c, refused := a.call(q, q.callID())
	if refused != nil {
		return nil, refused
	}
	w := q.warm()
	if w.ExtraParams, refused = q.variables(); refused != nil {
		return nil, refused
	}
	id, refused := a.transfer(q.ctx, c, func(done func(error)) error {
		return a.opts.Platform.WarmTransfer(q.ctx, c.ID, w, done)
	})
	if refused != nil {
		return nil, refused
	}
	return queued{"queued", c.ID, id}, nil
}

// blind transfers a call to the request's pipeline.
func (a *API) blind(q *request, callerID string) (any, *refusal) {
	doc, refused := a.pipeline(q, callerID)
	if refused != nil {
		return nil, refused
	}
	c, refused := a.call(q, q.callID())
	if refused != nil {
		return nil, refused
	}
	id, refused := a.transfer(q.ctx, c, func(done func(error)) error {
		return a.opts.Platform.Transfer(q.ctx, c.ID, Plan{Pipeline: doc}, done)
	})
	if refused != nil {
		return nil, refused
	}
	return queued{"queued", c.ID, id}, nil
}

// warm reads a body that warmBody has checked.
func (q *request) warm() Warm {
	w := Warm{
		ToNumber: q.text("to_number"), SIPURI: q.text("sip_uri"), CallerID: q.text("caller_id"),
		RingTimeout: seconds(q.body.values["timeout_sec"]), Summary: q.text("transfer_summary"),
		HoldAudio: q.text("hold_audio"),
	}
	w.Confirm, _ = q.body.values["confirm"].(bool)
	w.HoldMusic, _ = q.body.values["hold_audio"].(bool)
	w.HoldMusic = w.HoldMusic || w.HoldAudio != ""
	if headers, ok := q.body.values["sip_headers"].(object); ok {
		for _, key := range headers.keys {
			w.Headers = append(w.Headers, pcmo.Variable{Key: key, Value: headers.values[key]})
		}
	}
	return w
}

// compact writes JSON without the space between its parts; nil stays nil.
func compact(raw json.RawMessage) []byte {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return raw // nil, since everything else was parsed before
	}
	return b.Bytes()
}
