package rest

import "strings"

// The bodies of v3 (protocol page 3.7 and 3.8).

var (
	callOptions = members(
		may("max_duration_sec", whole(30, 7200)),
		may("record", boolean),
		may("ring_timeout_sec", whole(5, 120)),
	)
	pcmoCallBody = members(
		need("caller_id", phone), need("to_number", phone), need("app_id", text(1, 256)), need("pipeline", pipeline),
		may("agent_id", appID), may("options", callOptions), may("variables", variables(-1, -1)),
	)
	flowCallBody = members(
		need("flow_id", appID), need("org_id", id), need("caller_id", phone), need("to_number", phone), need("app_id", text(1, 256)),
		may("options", callOptions), may("variables", variables(-1, -1)),
	)
	aiCallBody = members(
		need("caller_id", phone), need("to_number", phone), need("agent_id", appID),
		may("options", callOptions), may("variables", variables(-1, -1)),
	)
	pcmoTransferBody = members(need("call_id", id), need("pipeline", pipeline))
	hangupBody       = members(need("call_id", id), may("cause", text(1, 64)), may("reason", text(1, 256)))
	callHangupBody   = members(may("cause", text(1, 64)), may("reason", text(1, 256)))
	blindBody        = members(need("pipeline", pipeline))
	warmBody         = members(
		may("to_number", phone), may("sip_uri", sipURI), may("caller_id", phone), may("timeout_sec", whole(5, 120)),
		may("confirm", boolean), may("hold_audio", holdAudio), may("transfer_summary", text(1, 4096)),
		may("sip_headers", sipHeaders), may("variables", variables(-1, -1)),
	)
)

// actions are the members of each action beside its name.
var actions map[string]rule

// actionNames are the keys of actions in the SDKs' order.
var actionNames = []string{"connect", "hangup", "input", "param", "play", "play_get_input", "record"}

func init() {
	actionName := need("action", text(1, -1))
	dtmf := members(
		may("min_digits", whole(1, -1)), may("max_digits", whole(1, -1)), may("finish_on_key", text(0, 1)),
		may("first_digit_timeout", whole(1, -1)), may("inter_digit_timeout", whole(1, -1)), may("flush_buffer", boolean),
	)
	retries := members(may("max", whole(0, -1)), may("no_input_prompt", prompt), may("invalid_prompt", prompt))
	connectOptions := members(
		may("max_duration_sec", whole(10, 7200)), may("ring_timeout_sec", whole(5, 120)), may("machine_detection", boolean),
		may("recording", members(may("enabled", boolean), may("channels", word("dual", "single")), may("format", word("mp3", "wav")))),
		may("waiting_music", text(0, -1)),
	)
	params := func(c *check, at string, v any) {
		members(
			field{"caller_id", !c.ownCallerID, phone}, may("strategy", word("simultaneous", "sequential")),
			may("options", connectOptions), may("metadata", variables(-1, -1)),
		)(c, at, v)
	}
	actions = map[string]rule{
		"connect": members(actionName, need("params", params), need("endpoints", endpoints)),
		"play":    members(actionName, need("file_name", text(0, -1))),
		"play_get_input": members(
			actionName, need("prompt", prompt), need("input", modes), need("on_result", onResult), may("dtmf", dtmf), may("retries", retries),
		),
		"input":  members(actionName, need("on_result", onResult), may("dtmf", dtmf)),
		"param":  members(actionName, need("data", variables(10, 256))),
		"record": members(actionName, may("format", word("mp3", "wav")), may("channels", word("single", "dual"))),
		"hangup": members(actionName),
	}
}

// pipeline checks a document of the v3 dialect.
func pipeline(c *check, at string, v any) {
	list(1, "action", func(c *check, at string, v any) {
		o, ok := v.(object)
		if !ok {
			c.fail(at, "must be an object.")
			return
		}
		name, has := o.values["action"]
		if !has {
			c.fail(join(at, "action"), "is required.")
			return
		}
		word(actionNames...)(c, join(at, "action"), name)
		if s, ok := name.(string); ok && actions[s] != nil {
			actions[s](c, at, v)
		}
	})(c, at, v)
}

