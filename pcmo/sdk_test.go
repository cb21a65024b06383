package pcmo_test

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/pcmo"
)

// The Node SDK's own output, recorded by running it, passes through Decode and
// AppendJSON without the change of a byte wherever Validate accepts it. The
// exceptions are the values we write in one canonical form.
func TestRecordedSDKOutput(t *testing.T) {
	file, err := os.Open("../bindings/pcmo/testdata/sdk-recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	canonical := map[string]string{
		`"duration":"10"`:                  `"duration":10`,          // seconds are numbers
		`"timeout":"20"`:                   `"timeout":20`,           //
		`"timeout":"9"`:                    `"timeout":9`,            //
		`"loop":"2"`:                       `"loop":2`,               // and so are counts
		`"max_digit":"4"`:                  `"max_digit":4`,          //
		`"max_retry":"3"`:                  `"max_retry":3`,          //
		`"voice_quality":8000`:             `"voice_quality":"8000"`, // a sample rate is a string
		`"stream_on_answer":1`:             `"stream_on_answer":true`,
		`"record":1`:                       `"record":true`,
		`"ring_type":["group"]`:            `"ring_type":"group"`,
		`_on_answer":"false"`:              `_on_answer":false`,
		`"from":null,`:                     "", // what is null is absent
		`"number":"14155550101"`:           `"number":14155550101`,
		`"channels":"dual","format":"wav"`: `"format":"wav","channels":"dual"`, // one order of keys
		`\ud800`:                           "\ufffd",                           // Go text has no lone surrogates
		`a\udc00b`:                         "a\ufffdb",
		`\u007f`:                           "\x7f",
	}
	same, changed, refused := 0, 0, 0
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var row struct {
			Name, Out string
			Requests  []struct{ Body string }
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		doc, dialect := []byte(row.Out), pcmo.Classic
		switch {
		case strings.HasPrefix(row.Name, "PiopiyAction.") && strings.HasPrefix(row.Out, `[{"action"`):
		case strings.HasPrefix(row.Name, "pcmo.transfer") && len(row.Requests) == 1:
			var body struct{ Pipeline json.RawMessage }
			if err := json.Unmarshal([]byte(row.Requests[0].Body), &body); err != nil {
				t.Fatal(err)
			}
			doc, dialect = body.Pipeline, pcmo.V3
		default:
			continue
		}
		var decoded interface {
			Validate() error
			AppendJSON([]byte) []byte
		}
		if dialect == pcmo.V3 {
			decoded, err = pcmo.DecodePipeline(doc)
		} else {
			decoded, err = pcmo.Decode(doc)
		}
		if err == nil {
			err = decoded.Validate()
		}
		if err != nil {
			refused++
			t.Logf("refused: %s: %v", row.Name, err)
			continue
		}
		got, want := string(decoded.AppendJSON(nil)), string(doc)
		if got == want {
			same++
			continue
		}
		for from, to := range canonical {
			want = strings.ReplaceAll(want, from, to)
		}
		if got != want {
			t.Errorf("%s\n SDK %s\nours %s", row.Name, doc, got)
		}
		changed++
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d the same, %d in our canonical form, %d refused", same, changed, refused)
	if same < 200 || refused > 61 {
		t.Errorf("%d outputs passed unchanged, %d were refused", same, refused)
	}
}
