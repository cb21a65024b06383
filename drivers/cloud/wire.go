package cloud

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/piopiy/piopiyd/call"
)

// FieldError says which field of a request is wrong, and what was expected.
type FieldError struct {
	// Field is the JSON key, or empty when the body as a whole is wrong.
	Field string
	// Rule says what was expected.
	Rule string
}

// Error returns the field and the rule.
func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.Rule
	}
	return e.Field + ": " + e.Rule
}

// maxIDLength bounds the ids that come from outside.
const maxIDLength = 200

// text accepts what the platform writes as a string in one place and as a number in the next.
type text string

func (t *text) UnmarshalJSON(data []byte) error {
	switch {
	case bytes.Equal(data, []byte("null")):
		return nil
	case data[0] == '"':
		if inner := data[1 : len(data)-1]; bytes.IndexByte(inner, '\\') < 0 {
			*t = text(inner) // the usual case, without a second decoder
			return nil
		}
		return json.Unmarshal(data, (*string)(t))
	case data[0] == '{' || data[0] == '[':
		*t = text(data) // extra_params, where somebody sent it unencoded
		return nil
	case data[0] == 't' || data[0] == 'f':
		return errors.New("a boolean is neither text nor number")
	}
	number := json.Number(data)
	if _, err := number.Int64(); err != nil {
		f, err := number.Float64()
		if err != nil {
			return err
		}
		*t = text(strconv.FormatFloat(f, 'f', -1, 64))
		return nil
	}
	*t = text(number)
	return nil
}

// stamp is an epoch time in seconds or milliseconds, as number or text.
type stamp struct{ time.Time }

func (s *stamp) UnmarshalJSON(data []byte) error {
	var t text
	if err := t.UnmarshalJSON(data); err != nil || t == "" {
		return err
	}
	n, err := strconv.ParseFloat(string(t), 64)
	if err != nil {
		at, err := time.Parse(time.RFC3339, string(t))
		if err == nil {
			s.Time = at
		}
		return nil // a time nobody can read is a missing one: no call is lost for it
	}
	switch {
	case n <= 0 || n > 1e16:
	case n > 1e11:
		s.Time = time.UnixMilli(int64(n))
	default:
		s.Time = time.Unix(int64(n), 0)
	}
	return nil
}

func truncate(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// body has every key that any callback carries, in every spelling seen on the wire (protocol page, sections
// 1.2, 1.3, 1.5, 1.6).
type body struct {
	Action       text  `json:"action"`
	AppID        text  `json:"appid"`
	From         text  `json:"from"`
	To           text  `json:"to"`
	Time         stamp `json:"time"`
	CMIUUID      text  `json:"cmiuuid"`
	CMUUID       text  `json:"cmuuid"`
	CMIUID       text  `json:"cmiuid"`
	Conversation text  `json:"conversation_uuid"`
	RequestID    text  `json:"request_id"`
	ExtraParams  text  `json:"extra_params"`
	DTMF         *text `json:"dtmf"`
	Speech       text  `json:"speech"`
	Type         text  `json:"type"`
	Direction    text  `json:"direction"`
	Leg          text  `json:"leg"`
	Status       text  `json:"status"`
	StartTime    stamp `json:"start_time"`
	AnswerTime   stamp `json:"answer_time"`
	EndTime      stamp `json:"end_time"`
	Duration     text  `json:"duration"`
}

func decodeBody(data []byte) (*body, error) {
	if !utf8.Valid(data) {
		return nil, &FieldError{Rule: "the body is not valid UTF-8"}
	}
	var b body
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, bodyError(data, err)
	}
	for _, id := range [...]struct {
		field string
		value text
	}{{"cmiuuid", b.CMIUUID}, {"cmuuid", b.CMUUID}, {"conversation_uuid", b.Conversation}, {"request_id", b.RequestID}, {"from", b.From}, {"to", b.To}} {
		if len(id.value) > maxIDLength {
			return nil, &FieldError{Field: id.field, Rule: fmt.Sprintf("longer than %d bytes", maxIDLength)}
		}
	}
	return &b, nil
}

