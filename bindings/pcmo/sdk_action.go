package pcmo

import (
	"strconv"

	"github.com/dop251/goja"
)

// The classes PiopiyAction and StreamAction. As in the SDK the actions are an ordinary array in the property
// "action", which scripts may reach and change.

var (
	methodPlayMusic = method{"playMusic", 1, (*instance).playMusic}
	methodSpeak     = method{"speak", 1, func(in *instance, c goja.FunctionCall) goja.Value { return in.textAction(c, wordSpeak) }}
	methodSetValue  = method{"setValue", 1, func(in *instance, c goja.FunctionCall) goja.Value { return in.textAction(c, wordParam) }}
	methodStream    = method{"stream", 2, (*instance).stream}
	methodHangup    = method{"hangup", 0, func(in *instance, c goja.FunctionCall) goja.Value { return in.push(c.This, in.action(wordHangup)) }}
	methodRecord    = method{"record", 0, func(in *instance, c goja.FunctionCall) goja.Value { return in.push(c.This, in.action(wordRecord)) }}
	methodCall      = method{"call", 3, func(in *instance, c goja.FunctionCall) goja.Value {
		return in.push(c.This, in.dial(wordBridge, c.Argument(0), c.Argument(1), c.Argument(2)))
	}}
	methodForward = method{"forward", 3, func(in *instance, c goja.FunctionCall) goja.Value {
		return in.push(c.This, in.dial(wordConnect, c.Argument(0), c.Argument(1), c.Argument(2)))
	}}
)

var actionMethods = []method{
	methodPlayMusic, methodSpeak, methodSetValue, methodStream, methodHangup, methodRecord, methodCall, methodForward,
	{"input", 2, func(in *instance, c goja.FunctionCall) goja.Value {
		return in.push(c.This, in.input(c.Argument(0), c.Argument(1)))
	}},
	{"playGetInput", 3, func(in *instance, c goja.FunctionCall) goja.Value {
		return in.push(c.This, in.playInput(c.Argument(0), c.Argument(1), c.Argument(2)))
	}},
	{"PCMO", 0, func(in *instance, c goja.FunctionCall) goja.Value { return in.get(c.This, "action") }},
	{"clear", 0, func(in *instance, c goja.FunctionCall) goja.Value {
		in.assign(c.This, "action", in.vm.NewArray())
		return in.vm.ToValue(true)
	}},
}

var streamMethods = []method{
	methodPlayMusic, methodSpeak, methodSetValue, methodStream, methodHangup, methodRecord, methodCall, methodForward,
	control("pause", "pause"), control("resume", "resume"), control("stop", "stop"), control("interrupt", "break"),
	{"playStream", 3, (*instance).playStream},
	{"PCMO", 0, func(in *instance, c goja.FunctionCall) goja.Value {
		queue := in.get(c.This, "action")
		in.assign(c.This, "action", in.vm.NewArray())
		return in.stringify(queue)
	}},
}

// control returns a method that gives the text frame of a stream command.
func control(name, action string) method {
	frame := words.ToValue(`{"action":"` + action + `"}`)
	return method{name, 0, func(*instance, goja.FunctionCall) goja.Value { return frame }}
}

// action returns a new action object.
func (in *instance) action(name goja.Value) *goja.Object {
	o := in.vm.NewObject()
	set(o, "action", name)
	return o
}

// push is this.action.push(action).
func (in *instance) push(this, action goja.Value) goja.Value {
	in.invoke(in.get(this, "action"), "push", action)
	return goja.Undefined()
}

func (in *instance) playMusic(call goja.FunctionCall) goja.Value {
	v := call.Argument(0)
	if !in.isString(v) || !isAudioName(v.String()) {
		in.throw("Filename or File URL is required and must be a mp3/WAV format.")
	}
	o := in.action(wordPlay)
	if in.isURL(v) {
		set(o, "file_url", v)
	} else {
		set(o, "file_name", v)
	}
	return in.push(call.This, o)
}

func (in *instance) textAction(call goja.FunctionCall, name goja.Value) goja.Value {
	v := call.Argument(0)
	if !in.isString(v) {
		in.throw("Text is required and must be a string.")
	}
	o := in.action(name)
	set(o, "text", v)
	return in.push(call.This, o)
}

