package call

import (
	"context"
	"encoding/json"
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
	version  string
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

func (r *report) setVersion(version string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if version != "" {
		r.version = version
	}
}

// current is the call as it stands.
func (r *report) current() *Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.call
}

// dialledLeg is a leg b as far as it is known.
type dialledLeg struct {
	id      string
	to      pcmo.Target
	from    string
	outcome DialOutcome
}

func (l dialledLeg) leg() leg { return leg{LegB, l.id, l.from, l.number()} }

func (l dialledLeg) number() string {
	if l.to.User != "" {
		return l.to.User
	}
	return l.to.Number.Digits()
}

// callProgress tells how leg a of an outbound call comes about.
func (r *report) callProgress(s Status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.event(leg{LegA, r.call.ID, r.call.From, r.call.To}, s, "", nil)
}

func (r *report) reportAnswered() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.event(leg{LegA, r.call.ID, r.call.From, r.call.To}, StatusAnswered, "", nil)
}

func (r *report) legProgress(l dialledLeg, s Status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.event(l.leg(), s, "", nil)
}

func (r *report) legEnded(l dialledLeg, e Ending, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.id == "" {
		return // it never was a leg
	}
	r.event(l.leg(), StatusHangup, "", nil)
	r.cdr(l.leg(), times{l.outcome.Started, l.outcome.Answered, at}, e, Summary{Quality: e.Quality})
}

// callEnded reports the end of streams still open and of leg a.
func (r *report) callEnded(e Ending, sum Summary) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	for ; r.open > 0; r.open-- {
		r.event(r.streamLeg(), StatusStreamDisconnected, wsStatus("disconnected", 1000, "the call ended"), nil)
	}
	a := leg{LegA, r.call.ID, r.call.From, r.call.To}
	r.event(a, StatusHangup, "", sum.Recordings)
	r.cdr(a, times{r.call.Time, r.answerAt, r.clock.Now()}, e, sum)
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
	r.event(r.streamLeg(), StatusStreamConnected, `{"status":"connected"}`, nil)
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
	r.event(r.streamLeg(), StatusStreamDisconnected, wsStatus("disconnected", s.code, s.reason), nil)
}

func (r *report) streamFailed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text, _ := json.Marshal(map[string]any{"status": "error", "message": map[string]any{"code": 6, "error": err.Error()}})
	r.event(r.streamLeg(), StatusStreamError, string(text), nil)
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

// leg is a leg as it is told of.
type leg struct {
	leg          Leg
	id, from, to string
}

// streamLeg is what streams are told of as (protocol page section 1.5).
func (r *report) streamLeg() leg { return leg{LegB, r.call.ID, r.call.From, r.call.To} }

type times struct{ start, answer, end time.Time }

// identity writes what events and CDRs tell of the call they belong to.
func (r *report) identity(o *pcmo.Object, l leg) {
	c := r.call
	o.Text("cmiuuid", l.id)
	if c.Direction == Outbound && c.RequestID != "" {
		o.Text("conversation_uuid", c.RequestID)
		o.Text("request_id", c.RequestID)
		o.Party("callerid", l.from)
	} else {
		o.Text("conversation_uuid", c.ID)
	}
	o.TextIf("extra_params", c.ExtraParams)
}

// event needs r.mu, so that what is told of a call stays in order.
func (r *report) event(l leg, s Status, ws string, recordings []Recording) {
	if r.to == nil {
		return
	}
	c := r.call
	wire := string(s)
	if ws == "" {
		wire = r.prefix() + wire
	}
	now := r.clock.Now()
	var o pcmo.Object
	o.Text("direction", string(c.Direction))
	o.Text("leg", string(l.leg))
	o.Text("status", wire)
	o.Int("time", now.UnixMilli())
	o.Party("from", l.from)
	o.Party("to", l.to)
	r.identity(&o, l)
	o.TextIf("ws_status", ws)
	writeRecordings(&o, recordings)
	r.to.Event(r.ctx, &Event{
		App: c.App, Driver: c.Driver, CallID: c.ID, LegID: l.id, RequestID: c.RequestID, Leg: l.leg, Direction: c.Direction, Status: s,
		WireStatus: wire, Time: now, From: l.from, To: l.to, ExtraParams: c.ExtraParams, Raw: o.End(),
	})
}

// cdr needs r.mu.
func (r *report) cdr(l leg, t times, e Ending, sum Summary) {
	if r.to == nil {
		return
	}
	c := r.call
	record := &CDR{
		App: c.App, Driver: c.Driver, CallID: c.ID, LegID: l.id, RequestID: c.RequestID, Leg: l.leg, Direction: c.Direction,
		Status: StatusMissed, From: l.from, To: l.to, Start: t.start, Answer: t.answer, End: t.end, ExtraParams: c.ExtraParams,
	}
	ring := t.end.Sub(t.start)
	if !t.answer.IsZero() {
		record.Status, record.Duration = StatusAnswered, t.end.Sub(t.answer)
		ring = t.answer.Sub(t.start)
	}
	var o pcmo.Object
	o.Text("direction", string(c.Direction))
	o.Text("status", string(record.Status))
	o.Text("leg", string(l.leg))
	o.Party("from", l.from)
	o.Party("to", l.to)
	o.Int("time", t.start.UnixMilli())
	o.Int("start_time", t.start.Unix())
	o.Seconds("answer_time", t.answer)
	o.Int("end_time", t.end.Unix())
	o.Int("duration", int64(record.Duration/time.Second))
	r.identity(&o, l)
	if c.Direction == Outbound {
		o.Bool("out", true)
		if record.Status == StatusMissed {
			o.Bool("api_init", true)
		}
	}
	// PIOPIY has no field for what follows.
	o.Text("hangup_cause", e.Cause)
	o.Text("hangup_by", string(e.By))
	o.Float("ring_time", max(ring, 0).Seconds(), 1)
	o.Text("app", c.App)
	o.TextIf("version", r.version)
	writeRecordings(&o, sum.Recordings)
	if q := sum.Quality; q != nil {
		o.Raw("quality", q.json())
	}
	record.Raw = o.End()
	r.to.CDR(r.ctx, record)
}

// writeRecordings writes the call's recording, and all of them when there are several.
func writeRecordings(o *pcmo.Object, recordings []Recording) {
	if len(recordings) == 0 {
		return
	}
	last := recordings[len(recordings)-1]
	o.Text("filename", last.File)
	o.TextIf("recording_url", last.URL)
	o.Float("recording_duration", last.Duration.Seconds(), 2)
	if len(recordings) == 1 {
		return
	}
	list := []byte{'['}
	for i, one := range recordings {
		if i > 0 {
			list = append(list, ',')
		}
		var item pcmo.Object
		writeRecordings(&item, []Recording{one})
		list = append(list, item.End()...)
	}
	o.Raw("recordings", append(list, ']'))
}

// json writes times in ms.
func (q *Quality) json() json.RawMessage {
	var o pcmo.Object
	o.TextIf("codec", q.Codec)
	o.Int("sent", int64(q.Sent))
	o.Int("received", int64(q.Received))
	o.Int("lost", int64(q.Lost))
	o.Float("jitter_ms", float64(q.Jitter)/float64(time.Millisecond), 1)
	if q.RoundTrip > 0 {
		o.Float("round_trip_ms", float64(q.RoundTrip)/float64(time.Millisecond), 1)
	}
	if q.MOS > 0 {
		o.Float("mos", q.MOS, 2)
	}
	return o.End()
}