// bodyError says what is wrong with a body in terms of its fields.
func bodyError(data []byte, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return &FieldError{Rule: "the body is empty; a JSON object was expected"}
	case errors.As(err, &syntax):
		return &FieldError{Rule: fmt.Sprintf("the body is not JSON: %v at byte %d", syntax, syntax.Offset)}
	case errors.As(err, &kind) && kind.Field == "":
		return &FieldError{Rule: fmt.Sprintf("the body is a JSON %s; an object was expected", kind.Value)}
	case errors.As(err, &kind):
		return &FieldError{Field: kind.Field, Rule: "text or a number was expected, not " + kind.Value}
	}
	// encoding/json does not say in which field a type's own decoder failed: look for it.
	var raw map[string]json.RawMessage
	if json.Unmarshal(data, &raw) == nil {
		for field, value := range raw {
			one, _ := json.Marshal(map[string]json.RawMessage{field: value})
			var b body
			if failed := json.Unmarshal(one, &b); failed != nil {
				return &FieldError{Field: field, Rule: failed.Error()}
			}
		}
	}
	return &FieldError{Rule: err.Error()}
}

// id returns the leg's own id, under whichever spelling it came.
func (b *body) id() string {
	for _, id := range []text{b.CMIUUID, b.CMUUID, b.CMIUID} {
		if id != "" {
			return string(id)
		}
	}
	return ""
}

func (b *body) direction(otherwise call.Direction) (call.Direction, error) {
	d := b.Direction
	if d == "" {
		d = b.Action
	}
	switch strings.ToLower(string(d)) {
	case "inbound", "in":
		return call.Inbound, nil
	case "outbound", "out":
		return call.Outbound, nil
	case "":
		return otherwise, nil
	}
	return "", &FieldError{Field: "direction", Rule: fmt.Sprintf("%q is neither inbound nor outbound", truncate(string(d)))}
}

// party returns a number as digits with country code, as the platform writes it, or a SIP address as it is.
func party(t text) string { return strings.TrimPrefix(string(t), "+") }

// DecodeAnswer reads the request to an answer_url (protocol page, section 1.2). now stands in for a missing time.
func DecodeAnswer(app string, data []byte, now time.Time) (*call.Call, error) {
	b, err := decodeBody(data)
	if err != nil {
		return nil, err
	}
	return b.call(app, now)
}

func (b *body) call(app string, now time.Time) (*call.Call, error) {
	if b.id() == "" {
		return nil, &FieldError{Field: "cmiuuid", Rule: "is missing; it is the call's id"}
	}
	d, err := b.direction(call.Inbound)
	if err != nil {
		// The documented key is `action`, of which only "inbound" is documented: take any other as it is.
		d = call.Inbound
	}
	at := b.Time.Time
	if at.IsZero() {
		at = now
	}
	return &call.Call{
		ID: b.id(), App: app, Driver: Name, Direction: d, From: party(b.From), To: party(b.To),
		Time: at, ExtraParams: string(b.ExtraParams),
	}, nil
}

// DecodeInput reads the request to an action_url (protocol page, section 1.3).
func DecodeInput(app, token string, data []byte, now time.Time) (*call.Call, call.Input, error) {
	b, err := decodeBody(data)
	if err != nil {
		return nil, call.Input{}, err
	}
	c, err := b.call(app, now)
	if err != nil {
		return nil, call.Input{}, err
	}
	in := call.Input{Token: token, Speech: string(b.Speech)}
	if b.DTMF != nil {
		in.Digits = string(*b.DTMF)
	}
	if len(in.Digits) > 256 || strings.Trim(in.Digits, "0123456789*#ABCDabcd") != "" {
		return nil, call.Input{}, &FieldError{Field: "dtmf", Rule: "only the digits 0-9 * # A-D, at most 256, can be pressed"}
	}
	return c, in, nil
}

