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
	// Gather collects digits, words or both, during and after a prompt, and returns what came; nothing when
	// nothing did in time.
	Gather(ctx context.Context, g Gather) (Gathered, error)
	// Record begins to record the conversation and returns; the recording ends with the call. While one is under
	// way it does nothing.
	Record(ctx context.Context, r RecordOptions) error
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
	// Hangup ends the call, or rejects it when it has not been answered, and tells what became of it. It is the
	// last call of a Performer and is made whatever happened, also when the caller has hung up; its context is
	// not cancelled.
	Hangup(ctx context.Context, e Ending) Summary
}

// OutgoingLine is the line of an outbound call.
type OutgoingLine interface {
	Line
	// Ring calls the party of leg a and returns when it has answered. progress is told once when it rings. When
	// the party does not take the call the error is a [*HangupError] with the cause.
	Ring(ctx context.Context, progress func()) error
}

// Prompt is something for the ear: a text to say or audio to play. One of Say, File and URL is set; the
// zero Prompt is silence.
type Prompt struct {
	// Say is a text for the driver's voice.
	Say string `json:"say,omitempty"`
	// File is the name of audio stored with the platform; URL is the address of audio elsewhere.
	File string `json:"file,omitempty"`
	URL  string `json:"url,omitempty"`

	// Language (BCP 47, such as en-IN), Voice (the provider's name for it) and Speed (1 is the voice's own) are
	// for Say; zero values leave them to the driver.
	Language string  `json:"language,omitempty"`
	Voice    string  `json:"voice,omitempty"`
	Speed    float64 `json:"speed,omitempty"`
}

// IsSilence reports whether there is nothing to hear.
func (p Prompt) IsSilence() bool { return p.Say == "" && p.File == "" && p.URL == "" }

// Sound is the prompt for a file name of the platform's or a URL.
func Sound(name string) Prompt { return sound((&pcmo.PipelinePlay{FileName: name}).Source()) }

func sound(source string, isURL bool) Prompt {
	if isURL {
		return Prompt{URL: source}
	}
	return Prompt{File: source}
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

// Gather asks for digits, words or both.
type Gather struct {
	// Prompt is played first; a digit or a word stops it (barge-in). May be zero.
	Prompt Prompt
	// MaxDigits ends the collection as soon as so many digits have come; at least 1.
	MaxDigits int
	// FinishKey ends the collection and is not part of what came: one of 0-9, *, #, or "" for none.
	FinishKey string
	// Flush forgets the digits that were pressed before.
	Flush bool
	// Speech takes words as well; SpeechOnly takes no digits.
	Speech, SpeechOnly bool
	// Language is that of the words (BCP 47); "" leaves it to the driver.
	Language string
	// FirstDigit is how long to wait for the first digit after the prompt's end; NextDigit for each after it.
	FirstDigit, NextDigit time.Duration
	// Attempt counts the plays of one prompt from 1 up to Attempts: for display only.
	Attempt, Attempts int
}

// Gathered is what came of a [Gather].
type Gathered struct {
	// Digits are the keys pressed, without the finish key.
	Digits string
	// Speech is what was said.
	Speech string
	// Finished reports that the finish key ended it.
	Finished bool
}

// RecordOptions say how a conversation is recorded; zero values leave it to the driver.
type RecordOptions struct {
	// Format is "wav" or "mp3". A driver that cannot write one takes the other.
	Format string
	// Channels is "single" for one track, "dual" for the caller on the left and what the caller hears on the right.
	Channels string
}

// Recording is a finished recording.
type Recording struct {
	// File is its name among the recordings; URL is where it can be had, "" when nowhere.
	File string `json:"file"`
	URL  string `json:"url,omitempty"`
	// Duration is its length.
	Duration time.Duration `json:"-"`
}

// Quality is how a leg sounded (RFC 3550 section 6.4).
type Quality struct {
	// Codec is the encoding name (RFC 3551), such as PCMU.
	Codec string
	// Sent and Received count RTP packets; Lost are those that were sent to us and never came.
	Sent, Received, Lost uint64
	// Jitter is the interarrival jitter; RoundTrip the time to the phone and back, 0 when it is not known.
	Jitter, RoundTrip time.Duration
	// MOS is the estimated opinion of a listener (ITU-T G.107), 1 to 4.5; 0 when nothing was heard.
	MOS float64
}

// Summary is what a line knows of its call at the end.
type Summary struct {
	Recordings []Recording
	// Quality is that of leg a; nil when nothing was measured.
	Quality *Quality
}

// Target is a party to ring.
type Target struct {
	pcmo.Target
	// Headers are sent along with the call, where the driver can.
	Headers []Header
}

// Header is one SIP header field.
type Header struct{ Name, Value string }

// Dial asks for new legs.
type Dial struct {
	// Targets ring at the same time.
	Targets []Target
	// CallerID is what the targets see, "" leaves it to the driver.
	CallerID string
	// Timeout is how long they ring.
	Timeout time.Duration
	// Music is what the caller hears meanwhile, over and over; the zero Prompt leaves it to the driver.
	Music Prompt
	// DetectMachine has an answering machine count as missed, with CauseMachine.
	DetectMachine bool
	// Whisper is played to the target that answers, before anything else.
	Whisper Prompt
	// Accept is the key that the target must press to take the call; "" takes it at once. Another key or none
	// within 10 s counts as missed, with CauseRejected.
	Accept string
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
	// Events asks for text frames to the server beside the audio: dtmf, played, cleared, error and stop.
	Events bool
	// ExtraParams are the call's, for the stream's first frame.
	ExtraParams string
	// Perform takes a PCMO array that the server sent, as JSON: it takes the place of what is performed. The error
	// tells the server what is wrong with it. May be called from any goroutine. Never nil.
	Perform func(document []byte) error
	// Ended is called once when a stream that was opened has ended by itself, from any goroutine: with the
	// WebSocket close code (RFC 6455 section 7.4) and reason. It is not called after the call's end. Never nil.
	Ended func(code int, reason string)
}

// OpenStream is a media WebSocket in use.
type OpenStream interface {
	// Wait returns when the stream has ended.
	Wait(ctx context.Context) error
	// Close ends the stream with a WebSocket close code and reason, and reports its end.
	Close(code int, reason string) error
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
	// CauseMachine is not of Q.850: an answering machine took the call.
	CauseMachine = "MACHINE_DETECTED"
)

// Ending is how a call or leg ended.
type Ending struct {
	// By is who ended it; Cause is why.
	By    Side   `json:"by"`
	Cause string `json:"cause"`
	// Err is what went wrong, where something did.
	Err error `json:"-"`
	// Quality is that of leg b, from [Line.Bridge]; nil when nothing was measured.
	Quality *Quality `json:"-"`
}

// HangupError says that the call is over: what a driver cancels a call's context with, and what everything that
// was under way for the call ends with.
type HangupError struct {
	By    Side
	Cause string
}

// Is says that the error is [ErrOver] too.
func (e *HangupError) Is(target error) bool { return target == ErrOver }

// Error says who hung up and why.
func (e *HangupError) Error() string { return "the " + string(e.By) + " hung up: " + e.Cause }
