package call

import "context"

// Controls is what a [Line] can do beside whatever it performs. A line that can some of it implements Controls;
// what it cannot, it answers with an [*UnsupportedError]. Methods may be called from any goroutine while the call
// lasts. to says which party is meant: LegA, LegB, or "" for both.
type Controls interface {
	// Announce plays a prompt over whatever the party hears, and returns at its end.
	Announce(ctx context.Context, p Prompt, to Leg) error
	// Silence stops every prompt and announcement.
	Silence()
	// SendDigits sends DTMF digits, of 0-9, *, #, A-D, to a party, and returns when the last one has been queued.
	SendDigits(ctx context.Context, digits string, to Leg) error
	// Mute lets a party no longer be heard, or again.
	Mute(ctx context.Context, party Leg, muted bool) error
	// Hold puts leg a on hold, with music where there is some, or takes it back. What is performed goes on unheard.
	Hold(ctx context.Context, held bool, music Prompt) error
	// ControlRecording starts, stops, pauses or resumes the recording.
	ControlRecording(ctx context.Context, c RecordingCommand) error
	// Refer asks leg a's phone to call somebody else (SIP REFER, RFC 3515) and returns once that call was taken;
	// the call then ends. An error means that the call goes on.
	Refer(ctx context.Context, to Target) error
	// Join lets the line take part in a conference until ctx ends or everybody else was sent away.
	// It is called as the methods of Line are, by the one goroutine that performs.
	Join(ctx context.Context, room string, o JoinOptions) error
}

// RecordingLister is a [Line] that knows its recordings while the call lasts.
type RecordingLister interface {
	// Recordings returns the recordings that have ended, the oldest first. It may be called from any goroutine.
	Recordings() []Recording
}

// RecordingCommand is what can be done about a recording.
type RecordingCommand string

// What can be done about a recording.
const (
	RecordingStart  RecordingCommand = "start"
	RecordingStop   RecordingCommand = "stop"
	RecordingPause  RecordingCommand = "pause"
	RecordingResume RecordingCommand = "resume"
)

// JoinOptions say how a call takes part in a conference.
type JoinOptions struct {
	// Muted joins as a listener.
	Muted bool
	// EndOnLeave ends the conference for everybody when this call leaves it.
	EndOnLeave bool
}

// UnsupportedError says that a driver cannot do what was asked.
type UnsupportedError struct {
	// Verb is what was asked for; Driver is who cannot do it.
	Verb, Driver string
}

// Error names verb and driver.
func (e *UnsupportedError) Error() string {
	return "the driver " + e.Driver + " cannot do this: " + e.Verb
}
