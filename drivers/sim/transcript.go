package sim

import (
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/piopiy/piopiyd/call"
)

// Transcript is what became of one virtual call.
type Transcript struct {
	// Call is the call's id; App, From and To are as in its Caller.
	Call string
	App  string
	From string
	To   string
	// Entries is everything that happened, in order.
	Entries []Entry
	// Length is how long the call was, in virtual time.
	Length time.Duration
	// Ending says who hung up and why, and with Err what went wrong.
	Ending call.Ending
	// DeadEnd says that the call led nowhere and had to be cut: Endless, NeverEnded or DeadAir. "" is a call that ended.
	DeadEnd DeadEnd
}

// DeadEnd is a way in which a call leads nowhere.
type DeadEnd string

// Dead ends.
const (
	// Endless is a call that goes in a circle: it took more than Options.MaxSteps.
	Endless DeadEnd = "endless"
	// NeverEnded is a call that nobody hung up within Options.MaxDuration.
	NeverEnded DeadEnd = "never ended"
	// DeadAir is a call in which the caller heard nothing, and was asked nothing, for Options.MaxQuiet.
	DeadAir DeadEnd = "dead air"
)

// Kind says what an Entry is about.
type Kind string

// Kinds of entries, and the fields that they set beside At and Kind.
const (
	Began        Kind = "began"         // Call, App, From, To
	Replied      Kind = "replied"       // the app's answer: Data (PCMO), Version, Error when it is a fault policy's
	Param        Kind = "param"         // the call's extra_params became Text
	Rang         Kind = "rang"          // the caller hears ringing: Length
	Ringing      Kind = "ringing"       // the party of an outbound call: To, From, Timeout
	Answered     Kind = "answered"      // Status "voicemail" when a machine did
	Heard        Kind = "heard"         // the caller hears: Prompt, Length
	Asked        Kind = "asked"         // MaxDigits, Timeout, Attempt, Attempts
	Pressed      Kind = "pressed"       // Digits, BargedIn
	Said         Kind = "said"          // Text, BargedIn
	Silent       Kind = "silent"        // nothing came in time
	Dialling     Kind = "dialling"      // To, From (the caller id), Timeout
	Dialled      Kind = "dialled"       // To, Status "answers" or Cause
	Bridged      Kind = "bridged"       // To, where it is another call: who calls there
	Unbridged    Kind = "unbridged"     // Length, By, Cause
	Recording    Kind = "recording"     // from here on; with Status, what else was done about it: stop, pause, resume
	Recorded     Kind = "recorded"      // a recording is done: Length, To (its URL), Text (its file)
	Announced    Kind = "announced"     // over what is heard: Prompt, Length, Leg
	Sent         Kind = "sent"          // digits sent: Digits, Leg
	Muted        Kind = "muted"         // Leg, Status "on" or "off"
	Held         Kind = "held"          // Status "on" or "off"
	Referred     Kind = "referred"      // To
	Joined       Kind = "joined"        // To (the conference)
	Left         Kind = "left"          // To, Length
	StreamOpened Kind = "stream_opened" // To (the URL; "" is the script itself), Status (listen mode), SampleRate
	StreamPlays  Kind = "stream_plays"  // the caller begins to hear sound of the app
	StreamHeard  Kind = "stream_heard"  // the caller has heard sound of the app, without a gap: Length, Status "cleared" or "closed" when there was more
	StreamSent   Kind = "stream_sent"   // the app sent a text frame: Text
	StreamClosed Kind = "stream_closed" // Length, Code, Cause (the reason), AudioBytes, TextFrames (from the app)
	Event        Kind = "event"         // Status, Leg, Data
	CDR          Kind = "cdr"           // Status, Leg, Length, Data
	Problem      Kind = "problem"       // Error
	HungUp       Kind = "hung_up"       // By, Cause, Error, DeadEnd
)

