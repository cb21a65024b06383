// Package call is the model of a phone call: the call and its legs, what happens to it live (Event), what
// happened in total (CDR), who carries it (Driver) and who decides about it (Handler).
//
// Drivers and scripts never meet except here: a driver hands a call to a Handler and performs the PCMO that
// comes back, so the same script answers a SIP phone, the PIOPIY cloud and a simulated caller.
package call

import (
	"context"
	"errors"
	"time"

	"github.com/piopiy/piopiyd/pcmo"
)

// Direction is the call's direction as the platform sees it.
type Direction string

// Directions.
const (
	Inbound  Direction = "inbound"
	Outbound Direction = "outbound"
)

// Leg names a party of the call on the wire: the first (a) or the bridged one (b).
type Leg string

// Legs.
const (
	LegA Leg = "a"
	LegB Leg = "b"
)

// Call is one conversation as its handler sees it. It is immutable: a driver makes it once per callback.
type Call struct {
	// ID is the call's id, PIOPIY's cmiuuid.
	ID string
	// RequestID is the id that the make-call API returned, for outbound calls.
	RequestID string
	// App is the app that answers the call.
	App string
	// Driver is the name of the driver that carries the call: "cloud", "sip" or "sim".
	Driver string
	// Direction says who began the call.
	Direction Direction
	// From and To are the caller and the called party: digits with country code for numbers, a URI for SIP.
	From, To string
	// Time is when the call began.
	Time time.Time
	// ExtraParams is what travels with the call (PIOPIY's extra_params): the raw text, JSON or not.
	ExtraParams string
	// InputURL returns the action_url that leads digits back to the continuation named by token.
	InputURL func(token string) string
	// StreamURL is the ws_url at which the app's own stream callback listens; empty where there is none.
	StreamURL string
}

// Input is what the caller answered to an input or play_get_input action.
type Input struct {
	// Token names the continuation, from [Call.InputURL].
	Token string
	// Digits are the DTMF digits collected, empty when none came in time.
	Digits string
	// Speech is the recognised text, where speech was asked for.
	Speech string
}

// Reply is what a handler wants performed.
type Reply struct {
	// Document is the decoded PCMO: a pcmo.Document or a pcmo.Pipeline.
	Document []pcmo.Action
	// JSON is the document exactly as the script wrote it: what goes onto the wire.
	JSON []byte
	// Version is the app version that decided.
	Version string
	// Fault says why the reply is the app's fault policy and not the script's own; nil otherwise.
	Fault error
}

// Handler decides about calls. Its methods may be called concurrently, for one call too.
//
// Answer and Input return a Reply even when the script fails: the app's fault policy, with Reply.Fault set.
// An error means that nobody could decide; see the Err variables.
type Handler interface {
	// Answer decides what happens to a new call.
	Answer(ctx context.Context, c *Call) (Reply, error)
	// Input decides what happens after the caller pressed digits.
	Input(ctx context.Context, c *Call, in Input) (Reply, error)
	// Event tells what happened. A nil error means that the event need not be delivered again.
	Event(ctx context.Context, e *Event) error
	// CDR hands over the record of one leg. A nil error means that it need not be delivered again.
	CDR(ctx context.Context, r *CDR) error
	// Stream hands over the call's media WebSocket and returns when the script is done with it.
	Stream(ctx context.Context, c *Call, s Stream) error
}

// Driver carries calls: it brings them to a Handler and performs what the Handler decides.
type Driver interface {
	// Name is the driver's name: "cloud", "sip", "sim".
	Name() string
	// Serve brings calls to h until ctx ends, then returns nil once no call is left or the context's
	// cause otherwise.
	Serve(ctx context.Context, h Handler) error
}

// Stream is a call's media WebSocket seen from the script's side.
type Stream interface {
	// Read returns the next frame: text, or binary PCM16LE audio. It returns io.EOF when the peer closed.
	Read(ctx context.Context) (text bool, data []byte, err error)
	// Write sends a frame.
	Write(ctx context.Context, text bool, data []byte) error
	// Close ends the stream with a WebSocket close code (RFC 6455 section 7.4) and reason.
	Close(code int, reason string) error
}

// Errors that handlers return.
var (
	// ErrNoApp says that no such app is loaded.
	ErrNoApp = errors.New("no such app")
	// ErrNoCallback says that the app's script does not export the callback.
	ErrNoCallback = errors.New("the script does not export this callback")
	// ErrDraining says that the daemon is stopping and takes no new calls.
	ErrDraining = errors.New("shutting down: no new calls are taken")
	// ErrNoContinuation says that no continuation waits for these digits: its call has ended, or its token is wrong.
	ErrNoContinuation = errors.New("no continuation waits for this input")
	// ErrNotAllowed says that the rules for outbound calls forbid a call.
	ErrNotAllowed = errors.New("the rules for outbound calls do not allow this call")
	// ErrOver says that the call has ended.
	ErrOver = errors.New("the call has ended")
	// ErrBusy says that the daemon is short of memory or sessions and takes no new calls.
	ErrBusy = errors.New("too busy: no new calls are taken")
)
