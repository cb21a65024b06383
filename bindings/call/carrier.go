package call

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// carrier carries out the verbs of one call. There are two: live has the call's line at hand, and hosted writes
// documents for a platform that performs them by itself. Methods are called on the session's goroutine.
type carrier interface {
	// carry begins a verb and returns the promise of its outcome. It panics with what the verb is rejected with.
	carry(task) goja.Value
	// ask asks for digits or words once and hands over what came, on the session's goroutine. Asked again, for an
	// attempt after the first, it comes ahead of the verbs that wait. t names what is asked for in the journal.
	ask(t task, g call.Gather, took func(call.Gathered, error))
}

// task is a verb with its arguments read, and how either carrier does it.
type task struct {
	verb string
	// with are the arguments, as JSON.
	with json.RawMessage
	// attempt counts the questions of a gather after the first.
	attempt int
	// audio says that the outcome is the call's audio.
	audio bool
	// live does it with the line, beside the session.
	live func(ctx context.Context, c *call.Control) (outcome, error)
	// hosted does it with documents; nil: that cannot be done.
	hosted hostedVerb
	turn   turnRule
}

// turnRule says what a verb waits for.
type turnRule int

const (
	aside   turnRule = iota // nothing
	inOrder                 // those before it of its kind: they take no time, and would else begin in any order
	holding                 // the same for hold and unhold, which take the time that the phone does
	inTurn                  // the verbs before it that use the line
	sound                   // the same; while two parties talk only the sounds before it, because both hear it
)

// beside reports whether a verb does not wait for those that use the line.
func (r turnRule) beside() bool { return r == aside || r == inOrder || r == holding }

// outcome makes a verb's value, on the session's goroutine.
type outcome func() goja.Value

// undefined is the outcome of verbs that have none.
func undefined() goja.Value { return goja.Undefined() }

// simply is the live side of a verb without an outcome.
func simply(do func(ctx context.Context, c *call.Control) error) func(context.Context, *call.Control) (outcome, error) {
	return func(ctx context.Context, c *call.Control) (outcome, error) { return undefined, do(ctx, c) }
}

// verbEntry is what the journal keeps of a verb's beginning and, without the arguments, of its end.
type verbEntry struct {
	Verb    string          `json:"verb"`
	With    json.RawMessage `json:"with,omitempty"`
	Attempt int             `json:"attempt,omitempty"`
	Digits  string          `json:"digits,omitempty"`
	Speech  string          `json:"speech,omitempty"`
	Error   string          `json:"error,omitempty"`
}

func (t task) entry() verbEntry { return verbEntry{Verb: t.verb, With: t.with, Attempt: t.attempt} }

func (e verbEntry) gathered(got call.Gathered, err error) verbEntry {
	e.Digits, e.Speech = got.Digits, got.Speech
	return e.ended(err)
}

func (e verbEntry) ended(err error) verbEntry {
	e.With = nil
	var told *runtime.ScriptError
	switch {
	case errors.As(err, &told) && told.Err != nil:
		e.Error = told.Err.Error()
	case err != nil:
		e.Error = err.Error()
	}
	return e
}