func (in *instance) stream(call goja.FunctionCall) goja.Value {
	address, options := call.Argument(0), call.Argument(1)
	if _, symbol := address.(*goja.Symbol); symbol || !isWS(address.String()) {
		in.throw("URL is required and must be a valid WS/WSS URL.")
	}
	o := in.action(wordStream)
	set(o, "ws_url", address)
	if truthy(options) {
		for _, key := range []string{"listen_mode", "voice_quality", "stream_on_answer"} {
			if v := in.get(options, key); truthy(v) {
				set(o, key, v)
			}
		}
	}
	return in.push(call.This, o)
}

// dial makes a bridge to phone numbers or a connect to SIP users.
func (in *instance) dial(action, to, from, options goja.Value) goja.Value {
	fits := in.isNumber(from)
	many := fits && in.isArray(to)
	if !fits || !many && !in.isNumber(to) {
		in.throw("Invalid from or to number in connect")
	}
	sip := action == wordConnect
	o := in.action(action)
	set(o, "from", from)
	list := in.vm.NewArray()
	set(o, "connect", list)
	if truthy(options) && in.isPlain(options) {
		in.fallback(o, options, "duration", 5400)
		in.fallback(o, options, "timeout", 40)
		in.fallback(o, options, "loop", 1)
		if sip {
			if v := in.get(options, "record"); truthy(v) {
				set(o, "record", v)
			} else {
				set(o, "record", in.vm.ToValue(false))
			}
		}
		if ring := in.get(options, "ring_type"); ring.Equals(wordGroup) {
			set(o, "ring_type", in.get(options, "ring_type"))
		}
	}
	if !many {
		set(list, "0", in.target(sip, to))
		return o
	}
	for n, key := range to.(*goja.Object).Keys() {
		set(list, strconv.Itoa(n), in.target(sip, in.get(to, key)))
	}
	return o
}

func (in *instance) target(sip bool, v goja.Value) goja.Value {
	o := in.vm.NewObject()
	if sip {
		set(o, "type", wordSIP)
		set(o, "user", v)
	} else {
		set(o, "type", wordPSTN)
		set(o, "number", v)
	}
	return o
}

// fallback is o[key] = options[key] || otherwise.
func (in *instance) fallback(o *goja.Object, options goja.Value, key string, otherwise int) {
	v := in.get(options, key)
	if !truthy(v) {
		v = in.vm.ToValue(otherwise)
	}
	set(o, key, v)
}

// isTarget: a URL, or a function that stands for one.
func (in *instance) isTarget(v goja.Value) bool {
	if _, ok := goja.AssertFunction(v); ok {
		return true
	}
	return in.isURL(v)
}

func (in *instance) input(target, options goja.Value) goja.Value {
	if !in.isTarget(target) {
		in.throw("Invalid action_url format  in input")
	}
	o := in.action(wordInput)
	set(o, "action_url", target)
	if truthy(options) && in.isPlain(options) {
		in.fallback(o, options, "max_digit", 1)
		in.fallback(o, options, "timeout", 5)
	}
	return o
}

func (in *instance) playInput(target, file, options goja.Value) goja.Value {
	if !in.isTarget(target) || !in.isString(file) {
		in.throw("Invalid action_url or file_name format  in play and get input")
	}
	o := in.action(wordPlayGet)
	remote := in.isURL(file)
	if !remote {
		set(o, "file_name", file)
	}
	set(o, "action_url", target)
	if remote {
		set(o, "file_url", file)
	}
	if truthy(options) && in.isPlain(options) {
		in.fallback(o, options, "max_digit", 1)
		in.fallback(o, options, "max_retry", 1)
		in.fallback(o, options, "timeout", 5)
	}
	return o
}

// playStream gives the text frame that plays audio to the caller.
func (in *instance) playStream(call goja.FunctionCall) goja.Value {
	audio := call.Argument(0)
	format, ok := call.Argument(1).(goja.String)
	if !ok || !isAudioFormat(format.String()) {
		in.throw("audio_type is required to play")
	}
	rate, ok := isWhole(call.Argument(2))
	if !ok || rate != 8000 && rate != 16000 {
		in.throw("sample_rate is required to play")
	}
	if !in.isString(audio) {
		in.throw("audio_base64 is required to play")
	}
	primitive, ok := audio.(goja.String)
	if !ok || !isBase64(primitive.String()) {
		in.throw("audio_base64 is not base64")
	}
	return in.vm.ToValue(`{"type":"streamAudio","data":{"audioDataType":"` + format.String() +
		`","sampleRate":` + strconv.Itoa(int(rate)) + `,"audioData":"` + primitive.String() + `"}}`)
}

func isAudioFormat(s string) bool { return s == "raw" || s == "mp3" || s == "wav" || s == "ogg" }
