package pcmo

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dop251/goja"
)

// The v3 requests are checked before they are sent, by the rules of SDK 1.2 and in its words (protocol page 3.7).
// The first thing wrong is thrown as an Error.

var (
	phonePattern    = regexp.MustCompile(`^[1-9][0-9]{6,15}$`)
	uuidPattern     = regexp.MustCompile(`(?i)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func (in *instance) checkAiCall(payload goja.Value) {
	body := in.object(payload, "body")
	in.keys(body, []string{"caller_id", "to_number", "agent_id"}, "caller_id", "to_number", "agent_id", "options", "variables", "app_id", "failover")
	in.phone(body, "caller_id", "")
	in.phone(body, "to_number", "")
	in.uuid(body, "agent_id", "")
	in.checkCommon(body)
	if has(body, "failover") {
		if !has(body, "app_id") {
			in.throw("app_id is required when failover is provided.")
		}
		in.stringOf(body, "app_id", "")
		in.checkFailover(body)
	} else if has(body, "app_id") {
		in.throw("app_id is only supported when failover is provided.")
	}
}

func (in *instance) checkHangup(payload goja.Value) {
	body := in.object(payload, "body")
	in.keys(body, []string{"call_id"}, "call_id", "cause", "reason")
	in.uuid(body, "call_id", "")
	if has(body, "cause") {
		in.bounded(body, "cause", "", 1, 64)
	}
	if has(body, "reason") {
		in.bounded(body, "reason", "", 1, 256)
	}
}

func (in *instance) checkPcmoCall(payload goja.Value) {
	body := in.object(payload, "body")
	in.keys(body, []string{"caller_id", "to_number", "pipeline", "app_id"}, "caller_id", "to_number", "pipeline", "app_id", "agent_id", "options", "variables")
	in.phone(body, "caller_id", "")
	in.phone(body, "to_number", "")
	in.stringOf(body, "app_id", "")
	in.checkPipeline(orUndefined(body.Get("pipeline")))
	if has(body, "agent_id") {
		in.uuid(body, "agent_id", "")
	}
	in.checkCommon(body)
}

func (in *instance) checkTransfer(payload goja.Value) {
	body := in.object(payload, "body")
	in.keys(body, []string{"call_id", "pipeline"}, "call_id", "pipeline")
	in.uuid(body, "call_id", "")
	in.checkPipeline(orUndefined(body.Get("pipeline")))
}

func (in *instance) checkFlowCall(payload goja.Value) {
	body := in.object(payload, "body")
	in.keys(body, []string{"flow_id", "org_id", "caller_id", "to_number", "app_id"}, "flow_id", "org_id", "caller_id", "to_number", "app_id", "options", "variables")
	in.uuid(body, "flow_id", "")
	in.uuid(body, "org_id", "")
	in.phone(body, "caller_id", "")
	in.phone(body, "to_number", "")
	in.stringOf(body, "app_id", "")
	in.checkCommon(body)
}

// checkCommon checks the options and variables of a call.
func (in *instance) checkCommon(body *goja.Object) {
	if has(body, "options") {
		options := in.object(body.Get("options"), "options")
		if extra := others(options, "max_duration_sec", "record", "ring_timeout_sec"); len(extra) > 0 {
			in.throw("Unknown option(s): " + strings.Join(extra, ", "))
		}
		in.optInt(options, "max_duration_sec", "options.", 30, 7200)
		in.optBool(options, "record", "options.")
		in.optInt(options, "ring_timeout_sec", "options.", 5, 120)
	}
	if has(body, "variables") {
		in.checkVariables(body.Get("variables"), "variables", -1, -1)
	}
}

var connectOptionKeys = []string{"max_duration_sec", "ring_timeout_sec", "machine_detection", "recording", "waiting_music"}

func (in *instance) checkFailover(body *goja.Object) {
	data := in.object(body.Get("failover"), "failover")
	in.keys(data, []string{"agent_id"}, append([]string{"agent_id", "strategy", "metadata"}, connectOptionKeys...)...)
	in.uuid(data, "agent_id", "failover.")
	if data.Get("agent_id").StrictEquals(body.Get("agent_id")) {
		in.throw("failover.agent_id cannot be same as primary agent_id.")
	}
	in.optWord(data, "strategy", "failover.", "simultaneous", "sequential")
	in.checkConnectOptions(data, "failover.")
	if has(data, "metadata") {
		in.checkVariables(data.Get("metadata"), "failover.metadata", -1, -1)
	}
}

func (in *instance) checkConnectOptions(options *goja.Object, prefix string) {
	in.optInt(options, "max_duration_sec", prefix, 10, 7200)
	in.optInt(options, "ring_timeout_sec", prefix, 5, 120)
	in.optBool(options, "machine_detection", prefix)
	in.optString(options, "waiting_music", prefix)
	if has(options, "recording") {
		recording := in.object(options.Get("recording"), prefix+"recording")
		in.keys(recording, nil, "enabled", "channels", "format")
		in.optBool(recording, "enabled", prefix+"recording.")
		in.optWord(recording, "channels", prefix+"recording.", "dual", "single")
		in.optWord(recording, "format", prefix+"recording.", "mp3", "wav")
	}
}

var v3Actions = []string{"connect", "hangup", "input", "param", "play", "play_get_input", "record"}

func (in *instance) checkPipeline(v goja.Value) {
	list := in.list(v, "pipeline")
	if len(list) == 0 {
		in.throw("pipeline must contain at least one action.")
	}
	for i, item := range list {
		if item == nil {
			continue // forEach passes holes
		}
		field := "pipeline[" + strconv.Itoa(i) + "]"
		action := in.object(item, field)
		if !has(action, "action") {
			in.throw(field + ".action is required.")
		}
		in.stringOf(action, "action", field+".")
		name, ok := action.Get("action").(goja.String)
		if !ok || !slices.Contains(v3Actions, name.String()) {
			in.throw(field + ".action must be one of: " + strings.Join(v3Actions, ", ") + ".")
		}
		in.checkAction(name.String(), action, field+".")
	}
}

func (in *instance) checkAction(name string, action *goja.Object, prefix string) {
	switch name {
	case "connect":
		in.checkConnect(action, prefix)
	case "play":
		in.keys(action, []string{"action", "file_name"}, "action", "file_name")
		in.stringOf(action, "file_name", prefix)
	case "play_get_input":
		in.keys(action, []string{"action", "prompt", "input", "on_result"}, "action", "prompt", "input", "dtmf", "retries", "on_result")
		in.checkPrompt(action.Get("prompt"), prefix+"prompt")
		in.checkModes(action, prefix)
		in.checkDtmf(action, prefix)
		in.checkRetries(action, prefix)
		in.checkOnResult(action, prefix)
	case "param":
		in.keys(action, []string{"action", "data"}, "action", "data")
		in.checkVariables(action.Get("data"), prefix+"data", 256, 10)
	case "record":
		in.keys(action, []string{"action"}, "action", "format", "channels")
		in.optWord(action, "format", prefix, "mp3", "wav")
		in.optWord(action, "channels", prefix, "single", "dual")
	case "hangup":
		in.keys(action, []string{"action"}, "action")
	case "input":
		in.keys(action, []string{"action", "on_result"}, "action", "dtmf", "on_result")
		in.checkDtmf(action, prefix)
		in.checkOnResult(action, prefix)
	}
}

func (in *instance) checkConnect(action *goja.Object, prefix string) {
	in.keys(action, []string{"action", "params", "endpoints"}, "action", "params", "endpoints")
	params := in.object(action.Get("params"), prefix+"params")
	in.keys(params, []string{"caller_id"}, "strategy", "caller_id", "options", "metadata")
	in.phone(params, "caller_id", prefix+"params.")
	in.optWord(params, "strategy", prefix+"params.", "simultaneous", "sequential")
	if has(params, "options") {
		options := in.object(params.Get("options"), prefix+"params.options")
		in.keys(options, nil, connectOptionKeys...)
		in.checkConnectOptions(options, prefix+"params.options.")
	}
	if has(params, "metadata") {
		in.checkVariables(params.Get("metadata"), prefix+"params.metadata", -1, -1)
	}
	list := in.list(orUndefined(action.Get("endpoints")), prefix+"endpoints")
	if len(list) == 0 {
		in.throw(prefix + "endpoints must contain at least one endpoint.")
	}
	agents := 0
	for i, item := range list {
		if item == nil {
			continue
		}
		field := prefix + "endpoints[" + strconv.Itoa(i) + "]"
		e := in.object(item, field)
		in.keys(e, []string{"type"}, "type", "number", "uri", "id", "headers")
		kind := in.word(e, "type", field+".", "pstn", "sip", "agent")
		in.checkEndpoint(e, kind, field+".", agents > 0)
		if kind == "agent" {
			if agents++; agents > 2 {
				in.throw("A maximum of two agent endpoints is allowed.")
			}
		}
		if has(e, "headers") {
			in.object(e.Get("headers"), field+".headers")
		}
	}
}

func (in *instance) checkEndpoint(e *goja.Object, kind, prefix string, afterAgent bool) {
	need := map[string]string{"pstn": "number", "sip": "uri", "agent": "id"}[kind]
	if !has(e, need) {
		in.throw(prefix + need + " is required when type is " + kind + ".")
	}
	switch kind {
	case "pstn":
		in.phone(e, need, prefix)
	case "sip":
		in.stringOf(e, need, prefix)
	case "agent":
		in.uuid(e, need, prefix)
		return
	}
	if afterAgent {
		in.throw("Agent endpoints must be at the end of connect.endpoints.")
	}
}

func (in *instance) checkPrompt(v goja.Value, field string) {
	p := in.object(v, field)
	in.keys(p, []string{"type"}, "type", "file_name", "say", "voice_id", "language", "speed")
	if in.word(p, "type", field+".", "file", "say") == "file" {
		if !has(p, "file_name") {
			in.throw(field + ".file_name is required when type is file.")
		}
	} else {
		for _, key := range []string{"say", "language", "voice_id", "speed"} {
			if !has(p, key) {
				in.throw(field + "." + key + " is required when type is say.")
			}
		}
	}
	for _, key := range []string{"file_name", "say", "language", "voice_id"} {
		in.optString(p, key, field+".")
	}
	if has(p, "speed") {
		speed := p.Get("speed")
		if f := orUndefined(speed).ToFloat(); !isNumeric(speed) || f != f {
			in.throw(field + ".speed must be a number.")
		} else if f < 0.5 {
			in.throw(field + ".speed must be >= 0.5.")
		} else if f > 2 {
			in.throw(field + ".speed must be <= 2.")
		}
	}
}

func (in *instance) checkModes(action *goja.Object, prefix string) {
	list := in.list(orUndefined(action.Get("input")), prefix+"input")
	if len(list) == 0 {
		in.throw(prefix + "input must contain at least one item.")
	}
	seen := map[string]bool{}
	for i, item := range list {
		if item == nil {
			continue
		}
		field := prefix + "input[" + strconv.Itoa(i) + "]"
		if !in.isString(item) {
			in.throw(field + " must be a string.")
		}
		mode, ok := item.(goja.String)
		if !ok || mode.String() != "dtmf" && mode.String() != "speech" {
			in.throw(field + " must be dtmf or speech.")
		}
		if seen[mode.String()] {
			in.throw(strings.TrimSuffix(prefix, ".") + " contains duplicate value '" + mode.String() + "'.")
		}
		seen[mode.String()] = true
	}
}

func (in *instance) checkDtmf(action *goja.Object, prefix string) {
	if !has(action, "dtmf") {
		return
	}
	t := in.object(action.Get("dtmf"), prefix+"dtmf")
	prefix += "dtmf."
	in.keys(t, nil, "min_digits", "max_digits", "finish_on_key", "first_digit_timeout", "inter_digit_timeout", "flush_buffer")
	in.optInt(t, "min_digits", prefix, 1, -1)
	in.optInt(t, "max_digits", prefix, 1, -1)
	if has(t, "finish_on_key") {
		in.bounded(t, "finish_on_key", prefix, -1, 1)
	}
	in.optInt(t, "first_digit_timeout", prefix, 1, -1)
	in.optInt(t, "inter_digit_timeout", prefix, 1, -1)
	in.optBool(t, "flush_buffer", prefix)
}

func (in *instance) checkRetries(action *goja.Object, prefix string) {
	if !has(action, "retries") {
		return
	}
	r := in.object(action.Get("retries"), prefix+"retries")
	prefix += "retries."
	in.keys(r, nil, "max", "no_input_prompt", "invalid_prompt")
	in.optInt(r, "max", prefix, 0, -1)
	for _, key := range []string{"no_input_prompt", "invalid_prompt"} {
		if has(r, key) {
			in.checkPrompt(r.Get(key), prefix+key)
		}
	}
}

func (in *instance) checkOnResult(action *goja.Object, prefix string) {
	r := in.object(action.Get("on_result"), prefix+"on_result")
	prefix += "on_result."
	in.keys(r, []string{"type"}, "type", "ref", "url")
	kind := in.word(r, "type", prefix, "pcmo", "url")
	if kind == "pcmo" && !has(r, "ref") {
		in.throw(prefix + "ref is required when type is pcmo.")
	}
	if kind == "url" && !has(r, "url") {
		in.throw(prefix + "url is required when type is url.")
	}
	in.optString(r, "ref", prefix)
	if has(r, "url") {
		in.stringOf(r, "url", prefix)
		if u := r.Get("url").String(); !strings.HasPrefix(u, "http://") && !strings.HasPrefix(u, "https://") {
			in.throw(prefix + "url must start with http:// or https://.")
		}
	}
}

// checkVariables checks a flat object; negative bounds mean none.
func (in *instance) checkVariables(v goja.Value, field string, longest, most int) {
	data := in.object(v, field)
	keys := data.Keys()
	if most >= 0 && len(keys) > most {
		in.throw(field + " supports at most " + strconv.Itoa(most) + " entries.")
	}
	for _, key := range keys {
		if !variablePattern.MatchString(key) {
			in.throw(field + " has invalid key '" + key + "'.")
		}
		item := orUndefined(data.Get(key))
		if in.isString(item) {
			if longest >= 0 && in.length(item) > int64(longest) {
				in.throw(field + "." + key + " exceeds max string length " + strconv.Itoa(longest) + ".")
			}
			continue
		}
		if isBool(item) || isNumeric(item) && item.ToFloat() == item.ToFloat() {
			continue
		}
		in.throw(field + "." + key + " must be string, number, or boolean.")
	}
}
