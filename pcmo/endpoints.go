package pcmo

import (
	"strings"
	"time"
)

// PipelineConnect connects the call to phone numbers, SIP addresses or AI
// agents (protocol page 3.7).
type PipelineConnect struct {
	// CallerID is shown to the endpoints. Required.
	CallerID Number
	// Strategy is Sequential, Simultaneous, or "" for Sequential.
	Strategy Strategy
	Options  *ConnectOptions
	// Metadata is handed on with the call; nil if absent.
	Metadata Variables
	// Endpoints: at least one; at most two agents, and those last.
	Endpoints []Endpoint
}

// Strategy is the order in which endpoints ring.
type Strategy string

// One after the other, or all at once.
const (
	Sequential   Strategy = "sequential"
	Simultaneous Strategy = "simultaneous"
)

// ConnectOptions are the optional settings of a [PipelineConnect].
type ConnectOptions struct {
	// MaxDurationSeconds is 10 to 7200.
	MaxDurationSeconds *int
	// RingTimeoutSeconds is 5 to 120.
	RingTimeoutSeconds *int
	MachineDetection   *bool
	Recording          *Recording
	// WaitingMusic is a file name or URL.
	WaitingMusic string
}

// Recording says whether and how a connected call is recorded.
type Recording struct {
	Enabled *bool
	// Channels is "dual", "single" or "".
	Channels string
	// Format is "mp3", "wav" or "".
	Format string
}

// Endpoint is one party to ring. Which of Number, URI and ID is meant follows
// from Type.
type Endpoint struct {
	Type   EndpointType
	Number Number
	URI    string
	// ID is the UUID of an AI agent.
	ID string
	// Headers are sent along with the call; nil if absent.
	Headers Variables
}

// EndpointType is the kind of an [Endpoint].
type EndpointType string

// Kinds of endpoints.
const (
	EndpointPSTN  EndpointType = "pstn"
	EndpointSIP   EndpointType = "sip"
	EndpointAgent EndpointType = "agent"
)

// Name returns "connect".
func (*PipelineConnect) Name() string { return "connect" }

func (*PipelineConnect) dialect() Dialect { return V3 }

// MaxDuration is how long the conversation may last. The v3 API documents no
// default; ours is the classic 5400 s.
func (a *PipelineConnect) MaxDuration() time.Duration {
	if a.Options == nil {
		return DefaultMaxDuration
	}
	return seconds(a.Options.MaxDurationSeconds, DefaultMaxDuration)
}

// RingTimeout is how long an endpoint rings. The v3 API documents no default;
// ours is the classic 40 s.
func (a *PipelineConnect) RingTimeout() time.Duration {
	if a.Options == nil {
		return DefaultRingTimeout
	}
	return seconds(a.Options.RingTimeoutSeconds, DefaultRingTimeout)
}

// RingsAll reports whether all endpoints ring at once.
func (a *PipelineConnect) RingsAll() bool { return a.Strategy == Simultaneous }

// Records reports whether the conversation is recorded; false unless set.
func (a *PipelineConnect) Records() bool {
	return a.Options != nil && a.Options.Recording != nil &&
		a.Options.Recording.Enabled != nil && *a.Options.Recording.Enabled
}

// AppendJSON implements [Action].
func (a *PipelineConnect) AppendJSON(dst []byte) []byte {
	dst = append(key(begin(dst, "connect"), "params"), '{')
	dst = str(dst, "caller_id", a.CallerID.Digits())
	dst = strIf(dst, "strategy", string(a.Strategy))
	if a.Options != nil {
		dst = a.Options.appendJSON(key(dst, "options"))
	}
	if a.Metadata != nil {
		dst = a.Metadata.AppendJSON(key(dst, "metadata"))
	}
	dst = append(key(append(dst, '}'), "endpoints"), '[')
	for i := range a.Endpoints {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = a.Endpoints[i].appendJSON(dst)
	}
	return append(dst, ']', '}')
}

func (o *ConnectOptions) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	dst = intIf(dst, "max_duration_sec", o.MaxDurationSeconds)
	dst = intIf(dst, "ring_timeout_sec", o.RingTimeoutSeconds)
	dst = boolIf(dst, "machine_detection", o.MachineDetection)
	if rec := o.Recording; rec != nil {
		dst = append(key(dst, "recording"), '{')
		dst = boolIf(dst, "enabled", rec.Enabled)
		dst = strIf(dst, "channels", rec.Channels)
		dst = append(strIf(dst, "format", rec.Format), '}')
	}
	return append(strIf(dst, "waiting_music", o.WaitingMusic), '}')
}

func (e *Endpoint) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	dst = strIf(dst, "type", string(e.Type))
	dst = strIf(dst, "number", e.Number.Digits())
	dst = strIf(dst, "uri", e.URI)
	dst = strIf(dst, "id", e.ID)
	if e.Headers != nil {
		dst = e.Headers.AppendJSON(key(dst, "headers"))
	}
	return append(dst, '}')
}

