package pcmo_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/pcmo"
)

const agent = "00000000-0000-4000-8000-00000000000a"

func TestPipelineRoundTrip(t *testing.T) {
	tests := []struct {
		name string
		in   string
		doc  pcmo.Pipeline
		want string // "" where the bytes stay as they are
	}{
		{"play", `[{"action":"play","file_name":"a.wav"}]`, pcmo.Pipeline{&pcmo.PipelinePlay{FileName: "a.wav"}}, ""},
		{"hangup", `[{"action":"hangup"}]`, pcmo.Pipeline{&pcmo.PipelineHangup{}}, ""},
		{"record", `[{"action":"record"}]`, pcmo.Pipeline{&pcmo.PipelineRecord{}}, ""},
		{"record with options", `[{"action":"record","format":"wav","channels":"dual"}]`,
			pcmo.Pipeline{&pcmo.PipelineRecord{Format: "wav", Channels: "dual"}}, ""},
		{"param", `[{"action":"param","data":{"b":"x","a":1.50,"c":false}}]`,
			pcmo.Pipeline{&pcmo.PipelineParam{Data: pcmo.Variables{{"b", "x"}, {"a", json.Number("1.50")}, {"c", false}}}}, ""},
		{"param with nothing", `[{"action":"param","data":{}}]`, pcmo.Pipeline{&pcmo.PipelineParam{Data: pcmo.Variables{}}}, ""},
		{"param with a key twice", `[{"action":"param","data":{"a":1,"b":2,"a":3}}]`,
			pcmo.Pipeline{&pcmo.PipelineParam{Data: pcmo.Variables{{"a", json.Number("3")}, {"b", json.Number("2")}}}},
			`[{"action":"param","data":{"a":3,"b":2}}]`},
		{"input", `[{"action":"input","on_result":{"type":"pcmo","ref":"next"},"dtmf":{"min_digits":1,"max_digits":4,"finish_on_key":"#","first_digit_timeout":5,"inter_digit_timeout":3,"flush_buffer":false}}]`,
			pcmo.Pipeline{&pcmo.PipelineInput{OnResult: pcmo.OnResult{Type: pcmo.ResultPCMO, Ref: "next"},
				DTMF: &pcmo.DTMF{MinDigits: new(1), MaxDigits: new(4), FinishOnKey: new("#"),
					FirstDigitTimeoutSeconds: new(5), InterDigitTimeoutSeconds: new(3), FlushBuffer: new(false)}}}, ""},
		{"play_get_input", `[{"action":"play_get_input","prompt":{"type":"say","say":"Press 1","language":"en-US","voice_id":"female","speed":1},"input":["dtmf","speech"],"on_result":{"type":"url","url":"https://h.example/r"},"dtmf":{"finish_on_key":""},"retries":{"max":0,"no_input_prompt":{"type":"file","file_name":"n.wav"},"invalid_prompt":{"type":"file","file_name":"i.wav"}}}]`,
			pcmo.Pipeline{&pcmo.PipelinePlayGetInput{
				Prompt:   pcmo.Prompt{Type: pcmo.PromptSay, Say: "Press 1", Language: "en-US", VoiceID: "female", Speed: new(1.0)},
				Input:    []pcmo.InputMode{pcmo.InputDTMF, pcmo.InputSpeech},
				OnResult: pcmo.OnResult{Type: pcmo.ResultURL, URL: "https://h.example/r"},
				DTMF:     &pcmo.DTMF{FinishOnKey: new("")},
				Retries: &pcmo.Retries{Max: new(0), NoInputPrompt: &pcmo.Prompt{Type: pcmo.PromptFile, FileName: "n.wav"},
					InvalidPrompt: &pcmo.Prompt{Type: pcmo.PromptFile, FileName: "i.wav"}}}}, ""},
		{"connect", `[{"action":"connect","params":{"caller_id":"14155550100"},"endpoints":[{"type":"pstn","number":"14155550101"}]}]`,
			pcmo.Pipeline{&pcmo.PipelineConnect{CallerID: "14155550100", Endpoints: []pcmo.Endpoint{{Type: pcmo.EndpointPSTN, Number: "14155550101"}}}}, ""},
		{"connect with everything", `[{"action":"connect","params":{"caller_id":"14155550100","strategy":"simultaneous","options":{"max_duration_sec":600,"ring_timeout_sec":20,"machine_detection":true,"recording":{"enabled":true,"channels":"dual","format":"mp3"},"waiting_music":"m.wav"},"metadata":{"tier":"gold"}},"endpoints":[{"type":"sip","uri":"sip:a@h.example","headers":{"X-Order":"A1"}},{"type":"agent","id":"` + agent + `"}]}]`,
			pcmo.Pipeline{&pcmo.PipelineConnect{CallerID: "14155550100", Strategy: pcmo.Simultaneous,
				Options: &pcmo.ConnectOptions{MaxDurationSeconds: new(600), RingTimeoutSeconds: new(20), MachineDetection: new(true),
					Recording: &pcmo.Recording{Enabled: new(true), Channels: "dual", Format: "mp3"}, WaitingMusic: "m.wav"},
				Metadata: pcmo.Variables{{"tier", "gold"}},
				Endpoints: []pcmo.Endpoint{
					{Type: pcmo.EndpointSIP, URI: "sip:a@h.example", Headers: pcmo.Variables{{"X-Order", "A1"}}},
					{Type: pcmo.EndpointAgent, ID: agent}}}}, ""},
		{"connect with numbers for strings", `[{"action":"connect","endpoints":[{"type":"pstn","number":14155550101}],"params":{"caller_id":"+14155550100","options":{"ring_timeout_sec":"20"}}}]`,
			pcmo.Pipeline{&pcmo.PipelineConnect{CallerID: "14155550100", Options: &pcmo.ConnectOptions{RingTimeoutSeconds: new(20)},
				Endpoints: []pcmo.Endpoint{{Type: pcmo.EndpointPSTN, Number: "14155550101"}}}},
			`[{"action":"connect","params":{"caller_id":"14155550100","options":{"ring_timeout_sec":20}},"endpoints":[{"type":"pstn","number":"14155550101"}]}]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, warns, err := pcmo.DecodePipelineWarn([]byte(tt.in))
			if err != nil || len(warns) > 0 {
				t.Fatalf("Decode: error %v, warnings %v", err, warns)
			}
			if diff := cmp.Diff(tt.doc, doc); diff != "" {
				t.Errorf("Decode (-want +got):\n%s", diff)
			}
			want := tt.want
			if want == "" {
				want = tt.in
			}
			if got := string(tt.doc.AppendJSON(nil)); got != want {
				t.Errorf("AppendJSON\n got %s\nwant %s", got, want)
			}
			if err := doc.Validate(); err != nil {
				t.Errorf("Validate: %v", err)
			}
		})
	}
}

func TestPipelineValidate(t *testing.T) {
	const uuidRule = "must be a UUID"
	connect := func(params, endpoints string) string {
		return `[{"action":"connect","params":` + params + `,"endpoints":` + endpoints + `}]`
	}
	const params, pstn = `{"caller_id":"14155550100"}`, `{"type":"pstn","number":"14155550101"}`
	const ag = `{"type":"agent","id":"` + agent + `"}`
	tests := []struct {
		in   string
		want []string // nil: valid
	}{
		{connect(params, `[`+pstn+`,`+ag+`,`+ag+`]`), nil},
		{`[]`, []string{`$: []: must hold at least one action`}},
		{`[{"action":"play"}]`, []string{`$[0].file_name: is required: a file name or URL`}},
		{`[{"action":"connect"}]`, []string{`$[0].params.caller_id: is required: a phone number`, `$[0].endpoints: must list at least one endpoint`}},
		{connect(`{"caller_id":123456,"strategy":"random","options":{"max_duration_sec":9,"ring_timeout_sec":121,"recording":{"channels":"stereo","format":"ogg"}},"metadata":{"1x":"a"}}`, `[`+pstn+`]`), []string{
			`$[0].params.caller_id: "123456": must be a phone number: 7 to 16 digits with country code, without leading 0`,
			`$[0].params.strategy: "random": must be sequential or simultaneous`,
			`$[0].params.options.max_duration_sec: 9: must be a whole number from 10 to 7200`,
			`$[0].params.options.ring_timeout_sec: 121: must be a whole number from 5 to 120`,
			`$[0].params.options.recording.channels: "stereo": must be dual or single`,
			`$[0].params.options.recording.format: "ogg": must be mp3 or wav`,
			`$[0].params.metadata["1x"]: must have a name of letters, digits and _, not beginning with a digit`,
		}},
		{connect(params, `[`+ag+`,`+pstn+`,`+ag+`,`+ag+`,{"type":"agent","id":"x"},{"type":"fax"},{},{"type":"sip"},{"type":"pstn"},{"type":"sip","uri":"a b"}]`), []string{
			`$[0].endpoints[1]: stands after an agent; agents must be last`,
			`$[0].endpoints[3]: is one agent too many; at most two are allowed`,
			`$[0].endpoints[4].id: "x": ` + uuidRule,
			`$[0].endpoints[5].type: "fax": must be pstn, sip or agent`,
			`$[0].endpoints[5]: stands after an agent; agents must be last`,
			`$[0].endpoints[6].type: is required: pstn, sip or agent`,
			`$[0].endpoints[6]: stands after an agent; agents must be last`,
			`$[0].endpoints[7].uri: is required when type is sip`,
			`$[0].endpoints[7]: stands after an agent; agents must be last`,
			`$[0].endpoints[8].number: is required when type is pstn`,
			`$[0].endpoints[8]: stands after an agent; agents must be last`,
			`$[0].endpoints[9].uri: "a b": must be a SIP address without spaces and control characters`,
			`$[0].endpoints[9]: stands after an agent; agents must be last`,
		}},
		{connect(params, `[{"type":"sip","uri":"sip:a@h","headers":{"X-A":"ok","X-B":"a\r\nVia: x","bad name":"v"}}]`), []string{
			`$[0].endpoints[0].headers["X-B"]: "a\r\nVia: x": must be one line`,
			`$[0].endpoints[0].headers["bad name"]: must be named with letters, digits and hyphens`,
		}},
		{`[{"action":"play_get_input"}]`, []string{
			`$[0].prompt.type: is required: file or say`,
			`$[0].input: must list at least one of dtmf and speech`,
			`$[0].on_result.type: is required: url or pcmo`,
		}},
		{`[{"action":"play_get_input","prompt":{"type":"say","speed":3},"input":["dtmf","dtmf","smoke"],"on_result":{"type":"url","url":"ftp://h"},"dtmf":{"min_digits":0,"max_digits":-1,"finish_on_key":"##","first_digit_timeout":0,"inter_digit_timeout":0},"retries":{"max":-1,"no_input_prompt":{"type":"file"},"invalid_prompt":{"type":"mime"}}}]`, []string{
			`$[0].prompt.say: is required when type is say`,
			`$[0].prompt.language: is required when type is say`,
			`$[0].prompt.voice_id: is required when type is say`,
			`$[0].prompt.speed: 3: must be a number from 0.5 to 2.0`,
			`$[0].input[1]: "dtmf": is listed twice`,
			`$[0].input[2]: "smoke": must be dtmf or speech`,
			`$[0].dtmf.min_digits: 0: must be a whole number from 1 to 1000`,
			`$[0].dtmf.max_digits: -1: must be a whole number from 1 to 1000`,
			`$[0].dtmf.min_digits: 0: must not be more than max_digits`,
			`$[0].dtmf.finish_on_key: "##": must be one key, or empty for none`,
			`$[0].dtmf.first_digit_timeout: 0: must be a whole number from 1 to 86400`,
			`$[0].dtmf.inter_digit_timeout: 0: must be a whole number from 1 to 86400`,
			`$[0].retries.max: -1: must be a whole number from 0 to 1000`,
			`$[0].retries.no_input_prompt.file_name: is required when type is file`,
			`$[0].retries.invalid_prompt.type: "mime": must be file or say`,
			`$[0].on_result.url: "ftp://h": must be an absolute URL beginning with http:// or https://`,
		}},
		{`[{"action":"input","on_result":{"type":"pcmo"}}]`, []string{`$[0].on_result.ref: is required when type is pcmo`}},
		{`[{"action":"param"}]`, []string{`$[0].data: is required: an object`}},
		{`[{"action":"param","data":{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":"` + longLower + longLower + longLower + `"}}]`, []string{
			`$[0].data: must have at most 10 keys`,
			`$[0].data.k: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…": must have at most 256 characters`,
		}},
		{`[{"action":"record","format":"ogg","channels":"two"}]`, []string{
			`$[0].format: "ogg": must be mp3 or wav`, `$[0].channels: "two": must be single or dual`}},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			doc, err := pcmo.DecodePipeline([]byte(tt.in))
			if err != nil {
				t.Fatalf("Decode: %v", err)
			}
			if diff := cmp.Diff(tt.want, lines(doc.Validate())); diff != "" {
				t.Errorf("Validate (-want +got):\n%s", diff)
			}
		})
	}
}