// endpoints checks the parties of a connect: at most two agents, and those last.
func endpoints(c *check, at string, v any) {
	agents := 0
	list(1, "endpoint", func(c *check, at string, v any) {
		o, _ := v.(object)
		kind, _ := o.values["type"].(string)
		target := map[string]field{"pstn": need("number", phone), "sip": need("uri", text(0, -1)), "agent": need("id", id)}[kind]
		fields := []field{need("type", word("pstn", "sip", "agent")), may("headers", headers)}
		for _, f := range []field{may("number", text(0, -1)), may("uri", text(0, -1)), may("id", text(0, -1))} {
			if f.name == target.name {
				f = target
			}
			fields = append(fields, f)
		}
		members(fields...)(c, at, v)
		if kind == "agent" {
			if agents++; agents > 2 {
				c.fail(at, "is a third agent; a maximum of two agent endpoints is allowed.")
			}
		} else if agents > 0 {
			c.fail(at, "follows an agent; agent endpoints must be at the end.")
		}
	})(c, at, v)
}

// prompt checks a file to play or a text to say.
func prompt(c *check, at string, v any) {
	fields := []field{
		need("type", word("file", "say")), may("file_name", text(0, -1)), may("say", text(0, -1)),
		may("voice_id", text(0, -1)), may("language", text(0, -1)), may("speed", number(0.5, 2)),
	}
	o, _ := v.(object)
	switch o.values["type"] {
	case "file":
		fields[1].required = true
	case "say":
		for i := 2; i < len(fields); i++ {
			fields[i].required = true
		}
	}
	members(fields...)(c, at, v)
}

// modes checks what is collected: dtmf, speech or both.
func modes(c *check, at string, v any) {
	seen := map[string]bool{}
	list(1, "item", func(c *check, at string, v any) {
		word("dtmf", "speech")(c, at, v)
		if s, ok := v.(string); ok {
			if seen[s] {
				c.fail(at, "is a duplicate value.")
			}
			seen[s] = true
		}
	})(c, at, v)
}

// onResult checks where a result goes.
func onResult(c *check, at string, v any) {
	fields := []field{need("type", word("pcmo", "url")), may("ref", text(0, -1)), may("url", webURL)}
	o, _ := v.(object)
	switch o.values["type"] {
	case "pcmo":
		fields[1].required = true
	case "url":
		fields[2].required = true
	}
	members(fields...)(c, at, v)
}

// headers checks that an endpoint's headers are an object; package pcmo knows which headers can be sent.
func headers(c *check, at string, v any) {
	if _, ok := v.(object); !ok {
		c.fail(at, "must be an object.")
	}
}

// sipHeaders checks the headers of a warm transfer: names with X- and values of one line.
func sipHeaders(c *check, at string, v any) {
	o, ok := v.(object)
	if !ok {
		c.fail(at, "must be an object.")
		return
	}
	if len(o.keys) > 20 {
		c.fail(at, "supports at most 20 entries.")
	}
	for _, key := range o.keys {
		if !headerPattern.MatchString(key) {
			c.fail(at, "has the invalid name '%s'; names begin with X- and are letters, digits and hyphens.", shown(key))
			continue
		}
		if s, ok := isText(c, join(at, key), o.values[key]); ok && (hasControls(s) || len(s) > 1024) {
			c.fail(join(at, key), "must be one line of at most 1024 bytes.")
		}
	}
}

func sipURI(c *check, at string, v any) {
	s, ok := isText(c, at, v)
	if !ok {
		return
	}
	scheme, rest, _ := strings.Cut(s, ":")
	if scheme = strings.ToLower(scheme); scheme != "sip" && scheme != "sips" || rest == "" || len(s) > 512 || hasControls(s) || strings.ContainsAny(s, " <>\"") {
		c.fail(at, "must be a SIP URI such as sip:user@host.")
	}
}

// holdAudio checks true for the platform's music, false for none, a file name or a URL.
func holdAudio(c *check, at string, v any) {
	switch v := v.(type) {
	case bool:
	case string:
		text(1, 2048)(c, at, v)
	default:
		c.fail(at, "must be true, a file name or a URL.")
	}
}