// statuses maps every spelling of a live event's status to the one word we use.
var statuses = map[string]call.Status{
	"in_started": call.StatusStarted, "out_started": call.StatusStarted, "started": call.StatusStarted,
	"in_ringing": call.StatusRinging, "out_ringing": call.StatusRinging, "ringing": call.StatusRinging, "waiting": call.StatusRinging,
	"in_answered": call.StatusAnswered, "out_answered": call.StatusAnswered, "answered": call.StatusAnswered,
	"in_bridged": call.StatusBridged, "out_bridged": call.StatusBridged, "bridged": call.StatusBridged,
	"in_hangup": call.StatusHangup, "out_hangup": call.StatusHangup, "hangup": call.StatusHangup,
	"stream_connected": call.StatusStreamConnected, "stream_disconnected": call.StatusStreamDisconnected, "stream_error": call.StatusStreamError,
}

// DecodeEvent reads a live event (protocol page, section 1.5). A status that is not known is passed on as it is; a
// time that is missing stays zero, so that the same event sent again is known as the same.
func DecodeEvent(app string, data []byte) (*call.Event, error) {
	b, err := decodeBody(data)
	if err != nil {
		return nil, err
	}
	if b.Status == "" {
		return nil, &FieldError{Field: "status", Rule: "is missing"}
	}
	callID, legID, err := b.ids()
	if err != nil {
		return nil, err
	}
	d, err := b.direction("")
	if err != nil {
		return nil, err
	}
	wire := strings.ToLower(string(b.Status))
	status, known := statuses[wire]
	if !known {
		status = call.Status(wire)
	}
	if d == "" {
		switch {
		case strings.HasPrefix(wire, "in_"):
			d = call.Inbound
		case strings.HasPrefix(wire, "out_"):
			d = call.Outbound
		}
	}
	return &call.Event{
		App: app, CallID: callID, LegID: legID, RequestID: string(b.RequestID), Leg: b.leg(), Direction: d,
		Status: status, WireStatus: string(b.Status), Time: b.Time.Time, From: party(b.From), To: party(b.To),
		ExtraParams: string(b.ExtraParams), Raw: data,
	}, nil
}

// DecodeCDR reads a call detail record (protocol page, section 1.6).
func DecodeCDR(app string, data []byte) (*call.CDR, error) {
	b, err := decodeBody(data)
	if err != nil {
		return nil, err
	}
	callID, legID, err := b.ids()
	if err != nil {
		return nil, err
	}
	d, err := b.direction("")
	if err != nil {
		return nil, err
	}
	r := &call.CDR{
		App: app, CallID: callID, LegID: legID, RequestID: string(b.RequestID), Leg: b.leg(), Direction: d,
		From: party(b.From), To: party(b.To), Start: b.StartTime.Time, Answer: b.AnswerTime.Time, End: b.EndTime.Time,
		ExtraParams: string(b.ExtraParams), Raw: data,
	}
	if r.Start.IsZero() {
		r.Start = b.Time.Time
	}
	switch s := strings.ToLower(string(b.Status)); {
	case strings.HasSuffix(s, "answered"):
		r.Status = call.StatusAnswered
	case strings.HasSuffix(s, "missed"):
		r.Status = call.StatusMissed
	default:
		return nil, &FieldError{Field: "status", Rule: fmt.Sprintf("%q is neither answered nor missed", truncate(string(b.Status)))}
	}
	if b.Duration != "" {
		seconds, err := strconv.ParseFloat(string(b.Duration), 64)
		if err != nil || seconds < 0 || seconds > 1e8 {
			return nil, &FieldError{Field: "duration", Rule: fmt.Sprintf("%q is not a number of seconds", truncate(string(b.Duration)))}
		}
		r.Duration = time.Duration(seconds * float64(time.Second))
	}
	return r, nil
}

func (b *body) leg() call.Leg {
	if strings.EqualFold(string(b.Leg), "b") {
		return call.LegB
	}
	return call.LegA
}

// ids returns the id of the whole call, and that of the leg.
func (b *body) ids() (callID, legID string, err error) {
	legID = b.id()
	callID = string(b.Conversation)
	if callID == "" {
		callID = legID
	}
	if legID == "" {
		legID = callID
	}
	if callID == "" {
		return "", "", &FieldError{Field: "cmiuuid", Rule: "is missing; it is the call's id"}
	}
	return callID, legID, nil
}
