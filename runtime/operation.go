package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/dop251/goja"
)

// Operation is something that a script asks of the world outside its session. The journal keeps that it began, what
// was asked for, and what came of it: a replay takes the outcome from there and asks nobody.
//
// T is the outcome. It must survive encoding as JSON; fields that do not are for the first time only.
type Operation[T any] struct {
	// Begin and End are the kinds of its two entries in the journal.
	Begin, End string
	// Asks says what is asked for: the data of the first entry. It holds no secrets. Two operations that ask for the
	// same thing are the same to a replay.
	Asks any
	// Do does it, on a goroutine of its own, within a context that ends with the session. An error that scripts are to
	// see as more than its text is a [*ScriptError].
	Do func(ctx context.Context) (T, error)
	// Wait, where set, says when Do may begin: it calls begin, now or later, on the session's goroutine.
	Wait func(begin func())
	// Note makes the data of the second entry; nil: it has none but the error's text.
	Note func(T, error) any
	// Value makes what the promise is settled with. It and Note run on the session's goroutine.
	Value func(T, error) (goja.Value, error)
	// Safe operations change nothing: one that was under way when the process ended is done again. Of others the script
	// learns, by an InterruptedError, that they may have happened.
	Safe bool
	// Plain operations are settled with plain data, and the journal keeps that instead of T: a replay does not need
	// Value then.
	Plain bool
	// Unpromised operations have no promise, which is a good part of what one that waits takes: Operate returns undefined,
	// Value is called for what it does, and may not fail.
	Unpromised bool
}

// maxOutcome is the largest outcome that a journal keeps, in bytes.
const maxOutcome = 128 << 10

// Operate begins an operation and returns the promise of its outcome. It begins when the journal has been told. On the
// session's goroutine. In a dry run nothing begins and the promise stays pending.
//
// It panics with a RangeError, which the script sees, when too many operations are pending.
func Operate[T any](s *Session, op Operation[T]) goja.Value {
	promise, settle := goja.Undefined(), func(func() (goja.Value, error)) {}
	if op.Unpromised {
		settle = s.unpromised()
	} else {
		promise, settle = s.Promise()
	}
	if s.dry {
		return promise
	}
	s.begun++
	id, asks := s.begun, encode(op.Asks)
	s.recordNow(Entry{Kind: op.Begin, Op: id, Data: asks})
	ended := func(v T, err error, kept json.RawMessage) {
		var note any
		switch {
		case op.Note != nil:
			note = op.Note(v, err)
		case err != nil:
			note = map[string]string{"error": err.Error()}
		}
		s.recordNow(Entry{Kind: op.End, Op: id, Data: encode(note), Outcome: kept})
	}
	end := func(v T, err error, kept json.RawMessage) {
		settle(func() (goja.Value, error) {
			if !op.Plain {
				ended(v, err, kept)
				return op.Value(v, err)
			}
			value, failed := op.Value(v, err)
			ended(v, failed, s.keepValue(value, failed))
			return value, failed
		})
	}
	run := func() {
		ctx, done := s.Context(), s.Work()
		go func() { // ends with the session's context
			defer done()
			s.Sync(ctx)
			v, err := op.Do(ctx)
			if op.Plain {
				end(v, err, nil)
				return
			}
			end(v, err, keep(v, err))
		}()
	}
	start := func() { s.starting = append(s.starting, run) }
	begin := func() {
		if op.Wait != nil {
			op.Wait(start)
			return
		}
		start()
	}
	if s.replay == nil {
		begin()
		return promise
	}
	s.replay.began(&operation{id: id, kind: op.Begin, asks: asks, safe: op.Safe, begin: begin, end: func(kept json.RawMessage) error {
		var v T
		var o outcome
		if err := json.Unmarshal(kept, &o); err != nil {
			return err
		}
		err := o.Error.err()
		if op.Plain {
			settle(func() (goja.Value, error) {
				ended(v, err, kept)
				return s.plain(o.Value), err
			})
			return nil
		}
		if len(o.Value) > 0 {
			if err := json.Unmarshal(o.Value, &v); err != nil {
				return err
			}
		}
		end(v, err, kept)
		return nil
	}})
	return promise
}

// begin starts the operations of the turn that has ended.
func (s *Session) begin() {
	starting := s.starting
	s.starting = nil
	for _, run := range starting {
		run()
	}
}

// operation is one under way in a session that is run again.
type operation struct {
	id    uint64
	kind  string
	asks  json.RawMessage
	safe  bool
	fresh bool // the journal does not know of it
	begin func()
	end   func(kept json.RawMessage) error
}

// String says what is asked for.
func (o *operation) String() string {
	return fmt.Sprintf("%s %s", strings.TrimSuffix(o.kind, "_begin"), o.asks)
}

// outcome is how an operation's end is kept.
type outcome struct {
	Value json.RawMessage `json:"value,omitempty"`
	Error *failure        `json:"error,omitempty"`
}

// failure is a ScriptError as it is kept.
type failure struct {
	Name    string         `json:"name"`
	Message string         `json:"message"`
	Code    string         `json:"code,omitempty"`
	Fields  map[string]any `json:"fields,omitempty"`
	End     bool           `json:"end,omitempty"`
}

func (f *failure) err() error {
	if f == nil {
		return nil
	}
	return &ScriptError{Name: f.Name, Message: f.Message, Code: f.Code, Fields: f.Fields, End: f.End}
}

// keep encodes an outcome. It is nil when it is too large to be kept: a replay stops there.
func keep(v any, err error) json.RawMessage {
	var o outcome
	if raw, e := json.Marshal(v); e == nil && string(raw) != "null" {
		o.Value = raw
	}
	if err != nil {
		f := &failure{Name: "Error", Message: err.Error()}
		var known *ScriptError
		if errors.As(err, &known) {
			f = &failure{Name: known.Name, Message: known.Message, Code: known.Code, Fields: known.Fields, End: known.End}
		}
		o.Error = f
	} else if o.Value == nil {
		o.Value = json.RawMessage("null")
	}
	raw, e := json.Marshal(o)
	if e != nil || len(raw) > maxOutcome {
		return nil
	}
	return raw
}

// keepValue encodes what a promise is settled with.
func (s *Session) keepValue(v goja.Value, err error) json.RawMessage {
	if err != nil {
		return keep(nil, err)
	}
	if v == nil || goja.IsUndefined(v) {
		return json.RawMessage("{}")
	}
	var raw []byte
	if thrown := s.vm.Try(func() {
		if o, ok := v.(*goja.Object); ok {
			raw, err = o.MarshalJSON() // in the order of its properties
			return
		}
		raw, err = json.Marshal(v.Export())
	}); thrown != nil || err != nil {
		return nil
	}
	return keep(json.RawMessage(raw), nil)
}

// plain is the value that keepValue encoded.
func (s *Session) plain(raw json.RawMessage) goja.Value {
	v := goja.Undefined()
	if len(raw) > 0 {
		_ = s.vm.Try(func() { v = s.guard.ParseJSON(string(raw)) }) // what was encoded can be decoded
	}
	return v
}

// interrupted is the outcome of what was under way when the process ended: nobody knows what became of it.
var interrupted = keep(nil, &ScriptError{
	Name: "InterruptedError", Code: "INTERRUPTED",
	Message: "the daemon was restarted while this was under way: it may have happened or not",
})
