package webapp

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

// answerBody is the request to an answer_url. Numbers are strings there, and numbers in the others: so does PIOPIY.
// extra_params, which PIOPIY's page does not show here, is there only when the call brings some.
func answerBody(c *call.Call) []byte {
	o := object{'{'}
	o.text("action", string(c.Direction))
	o.text("from", digits(c.From))
	o.text("to", digits(c.To))
	o.integer("time", c.Time.UnixMilli())
	o.text("cmiuuid", c.ID)
	o.textIf("extra_params", c.ExtraParams)
	return o.end()
}

// inputBody is the request to an action_url. Its key for the call's id is cmuuid. speech, which PIOPIY does not
// know, is there only when something was said.
func inputBody(c *call.Call, in call.Input) []byte {
	o := object{'{'}
	o.number("from", c.From)
	o.number("to", c.To)
	o.text("dtmf", in.Digits)
	o.text("cmuuid", c.ID)
	o.textIf("extra_params", c.ExtraParams)
	o.textIf("speech", in.Speech)
	return o.end()
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
	o := object{'{'}
	o.text("direction", string(e.Direction))
	o.text("leg", string(e.Leg))
	o.text("status", status)
	o.integer("time", e.Time.UnixMilli())
	o.number("from", e.From)
	o.number("to", e.To)
	o.text("cmiuuid", e.LegID)
	o.text("conversation_uuid", e.CallID)
	o.textIf("request_id", e.RequestID)
	o.textIf("extra_params", e.ExtraParams)
	return o.end()
}

// cdrBody is the record as it was reported, or one made like it.
func cdrBody(r *call.CDR) []byte {
	if len(r.Raw) > 0 {
		return r.Raw
	}
	o := object{'{'}
	o.text("direction", string(r.Direction))
	o.text("status", string(r.Status))
	o.text("leg", string(r.Leg))
	o.number("from", r.From)
	o.number("to", r.To)
	if !r.Start.IsZero() {
		o.integer("time", r.Start.UnixMilli())
	}
	o.seconds("start_time", r.Start)
	o.seconds("answer_time", r.Answer)
	o.seconds("end_time", r.End)
	o.integer("duration", int64(r.Duration/time.Second))
	o.text("cmiuuid", r.LegID)
	o.text("conversation_uuid", r.CallID)
	o.textIf("request_id", r.RequestID)
	o.textIf("extra_params", r.ExtraParams)
	return o.end()
}

// digits is a party as text: PIOPIY writes numbers without +.
func digits(party string) string {
	if isNumber(party) {
		return pcmo.Number(party).Digits()
	}
	return party
}

func isNumber(party string) bool {
	return party != "" && strings.Trim(strings.TrimPrefix(party, "+"), "0123456789") == ""
}

// object writes a JSON object whose keys keep their order.
type object []byte

func (o *object) key(k string) {
	if len(*o) > 1 {
		*o = append(*o, ',')
	}
	*o = append(pcmo.AppendString(*o, k), ':')
}

func (o *object) text(k, v string) {
	o.key(k)
	*o = pcmo.AppendString(*o, v)
}

func (o *object) textIf(k, v string) {
	if v != "" {
		o.text(k, v)
	}
}

func (o *object) integer(k string, v int64) {
	o.key(k)
	*o = strconv.AppendInt(*o, v, 10)
}

func (o *object) seconds(k string, at time.Time) {
	if !at.IsZero() {
		o.integer(k, at.Unix())
	}
}

// number writes a phone number as a number, and any other party, such as a SIP user, as a string.
func (o *object) number(k, party string) {
	if !isNumber(party) {
		o.text(k, party)
		return
	}
	o.key(k)
	*o = pcmo.Number(party).AppendJSON(*o)
}

func (o *object) end() json.RawMessage { return json.RawMessage(append(*o, '}')) }
