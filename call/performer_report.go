package call

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/pcmo"
)

// report tells of one call in PIOPIY's newest shapes (protocol page sections 1.5 and 1.6). Where PIOPIY has no
// name for it, the legs that an inbound call is bridged to are told of with the call's direction: in_started,
// in_ringing, in_bridged, in_hangup.
type report struct {
	ctx   context.Context // the call's values without its end
	clock Clock
	to    Reporter
	call  *Call // replaced, never changed: handlers keep what they were given

	mu       sync.Mutex
	open     int // streams connected
	over     bool
	answerAt time.Time
}

func newReport(ctx context.Context, c *Call, clock Clock, to Reporter) report {
	return report{ctx: context.WithoutCancel(ctx), clock: clock, to: to, call: c}
}

func (r *report) setExtraParams(text string) {
	c := *r.call
	c.ExtraParams = text
	r.mu.Lock()
	r.call = &c
	r.mu.Unlock()
}

// dialledLeg is a leg b as far as it is known.
type dialledLeg struct {
	id      string
	to      pcmo.Target
	from    string
	outcome DialOutcome
}

func (l dialledLeg) number() string {
	if l.to.User != "" {
		return l.to.User
	}
	return l.to.Number.Digits()
}

func (r *report) callAnswered() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answerAt = r.clock.Now()
	r.event(LegA, r.call.ID, r.call.From, r.call.To, StatusAnswered, "")
}

func (r *report) legProgress(l dialledLeg, s Status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.event(LegB, l.id, l.from, l.number(), s, "")
}

func (r *report) legEnded(l dialledLeg, e Ending, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.id == "" {
		return // it never was a leg
	}
	r.event(LegB, l.id, l.from, l.number(), StatusHangup, "")
	r.cdr(LegB, l.id, l.from, l.number(), l.outcome.Started, l.outcome.Answered, at, e)
}

// callEnded reports the end of streams still open and of leg a.
func (r *report) callEnded(e Ending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	for ; r.open > 0; r.open-- {
		r.event(LegB, r.call.ID, r.call.From, r.call.To, StatusStreamDisconnected, wsStatus("disconnected", 1000, "the call ended"))
	}
	r.event(LegA, r.call.ID, r.call.From, r.call.To, StatusHangup, "")
	r.cdr(LegA, r.call.ID, r.call.From, r.call.To, r.call.Time, r.answerAt, r.clock.Now(), e)
}

// reportedStream keeps the events of one stream in order: it may end before Line.Stream has returned.
type reportedStream struct {
	report           *report
	connected, ended bool // guarded by report.mu
	code             int
	reason           string
}

func (s *reportedStream) hasConnected() {
	r := s.report
	r.mu.Lock()
	defer r.mu.Unlock()
	s.connected = true
	r.open++
	r.event(LegB, r.call.ID, r.call.From, r.call.To, StatusStreamConnected, `{"status":"connected"}`)
	if s.ended {
		s.disconnected()
	}
}

// hasEnded is what a driver calls.
func (s *reportedStream) hasEnded(code int, reason string) {
	r := s.report
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.ended || r.over {
		return
	}
	s.ended, s.code, s.reason = true, code, reason
	if s.connected {
		s.disconnected()
	}
}

func (s *reportedStream) disconnected() {
	r := s.report
	r.open--
	r.event(LegB, r.call.ID, r.call.From, r.call.To, StatusStreamDisconnected, wsStatus("disconnected", s.code, s.reason))
}

func (r *report) streamFailed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text, _ := json.Marshal(map[string]any{"status": "error", "message": map[string]any{"code": 6, "error": err.Error()}})
	r.event(LegB, r.call.ID, r.call.From, r.call.To, StatusStreamError, string(text))
}

func wsStatus(status string, code int, reason string) string {
	text, _ := json.Marshal(map[string]any{"status": status, "message": map[string]any{"code": code, "reason": reason}})
	return string(text)
}

// prefix is what the newest pages put before a status.
func (r *report) prefix() string {
	if r.call.Direction == Outbound {
		return "out_"
	}
	return "in_"
}

// event needs r.mu, so that what is told of a call stays in order.
func (r *report) event(leg Leg, id, from, to string, s Status, ws string) {
	if r.to == nil {
		return
	}
	c := r.call
	wire := string(s)
	if ws == "" {
		wire = r.prefix() + wire
	}
	now := r.clock.Now()
	o := object{'{'}
	o.text("direction", string(c.Direction))
	o.text("leg", string(leg))
	o.text("status", wire)
	o.integer("time", now.UnixMilli())
	o.number("from", from)
	o.number("to", to)
	o.text("cmiuuid", id)
	o.text("conversation_uuid", c.ID)
	o.textIf("extra_params", c.ExtraParams)
	o.textIf("ws_status", ws)
	r.to.Event(r.ctx, &Event{
		App: c.App, CallID: c.ID, LegID: id, Leg: leg, Direction: c.Direction, Status: s, WireStatus: wire, Time: now,
		From: from, To: to, ExtraParams: c.ExtraParams, Raw: o.end(),
	})
}

// cdr needs r.mu.
func (r *report) cdr(leg Leg, id, from, to string, start, answer, end time.Time, e Ending) {
	if r.to == nil {
		return
	}
	c := r.call
	record := &CDR{
		App: c.App, CallID: c.ID, LegID: id, Leg: leg, Direction: c.Direction, Status: StatusMissed, From: from, To: to,
		Start: start, Answer: answer, End: end, ExtraParams: c.ExtraParams,
	}
	if !answer.IsZero() {
		record.Status, record.Duration = StatusAnswered, end.Sub(answer)
	}
	o := object{'{'}
	o.text("direction", string(c.Direction))
	o.text("status", string(record.Status))
	o.text("leg", string(leg))
	o.number("from", from)
	o.number("to", to)
	o.integer("time", start.UnixMilli())
	o.integer("start_time", start.Unix())
	if !answer.IsZero() {
		o.integer("answer_time", answer.Unix())
	}
	o.integer("end_time", end.Unix())
	o.integer("duration", int64(record.Duration/time.Second))
	o.text("cmiuuid", id)
	o.text("conversation_uuid", c.ID)
	o.textIf("extra_params", c.ExtraParams)
	if c.Direction == Outbound {
		o = append(o, `,"out":true`...)
	}
	// PIOPIY has no field for these.
	o.text("hangup_cause", e.Cause)
	o.text("hangup_by", string(e.By))
	record.Raw = o.end()
	r.to.CDR(r.ctx, record)
}

// object writes a JSON object whose keys keep their order.
type object []byte

func (o *object) key(k string) {
	if len(*o) > 1 {
		*o = append(*o, ',')
	}
	*o = append(append(append(*o, '"'), k...), '"', ':')
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

// number writes digits as a number, as the newest pages do, and anything else as a string.
func (o *object) number(k, v string) {
	o.key(k)
	if v != "" && strings.Trim(v, "+0123456789") == "" {
		*o = pcmo.Number(v).AppendJSON(*o)
	} else {
		*o = pcmo.AppendString(*o, v)
	}
}

func (o *object) end() json.RawMessage { return json.RawMessage(append(*o, '}')) }
