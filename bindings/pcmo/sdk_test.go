package pcmo_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/bindings/pcmo"
	"github.com/piopiy/piopiyd/bindings/url"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// recorded is one row of what the real SDK did: the script, and what came of it.
type recorded struct {
	Name, JS string
	Out      *string
	Throws   *thrown
	Requests []request
	Reply    *struct {
		Status int
		Body   json.RawMessage
	}
}

type thrown struct {
	Name, Message, Code string
	Status              int             `json:",omitempty"`
	Data                json.RawMessage `json:",omitempty"`
}

type request struct {
	Method, Path, Body string
	Headers            map[string]string
}

func readRecorded(t *testing.T) []recorded {
	t.Helper()
	file, err := os.Open("testdata/sdk-recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var rows []recorded
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var row recorded
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	if lines.Err() != nil || len(rows) < 1000 {
		t.Fatalf("%d rows, %v", len(rows), lines.Err())
	}
	return rows
}

// platform is a REST server that notes what it is asked.
type platform struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
	status   int
	body     []byte
}

func newPlatform(t testing.TB) *platform {
	p := &platform{}
	p.reset(200, []byte(`{"message":"call_queued"}`))
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.requests = append(p.requests, request{Method: r.Method, Path: r.URL.Path, Body: string(body), Headers: map[string]string{
			"authorization": r.Header.Get("Authorization"), "content-type": r.Header.Get("Content-Type"),
			"accept": r.Header.Get("Accept"), "content-length": r.Header.Get("Content-Length"),
		}})
		w.WriteHeader(p.status)
		_, _ = w.Write(p.body)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *platform) reset(status int, body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests, p.status, p.body = nil, status, body
}

func (p *platform) seen() []request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests
}

func (p *platform) options() pcmo.Options {
	return pcmo.Options{ClassicURL: p.URL, ClassicRESTURL: p.URL, V3URL: p.URL + "/v3"}
}

// differs lists the rows in which we mean to differ from the SDK, and why.
var differs = map[string]string{
	`new Piopiy 5,'s'`:                      "the classic client of the generation before",
	`PiopiyAction.input url () => 1`:        "a function may stand for a URL",
	`PiopiyAction.playGetInput url () => 1`: "a function may stand for a URL",
}

var bigInt = regexp.MustCompile(`\b[0-9]+n\b`)

// Every row of the recording: the same bytes out, the same errors, the same requests.
func TestSDKRecorded(t *testing.T) {
	const chunk = 120
	var rows []recorded
	for _, row := range readRecorded(t) {
		if !bigInt.MatchString(row.JS) { // a script with such a literal does not load
			rows = append(rows, row)
		}
	}
	p := newPlatform(t)
	kit := runtimetest.New(t, pcmo.New(p.options()), url.New())
	for first := 0; first < len(rows); first += chunk {
		part := rows[first:min(first+chunk, len(rows))]
		var script strings.Builder
		script.WriteString("const { Piopiy, PiopiyAction, StreamAction, PipelineBuilder } = require('piopiy');\n")
		for i, row := range part {
			fmt.Fprintf(&script, `exports.r%d = async function () {
  const action = new PiopiyAction(), stream = new StreamAction(), builder = new PipelineBuilder(), piopiy = new Piopiy('token-1');
  try {
    const v = await (async () => { %s })();
    return { out: JSON.stringify(v) ?? null };
  } catch (e) {
    const t = { name: e.name, message: e.message };
    if (e.response) Object.assign(t, { code: e.code, status: e.response.status, data: JSON.stringify(e.response.data) });
    return { throws: t };
  }
}
`, i, row.JS)
		}
		s := kit.Session(map[string]string{"main.js": script.String()})
		for i, row := range part {
			t.Run(row.Name, func(t *testing.T) {
				p.reset(200, []byte(`{"message":"call_queued"}`))
				if row.Reply != nil {
					body := []byte(row.Reply.Body)
					var text string
					if json.Unmarshal(body, &text) == nil {
						body = []byte(text)
					}
					p.reset(row.Reply.Status, body)
				}
				v, err := runtimetest.Call(t.Context(), s, fmt.Sprintf("r%d", i))
				if err != nil {
					t.Fatal(err)
				}
				if why, ok := differs[row.Name]; ok {
					t.Skip("meant: " + why)
				}
				compare(t, row, v.(map[string]any), p.seen())
			})
		}
	}
}

func compare(t *testing.T, row recorded, got map[string]any, requests []request) {
	t.Helper()
	var want map[string]any
	switch {
	case row.Throws != nil:
		if row.Throws.Name == "TypeError" && !strings.HasPrefix(row.Throws.Message, "Class constructor") {
			// What the engine throws is in the engine's own words.
			if throws, ok := got["throws"].(map[string]any); ok && throws["message"] != "" {
				throws["message"] = row.Throws.Message
			}
		}
		throws := map[string]any{"name": row.Throws.Name, "message": row.Throws.Message}
		if row.Throws.Status != 0 {
			throws["code"], throws["status"], throws["data"] = row.Throws.Code, int64(row.Throws.Status), string(row.Throws.Data)
		}
		want = map[string]any{"throws": throws}
	case row.Out != nil:
		want = map[string]any{"out": *row.Out}
	default:
		want = map[string]any{"out": nil}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\n(-SDK +ours)\n%s", row.JS, diff)
	}
	if diff := cmp.Diff(row.Requests, requests); diff != "" {
		t.Errorf("%s: requests (-SDK +ours)\n%s", row.JS, diff)
	}
}
