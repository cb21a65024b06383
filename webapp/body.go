package webapp

import (
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

// answerBody is the request to an answer_url. Numbers are strings there, and numbers in the others: so does PIOPIY.
// extra_params, which PIOPIY's page does not show here, is there only when the call brings some.
func answerBody(c *call.Call) []byte {
	var o pcmo.Object
	o.Text("action", string(c.Direction))
	o.Text("from", digits(c.From))
	o.Text("to", digits(c.To))
	o.Int("time", c.Time.UnixMilli())
	o.Text("cmiuuid", c.ID)
	o.TextIf("extra_params", c.ExtraParams)
	return o.End()
}

// inputBody is the request to an action_url. Its key for the call's id is cmuuid. speech, which PIOPIY does not
// know, is there only when something was said.
func inputBody(c *call.Call, in call.Input) []byte {
	var o pcmo.Object
	o.Party("from", c.From)
	o.Party("to", c.To)
	o.Text("dtmf", in.Digits)
	o.Text("cmuuid", c.ID)
	o.TextIf("extra_params", c.ExtraParams)
	o.TextIf("speech", in.Speech)
	return o.End()
}

// eventBody is the event as it was reported. An embedder's event that has no wire form gets one here.
func eventBody(e *call.Event) []byte {
	if len(e.Raw) > 0 {
		return e.Raw
	}
	status := e.WireStatus
	if status == "" {
		status = string(e.Status)
	}
	var o pcmo.Object
	o.Text("direction", string(e.Direction))
	o.Text("leg", string(e.Leg))
	o.Text("status", status)
	o.Int("time", e.Time.UnixMilli())
	o.Party("from", e.From)
	o.Party("to", e.To)
	o.Text("cmiuuid", e.LegID)
	o.Text("conversation_uuid", e.CallID)
	o.TextIf("request_id", e.RequestID)
	o.TextIf("extra_params", e.ExtraParams)
	return o.End()
}

// cdrBody is the record as it was reported, or one made like it.
func cdrBody(r *call.CDR) []byte {
	if len(r.Raw) > 0 {
		return r.Raw
	}
	var o pcmo.Object
	o.Text("direction", string(r.Direction))
	o.Text("status", string(r.Status))
	o.Text("leg", string(r.Leg))
	o.Party("from", r.From)
	o.Party("to", r.To)
	if !r.Start.IsZero() {
		o.Int("time", r.Start.UnixMilli())
	}
	o.Seconds("start_time", r.Start)
	o.Seconds("answer_time", r.Answer)
	o.Seconds("end_time", r.End)
	o.Int("duration", int64(r.Duration/time.Second))
	o.Text("cmiuuid", r.LegID)
	o.Text("conversation_uuid", r.CallID)
	o.TextIf("request_id", r.RequestID)
	o.TextIf("extra_params", r.ExtraParams)
	return o.End()
}

// digits is a party as text: PIOPIY writes numbers without +.
func digits(party string) string {
	if pcmo.IsNumber(party) {
		return pcmo.Number(party).Digits()
	}
	return party
}
