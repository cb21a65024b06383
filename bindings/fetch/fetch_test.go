package fetch_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/bindings/abort"
	"github.com/piopiy/piopiyd/bindings/fetch"
	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/timers"
	"github.com/piopiy/piopiyd/bindings/url"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newKit returns a kit whose scripts may fetch from this machine.
func newKit(t testing.TB, o outbound.Options) *runtimetest.Kit {
	t.Helper()
	if o.Allow == nil {
		o.Allow = []string{"127.0.0.1"}
	}
	client, err := outbound.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return runtimetest.New(t, fetch.New(client), abort.New(), url.New(), timers.New())
}

func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// eval runs a script in which BASE is the server's address, and returns its result as JSON.
func eval(t testing.TB, k *runtimetest.Kit, s *httptest.Server, body string) string {
	t.Helper()
	base := ""
	if s != nil {
		base = s.URL
	}
	v := k.Eval("const BASE = '" + base + "'\nreturn JSON.stringify(await (async () => {" + body + "\n})())")
	text, _ := v.(string)
	return text
}

// The answers in testdata/standard.json are those of Node 20's own Fetch classes.
func TestStandard(t *testing.T) {
	text, err := os.ReadFile("testdata/standard.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Code  string
		Value any
		Error string
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 90 {
		t.Fatalf("there are only %d cases", len(cases))
	}
	k := newKit(t, outbound.Options{})
	for _, c := range cases {
		got := eval(t, k, nil, "try { return { value: (await (async () => {"+c.Code+"\n})()) ?? null } } catch (e) { return { error: e.name, message: e.message } }")
		var answer struct {
			Value   any
			Error   string
			Message string
		}
		if err := json.Unmarshal([]byte(got), &answer); err != nil {
			t.Fatal(err)
		}
		if answer.Error != c.Error || cmp.Diff(c.Value, answer.Value) != "" {
			t.Errorf("%s\n got %v %s %s\nwant %v %s", c.Code, answer.Value, answer.Error, answer.Message, c.Value, c.Error)
		}
		if answer.Error != "" && !strings.Contains(answer.Message, " ") {
			t.Errorf("%s\nthe error says only %q", c.Code, answer.Message)
		}
	}
}
