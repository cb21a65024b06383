package call

import (
	"context"
	"time"

	"github.com/piopiy/piopiyd/pcmo"
)

// Line is the first leg of one call in a driver's hands: what a [Performer] can do to it. A driver implements it
// once per call.
//
// The context given to a method is the call's: the driver cancels it with a [*HangupError] as its cause when the
// caller hangs up. A method then stops at once and returns that cause (context.Cause). Any other error means that
// the driver could not do what was asked; the call goes on. Methods are called by one goroutine at a time.
type Line interface {
	// Answer answers the call. It does nothing when the call has been answered.
	Answer(ctx context.Context) error
	// Play plays a prompt to its end.
	Play(ctx context.Context, p Prompt) error
	// Gather collects digits, during and after a prompt, and returns what came, "" when nothing did in time.
	Gather(ctx context.Context, g Gather) (digits string, err error)
	// Record begins to record the conversation and returns; the recording ends with the call.
	Record(ctx context.Context) error
	// Dial rings targets, all at once, until one answers, all have failed or the time is over. It returns one
	// outcome per target, in their order, with an error too. At most one has StatusAnswered, none with an error;
	// it waits for Bridge.
	Dial(ctx context.Context, d Dial) ([]DialOutcome, error)
	// Bridge lets the line and the leg that Dial brought talk to each other, until that leg hangs up or limit has
	// passed. The leg is gone afterwards, with an error too; Ending says who ended it and why.
	Bridge(ctx context.Context, legID string, limit time.Duration) (Ending, error)
	// Stream opens a media WebSocket beside whatever else is performed.
	Stream(ctx context.Context, s StreamRequest) (OpenStream, error)
	// Wait keeps the line open and silent for d.
	Wait(ctx context.Context, d time.Duration) error
	// Hangup ends the call, or rejects it when it has not been answered. It is the last call of a Performer and
	// is made whatever happened, also when the caller has hung up; its context is not cancelled.
	Hangup(ctx context.Context, e Ending)
}

// Prompt is something for the ear: a text to say or audio to play. Exactly one field is set; the zero Prompt is
// silence.
type Prompt struct {
	// Say is a text for the driver's voice.
	Say string `json:"say,omitempty"`
	// File is the name of audio stored with the platform; URL is the address of audio elsewhere.
	File string `json:"file,omitempty"`
	URL  string `json:"url,omitempty"`
}

// String returns what is said or played, for people.
func (p Prompt) String() string {
	switch {
	case p.Say != "":
		return p.Say
	case p.File != "":
		return p.File
	}
	return p.URL
}

// Gather asks for digits.
type Gather struct {
	// Prompt is played first; a digit stops it (barge-in). May be zero.
	Prompt Prompt
	// MaxDigits ends the collection as soon as so many digits have come; at least 1.
	MaxDigits int
	// FirstDigit is how long to wait for the first digit after the prompt's end; NextDigit for each after it.
	FirstDigit, NextDigit time.Duration
	// Attempt counts the plays of one prompt from 1 up to Attempts: for display only.
	Attempt, Attempts int
}

// Dial asks for new legs.
type Dial struct {
	// Targets ring at the same time.
	Targets []pcmo.Target
	// CallerID is what the targets see, "" leaves it to the driver.
	CallerID string
	// Timeout is how long they ring.
	Timeout time.Duration
	// Progress is called in order, on the goroutine of Dial, when a leg was started and when it rings. Never nil.
	Progress func(target int, legID string, s Status)
}

// DialOutcome is how dialling one target went.
type DialOutcome struct {
	// LegID is the leg's own id; "" when it could not even be started.
	LegID string
	// Status is StatusAnswered or StatusMissed.
	Status Status
	// Cause is why a missed leg was missed: one of the Cause constants or the carrier's own.
	Cause string
	// Started, Answered and Ended are zero for what did not happen. Ended is zero for the answered leg.
	Started, Answered, Ended time.Time
}

// StreamRequest asks for a media WebSocket.
type StreamRequest struct {
	// URL is the ws:// or wss:// address of the server.
	URL string
	// Listen says whose audio is sent.
	Listen pcmo.ListenMode
	// SampleRate is in Hz: 8000 or 16000.
	SampleRate int
	// ExtraParams are the call's, for the stream's first frame.
	ExtraParams string
	// Ended is called once when a stream that was opened has ended by itself, from any goroutine: with the
	// WebSocket close code (RFC 6455 section 7.4) and reason. It is not called after the call's end. Never nil.
	Ended func(code int, reason string)
}

// OpenStream is a media WebSocket in use.
type OpenStream interface {
	// Wait returns when the stream has ended.
	Wait(ctx context.Context) error
}

// Side is who ends a call or a leg.
type Side string

// Sides.
const (
	// SideCaller is the party of leg a, on outbound calls too.
	SideCaller Side = "caller"
	// SideCallee is the party of leg b.
	SideCallee Side = "callee"
	// SideApp is the app: a hangup action, or the end of its document.
	SideApp Side = "app"
	// SidePlatform is piopiyd itself: a limit, a failure, a shutdown.
	SidePlatform Side = "platform"
)

// Causes of hang-ups, in the spelling of ITU-T Q.850 that the v3 API uses. Drivers may report others.
const (
	CauseNormal           = "NORMAL_CLEARING"
	CauseBusy             = "USER_BUSY"
	CauseNoAnswer         = "NO_ANSWER"
	CauseRejected         = "CALL_REJECTED"
	CauseUnreachable      = "NO_ROUTE_DESTINATION"
	CauseCancelled        = "ORIGINATOR_CANCEL"
	CauseElsewhere        = "LOSE_RACE"
	CauseTimeLimit        = "ALLOTTED_TIMEOUT"
	CauseTemporaryFailure = "NORMAL_TEMPORARY_FAILURE"
	CauseCongestion       = "SWITCH_CONGESTION"
)

// Ending is how a call or leg ended.
type Ending struct {
	// By is who ended it; Cause is why.
	By    Side   `json:"by"`
	Cause string `json:"cause"`
	// Err is what went wrong, where something did.
	Err error `json:"-"`
}

// HangupError says that the call is over: what a driver cancels a call's context with, and what everything that
// was under way for the call ends with.
type HangupError struct {
	By    Side
	Cause string
}

// Error says who hung up and why.
func (e *HangupError) Error() string { return "the " + string(e.By) + " hung up: " + e.Cause }
