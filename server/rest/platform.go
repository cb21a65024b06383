package rest

import (
	"context"
	"errors"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

// Platform makes calls and controls those under way. Its methods may be called concurrently and obey their context,
// which ends with the HTTP request; what a method has queued goes on afterwards.
//
// A call's ID is its cmiuuid; the id of one of its legs names the call too.
//
// Errors are told apart with errors.Is and the Err variables; call.ErrOver is as good as ErrNoCall, and a
// *call.UnsupportedError is answered too. Any other error is answered 500 and its text logged, which therefore must
// hold neither secrets nor numbers.
type Platform interface {
	// MakeCall queues an outbound call and returns before it is answered. Errors: ErrNotAllowed, ErrBusy,
	// ErrNoApp, ErrDraining, ErrNoAudio.
	MakeCall(ctx context.Context, o Order) (Queued, error)
	// Call returns a call under way, or ErrNoCall once it has ended.
	Call(ctx context.Context, id string) (Call, error)
	// Channels is the number of calls under way of one app, or of all apps when app is "".
	Channels(ctx context.Context, app string) (int, error)
	// Hold puts the parties of a call on hold or takes them back, and returns whether they are on hold now.
	// Errors: ErrNoCall, ErrNotConnected.
	Hold(ctx context.Context, id string, mode HoldMode) (held bool, err error)
	// Hangup ends a call. Errors: ErrNoCall.
	Hangup(ctx context.Context, id string, why Hangup) error
	// Transfer makes a call go on with a plan instead of what it does now (a blind transfer). Errors: ErrNoCall,
	// ErrTransferInProgress, ErrNotAllowed, ErrNoApp. Where it returns nil it calls done exactly once, from any
	// goroutine: with nil when the plan has taken over, with ErrNoCall when the call ended before that, and otherwise
	// with a *call.TransferError that says why.
	Transfer(ctx context.Context, id string, p Plan, done func(error)) error
	// WarmTransfer rings a person while the caller waits, and connects the two once the person has answered and
	// confirmed. When it fails the call goes on as before. Errors and done are those of Transfer; done(nil)
	// means that the two are connected.
	WarmTransfer(ctx context.Context, id string, w Warm, done func(error)) error
}

// Errors that a Platform returns.
var (
	// ErrNoCall says that no call under way has the id.
	ErrNoCall = errors.New("no call under way has this id")
	// ErrNotConnected says that the call has nobody to hold yet.
	ErrNotConnected = errors.New("the call is not answered yet")
	// ErrTransferInProgress says that the call is being transferred already. It is call's.
	ErrTransferInProgress = call.ErrTransferring
	// ErrNotAllowed says that the rules for outbound calls forbid the number, the caller id or the rate. It is call's.
	ErrNotAllowed = call.ErrNotAllowed
	// ErrNoAudio says that an audio file of the document does not exist.
	ErrNoAudio = errors.New("an audio file of the document does not exist")
	// ErrNoApp says that no such app is loaded. It is call's.
	ErrNoApp = call.ErrNoApp
	// ErrBusy says that no new calls are taken for now. It is call's.
	ErrBusy = call.ErrBusy
	// ErrDraining says that the daemon is stopping. It is call's.
	ErrDraining = call.ErrDraining
)

// Order asks for an outbound call.
type Order struct {
	// App is the app that the call belongs to, whose events and records it makes. It is empty where neither the
	// request nor its credentials say: the Platform then chooses, or returns ErrNoApp.
	App string
	// From is the caller id and To the number that is rung first (leg a): digits with country code, no "+".
	From, To string
	// Plan is what happens once To has answered; the zero Plan leaves it to App.
	Plan Plan
	// ExtraParams travels with the call: extra_params or variables, JSON text where they were an object.
	ExtraParams string
	// MaxDuration ends the call after so long; 0 is the platform's own limit.
	MaxDuration time.Duration
	// RingTimeout is how long To rings; 0 is the platform's default.
	RingTimeout time.Duration
	// Record says to record the call from its answer on.
	Record bool
}

// Plan is what a call does: one field is set, or none where an app decides.
type Plan struct {
	// Document is a PCMO of the classic dialect. It is valid and not empty.
	Document pcmo.Document
	// Pipeline is a PCMO of the v3 dialect. It is valid but for the ids of its agents, which are names of apps here.
	Pipeline pcmo.Pipeline
	// AnswerURL is an http or https URL which is asked for the document.
	AnswerURL string
}

// Queued names a call that was ordered.
type Queued struct {
	// RequestID is the order's id; see [call.NewRequestID]. CallID is the cmiuuid of the first leg.
	RequestID, CallID string
}

// Call is the state of a call under way.
type Call struct {
	ID        string
	RequestID string
	App       string
	Direction call.Direction
	// Status is StatusStarted, StatusRinging, StatusAnswered or StatusBridged.
	Status   call.Status
	From, To string
	// Held says whether the parties are on hold.
	Held bool
	// Started is when the call began; Answered is zero before that.
	Started, Answered time.Time
}

// HoldMode says what to do about the hold.
type HoldMode uint8

// Ways of holding.
const (
	Hold HoldMode = iota + 1
	Unhold
	// ToggleHold takes the other state.
	ToggleHold
)

// String returns the mode as v1/call/action names it.
func (m HoldMode) String() string {
	switch m {
	case Hold:
		return "hold"
	case Unhold:
		return "unhold"
	case ToggleHold:
		return "holdToggle"
	}
	return "unknown"
}

// Hangup says why a call is ended.
type Hangup struct {
	// Cause is one of call's Cause constants or another word of that kind, never empty.
	Cause string
	// Reason is for people: up to 256 characters of one line, or "".
	Reason string
}

// Warm asks for a transfer with announcement (protocol page 3.8). Exactly one of ToNumber and SIPURI is set.
type Warm struct {
	// ToNumber is digits with country code; SIPURI begins with sip: or sips:.
	ToNumber, SIPURI string
	// CallerID is what the person sees; "" leaves it to the platform.
	CallerID string
	// RingTimeout is how long the person rings; 0 is the platform's default.
	RingTimeout time.Duration
	// Confirm says that the person must press 1 before the two are connected.
	Confirm bool
	// HoldMusic says that the caller hears something while waiting: HoldAudio, a file name or URL, or the
	// platform's own music when that is "".
	HoldMusic bool
	HoldAudio string
	// Summary is said to the person before the two are connected; "" says nothing.
	Summary string
	// Headers are added to the INVITE, nil if there are none; their values are strings of one line.
	Headers pcmo.Variables
	// ExtraParams travels with the new leg: the request's variables as JSON text, or "".
	ExtraParams string
}
