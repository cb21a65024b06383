package pcmo

import "time"

// Bridge connects the call to phone numbers (protocol page 2.6).
type Bridge struct {
	// From is the caller id for the new leg; "" leaves it to the platform.
	From Number
	// Targets are called one after the other, or all at once with RingGroup. At least one.
	Targets []Target
	// DurationSeconds limits the conversation; see MaxDuration.
	DurationSeconds *int
	// TimeoutSeconds limits the ringing; see RingTimeout.
	TimeoutSeconds *int
	// Loop is the total number of tries; see Tries.
	Loop *int
	// RingType is RingSingle, RingGroup, or "" for RingSingle.
	RingType RingType
}

// Connect connects the call to SIP endpoints (protocol page 2.7). Its list may
// be called "call" or "connect" on the wire; it is written as "connect".
type Connect struct {
	From            Number
	Targets         []Target
	DurationSeconds *int
	TimeoutSeconds  *int
	Loop            *int
	// Record says whether to record the conversation.
	Record   *bool
	RingType RingType
	// CallType is "audio" or "video", or "" for audio.
	CallType string
}

// RingType is the order in which several targets ring.
type RingType string

const (
	// RingSingle rings the targets one after the other.
	RingSingle RingType = "single"
	// RingGroup rings all targets at once; the first to answer has the call.
	RingGroup RingType = "group"
)

// TargetType is the kind of a [Target].
type TargetType string

// Kinds of targets.
const (
	TargetPSTN TargetType = "pstn"
	TargetSIP  TargetType = "sip"
)

// Target is one party to ring.
type Target struct {
	Type TargetType
	// Number is whom to call if Type is TargetPSTN.
	Number Number
	// User is the SIP user to call if Type is TargetSIP.
	User string
	// UserIsNumber says that User, all digits, stands as a JSON number on the
	// wire: the Node SDK's forward(101, from) writes it so. Documented is a string.
	UserIsNumber bool
}

// PSTN returns the target for a phone number.
func PSTN(n Number) Target { return Target{Type: TargetPSTN, Number: n} }

// SIP returns the target for a SIP user.
func SIP(user string) Target { return Target{Type: TargetSIP, User: user} }

// Documented defaults of bridge and connect.
const (
	DefaultMaxDuration = 5400 * time.Second
	DefaultRingTimeout = 40 * time.Second
	DefaultTries       = 1
)

// Name returns "bridge".
func (*Bridge) Name() string { return "bridge" }

// Name returns "connect".
func (*Connect) Name() string { return "connect" }

func (*Bridge) dialect() Dialect  { return Classic }
func (*Connect) dialect() Dialect { return Classic }

// MaxDuration is how long the conversation may last; 5400 s unless set.
func (a *Bridge) MaxDuration() time.Duration { return seconds(a.DurationSeconds, DefaultMaxDuration) }

// RingTimeout is how long a target rings; 40 s unless set.
func (a *Bridge) RingTimeout() time.Duration { return seconds(a.TimeoutSeconds, DefaultRingTimeout) }

// Tries is how often the targets are tried in total; 1 unless set.
func (a *Bridge) Tries() int { return count(a.Loop, DefaultTries) }

// RingsAll reports whether all targets ring at once.
func (a *Bridge) RingsAll() bool { return a.RingType == RingGroup }

// MaxDuration is how long the conversation may last; 5400 s unless set.
func (a *Connect) MaxDuration() time.Duration { return seconds(a.DurationSeconds, DefaultMaxDuration) }

// RingTimeout is how long a target rings; 40 s unless set.
func (a *Connect) RingTimeout() time.Duration { return seconds(a.TimeoutSeconds, DefaultRingTimeout) }

// Tries is how often the targets are tried in total; 1 unless set.
func (a *Connect) Tries() int { return count(a.Loop, DefaultTries) }

// RingsAll reports whether all targets ring at once.
func (a *Connect) RingsAll() bool { return a.RingType == RingGroup }

// Records reports whether the conversation is recorded; false unless set.
func (a *Connect) Records() bool { return a.Record != nil && *a.Record }

// AppendJSON implements [Action].
func (a *Bridge) AppendJSON(dst []byte) []byte {
	dst = appendDial(begin(dst, "bridge"), a.From, a.Targets, a.DurationSeconds, a.TimeoutSeconds, a.Loop)
	dst = strIf(dst, "ring_type", string(a.RingType))
	return append(dst, '}')
}

// AppendJSON implements [Action].
func (a *Connect) AppendJSON(dst []byte) []byte {
	dst = appendDial(begin(dst, "connect"), a.From, a.Targets, a.DurationSeconds, a.TimeoutSeconds, a.Loop)
	dst = boolIf(dst, "record", a.Record)
	dst = strIf(dst, "ring_type", string(a.RingType))
	dst = strIf(dst, "call_type", a.CallType)
	return append(dst, '}')
}