func (a *PipelineConnect) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "params":
		return d.object((*connectParams)(a))
	case "endpoints":
		if d.peek() != '[' {
			return d.mismatch("must be an array of endpoints")
		}
		list := make([]Endpoint, 0, 2)
		d.array(func(int) {
			list = append(list, Endpoint{})
			d.object(&list[len(list)-1])
		})
		a.Endpoints = list
		return true
	}
	return false
}

// connectParams reads the nested object params, which is flat in Go.
type connectParams PipelineConnect

func (a *connectParams) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "caller_id":
		return d.number(&a.CallerID)
	case "strategy":
		return word(d, &a.Strategy)
	case "options":
		a.Options = new(ConnectOptions)
		return d.object(a.Options)
	case "metadata":
		return d.variables(&a.Metadata)
	}
	return false
}

func (o *ConnectOptions) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "max_duration_sec":
		return d.integer(&o.MaxDurationSeconds)
	case "ring_timeout_sec":
		return d.integer(&o.RingTimeoutSeconds)
	case "machine_detection":
		return d.boolean(&o.MachineDetection)
	case "recording":
		o.Recording = new(Recording)
		return d.object(o.Recording)
	case "waiting_music":
		return d.text(&o.WaitingMusic)
	}
	return false
}

func (c *Recording) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "enabled":
		return d.boolean(&c.Enabled)
	case "channels":
		return d.text(&c.Channels)
	case "format":
		return d.text(&c.Format)
	}
	return false
}

func (e *Endpoint) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "type":
		return word(d, &e.Type)
	case "number":
		return d.number(&e.Number)
	case "uri":
		return d.text(&e.URI)
	case "id":
		return d.text(&e.ID)
	case "headers":
		return d.variables(&e.Headers)
	}
	return false
}

func (a *PipelineConnect) validate(r *report) {
	at := r.enter("params")
	if r.required("caller_id", string(a.CallerID), "is required: a phone number") {
		r.number("caller_id", a.CallerID, V3)
	}
	r.oneOf("strategy", string(a.Strategy), "sequential", "simultaneous")
	if a.Options != nil {
		r.part("options", a.Options)
	}
	r.variables("metadata", a.Metadata, -1)
	r.leave(at)

	if len(a.Endpoints) == 0 {
		r.fail("endpoints", "", "must list at least one endpoint")
	}
	at = r.enter("endpoints")
	agents := 0
	for i := range a.Endpoints {
		item := r.enterIndex(i)
		e := &a.Endpoints[i]
		e.validate(r)
		switch {
		case e.Type == EndpointAgent:
			if agents++; agents == 3 {
				r.fail("", "", "is one agent too many; at most two are allowed")
			}
		case agents > 0:
			r.fail("", "", "stands after an agent; agents must be last")
		}
		r.leave(item)
	}
	r.leave(at)
}

func (o *ConnectOptions) validate(r *report) {
	r.within("max_duration_sec", o.MaxDurationSeconds, 10, 7200)
	r.within("ring_timeout_sec", o.RingTimeoutSeconds, 5, 120)
	if o.Recording != nil {
		at := r.enter("recording")
		r.oneOf("channels", o.Recording.Channels, "dual", "single")
		r.oneOf("format", o.Recording.Format, "mp3", "wav")
		r.leave(at)
	}
}

func (e *Endpoint) validate(r *report) {
	switch e.Type {
	case EndpointPSTN:
		if r.required("number", string(e.Number), "is required when type is pstn") {
			r.number("number", e.Number, V3)
		}
	case EndpointSIP:
		if r.required("uri", e.URI, "is required when type is sip") && hasControls(e.URI) {
			r.fail("uri", quoted(e.URI), "must be a SIP address without spaces and control characters")
		}
	case EndpointAgent:
		if r.required("id", e.ID, "is required when type is agent") && !isUUID(e.ID) {
			r.fail("id", quoted(e.ID), "must be a UUID")
		}
	case "":
		r.fail("type", "", "is required: pstn, sip or agent")
	default:
		r.oneOf("type", string(e.Type), "pstn", "sip", "agent")
	}
	r.headers(e.Headers)
}

// headers keeps out what could forge further SIP headers.
func (r *report) headers(headers Variables) {
	at := r.enter("headers")
	for _, h := range headers {
		if h.Key == "" || strings.ContainsFunc(h.Key, notToken) {
			r.fail(h.Key, "", "must be named with letters, digits and hyphens")
		}
		switch v := h.Value.(type) {
		case string:
			if strings.ContainsAny(v, "\r\n\x00") {
				r.fail(h.Key, quoted(v), "must be one line")
			}
		default:
			r.value(h.Key, v, -1)
		}
	}
	r.leave(at)
}

func notToken(c rune) bool {
	return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-.!%*_+`'~", c))
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if (s[i] < '0' || s[i] > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}