// Entry is one thing that happened in a call. Its Kind says which fields are set.
type Entry struct {
	// At is the virtual time since the call began.
	At         time.Duration
	Kind       Kind
	Prompt     call.Prompt
	Length     time.Duration
	Digits     string
	BargedIn   bool
	MaxDigits  int
	Timeout    time.Duration
	Attempt    int
	Attempts   int
	Call       string
	App        string
	From       string
	To         string
	Leg        call.Leg
	Status     string
	By         call.Side
	Cause      string
	Code       int
	SampleRate int
	AudioBytes int
	TextFrames int
	Text       string
	Data       json.RawMessage
	Version    string
	Error      string
	DeadEnd    DeadEnd
}

// MarshalJSON writes the fields that are set; times are in seconds.
func (e Entry) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		At         float64         `json:"at"`
		Kind       Kind            `json:"kind"`
		Call       string          `json:"call,omitempty"`
		App        string          `json:"app,omitempty"`
		Prompt     call.Prompt     `json:"prompt,omitzero"`
		Length     float64         `json:"length,omitempty"`
		Digits     string          `json:"digits,omitempty"`
		BargedIn   bool            `json:"barged_in,omitempty"`
		MaxDigits  int             `json:"max_digits,omitempty"`
		Timeout    float64         `json:"timeout,omitempty"`
		Attempt    int             `json:"attempt,omitempty"`
		Attempts   int             `json:"attempts,omitempty"`
		From       string          `json:"from,omitempty"`
		To         string          `json:"to,omitempty"`
		Leg        call.Leg        `json:"leg,omitempty"`
		Status     string          `json:"status,omitempty"`
		By         call.Side       `json:"by,omitempty"`
		Cause      string          `json:"cause,omitempty"`
		Code       int             `json:"code,omitempty"`
		SampleRate int             `json:"sample_rate,omitempty"`
		AudioBytes int             `json:"audio_bytes,omitempty"`
		TextFrames int             `json:"text_frames,omitempty"`
		Text       string          `json:"text,omitempty"`
		Data       json.RawMessage `json:"data,omitempty"`
		Version    string          `json:"version,omitempty"`
		Error      string          `json:"error,omitempty"`
		DeadEnd    DeadEnd         `json:"dead_end,omitempty"`
	}{
		e.At.Seconds(), e.Kind, e.Call, e.App, e.Prompt, e.Length.Seconds(), e.Digits, e.BargedIn, e.MaxDigits,
		e.Timeout.Seconds(), e.Attempt, e.Attempts, e.From, e.To, e.Leg, e.Status, e.By, e.Cause, e.Code, e.SampleRate,
		e.AudioBytes, e.TextFrames, e.Text, e.Data, e.Version, e.Error, e.DeadEnd,
	})
}

// MarshalJSON writes the whole transcript; times are in seconds.
func (t *Transcript) MarshalJSON() ([]byte, error) {
	out := struct {
		Call    string      `json:"call"`
		App     string      `json:"app"`
		From    string      `json:"from"`
		To      string      `json:"to"`
		Length  float64     `json:"length"`
		Ending  call.Ending `json:"ending"`
		Error   string      `json:"error,omitempty"`
		DeadEnd DeadEnd     `json:"dead_end,omitempty"`
		Entries []Entry     `json:"entries"`
	}{t.Call, t.App, t.From, t.To, t.Length.Seconds(), t.Ending, "", t.DeadEnd, t.Entries}
	if t.Ending.Err != nil {
		out.Error = t.Ending.Err.Error()
	}
	return json.Marshal(out)
}

// transcript sums up.
func (l *line) transcript(e call.Ending) *Transcript {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := &Transcript{
		Call: l.call.ID, App: l.call.App, From: l.call.From, To: l.call.To,
		Entries: l.entries, Ending: e, DeadEnd: l.dead,
	}
	for _, entry := range l.entries {
		if entry.Kind == HungUp {
			t.Length = entry.At
		}
	}
	return t
}

// clip shortens what a script sent to something that fits on a line.
func clip(s string) string {
	const most = 200
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
