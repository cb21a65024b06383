package rest

import (
	"net/http"

	"github.com/piopiy/piopiyd/call"
)

// madeCall is the reply of make call (protocol page 3.1), with the call's id as an extra.
type madeCall struct {
	Data struct {
		Status    string `json:"status"`
		RequestID string `json:"request_id"`
	} `json:"data"`
	Status    string   `json:"status,omitempty"`
	RequestID string   `json:"request_id,omitempty"`
	CallID    string   `json:"cmiuuid,omitempty"`
	Code      int      `json:"code"`
	CMICode   int      `json:"cmi_code"`
	Warnings  []string `json:"warnings,omitempty"`
}

const progress = "progress"

// makeCall orders a call. The variants for India and for the world are the same here: the platform's routes decide.
func (a *API) makeCall(q *request, in *fields, inline bool) (any, *refusal) {
	o := Order{App: a.app(q), From: in.phone("from"), To: in.phone("to")}
	var warnings []string
	if inline {
		o.Plan.Document, warnings = in.document("pcmo")
	} else {
		o.Plan.AnswerURL = in.url("answer_url")
	}
	o.ExtraParams, o.MaxDuration = in.extraParams(), in.seconds("duration")
	if in.refused != nil {
		return nil, in.refused
	}
	made, err := a.opts.Platform.MakeCall(q.ctx, o)
	if err != nil {
		return nil, a.refuse(q.ctx, err)
	}
	a.ordered(q, o, made)
	reply := madeCall{CallID: made.CallID, Code: http.StatusOK, CMICode: http.StatusOK, Warnings: warnings}
	reply.Data.Status, reply.Data.RequestID = progress, made.RequestID
	if inline { // the other variant has them in data only
		reply.Status, reply.RequestID = progress, made.RequestID
	}
	return reply, nil
}

// actionDone is the reply of call/action, of which the protocol page knows none.
type actionDone struct {
	Status string `json:"status"`
	Action string `json:"action"`
	CallID string `json:"cmiuuid"`
	// Held is set for hold, unhold and holdToggle: the state the call is in now.
	Held *bool `json:"held,omitempty"`
	// RequestID is set for transfer.
	RequestID string `json:"request_id,omitempty"`
	Code      int    `json:"code"`
	CMICode   int    `json:"cmi_code"`
}

// callIDKeys are the names that the SDKs have for the call's id.
var callIDKeys = []string{"cmiuid", "cmiuuid", "cmuuid"}

// callID reads the call's id under whichever name it stands.
func (in *fields) callID() string {
	id := ""
	for _, key := range callIDKeys {
		next := in.text(key, false)
		if id != "" && next != "" && canonicalID(next) != id {
			in.fail(key, "names another call than the key before it")
		}
		if next != "" {
			id = canonicalID(next)
		}
	}
	if id == "" {
		in.fail("cmiuuid", "is required (cmiuid and cmuuid are accepted too)")
	}
	return id
}

// action is POST /v1/call/action and /v1/call/global_action: what is done to a call under way (protocol page 3.3).
// A call that is not there, or not this app's, has code 404; one that cannot be held yet or is being transferred 409.
func (a *API) action(q *request, in *fields) (any, *refusal) {
	id, name := in.callID(), in.text("action", true)
	var mode HoldMode
	transferURL := ""
	switch name {
	case "hold":
		mode = Hold
	case "unhold":
		mode = Unhold
	case "holdToggle":
		mode = ToggleHold
	case "transfer":
		transferURL = in.url("transfer_url")
	case "hangup", "":
	default:
		in.fail("action", "must be one of: hold, unhold, holdToggle, hangup, transfer")
	}
	if in.refused != nil {
		return nil, in.refused
	}
	c, refused := a.call(q, id)
	if refused != nil {
		return nil, refused
	}
	done := actionDone{Status: "success", Action: name, CallID: c.ID, Code: http.StatusOK, CMICode: http.StatusOK}
	switch name {
	case "hangup":
		if err := a.opts.Platform.Hangup(q.ctx, c.ID, Hangup{Cause: call.CauseNormal}); err != nil {
			return nil, a.refuse(q.ctx, err)
		}
	case "transfer":
		done.Status = progress
		done.RequestID, refused = a.transfer(q.ctx, c, func(settled func(error)) error {
			return a.opts.Platform.Transfer(q.ctx, c.ID, Plan{AnswerURL: transferURL}, settled)
		})
		if refused != nil {
			return nil, refused
		}
	default:
		held, err := a.opts.Platform.Hold(q.ctx, c.ID, mode)
		if err != nil {
			return nil, a.refuse(q.ctx, err)
		}
		done.Held = &held
	}
	return done, nil
}
