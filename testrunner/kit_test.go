package testrunner_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/bindings"
	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/bindings/stream"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/server/rest"
	"github.com/piopiy/piopiyd/stdlib"
	"github.com/piopiy/piopiyd/testrunner"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// options run the tests of files, as piopiyd does.
func options(t testing.TB, files map[string]string) testrunner.Options {
	t.Helper()
	tree := fstest.MapFS{}
	for name, text := range files {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	quiet := slog.New(slog.DiscardHandler)
	return testrunner.Options{
		Files: tree, Timeout: 2 * time.Minute,
		Runtime: func(live *call.Live, place call.Originator) (runtime.Config, error) {
			modules, err := bindings.Standard(bindings.Options{})
			return runtime.Config{
				Callbacks: bindcall.Callbacks, Modules: append(modules, bindcall.NewCalls(bindcall.CallsOptions{Live: live, Originator: place})), Stdlib: stdlib.Files(), Logger: quiet,
				Settings: map[string]runtime.Settings{"app": {Env: map[string]string{"NAME": "Acme"}}},
			}, err
		},
		Platform: func(live *call.Live, place call.Originator) http.Handler {
			return rest.New(rest.Options{Platform: &rest.Calls{Live: live, Originator: place}, Authorize: rest.Everybody, Logger: quiet})
		},
		Handler: func(rt *runtime.Runtime, live *call.Live) call.Handler {
			return bindcall.NewHandler(bindcall.Options{Runtime: rt, Stream: stream.New, Live: live, Logger: quiet})
		},
		Fault: call.FaultPolicy{},
	}
}

// play runs the body of one test against an app and returns what became of it.
func play(t testing.TB, app, body string) testrunner.Result {
	t.Helper()
	source := "import { test, call, expect, stubFetch, stubWebSocket, stubKv, callTo, run, setEnv, at, wait } from 'piopiy/test'; import { tone, toBase64 } from 'piopiy/audio'\ntest('it', async () => {\n" + body + "\n})\n"
	report, err := testrunner.Run(t.Context(), options(t, map[string]string{"app.ts": app, "app.test.ts": source}))
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Results) != 1 {
		t.Fatalf("%d results", len(report.Results))
	}
	return report.Results[0]
}

// passes expects that a test passes.
func passes(t testing.TB, app, body string) testrunner.Result {
	t.Helper()
	r := play(t, app, body)
	if r.Status != testrunner.Passed {
		t.Errorf("%s: %s\n%s", r.Status, strings.Join(r.Problems, "\n"), transcripts(r))
	}
	return r
}

// fails expects that a test fails, and why.
func fails(t testing.TB, app, body string, why ...string) testrunner.Result {
	t.Helper()
	r := play(t, app, body)
	if r.Status != testrunner.Failed {
		t.Errorf("%s\n%s", r.Status, transcripts(r))
	}
	all := strings.Join(r.Problems, "\n")
	for _, part := range why {
		if !strings.Contains(all, part) {
			t.Errorf("the problems do not say %q:\n%s\n%s", part, all, transcripts(r))
		}
	}
	return r
}

func transcripts(r testrunner.Result) string {
	var b strings.Builder
	for _, one := range r.Calls {
		b.WriteString(fmt.Sprint(one))
	}
	return b.String()
}
