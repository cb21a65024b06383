package pcmo

import (
	"encoding/json"
	"strings"

	"github.com/dop251/goja"

	call "github.com/piopiy/piopiyd/pcmo"
	"github.com/piopiy/piopiyd/runtime"
)

// The methods of pipeline().

func pipePlay(_ *pipe, a runtime.Args) call.Action {
	return &call.PipelinePlay{FileName: a.String(0, "the file name or URL")}
}

func pipeParam(p *pipe, a runtime.Args) call.Action {
	return &call.PipelineParam{Data: variables(p.in, a, a.Value(0), "the data")}
}

func pipeRecord(_ *pipe, a runtime.Args) call.Action {
	o := a.Options(0, "format", "channels")
	return &call.PipelineRecord{Format: o.String("format", ""), Channels: o.String("channels", "")}
}

func pipeConnect(p *pipe, a runtime.Args) call.Action {
	o := a.Options(1, "from", "strategy", "timeout", "duration", "machineDetection", "record", "music", "metadata")
	action := &call.PipelineConnect{
		CallerID:  call.Number(numberOption(a, o, "from").Digits()),
		Endpoints: endpointsOf(p.in, a, a.Value(0)),
	}
	if action.CallerID == "" {
		a.Throw("option \"from\" is required: the number that is shown to whom you call")
	}
	switch strategy := o.String("strategy", ""); strategy {
	case "":
	case "single", "sequential":
		action.Strategy = call.Sequential
	case "group", "simultaneous":
		action.Strategy = call.Simultaneous
	default:
		a.Throw("option \"strategy\" must be group or single, not %q", strategy)
	}
	action.Options = connectOptions(p.in, a, o)
	if v := o.Value("metadata"); v != nil {
		action.Metadata = variables(p.in, a, v, "option \"metadata\"")
	}
	return action
}

func connectOptions(in *instance, a runtime.Args, o runtime.Options) *call.ConnectOptions {
	options := call.ConnectOptions{
		MaxDurationSeconds: secondsOption(a, o, "duration"), RingTimeoutSeconds: secondsOption(a, o, "timeout"),
		WaitingMusic: o.String("music", ""),
	}
	if o.Has("machineDetection") {
		options.MachineDetection = new(o.Bool("machineDetection", false))
	}
	switch v := o.Value("record").(type) {
	case nil:
	case *goja.Object:
		r := options1(in, "record", a, v, "format", "channels")
		options.Recording = &call.Recording{Enabled: new(true), Format: r.String("format", ""), Channels: r.String("channels", "")}
	default:
		options.Recording = &call.Recording{Enabled: new(o.Bool("record", false))}
	}
	if options == (call.ConnectOptions{}) {
		return nil
	}
	return &options
}

// options1 reads an object within options as options of its own.
func options1(in *instance, what string, a runtime.Args, v goja.Value, known ...string) runtime.Options {
	if o, ok := v.(*goja.Object); !ok || in.isArray(o) {
		a.Throw("%s must be an object, not %s", what, runtime.Describe(v))
	}
	return in.s.Args("pipeline(): "+what, goja.FunctionCall{Arguments: []goja.Value{v}}).Options(0, known...)
}

// endpointsOf reads whom to ring: a phone number, a SIP address, { number | sip | agent, headers }, or a list.
func endpointsOf(in *instance, a runtime.Args, v goja.Value) []call.Endpoint {
	o, ok := v.(*goja.Object)
	if !ok || !in.isArray(v) {
		return []call.Endpoint{endpoint(in, a, v, "to")}
	}
	list := make([]call.Endpoint, int(min(orUndefined(o.Get("length")).ToInteger(), 1000)))
	for i := range list {
		list[i] = endpoint(in, a, orUndefined(o.Get(itoa(i))), "to["+itoa(i)+"]")
	}
	return list
}

func endpoint(in *instance, a runtime.Args, v goja.Value, what string) call.Endpoint {
	if _, ok := v.(*goja.Object); !ok {
		n := phoneNumber(a, v, what+" must be a phone number, a SIP address or { agent: id }")
		if strings.HasPrefix(string(n), "sip:") || strings.HasPrefix(string(n), "sips:") {
			return call.Endpoint{Type: call.EndpointSIP, URI: string(n)}
		}
		return call.Endpoint{Type: call.EndpointPSTN, Number: call.Number(n.Digits())}
	}
	o := options1(in, what, a, v, "number", "sip", "agent", "headers")
	var e call.Endpoint
	kinds := 0
	if o.Has("number") {
		kinds++
		e = call.Endpoint{Type: call.EndpointPSTN, Number: call.Number(numberOption(a, o, "number").Digits())}
	}
	if o.Has("sip") {
		kinds++
		e = call.Endpoint{Type: call.EndpointSIP, URI: o.String("sip", "")}
	}
	if o.Has("agent") {
		kinds++
		e = call.Endpoint{Type: call.EndpointAgent, ID: o.String("agent", "")}
	}
	if kinds != 1 {
		a.Throw("%s must say exactly one of number, sip and agent", what)
	}
	if h := o.Value("headers"); h != nil {
		e.Headers = variables(in, a, h, what+".headers")
	}
	return e
}