func manyKeys() string {
	var b strings.Builder
	for i := range 201 {
		fmt.Fprintf(&b, `,"k%d":1`, i)
	}
	return b.String()[1:]
}

func TestPipelineDecodeErrors(t *testing.T) {
	for in, want := range map[string][]string{
		`[{"action":"speak","text":"x"}]`: {`$[0].action: "speak": is not an action of the pipeline dialect, ` + pipelineKnows},
		`[{"action":"param","data":{"a":null,"b":[1],"c":{}}}]`: {
			`$[0].data.a: null: must be a string, a number or a boolean`,
			`$[0].data.b: [1]: must be a string, a number or a boolean`,
			`$[0].data.c: {}: must be a string, a number or a boolean`},
		`[{"action":"param","data":{` + manyKeys() + `}}]`:                       {`$[0].data: must have at most 200 keys`},
		`[{"action":"connect","params":[],"endpoints":{}}]`:                      {`$[0].params: []: must be an object`, `$[0].endpoints: {}: must be an array of endpoints`},
		`[{"action":"connect","endpoints":["x"]}]`:                               {`$[0].endpoints[0]: "x": must be an object`},
		`[{"action":"play_get_input","input":"dtmf","prompt":{"speed":"fast"}}]`: {`$[0].input: "dtmf": must be an array of dtmf and speech`, `$[0].prompt.speed: "fast": must be a number`},
	} {
		_, err := pcmo.DecodePipeline([]byte(in))
		if diff := cmp.Diff(want, lines(err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
}

func TestPipelineDefaults(t *testing.T) {
	bare := &pcmo.PipelineConnect{}
	set := &pcmo.PipelineConnect{Strategy: pcmo.Simultaneous, Options: &pcmo.ConnectOptions{
		MaxDurationSeconds: new(10), RingTimeoutSeconds: new(20), Recording: &pcmo.Recording{Enabled: new(true)}}}
	var none *pcmo.DTMF
	some := &pcmo.DTMF{MinDigits: new(3), FinishOnKey: new("#"), FirstDigitTimeoutSeconds: new(7), FlushBuffer: new(true)}
	got := []any{
		bare.MaxDuration().Seconds(), bare.RingTimeout().Seconds(), bare.RingsAll(), bare.Records(),
		set.MaxDuration().Seconds(), set.RingTimeout().Seconds(), set.RingsAll(), set.Records(),
		none.Least(), none.Most(), none.FinishKey(), none.FirstTimeout().Seconds(), none.NextTimeout().Seconds(), none.Flushes(),
		some.Least(), some.Most(), some.FinishKey(), some.FirstTimeout().Seconds(), some.NextTimeout().Seconds(), some.Flushes(),
		(*pcmo.Retries)(nil).Again(), (&pcmo.Retries{Max: new(2)}).Again(),
	}
	want := []any{
		5400.0, 40.0, false, false, 10.0, 20.0, true, true,
		1, 1, "", 5.0, 5.0, false, 3, 3, "#", 7.0, 7.0, true, 0, 2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestDetect(t *testing.T) {
	for in, want := range map[string]pcmo.Dialect{
		`[]`: pcmo.Classic, `nonsense`: pcmo.Classic, `{}`: pcmo.Classic,
		`[{"action":"hangup"}]`:                                        pcmo.Classic,
		`[{"action":"play","file_name":"a"},{"action":"record"}]`:      pcmo.Classic,
		`[{"action":"play","file_name":"a"},{"action":"speak"}]`:       pcmo.Classic,
		`[{"action":"input","action_url":"x"}]`:                        pcmo.Classic,
		`[{"action":"connect","call":[]}]`:                             pcmo.Classic,
		`[{"action":"param","text":"x"},{"action":"param","data":{}}]`: pcmo.Classic,
		`[{"action":"hangup"},{"data":{},"action":"param"}]`:           pcmo.V3,
		`[{"action":"record","format":"wav"}]`:                         pcmo.V3,
		`[{"action":"input","on_result":{}}]`:                          pcmo.V3,
		`{"pipeline":[{"action":"connect","endpoints":[]}]}`:           pcmo.V3,
	} {
		if got := pcmo.Detect([]byte(in)); got != want {
			t.Errorf("%s: %v, want %v", in, got, want)
		}
	}
}
