package pcmo_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/pcmo"
)

var longLower = strings.Repeat("a", 100)

// lines are the single messages of an error.
func lines(err error) []string {
	if err == nil {
		return nil
	}
	var all pcmo.Errors
	if !errors.As(err, &all) {
		return []string{"not of type Errors: " + err.Error()}
	}
	var out []string
	for _, e := range all {
		out = append(out, e.Error())
	}
	return out
}

const (
	classicKnows  = "which knows bridge, connect, hangup, input, param, play, play_get_input, record, speak, stream"
	pipelineKnows = "which knows connect, hangup, input, param, play, play_get_input, record"
)

func TestDecodeErrors(t *testing.T) {
	tests := []struct {
		in   string
		want []string
	}{
		{``, []string{`$: is empty; must be a JSON array of actions`}},
		{" \n", []string{`$: is empty; must be a JSON array of actions`}},
		{"[{\n  \"action\": oops}]", []string{`$: oops}]: is not JSON at line 2 column 13: invalid character 'o' looking for beginning of value`}},
		{`[{"action":"play"`, []string{`$: ": is not JSON at line 1 column 17: unexpected end of JSON input`}},
		{`<Response/>`, []string{`$: <Response/>: is not JSON at line 1 column 1: invalid character '<' looking for beginning of value`}},
		{`null`, []string{`$: null: must be an array of actions`}},
		{`"hi"`, []string{`$: "hi": must be an array of actions`}},
		{`{"action":"hangup"}`, []string{`$: {"action":"hangup"}: must be an array of actions; put the action in [ ]`}},
		{`{"pcmo":{}}`, []string{`$: {"pcmo":{}}: must be an array of actions; put the action in [ ]`}},
		{`[1,null,[]]`, []string{
			`$[0]: 1: must be an action: an object with the key action`,
			`$[1]: null: must be an action: an object with the key action`,
			`$[2]: []: must be an action: an object with the key action`}},
		{`[{}]`, []string{`$[0].action: is required: one of bridge, connect, hangup, input, param, play, play_get_input, record, speak, stream`}},
		{`[{"action":7}]`, []string{`$[0].action: must be a string, one of bridge, connect, hangup, input, param, play, play_get_input, record, speak, stream`}},
		{`[{"action":"hangup"},{"action":"clear"}]`, []string{`$[1].action: "clear": is not an action of the classic dialect, ` + classicKnows}},
		{`{"pcmo":[{"action":"dance","deep":[[{}]]},{"action":"speak","text":5}]}`, []string{
			`$.pcmo[0].action: "dance": is not an action of the classic dialect, ` + classicKnows,
			`$.pcmo[1].text: 5: must be a string`}},
		{`[{"action":"param","text":{"a":1}}]`, []string{`$[0].text: {"a":1}: must be a string`}},
		{`[{"action":"bridge","from":true,"connect":{},"timeout":1.5,"duration":"soon","loop":1e400}]`, []string{
			`$[0].from: true: must be a phone number: a string or a whole number`,
			`$[0].connect: {}: must be an array of targets such as {"type":"pstn","number":14155550101}`,
			`$[0].timeout: 1.5: must be a whole number`,
			`$[0].duration: "soon": must be a whole number`,
			`$[0].loop: 1e400: must be a whole number`}},
		{`[{"action":"bridge","connect":[14155550101,{"type":"pstn","number":-5},{"type":"pstn","number":[1]}]}]`, []string{
			`$[0].connect[0]: 14155550101: must be a target such as {"type":"pstn","number":14155550101}`,
			`$[0].connect[1].number: -5: must be a phone number: a string or a whole number`,
			`$[0].connect[2].number: [1]: must be a phone number: a string or a whole number`}},
		{`[{"action":"input","timeout":"0x10","max_digit":"1_0"}]`, []string{
			`$[0].timeout: "0x10": must be a whole number`,
			`$[0].max_digit: "1_0": must be a whole number`}},
		{`[{"action":"stream","ws_url":"ws://h","stream_on_answer":"perhaps","voice_quality":0}]`, []string{
			`$[0].stream_on_answer: "perhaps": must be true or false`,
			`$[0].voice_quality: 0: must be 8000 or 16000`}},
		{`[{"action":"stream","ws_url":"ws://h","events":"dtmf"}]`, []string{`$[0].events: "dtmf": must be true or false`}},
		{`[{"action":"` + longLower + `"}]`, []string{
			`$[0].action: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…": is not an action of the classic dialect, ` + classicKnows}},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			doc, err := pcmo.Decode([]byte(tt.in))
			if doc != nil {
				t.Errorf("a document in spite of errors: %v", doc)
			}
			if diff := cmp.Diff(tt.want, lines(err)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeWarnings(t *testing.T) {
	tests := []struct {
		in   string
		want []string
		out  string
	}{
		{`{"pcmo":[{"action":"hangup"}]}`, []string{`$: is wrapped as {"pcmo":[…]}; send the bare array`}, `[{"action":"hangup"}]`},
		{`[{"action":"hangup","reason":{"x":["]"]}}]`, []string{`$[0].reason: is not known here and was left out`}, `[{"action":"hangup"}]`},
		{`[{"action":"input","action_url":"https://h","min digit":1,"max_digits":2}]`, []string{
			`$[0]["min digit"]: is not known here and was left out`,
			`$[0].max_digits: is not known here and was left out`}, `[{"action":"input","action_url":"https://h"}]`},
		{`[{"action":"bridge","record":true,"connect":[{"number":14155550101,"action":"x"}]}]`, []string{
			`$[0].record: is not known here and was left out`,
			`$[0].connect[0].action: is not known here and was left out`,
			`$[0].connect[0].type: is absent; "pstn" was understood`}, `[{"action":"bridge","connect":[{"type":"pstn","number":14155550101}]}]`},
		{`[{"action":"connect","call":[{"type":"sip","user":"a"}],"connect":[{"type":"sip","user":"b"}]}]`, []string{
			`$[0].connect: repeats the list of targets (call and connect mean the same); the last one counts`},
			`[{"action":"connect","connect":[{"type":"sip","user":"b"}]}]`},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			doc, warns, err := pcmo.DecodeWarn([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, lines(warns.Err())); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			if got := string(doc.AppendJSON(nil)); got != tt.out {
				t.Errorf("got %s, want %s", got, tt.out)
			}
		})
	}
}

func TestProblemsAreLimited(t *testing.T) {
	_, err := pcmo.Decode([]byte("[" + strings.Repeat("1,", 9999) + "1]"))
	got := lines(err)
	if len(got) != 51 || got[50] != "$: has more problems; the first 50 are listed" {
		t.Errorf("%d problems, the last %q", len(got), got[len(got)-1])
	}
}

// Go's own reader gives up beyond 10,000 levels; so do we, in words and without
// using up the stack.
func TestDepth(t *testing.T) {
	deep := func(n int) []byte {
		return []byte(`[{"action":"hangup","x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}]`)
	}
	if _, warns, err := pcmo.DecodeWarn(deep(9000)); err != nil || len(warns) != 1 {
		t.Errorf("9,000 levels of an unknown key: %v, warnings %v", err, warns)
	}
	for _, bomb := range [][]byte{deep(20_000), []byte(strings.Repeat("[", 1_000_000)), []byte(strings.Repeat(`{"pcmo":`, 100_000))} {
		if _, err := pcmo.DecodeAny(bomb); err == nil || !strings.Contains(err.Error(), "is not JSON") {
			t.Errorf("a bomb of %d bytes: %.100v", len(bomb), err)
		}
	}
}

func TestErrorsAs(t *testing.T) {
	_, err := pcmo.Decode([]byte(`[{"action":"speak","text":5},{"action":"x"}]`))
	var one *pcmo.Error
	if !errors.As(err, &one) {
		t.Fatal("no *Error inside")
	}
	if diff := cmp.Diff(&pcmo.Error{Path: "$[0].text", Value: "5", Rule: "must be a string"}, one); diff != "" {
		t.Error(diff)
	}
}

func TestDocumentIsJSON(t *testing.T) {
	type reply struct {
		PCMO     pcmo.Document `json:"pcmo"`
		Pipeline pcmo.Pipeline `json:"pipeline"`
	}
	in := `{"pcmo":[{"action":"speak","text":"hi"}],"pipeline":[{"action":"play","file_name":"a"}]}`
	var r reply
	if err := json.Unmarshal([]byte(in), &r); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(r)
	if err != nil || string(out) != in {
		t.Errorf("got %s, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`{"pcmo":[{"action":"nap"}]}`), &r); err == nil {
		t.Error("an unknown action was accepted")
	}
	if out, err = json.Marshal(&pcmo.Hangup{}); string(out) != `{"action":"hangup"}` {
		t.Errorf("an action alone: %s, %v", out, err)
	}
}

func TestNumber(t *testing.T) {
	for in, want := range map[string]string{
		`14155550101`: `14155550101`, `"14155550101"`: `14155550101`, `"+14155550101"`: `14155550101`, `1e3`: `1000`,
		`"0123"`: `"0123"`, `"0"`: `0`, `9007199254740992`: `9007199254740992`, `"9007199254740993"`: `"9007199254740993"`,
		`"tel"`: `"tel"`, `""`: `""`,
	} {
		var n pcmo.Number
		if err := json.Unmarshal([]byte(in), &n); err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if out, _ := json.Marshal(n); string(out) != want {
			t.Errorf("%s became %s, want %s", in, out, want)
		}
	}
	for _, in := range []string{`1.5`, `-1`, `1e400`, `true`, `{}`} {
		var n pcmo.Number
		if err := json.Unmarshal([]byte(in), &n); err == nil {
			t.Errorf("%s was accepted as %q", in, n)
		}
	}
}

// The wanted text is what JSON.stringify writes for the same string.
func TestAppendString(t *testing.T) {
	for in, want := range map[string]string{
		"":                       `""`,
		"\x00\x01\x1f\b\f\n\r\t": `"\u0000\u0001\u001f\b\f\n\r\t"`,
		"\x7f</script>&'":        "\"\x7f</script>&'\"",
		"\u2028\u2029é😀":         "\"\u2028\u2029é😀\"",
		`"\/`:                    `"\"\\/"`,
		"a\xffb\xed\xa0\x80":     "\"a\ufffdb\ufffd\ufffd\ufffd\"",
	} {
		if got := string(pcmo.AppendString(nil, in)); got != want {
			t.Errorf("%q became %s, want %s", in, got, want)
		}
	}
}

func TestValidateMixedDialects(t *testing.T) {
	doc := pcmo.Document{&pcmo.Hangup{}, nil, &pcmo.PipelineHangup{}}
	want := []string{
		`$[1]: null: must be an action`,
		`$[2].action: hangup: is an action of the pipeline dialect in a document of the classic dialect`,
	}
	if diff := cmp.Diff(want, lines(doc.Validate())); diff != "" {
		t.Error(diff)
	}
}