// variables reads a flat object.
func variables(in *instance, a runtime.Args, v goja.Value, what string) call.Variables {
	o, ok := v.(*goja.Object)
	if !ok || in.isArray(v) {
		a.Throw("%s must be an object, not %s", what, runtime.Describe(v))
	}
	list := call.Variables{}
	for _, key := range o.Keys() {
		if len(list) == 200 {
			a.Throw("%s must have at most 200 keys", what)
		}
		item := orUndefined(o.Get(key))
		switch x := primitive(item).(type) {
		case string, bool, float64:
			list = append(list, call.Variable{Key: key, Value: x})
		case int64:
			list = append(list, call.Variable{Key: key, Value: json.Number(item.String())})
		default:
			a.Throw("%s.%s must be a string, a number or true or false, not %s", what, key, runtime.Describe(item))
		}
	}
	return list
}

func pipeInput(p *pipe, a runtime.Args) call.Action {
	o := a.Options(1, digitOptions...)
	return &call.PipelineInput{DTMF: digits(a, o), OnResult: p.target(a, 0)}
}

func pipePlayGetInput(p *pipe, a runtime.Args) call.Action {
	o := a.Options(2, append([]string{"collect", "retries", "noInput", "invalid"}, digitOptions...)...)
	action := &call.PipelinePlayGetInput{
		Prompt: prompt(p.in, a, a.Value(0), "the prompt"), Input: []call.InputMode{call.InputDTMF}, DTMF: digits(a, o),
	}
	if v := o.Value("collect"); v != nil {
		action.Input = modes(p.in, a, v)
	}
	if o.Has("retries") || o.Has("noInput") || o.Has("invalid") {
		action.Retries = &call.Retries{Max: countOption(a, o, "retries")}
		if v := o.Value("noInput"); v != nil {
			action.Retries.NoInputPrompt = new(prompt(p.in, a, v, "option \"noInput\""))
		}
		if v := o.Value("invalid"); v != nil {
			action.Retries.InvalidPrompt = new(prompt(p.in, a, v, "option \"invalid\""))
		}
	}
	action.OnResult = p.target(a, 1)
	return action
}

var digitOptions = []string{"minDigits", "maxDigits", "finishOnKey", "timeout", "digitTimeout", "flush"}

func digits(a runtime.Args, o runtime.Options) *call.DTMF {
	t := call.DTMF{
		MinDigits: countOption(a, o, "minDigits"), MaxDigits: countOption(a, o, "maxDigits"),
		FirstDigitTimeoutSeconds: secondsOption(a, o, "timeout"), InterDigitTimeoutSeconds: secondsOption(a, o, "digitTimeout"),
	}
	if o.Has("finishOnKey") {
		t.FinishOnKey = new(o.String("finishOnKey", ""))
	}
	if o.Has("flush") {
		t.FlushBuffer = new(o.Bool("flush", false))
	}
	if t == (call.DTMF{}) {
		return nil
	}
	return &t
}

// prompt reads a file name or URL, or { say, language, voice, speed }.
func prompt(in *instance, a runtime.Args, v goja.Value, what string) call.Prompt {
	if s, ok := v.(goja.String); ok {
		return call.Prompt{Type: call.PromptFile, FileName: s.String()}
	}
	o := options1(in, what, a, v, "say", "language", "voice", "speed")
	return call.Prompt{
		Type: call.PromptSay, Say: o.String("say", ""), Language: o.String("language", ""), VoiceID: o.String("voice", ""),
		Speed: new(o.Number("speed", 1)),
	}
}

func modes(in *instance, a runtime.Args, v goja.Value) []call.InputMode {
	if s, ok := v.(goja.String); ok {
		return []call.InputMode{call.InputMode(s.String())}
	}
	if !in.isArray(v) {
		a.Throw("option \"collect\" must be dtmf, speech or a list of them, not %s", runtime.Describe(v))
	}
	o := v.(*goja.Object)
	list := make([]call.InputMode, int(min(orUndefined(o.Get("length")).ToInteger(), 10)))
	for i := range list {
		list[i] = call.InputMode(text(o.Get(itoa(i))))
	}
	return list
}

// target reads where the result goes: a function, a URL, or { pcmo: ref }. It is read last, since a function is noted.
func (p *pipe) target(a runtime.Args, i int) call.OnResult {
	v := a.Value(i)
	if fn, ok := goja.AssertFunction(v); ok {
		return call.OnResult{Type: call.ResultURL, URL: p.await(fn, v.(*goja.Object))}
	}
	if _, ok := v.(*goja.Object); ok {
		return call.OnResult{Type: call.ResultPCMO, Ref: options1(p.in, "the target", a, v, "pcmo").String("pcmo", "")}
	}
	if _, ok := v.(goja.String); !ok {
		a.Throw("the target must be a function, a URL or { pcmo: name }, not %s", runtime.Describe(v))
	}
	return call.OnResult{Type: call.ResultURL, URL: a.String(i, "the target")}
}
