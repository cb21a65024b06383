package call

import (
	"encoding/json"
	"errors"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// verbs are what a script can ask of a call. They are the prototype of the call's object, and each is made when it is
// first touched: most calls use few of them.
//
// All of them return a promise. A verb that uses the line waits for those before it; see package call, verbs.go.
type verbs struct {
	session *runtime.Session
	// find returns what carries the call's verbs out; the error is what the verb is rejected with.
	find func() (carrier, error)
	conv *conversation // the script's own call; nil for others
	// reach finds other calls of the app.
	reach func(id string) (*call.Control, bool)
	made  map[string]goja.Value
	// with are the arguments of the verb that is being called, for the journal.
	with json.RawMessage
}

// maxArguments bounds what the journal keeps of a verb's arguments, in bytes of JSON.
const maxArguments = 16 << 10

// arguments are what a verb was called with, as JSON: what cannot be told so, such as a function, is left out.
func arguments(s *runtime.Session, list []goja.Value) json.RawMessage {
	if len(list) == 0 {
		return nil
	}
	var raw []byte
	var err error
	values := make([]any, len(list))
	for i, v := range list {
		values[i] = v
	}
	if thrown := s.VM().Try(func() { raw, err = s.VM().NewArray(values...).MarshalJSON() }); thrown != nil || err != nil || len(raw) > maxArguments {
		return nil
	}
	return raw
}

// verbTable lists the verbs by name.
var verbTable map[string]func(v *verbs, a runtime.Args) goja.Value

func init() { // the verbs' own functions refer to it
	verbTable = map[string]func(v *verbs, a runtime.Args) goja.Value{
		"answer": (*verbs).answer, "ring": (*verbs).ring, "bridge": (*verbs).bridge, "reject": (*verbs).reject, "hangup": (*verbs).hangup, "pause": (*verbs).pause,
		"say": (*verbs).say, "play": (*verbs).play, "announce": (*verbs).announce, "stop": (*verbs).stop,
		"gather": (*verbs).gather, "record": (*verbs).record,
		"startRecording": recording(call.RecordingStart), "stopRecording": recording(call.RecordingStop),
		"pauseRecording": recording(call.RecordingPause), "resumeRecording": recording(call.RecordingResume),
		"dial": (*verbs).dial, "transfer": (*verbs).transfer, "refer": (*verbs).refer, "conference": (*verbs).conference, "leave": (*verbs).leave,
		"hold": hold(true), "unhold": hold(false), "mute": mute(true), "unmute": mute(false),
		"sendDigits": (*verbs).sendDigits, "stream": (*verbs).stream, "perform": (*verbs).perform,
		"on": (*verbs).on, "events": (*verbs).events,
	}
}

var _ goja.DynamicObject = (*verbs)(nil)

// Get implements goja.DynamicObject.
func (v *verbs) Get(name string) goja.Value {
	if made, ok := v.made[name]; ok {
		return made
	}
	do, ok := verbTable[name]
	if !ok {
		return nil
	}
	if v.made == nil {
		v.made = map[string]goja.Value{}
	}
	made := v.session.VM().ToValue(func(c goja.FunctionCall) goja.Value {
		if name == "on" || name == "events" { // they return no promise, and throw
			return do(v, v.session.Args("call."+name, c))
		}
		v.with = arguments(v.session, c.Arguments)
		return v.promise(func() goja.Value { return do(v, v.session.Args("call."+name, c)) })
	})
	v.made[name] = made
	return made
}

// Set implements goja.DynamicObject: verbs cannot be replaced, except on a call's own object.
func (v *verbs) Set(string, goja.Value) bool { return false }

// Has implements goja.DynamicObject.
func (v *verbs) Has(name string) bool { _, ok := verbTable[name]; return ok }

// Delete implements goja.DynamicObject.
func (v *verbs) Delete(string) bool { return false }

// Keys implements goja.DynamicObject: verbs are not enumerated.
func (v *verbs) Keys() []string { return nil }

// promise runs a verb whose exceptions become rejections.
func (v *verbs) promise(f func() goja.Value) goja.Value {
	var result goja.Value
	thrown := v.session.VM().Try(func() { result = f() })
	if thrown == nil {
		return result
	}
	p, _, reject := v.session.VM().NewPromise()
	_ = reject(thrown.Value())
	return v.session.VM().ToValue(p)
}

// do has a verb carried out and returns a promise for its outcome.
func (v *verbs) do(t task) goja.Value {
	c, err := v.find()
	if err != nil {
		panic(v.session.ErrorValue(scriptError(err)))
	}
	t.with = v.with
	return c.carry(t)
}

// scriptError is what a script sees of a verb's error.
func scriptError(err error) error {
	var hangup *call.HangupError
	var unsupported *call.UnsupportedError
	var failed *call.TransferError
	var state *call.StateError
	switch {
	case errors.As(err, &hangup):
		return &runtime.ScriptError{
			Name: "HangupError", Message: "the call is over: " + hangup.Error(), Code: hangup.Cause,
			Fields: map[string]any{"by": string(hangup.By), "cause": hangup.Cause}, End: true, Err: err,
		}
	case errors.Is(err, call.ErrOver):
		return &runtime.ScriptError{Name: "HangupError", Message: "the call is over", Code: call.CauseNormal, End: true, Err: err}
	case errors.Is(err, call.ErrReplaced):
		return &runtime.ScriptError{Name: "ReplacedError", Message: "the call does something else: " + err.Error(), Code: "REPLACED", End: true, Err: err}
	case errors.As(err, &unsupported):
		return &runtime.ScriptError{
			Name: "UnsupportedError", Message: err.Error(), Code: "UNSUPPORTED",
			Fields: map[string]any{"verb": unsupported.Verb, "driver": unsupported.Driver}, Err: err,
		}
	case errors.As(err, &state):
		return &runtime.ScriptError{Name: "StateError", Message: err.Error(), Code: string(state.Reason), Fields: map[string]any{"verb": state.Verb}, Err: err}
	case errors.As(err, &failed):
		return &runtime.ScriptError{
			Name: "TransferError", Message: failed.Error(), Code: failed.Reason, Fields: map[string]any{"reason": failed.Reason, "cause": failed.Cause}, Err: err,
		}
	}
	return err
}

// verbsOf gives the call's object its verbs.
func (conv *conversation) verbsOf() *goja.Object {
	v := &verbs{session: conv.session, conv: conv, find: conv.carrier, reach: reachable(conv.handler.opts.Live, conv.session.App())}
	return conv.session.VM().NewDynamicObject(v)
}

// carrier returns what carries the verbs of the conversation's call out, also after its end. On the session's goroutine.
func (conv *conversation) carrier() (carrier, error) {
	if conv.call.Driver == hostedDriver {
		return conv.host(), nil
	}
	if conv.live == nil {
		conv.live = &live{session: conv.session} // of a call that is over, or that the journal tells of
		if conv.handler.opts.Live != nil && !conv.again {
			conv.live.control, _ = conv.handler.opts.Live.Find(conv.call.ID)
		}
	}
	return conv.live, nil
}
