package pcmo

import "strconv"

// Stream opens a media WebSocket to your server (protocol page 2.10 and section 4).
type Stream struct {
	// WSURL is the ws or wss address.
	WSURL string
	// ListenMode says whose audio is sent; see Listen.
	ListenMode ListenMode
	// VoiceQuality is the sample rate in Hz, 8000 or 16000, or 0 if not said;
	// see SampleRate. On the wire it is a string.
	VoiceQuality int
	// StreamOnAnswer says to wait for the answer; see WaitsForAnswer.
	StreamOnAnswer *bool
	// Events asks for text frames beside the audio: dtmf, played, cleared, error and stop. The key "events" is
	// piopiyd's own: PIOPIY sends none.
	Events bool
}

// ListenMode says whose audio a stream carries.
type ListenMode string

// Whose audio: the caller's, the called party's, or both mixed into one channel.
const (
	ListenCaller ListenMode = "caller"
	ListenCallee ListenMode = "callee"
	ListenBoth   ListenMode = "both"
)

// DefaultSampleRate is the rate of a stream that names none, in Hz.
const DefaultSampleRate = 8000

// Name returns "stream".
func (*Stream) Name() string { return "stream" }

func (*Stream) dialect() Dialect { return Classic }

// Listen is whose audio is sent; ListenCaller unless set.
func (a *Stream) Listen() ListenMode {
	if a.ListenMode == "" {
		return ListenCaller
	}
	return a.ListenMode
}

// SampleRate is the sample rate in Hz; 8000 unless set.
func (a *Stream) SampleRate() int {
	if a.VoiceQuality == 0 {
		return DefaultSampleRate
	}
	return a.VoiceQuality
}

// WaitsForAnswer reports whether the stream starts only once the call is
// answered; false unless set.
func (a *Stream) WaitsForAnswer() bool { return a.StreamOnAnswer != nil && *a.StreamOnAnswer }

// AppendJSON implements [Action].
func (a *Stream) AppendJSON(dst []byte) []byte {
	dst = str(begin(dst, "stream"), "ws_url", a.WSURL)
	dst = strIf(dst, "listen_mode", string(a.ListenMode))
	if a.VoiceQuality != 0 {
		dst = append(key(dst, "voice_quality"), '"')
		dst = append(strconv.AppendInt(dst, int64(a.VoiceQuality), 10), '"')
	}
	dst = boolIf(dst, "stream_on_answer", a.StreamOnAnswer)
	if a.Events {
		dst = append(key(dst, "events"), "true"...)
	}
	return append(dst, '}')
}

const qualityRule = "must be 8000 or 16000"

func (a *Stream) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "ws_url":
		return d.text(&a.WSURL)
	case "listen_mode":
		return word(d, &a.ListenMode)
	case "voice_quality":
		start := d.pos
		var hz *int
		d.integer(&hz)
		if hz != nil && *hz == 0 {
			d.pos = start
			return d.mismatch(qualityRule)
		}
		if hz != nil {
			a.VoiceQuality = *hz
		}
		return true
	case "stream_on_answer":
		return d.boolean(&a.StreamOnAnswer)
	case "events":
		var on *bool
		ok := d.boolean(&on)
		a.Events = on != nil && *on
		return ok
	}
	return false
}

func (a *Stream) validate(r *report) {
	r.url("ws_url", a.WSURL, "ws", "wss")
	r.oneOf("listen_mode", string(a.ListenMode), "caller", "callee", "both")
	switch a.VoiceQuality {
	case 0, 8000, 16000:
	default:
		r.fail("voice_quality", strconv.Itoa(a.VoiceQuality), qualityRule)
	}
}
