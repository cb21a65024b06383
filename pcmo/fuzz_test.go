package pcmo_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/pcmo"
)

func seeds(f *testing.F) {
	for _, s := range []string{
		`[]`, `[{"action":"hangup","cause":"X"}]`, `{"pcmo":[{"action":"play","file_name":"a"}]}`,
		`[{"action":"bridge","from":14155550100,"connect":[{"type":"pstn","number":"+14155550101"}],"timeout":"2e1","ring_type":"group"}]`,
		`[{"action":"connect","call":[{"user":101}],"record":1}]`,
		`[{"action":"play_get_input","file_url":"http://h/x","action_url":"http://h/\u00e9?\ud800"}]`,
		`[{"action":"stream","ws_url":"wss://h","voice_quality":16000,"stream_on_answer":"false","events":1}]`,
		`[{"action":"param","data":{"a":1e999,"b":-0.0,"c":"\u2028","a":true}}]`,
		`[{"action":"connect","params":{"caller_id":14155550100,"metadata":{"a":1},"options":{"recording":{}}},"endpoints":[{"type":"agent","id":"` + agent + `","headers":{"X":"y"}}]}]`,
		`[{"action":"play_get_input","prompt":{"type":"say","speed":0.5},"input":["dtmf"],"on_result":{"type":"pcmo","ref":"x"},"retries":{"max":1e400}}]`,
		strings.Repeat("[", 20000), `[{"action":"hangup","x":` + strings.Repeat(`{"a":`, 5000) + `1` + strings.Repeat("}", 5000) + `}]`,
		"\xff", `[{"action":"speak","text":"` + "\xff" + `"}]`, `[{"\u0061ction":"record"}]`,
	} {
		f.Add([]byte(s))
	}
}

func FuzzDecode(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := pcmo.Decode(data)
		if err != nil {
			checkErrors(t, err)
			return
		}
		out := checkEncoded(t, doc.AppendJSON(nil))
		if err := doc.Validate(); err != nil {
			checkErrors(t, err)
			return
		}
		again, err := pcmo.Decode(out)
		if err != nil {
			t.Fatalf("%q became %q, which does not decode: %v", data, out, err)
		}
		if diff := cmp.Diff(doc, again); diff != "" {
			t.Fatalf("%q became %q:\n%s", data, out, diff)
		}
	})
}

func FuzzDecodePipeline(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := pcmo.DecodeAny(data); err != nil {
			checkErrors(t, err)
		}
		doc, err := pcmo.DecodePipeline(data)
		if err != nil {
			checkErrors(t, err)
			return
		}
		out := checkEncoded(t, doc.AppendJSON(nil))
		if err := doc.Validate(); err != nil {
			checkErrors(t, err)
			return
		}
		again, err := pcmo.DecodePipeline(out)
		if err != nil {
			t.Fatalf("%q became %q, which does not decode: %v", data, out, err)
		}
		if diff := cmp.Diff(doc, again); diff != "" {
			t.Fatalf("%q became %q:\n%s", data, out, diff)
		}
	})
}

func checkEncoded(t *testing.T, out []byte) []byte {
	t.Helper()
	if !json.Valid(out) {
		t.Fatalf("not JSON: %q", out)
	}
	return out
}

// checkErrors wants every problem to have a place and a rule, and to be short.
func checkErrors(t *testing.T, err error) {
	t.Helper()
	all, ok := err.(pcmo.Errors)
	if !ok || len(all) == 0 {
		t.Fatalf("error of type %T: %v", err, err)
	}
	for _, e := range all {
		if !strings.HasPrefix(e.Path, "$") || e.Rule == "" || len(e.Value) > 400 || len(e.Rule) > 400 {
			t.Fatalf("bad error %+v", e)
		}
	}
}

// What is written reads back as it was, for random valid documents.
func TestDecodeOfAppendIsIdentity(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		doc := make(pcmo.Document, r.IntN(6))
		for i := range doc {
			doc[i] = randomAction(r)
		}
		if err := doc.Validate(); err != nil {
			t.Fatalf("the test wrote an invalid document: %v", err)
		}
		out := doc.AppendJSON(nil)
		got, warns, err := pcmo.DecodeWarn(out)
		if err != nil || len(warns) > 0 {
			t.Fatalf("%s: error %v, warnings %v", out, err, warns)
		}
		if diff := cmp.Diff(doc, got); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", out, diff)
		}
		var std any
		if err := json.Unmarshal(out, &std); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
	}
}

func randomAction(r *rand.Rand) pcmo.Action {
	maybe := func() *int {
		if r.IntN(2) == 0 {
			return nil
		}
		return new(1 + r.IntN(1000))
	}
	flag := func() *bool { return []*bool{nil, new(false), new(true)}[r.IntN(3)] }
	text := func() string {
		alphabet := []rune("aZ09 \"\\\n\t\x01<>&é\u2028😀{}[],:")
		s := make([]rune, r.IntN(20))
		for i := range s {
			s[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(s)
	}
	targets := func() []pcmo.Target {
		all := []pcmo.Target{pcmo.PSTN("14155550101"), pcmo.SIP("101"), pcmo.SIP("a\"b"), pcmo.PSTN("9007199254740993"), pcmo.PSTN("112")}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		return all[:1+r.IntN(len(all))]
	}
	from := []pcmo.Number{"", "14155550100"}[r.IntN(2)]
	ring := []pcmo.RingType{"", "single", "group"}[r.IntN(3)]
	const url = "https://h.example/p?a=1&b=<2>"
	switch r.IntN(10) {
	case 0:
		return &pcmo.Play{FileName: "x" + text()}
	case 1:
		return &pcmo.Speak{Text: text()}
	case 2:
		return &pcmo.Param{Text: text()}
	case 3:
		return &pcmo.Record{}
	case 4:
		return &pcmo.Hangup{Cause: []string{"", "USER_BUSY"}[r.IntN(2)]}
	case 5:
		return &pcmo.Bridge{From: from, Targets: targets(), DurationSeconds: maybe(), TimeoutSeconds: maybe(), Loop: maybe(), RingType: ring}
	case 6:
		return &pcmo.Connect{From: from, Targets: targets(), DurationSeconds: maybe(), TimeoutSeconds: maybe(), Loop: maybe(), Record: flag(), RingType: ring}
	case 7:
		return &pcmo.Input{ActionURL: url, MaxDigit: maybe(), TimeoutSeconds: maybe()}
	case 8:
		return &pcmo.PlayGetInput{FileURL: url, ActionURL: url, MaxDigit: maybe(), MaxRetry: maybe(), TimeoutSeconds: maybe()}
	}
	return &pcmo.Stream{WSURL: "ws://h.example", ListenMode: []pcmo.ListenMode{"", "both"}[r.IntN(2)],
		VoiceQuality: []int{0, 8000, 16000}[r.IntN(3)], StreamOnAnswer: flag(), Events: r.IntN(2) == 1}
}