// appendDial writes what both have in common, in the Node SDK's order.
func appendDial(dst []byte, from Number, targets []Target, duration, timeout, loop *int) []byte {
	if from != "" {
		dst = from.AppendJSON(key(dst, "from"))
	}
	dst = append(key(dst, "connect"), '[')
	for i, t := range targets {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = t.appendJSON(dst)
	}
	dst = append(dst, ']')
	dst = intIf(dst, "duration", duration)
	dst = intIf(dst, "timeout", timeout)
	return intIf(dst, "loop", loop)
}

func (t Target) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	dst = strIf(dst, "type", string(t.Type))
	if t.Number != "" {
		dst = t.Number.AppendJSON(key(dst, "number"))
	}
	if t.UserIsNumber && isJSNumber(t.User) {
		dst = append(key(dst, "user"), t.User...)
	} else {
		dst = strIf(dst, "user", t.User)
	}
	return append(dst, '}')
}

func (a *Bridge) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "from":
		return d.number(&a.From)
	case "connect":
		return d.targets(&a.Targets)
	case "duration":
		return d.integer(&a.DurationSeconds)
	case "timeout":
		return d.integer(&a.TimeoutSeconds)
	case "loop":
		return d.integer(&a.Loop)
	case "ring_type":
		return word(d, &a.RingType)
	}
	return false
}

func (a *Connect) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "from":
		return d.number(&a.From)
	case "connect", "call":
		if a.Targets != nil {
			d.warn("", "", "repeats the list of targets (call and connect mean the same); the last one counts")
			a.Targets = nil
		}
		return d.targets(&a.Targets)
	case "duration":
		return d.integer(&a.DurationSeconds)
	case "timeout":
		return d.integer(&a.TimeoutSeconds)
	case "loop":
		return d.integer(&a.Loop)
	case "record":
		return d.boolean(&a.Record)
	case "ring_type":
		return word(d, &a.RingType)
	case "call_type":
		return d.text(&a.CallType)
	}
	return false
}

func (d *decoder) targets(into *[]Target) bool {
	if d.peek() != '[' {
		return d.mismatch(`must be an array of targets such as {"type":"pstn","number":14155550101}`)
	}
	list := make([]Target, 0, 4)
	d.array(func(int) {
		list = append(list, Target{})
		t := &list[len(list)-1]
		if d.peek() != '{' {
			d.mismatch(`must be a target such as {"type":"pstn","number":14155550101}`)
			return
		}
		d.readInto(t, false)
		if t.Type == "" && (t.Number == "") != (t.User == "") {
			t.Type = TargetPSTN
			if t.User != "" {
				t.Type = TargetSIP
			}
			d.warn("type", "", `is absent; "`+string(t.Type)+`" was understood`)
		}
	})
	*into = list
	return true
}

func (t *Target) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "type":
		return word(d, &t.Type)
	case "number":
		return d.number(&t.Number)
	case "user":
		t.UserIsNumber = d.peek() != '"'
		if !t.UserIsNumber {
			return d.text(&t.User)
		}
		var n Number
		d.number(&n)
		t.User, t.UserIsNumber = string(n), n.isJSNumber()
		return true
	}
	return false
}

func (a *Bridge) validate(r *report) {
	r.dial(a.From, a.Targets, a.DurationSeconds, a.TimeoutSeconds, a.Loop, a.RingType)
}

func (a *Connect) validate(r *report) {
	r.dial(a.From, a.Targets, a.DurationSeconds, a.TimeoutSeconds, a.Loop, a.RingType)
	r.oneOf("call_type", a.CallType, "audio", "video")
}

func (r *report) dial(from Number, targets []Target, duration, timeout, loop *int, ring RingType) {
	if from != "" {
		r.number("from", from, Classic)
	}
	if len(targets) == 0 {
		r.fail("connect", "", "must list at least one target")
	}
	list := r.enter("connect")
	for i := range targets {
		at := r.enterIndex(i)
		targets[i].validate(r)
		r.leave(at)
	}
	r.leave(list)
	r.within("duration", duration, 1, maxSeconds)
	r.within("timeout", timeout, 1, maxSeconds)
	r.within("loop", loop, 1, maxCount)
	r.oneOf("ring_type", string(ring), "single", "group")
}

func (t *Target) validate(r *report) {
	switch t.Type {
	case TargetPSTN:
		if t.Number == "" {
			r.fail("number", "", "is required when type is pstn")
		} else {
			r.number("number", t.Number, Classic)
		}
		if t.User != "" {
			r.fail("user", quoted(t.User), "belongs to targets of type sip")
		}
	case TargetSIP:
		switch {
		case t.User == "":
			r.fail("user", "", "is required when type is sip")
		case hasControls(t.User):
			r.fail("user", quoted(t.User), "must be a SIP user without spaces and control characters")
		}
		if t.Number != "" {
			r.fail("number", quoted(string(t.Number)), "belongs to targets of type pstn")
		}
	case "":
		r.fail("type", "", "is required: pstn or sip")
	default:
		r.fail("type", quoted(string(t.Type)), "must be pstn or sip")
	}
}
