package pcmo

import (
	"regexp"
	"strings"

	"github.com/dop251/goja"
)

// The v3 client, of SDK 1.2: new Piopiy(token), whose parts are ai, voice, pcmo and flow.

func (in *instance) newV3Client(this *goja.Object, token goja.Value) {
	set(this, "auth", token)
	for _, part := range []struct{ name, class string }{{"ai", "AiAgent"}, {"voice", "Voice"}, {"pcmo", "Pcmo"}, {"flow", "Flow"}} {
		class := in.export(part.class).(*goja.Object)
		o, err := in.vm.New(class, token)
		if err != nil {
			panic(err)
		}
		set(this, part.name, o)
	}
}

// newV3Class makes the class of one part.
func (in *instance) newV3Class(name string) *goja.Object {
	class := in.newClass(name, v3Methods[name])
	if name != "Flow" {
		_ = class.DefineDataProperty("pipeline", in.native("pipeline", func(c goja.FunctionCall) goja.Value { return newBuilder(in, c) }), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
	return class
}

// v3Methods are the methods of each part, by class.
var v3Methods map[string][]method

func init() {
	v3Methods = map[string][]method{
		"AiAgent": {
			{"call", 7, aiCall}, {"transfer", 2, transfer}, {"pipeline", 0, newBuilder}, {"hangup", 1, aiHangup},
			{"normalizeCallRequest", 7, aiRequest}, {"resolvePipeline", 1, resolvePipeline},
			{"buildFailoverPipeline", 3, failoverPipeline}, {"post", 2, postV3},
		},
		"Voice": {
			{"call", 10, voiceCall}, {"transfer", 2, transfer}, {"pipeline", 0, newBuilder}, {"hangup", 1, voiceHangup},
			{"normalizeCallRequest", 10, voiceRequest}, {"fromObjectInput", 1, voiceFromObject}, {"buildVoiceCallPayload", 1, voicePayload},
			{"resolvePipeline", 1, resolvePipeline}, {"post", 2, postV3},
		},
		"Pcmo": {
			{"call", 7, pcmoCall}, {"transfer", 2, transfer}, {"pipeline", 0, newBuilder},
			{"normalizeCallRequest", 7, func(in *instance, c goja.FunctionCall) goja.Value { return namedRequest(in, c, pcmoFields) }},
			{"resolvePipeline", 1, resolvePipeline}, {"compact", 1, compact}, {"post", 2, postV3},
		},
		"Flow": {
			{"call", 7, flowCall},
			{"normalizeCallRequest", 7, func(in *instance, c goja.FunctionCall) goja.Value { return namedRequest(in, c, flowFields) }},
			{"compact", 1, compact}, {"post", 2, postV3},
		},
	}
}

var (
	pcmoFields  = []string{"caller_id", "to_number", "app_id", "pipeline", "options", "variables", "agent_id"}
	flowFields  = []string{"flow_id", "org_id", "caller_id", "to_number", "app_id", "options", "variables"}
	voiceFields = []string{"caller_id", "to_number", "app_id", "call_options", "variables", "connect", "options", "strategy", "connect_options", "metadata"}
)

func newBuilder(in *instance, _ goja.FunctionCall) goja.Value {
	o, err := in.vm.New(in.export("PipelineBuilder"))
	if err != nil {
		panic(err)
	}
	return o
}

// postV3 sends a payload with the client's token.
func postV3(in *instance, c goja.FunctionCall) goja.Value {
	return in.async(func() goja.Value {
		return in.post(in.options.V3URL+c.Argument(0).String(), in.get(c.This, "auth").String(), c.Argument(1))
	})
}

// sendV3 calls the part's own post, which a script may have replaced.
func (in *instance) sendV3(this goja.Value, path string, payload goja.Value) goja.Value {
	return in.invoke(this, "post", in.vm.ToValue(path), payload)
}

// compact copies an object without what is undefined or null.
func compact(in *instance, c goja.FunctionCall) goja.Value { return in.compact(c.Argument(0)) }

func (in *instance) compact(payload goja.Value) *goja.Object {
	out := in.vm.NewObject()
	o := payload.ToObject(in.vm)
	for _, key := range o.Keys() {
		if v := orUndefined(o.Get(key)); !absent(v) {
			set(out, key, v)
		}
	}
	return out
}

// named makes an object of arguments.
func (in *instance) named(c goja.FunctionCall, fields []string) *goja.Object {
	o := in.vm.NewObject()
	for i, field := range fields {
		set(o, field, c.Argument(i))
	}
	return o
}

// namedRequest takes one object, or the arguments in the order of fields.
func namedRequest(in *instance, c goja.FunctionCall, fields []string) goja.Value {
	if in.isPlain(c.Argument(0)) && goja.IsUndefined(c.Argument(1)) {
		return in.compact(c.Argument(0))
	}
	return in.compact(in.named(c, fields))
}

// resolvePipeline builds what is a plain object with build or PCMO. A PipelineBuilder is no plain object: it must be
// built by the script. Our own pipeline() is resolved.
func resolvePipeline(in *instance, c goja.FunctionCall) goja.Value { return in.resolve(c.Argument(0)) }

func (in *instance) resolve(v goja.Value) goja.Value {
	if o, ok := v.(*goja.Object); ok && o.ExportType() == pipeType {
		return o.Export().(*pipe).plain()
	}
	if in.isPlain(v) {
		for _, name := range []string{"build", "PCMO"} {
			if _, ok := goja.AssertFunction(in.get(v, name)); ok {
				return in.invoke(v, name)
			}
		}
	}
	return v
}

func transfer(in *instance, c goja.FunctionCall) goja.Value {
	return in.async(func() goja.Value {
		payload := in.vm.NewObject()
		set(payload, "call_id", c.Argument(0))
		set(payload, "pipeline", in.resolve(c.Argument(1)))
		in.checkTransfer(payload)
		return in.sendV3(c.This, "/voice/pcmo/transfer", payload)
	})
}

func pcmoCall(in *instance, c goja.FunctionCall) goja.Value {
	return in.async(func() goja.Value {
		request := namedRequest(in, c, pcmoFields).(*goja.Object)
		set(request, "pipeline", in.resolve(orUndefined(request.Get("pipeline"))))
		in.checkPcmoCall(request)
		return in.sendV3(c.This, "/voice/pcmo/call", request)
	})
}

func flowCall(in *instance, c goja.FunctionCall) goja.Value {
	return in.async(func() goja.Value {
		request := namedRequest(in, c, flowFields)
		in.checkFlowCall(request)
		return in.sendV3(c.This, "/voice/flow/call", request)
	})
}

func voiceCall(in *instance, c goja.FunctionCall) goja.Value {
	return in.async(func() goja.Value {
		request := voiceRequest(in, c)
		in.checkPcmoCall(request)
		return in.sendV3(c.This, "/voice/pcmo/call", request)
	})
}

func voiceRequest(in *instance, c goja.FunctionCall) goja.Value {
	if in.isPlain(c.Argument(0)) && goja.IsUndefined(c.Argument(1)) {
		return voiceFromObject(in, c)
	}
	return in.voicePayload(in.named(c, voiceFields))
}

func voiceFromObject(in *instance, c goja.FunctionCall) goja.Value {
	o := in.vm.NewObject()
	for _, field := range voiceFields {
		set(o, field, in.get(c.Argument(0), field))
	}
	return in.voicePayload(o)
}

func voicePayload(in *instance, c goja.FunctionCall) goja.Value {
	return in.voicePayload(c.Argument(0))
}

// voicePayload makes the request of a plain call: a pipeline with one connect to the number called.
func (in *instance) voicePayload(input goja.Value) goja.Value {
	given := func(name string) goja.Value { return in.get(input, name) }
	has := func(name string) bool { return !goja.IsUndefined(given(name)) }
	connect := given("connect")
	if has("call_options") && has("options") {
		in.throw("Use either call_options or options, not both.")
	}
	if !absent(connect) && !in.isPlain(connect) {
		in.throw("connect must be an object.")
	}
	if !absent(connect) && (has("strategy") || has("connect_options") || has("metadata")) {
		in.throw("Use either connect object or legacy strategy/connect_options/metadata arguments, not both.")
	}
	options := given("call_options")
	if goja.IsUndefined(options) {
		options = given("options")
	}
	normal := in.vm.NewObject()
	if truthy(connect) {
		o := connect.(*goja.Object)
		for _, key := range o.Keys() {
			set(normal, key, o.Get(key))
		}
	}
	if !hasOwn(normal, "strategy") {
		strategy := given("strategy")
		if goja.IsUndefined(strategy) {
			strategy = in.vm.ToValue("sequential")
		}
		set(normal, "strategy", strategy)
	}
	if has("connect_options") {
		set(normal, "options", given("connect_options"))
	}
	if has("metadata") {
		set(normal, "metadata", given("metadata"))
	}
	if extra := others(normal, "strategy", "options", "metadata"); len(extra) > 0 {
		in.throw("Unknown connect field(s): " + strings.Join(extra, ", "))
	}
	params := in.vm.NewObject()
	set(params, "caller_id", given("caller_id"))
	set(params, "strategy", normal.Get("strategy"))
	for _, key := range []string{"options", "metadata"} {
		if hasOwn(normal, key) {
			set(params, key, normal.Get(key))
		}
	}
	endpoint := in.vm.NewObject()
	set(endpoint, "type", wordPSTN)
	set(endpoint, "number", given("to_number"))
	payload := in.vm.NewObject()
	set(payload, "caller_id", given("caller_id"))
	set(payload, "to_number", given("to_number"))
	set(payload, "app_id", given("app_id"))
	set(payload, "pipeline", in.vm.NewArray(in.connectAction(params, endpoint)))
	if !absent(options) {
		set(payload, "options", options)
	}
	if v := given("variables"); !absent(v) {
		set(payload, "variables", v)
	}
	return payload
}

func (in *instance) connectAction(params *goja.Object, endpoints ...any) *goja.Object {
	o := in.action(wordConnect)
	set(o, "params", params)
	set(o, "endpoints", in.vm.NewArray(endpoints...))
	return o
}

func hasOwn(o *goja.Object, name string) bool {
	for _, key := range o.GetOwnPropertyNames() {
		if key == name {
			return true
		}
	}
	return false
}

var causeLike = regexp.MustCompile(`^[A-Z0-9_]{1,64}$`)

func (in *instance) looksLikeCause(v goja.Value) bool {
	return in.isString(v) && causeLike.MatchString(v.String())
}

// aiHangup ends a call: (call_id, cause, reason).
func aiHangup(in *instance, c goja.FunctionCall) goja.Value {
	return in.hangup(c, c.Argument(1), c.Argument(2))
}

// voiceHangup is aiHangup and guesses which of the two arguments is the cause.
func voiceHangup(in *instance, c goja.FunctionCall) goja.Value {
	cause, reason := c.Argument(1), c.Argument(2)
	if goja.IsUndefined(cause) {
		cause = in.vm.ToValue(normalClearing)
	}
	switch {
	case !absent(reason):
		if !in.looksLikeCause(cause) && in.looksLikeCause(reason) {
			cause, reason = reason, cause
		}
	case !absent(cause) && !in.looksLikeCause(cause):
		cause, reason = in.vm.ToValue(normalClearing), cause
	}
	return in.hangup(c, cause, reason)
}

const normalClearing = "NORMAL_CLEARING"

func (in *instance) hangup(c goja.FunctionCall, cause, reason goja.Value) goja.Value {
	return in.async(func() goja.Value {
		if goja.IsUndefined(cause) {
			cause = in.vm.ToValue(normalClearing)
		}
		payload := in.vm.NewObject()
		set(payload, "call_id", c.Argument(0))
		set(payload, "cause", cause)
		if !absent(reason) {
			set(payload, "reason", reason)
		}
		in.checkHangup(payload)
		return in.post(in.options.V3URL+"/voice/call/hangup", in.get(c.This, "auth").String(), payload)
	})
}
