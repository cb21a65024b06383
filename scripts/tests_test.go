package scripts_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/bindings"
	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/bindings/stream"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/scripts"
	"github.com/piopiy/piopiyd/server/rest"
	"github.com/piopiy/piopiyd/stdlib"
	"github.com/piopiy/piopiyd/testrunner"
)

// The tests that come with templates pass.
func TestTestsOfTemplates(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	report, err := testrunner.Run(t.Context(), testrunner.Options{
		Files: scripts.Files(),
		Runtime: func(live *call.Live, place call.Originator) (runtime.Config, error) {
			modules, err := bindings.Standard(bindings.Options{})
			return runtime.Config{Callbacks: bindcall.Callbacks, Modules: append(modules, bindcall.NewCalls(bindcall.CallsOptions{Live: live, Originator: place})), Stdlib: stdlib.Files(), Logger: quiet}, err
		},
		Platform: func(live *call.Live, place call.Originator) http.Handler {
			return rest.New(rest.Options{Platform: &rest.Calls{Live: live, Originator: place}, Authorize: rest.Everybody, Logger: quiet})
		},
		Handler: func(rt *runtime.Runtime, live *call.Live) call.Handler {
			return bindcall.NewHandler(bindcall.Options{Runtime: rt, Stream: stream.New, Live: live, Logger: quiet})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		if r.Status != testrunner.Passed {
			t.Errorf("%s > %s: %s\n%v", r.File, r.Name, strings.Join(r.Problems, "\n"), r.Calls)
		}
	}
	if len(report.Results) < 20 {
		t.Errorf("only %d tests ran", len(report.Results))
	}
}
