package pcmo_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/pcmo"
)

// The rows are those of the protocol page's tables in section 2: what the SDKs
// emit, read and written again. want is "" where the bytes stay as they are.
func TestClassicRoundTrip(t *testing.T) {
	tests := []struct {
		name string
		in   string
		doc  pcmo.Document
		want string
	}{
		{"play url (Node playMusic)", `[{"action":"play","file_url":"https://h.example/a.wav"}]`,
			pcmo.Document{&pcmo.Play{FileURL: "https://h.example/a.wav"}}, ""},
		{"play name (Node playMusic)", `[{"action":"play","file_name":"a.MP3"}]`,
			pcmo.Document{&pcmo.Play{FileName: "a.MP3"}}, ""},
		{"play name without extension (Python playMusic)", `[{"action":"play","file_name":"welcome"}]`,
			pcmo.Document{&pcmo.Play{FileName: "welcome"}}, ""},
		{"speak", `[{"action":"speak","text":"Grüße <b>&\u2028 \"x\" \\ \n"}]`,
			pcmo.Document{&pcmo.Speak{Text: "Grüße <b>&\u2028 \"x\" \\ \n"}},
			"[{\"action\":\"speak\",\"text\":\"Grüße <b>&\u2028 \\\"x\\\" \\\\ \\n\"}]"},
		{"speak empty", `[{"action":"speak","text":""}]`, pcmo.Document{&pcmo.Speak{}}, ""},
		{"param", `[{"action":"param","text":"order A1"}]`, pcmo.Document{&pcmo.Param{Text: "order A1"}}, ""},
		{"record", `[{"action":"record"}]`, pcmo.Document{&pcmo.Record{}}, ""},
		{"hangup", `[{"action":"hangup"}]`, pcmo.Document{&pcmo.Hangup{}}, ""},
		{"hangup with cause", `[{"action":"hangup","cause":"USER_BUSY"}]`, pcmo.Document{&pcmo.Hangup{Cause: "USER_BUSY"}}, ""},

		{"bridge without options (Node call)", `[{"action":"bridge","from":14155550100,"connect":[{"type":"pstn","number":14155550101}]}]`,
			pcmo.Document{&pcmo.Bridge{From: "14155550100", Targets: []pcmo.Target{pcmo.PSTN("14155550101")}}}, ""},
		{"bridge with options (Node call)",
			`[{"action":"bridge","from":14155550100,"connect":[{"type":"pstn","number":14155550101},{"type":"pstn","number":14155550102}],"duration":5400,"timeout":40,"loop":1,"ring_type":"group"}]`,
			pcmo.Document{&pcmo.Bridge{From: "14155550100",
				Targets:         []pcmo.Target{pcmo.PSTN("14155550101"), pcmo.PSTN("14155550102")},
				DurationSeconds: new(5400), TimeoutSeconds: new(40), Loop: new(1), RingType: pcmo.RingGroup}}, ""},
		{"bridge of strings (elements pass unchecked)", `[{"action":"bridge","from":"+14155550100","connect":[{"type":"pstn","number":"14155550101"}]}]`,
			pcmo.Document{&pcmo.Bridge{From: "14155550100", Targets: []pcmo.Target{pcmo.PSTN("14155550101")}}},
			`[{"action":"bridge","from":14155550100,"connect":[{"type":"pstn","number":14155550101}]}]`},
		{"bridge to nobody (Node call with [])", `[{"action":"bridge","from":14155550100,"connect":[]}]`,
			pcmo.Document{&pcmo.Bridge{From: "14155550100", Targets: []pcmo.Target{}}}, ""},
		{"bridge in Python's order", `[{"action": "bridge", "from": 14155550100, "connect": [{"type": "pstn", "number": 14155550101}], "duration": 0, "timeout": 40, "loop": 1}]`,
			pcmo.Document{&pcmo.Bridge{From: "14155550100", Targets: []pcmo.Target{pcmo.PSTN("14155550101")},
				DurationSeconds: new(0), TimeoutSeconds: new(40), Loop: new(1)}},
			`[{"action":"bridge","from":14155550100,"connect":[{"type":"pstn","number":14155550101}],"duration":0,"timeout":40,"loop":1}]`},

		{"connect (Node forward)", `[{"action":"connect","from":14155550100,"connect":[{"type":"sip","user":"alice"}],"duration":60,"timeout":20,"loop":2,"record":false,"ring_type":"group"}]`,
			pcmo.Document{&pcmo.Connect{From: "14155550100", Targets: []pcmo.Target{pcmo.SIP("alice")},
				DurationSeconds: new(60), TimeoutSeconds: new(20), Loop: new(2), Record: new(false), RingType: pcmo.RingGroup}}, ""},
		{"connect with a numeric user (Node forward)", `[{"action":"connect","from":14155550100,"connect":[{"type":"sip","user":101}]}]`,
			pcmo.Document{&pcmo.Connect{From: "14155550100", Targets: []pcmo.Target{{Type: pcmo.TargetSIP, User: "101", UserIsNumber: true}}}}, ""},
		{"connect with a user of digits", `[{"action":"connect","from":14155550100,"connect":[{"type":"sip","user":"101"}]}]`,
			pcmo.Document{&pcmo.Connect{From: "14155550100", Targets: []pcmo.Target{pcmo.SIP("101")}}}, ""},
		{"connect with call as list (docs)", `[{"action":"connect","call":[{"type":"sip","user":"alice"}],"call_type":"audio"}]`,
			pcmo.Document{&pcmo.Connect{Targets: []pcmo.Target{pcmo.SIP("alice")}, CallType: "audio"}},
			`[{"action":"connect","connect":[{"type":"sip","user":"alice"}],"call_type":"audio"}]`},

		{"input", `[{"action":"input","action_url":"https://h.example/d"}]`,
			pcmo.Document{&pcmo.Input{ActionURL: "https://h.example/d"}}, ""},
		{"input with options", `[{"action":"input","action_url":"https://h.example/d","max_digit":1,"timeout":5}]`,
			pcmo.Document{&pcmo.Input{ActionURL: "https://h.example/d", MaxDigit: new(1), TimeoutSeconds: new(5)}}, ""},
		{"play_get_input of a name", `[{"action":"play_get_input","file_name":"menu.wav","action_url":"https://h.example/d"}]`,
			pcmo.Document{&pcmo.PlayGetInput{FileName: "menu.wav", ActionURL: "https://h.example/d"}}, ""},
		{"play_get_input of a URL (Node)", `[{"action":"play_get_input","action_url":"https://h.example/d","file_url":"https://h.example/m.wav","max_digit":1,"max_retry":1,"timeout":5}]`,
			pcmo.Document{&pcmo.PlayGetInput{FileURL: "https://h.example/m.wav", ActionURL: "https://h.example/d",
				MaxDigit: new(1), MaxRetry: new(1), TimeoutSeconds: new(5)}}, ""},
		{"play_get_input of a URL (Python)", `[{"action":"play_get_input","file_name":"https://h.example/m.wav","action_url":"https://h.example/d","file_url":"https://h.example/m.wav","max_digit":1,"max_retry":3,"timeout":5}]`,
			pcmo.Document{&pcmo.PlayGetInput{FileName: "https://h.example/m.wav", FileURL: "https://h.example/m.wav", ActionURL: "https://h.example/d",
				MaxDigit: new(1), MaxRetry: new(3), TimeoutSeconds: new(5)}}, ""},

		{"stream", `[{"action":"stream","ws_url":"wss://h.example/p?x=1"}]`, pcmo.Document{&pcmo.Stream{WSURL: "wss://h.example/p?x=1"}}, ""},
		{"stream with options (Node)", `[{"action":"stream","ws_url":"wss://h.example","listen_mode":"both","voice_quality":"16000","stream_on_answer":true}]`,
			pcmo.Document{&pcmo.Stream{WSURL: "wss://h.example", ListenMode: pcmo.ListenBoth, VoiceQuality: 16000, StreamOnAnswer: new(true)}}, ""},
		{"stream with defaults (Python)", `[{"action":"stream","ws_url":"wss://h.example","listen_mode":"caller","voice_quality":"8000","stream_on_answer":false}]`,
			pcmo.Document{&pcmo.Stream{WSURL: "wss://h.example", ListenMode: pcmo.ListenCaller, VoiceQuality: 8000, StreamOnAnswer: new(false)}}, ""},
		{"stream with events", `[{"action":"stream","ws_url":"wss://h.example","events":true}]`, pcmo.Document{&pcmo.Stream{WSURL: "wss://h.example", Events: true}}, ""},
		{"stream without events", `[{"action":"stream","ws_url":"wss://h.example","events":"false"}]`, pcmo.Document{&pcmo.Stream{WSURL: "wss://h.example"}},
			`[{"action":"stream","ws_url":"wss://h.example"}]`},
		{"stream with a numeric quality", `[{"action":"stream","ws_url":"wss://h.example","voice_quality":8000}]`,
			pcmo.Document{&pcmo.Stream{WSURL: "wss://h.example", VoiceQuality: 8000}},
			`[{"action":"stream","ws_url":"wss://h.example","voice_quality":"8000"}]`},

		{"empty", ` [ ] `, pcmo.Document{}, `[]`},
		{"action key last, nulls, number spellings", `[{"from":null,"connect":[{"number":1.4155550101e10,"type":"pstn"}],"timeout":" 20 ","loop":2.0,"action":"bridge"}]`,
			pcmo.Document{&pcmo.Bridge{Targets: []pcmo.Target{pcmo.PSTN("14155550101")}, TimeoutSeconds: new(20), Loop: new(2)}},
			`[{"action":"bridge","connect":[{"type":"pstn","number":14155550101}],"timeout":20,"loop":2}]`},
		{"escaped keys and names", `[{"\u0061ction":"spe\u0061k","te\u0078t":"\ud83d\ude00 \ud800"}]`,
			pcmo.Document{&pcmo.Speak{Text: "😀 \ufffd"}}, `[{"action":"speak","text":"😀 ` + "\ufffd" + `"}]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, warns, err := pcmo.DecodeWarn([]byte(tt.in))
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
			if got, err := pcmo.DecodeAny([]byte(tt.in)); err != nil || got.Dialect != pcmo.Classic {
				t.Errorf("DecodeAny: dialect %v, error %v", got.Dialect, err)
			}
		})
	}
}

func TestClassicValidate(t *testing.T) {
	tests := []struct {
		in   string
		want []string // nil: valid
	}{
		{`[]`, nil},
		{`[{"action":"speak","text":""},{"action":"hangup","cause":"USER_BUSY"},{"action":"record"}]`, nil},
		{`[{"action":"bridge","connect":[{"type":"pstn","number":112},{"type":"sip","user":"a@b"}],"ring_type":"single","timeout":1,"duration":86400}]`, nil},
		{`[{"action":"play_get_input","file_name":"m","action_url":"HTTPS://h/d","max_retry":0}]`, nil},
		{`[{"action":"play"}]`, []string{`$[0].file_name: is required, or file_url`}},
		{`[{"action":"play","file_url":"ftp://h/a.wav"}]`, []string{`$[0].file_url: "ftp://h/a.wav": must be an absolute URL beginning with http:// or https://`}},
		{`[{"action":"hangup","cause":"busy!"}]`, []string{`$[0].cause: "busy!": must be a cause such as NORMAL_CLEARING: 1 to 64 of A-Z, 0-9 and _`}},
		{`[{"action":"bridge"}]`, []string{`$[0].connect: must list at least one target`}},
		{`[{"action":"bridge","from":"(415) 555","connect":[],"duration":0,"timeout":-1,"loop":1001,"ring_type":"roundrobin"}]`, []string{
			`$[0].from: "(415) 555": must be a phone number: 3 to 16 digits with country code, without leading 0`,
			`$[0].connect: must list at least one target`,
			`$[0].duration: 0: must be a whole number from 1 to 86400`,
			`$[0].timeout: -1: must be a whole number from 1 to 86400`,
			`$[0].loop: 1001: must be a whole number from 1 to 1000`,
			`$[0].ring_type: "roundrobin": must be single or group`,
		}},
		{`[{"action":"record"},{"action":"bridge","connect":[{"type":"pstn"},{"type":"pstn","number":"0415"},{"type":"internet","number":1415},{"type":"sip"},{"type":"sip","user":"a b"},{"type":"pstn","number":1415,"user":"a"},{}]}]`, []string{
			`$[1].connect[0].number: is required when type is pstn`,
			`$[1].connect[1].number: "0415": must be a phone number: 3 to 16 digits with country code, without leading 0`,
			`$[1].connect[2].type: "internet": must be pstn or sip`,
			`$[1].connect[3].user: is required when type is sip`,
			`$[1].connect[4].user: "a b": must be a SIP user without spaces and control characters`,
			`$[1].connect[5].user: "a": belongs to targets of type sip`,
			`$[1].connect[6].type: is required: pstn or sip`,
		}},
		{`[{"action":"bridge","connect":[{"type":"pstn","number":99999999999999999999}]}]`, []string{
			`$[0].connect[0].number: "99999999999999999999": must be a phone number: 3 to 16 digits with country code, without leading 0`}},
		{`[{"action":"connect","call":[{"type":"sip","user":"a"}],"call_type":"fax"}]`, []string{`$[0].call_type: "fax": must be audio or video`}},
		{`[{"action":"input","max_digit":0,"timeout":0}]`, []string{
			`$[0].action_url: is required: a http:// or https:// URL`,
			`$[0].max_digit: 0: must be a whole number from 1 to 1000`,
			`$[0].timeout: 0: must be a whole number from 1 to 86400`,
		}},
		{`[{"action":"play_get_input","action_url":"/dtmf","max_retry":-1}]`, []string{
			`$[0].file_name: is required, or file_url`,
			`$[0].action_url: "/dtmf": must be an absolute URL beginning with http:// or https://`,
			`$[0].max_retry: -1: must be a whole number from 0 to 1000`,
		}},
		{`[{"action":"stream","ws_url":"https://user:pw@h/p?token=secret","listen_mode":"all","voice_quality":12000}]`, []string{
			`$[0].ws_url: "https://…@h/p?…": must be an absolute URL beginning with ws:// or wss://`,
			`$[0].listen_mode: "all": must be caller, callee or both`,
			`$[0].voice_quality: 12000: must be 8000 or 16000`,
		}},
		{`[{"action":"stream","ws_url":"wss://"}]`, []string{`$[0].ws_url: "wss://": must be an absolute URL beginning with ws:// or wss://`}},
		{`[{"action":"hangup","cause":"` + longLower + `"}]`, []string{`$[0].cause: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…": must be a cause such as NORMAL_CLEARING: 1 to 64 of A-Z, 0-9 and _`}},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			doc, err := pcmo.Decode([]byte(tt.in))
			if err != nil {
				t.Fatalf("Decode: %v", err)
			}
			if diff := cmp.Diff(tt.want, lines(doc.Validate())); diff != "" {
				t.Errorf("Validate (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClassicDefaults(t *testing.T) {
	bare := &pcmo.Bridge{}
	set := &pcmo.Bridge{DurationSeconds: new(10), TimeoutSeconds: new(20), Loop: new(2), RingType: pcmo.RingGroup}
	read := &pcmo.PlayGetInput{FileName: "x", FileURL: "https://h/x"}
	source, isURL := read.Source()
	got := []any{
		bare.MaxDuration().Seconds(), bare.RingTimeout().Seconds(), bare.Tries(), bare.RingsAll(),
		set.MaxDuration().Seconds(), set.RingTimeout().Seconds(), set.Tries(), set.RingsAll(),
		(&pcmo.Connect{}).Records(), (&pcmo.Connect{Record: new(true)}).Records(),
		read.Digits(), read.Retries(), read.DigitTimeout().Seconds(), source, isURL,
		(&pcmo.PlayGetInput{MaxRetry: new(0)}).Retries(),
		(&pcmo.Input{MaxDigit: new(4), TimeoutSeconds: new(9)}).Digits(), (&pcmo.Input{TimeoutSeconds: new(9)}).DigitTimeout().Seconds(),
		(&pcmo.Stream{}).Listen(), (&pcmo.Stream{}).SampleRate(), (&pcmo.Stream{}).WaitsForAnswer(),
	}
	want := []any{
		5400.0, 40.0, 1, false,
		10.0, 20.0, 2, true,
		false, true,
		1, 1, 5.0, "https://h/x", true,
		0,
		4, 9.0,
		pcmo.ListenCaller, 8000, false,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}
