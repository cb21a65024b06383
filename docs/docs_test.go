// Package docs_test runs what the documentation shows: every fenced block is loaded, played, parsed or compared.
package docs_test

import (
	"encoding/json"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/piopiy/piopiyd/bindings"
	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/stream"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/config"
	"github.com/piopiy/piopiyd/docs/blocks"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/scripts"
	"github.com/piopiy/piopiyd/stdlib"
	"github.com/piopiy/piopiyd/testrunner"
)

// pages are the texts whose blocks are tested.
func pages(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	templates, err := filepath.Glob("../scripts/*/README.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(append(list, "../README.md"), templates...)
}

// Every block is of a kind that some test looks at.
func TestBlocks(t *testing.T) {
	for _, page := range pages(t) {
		before := ""
		for _, b := range read(t, page) {
			if len(b.Notes) == 1 && strings.HasPrefix(b.Notes[0], "for Node: ") {
				continue // no call script; the file named runs it
			}
			if len(b.Notes) == 1 && b.Notes[0] == "tests of the script before" {
				t.Run(b.Place, func(t *testing.T) { tested(t, b, before) })
				continue
			}
			if len(b.Notes) == 1 && strings.HasPrefix(b.Notes[0], "tests of ") {
				app, err := fs.ReadFile(scripts.Files(), strings.TrimPrefix(b.Notes[0], "tests of ")+"/main.ts")
				if err != nil {
					t.Fatal(err)
				}
				t.Run(b.Place, func(t *testing.T) { tested(t, b, string(app)) })
				continue
			}
			if b.Language == "ts" {
				before = b.Text
			}
			switch b.Language {
			case "ts", "js":
				t.Run(b.Place, func(t *testing.T) { script(t, b) })
			case "yaml":
				if _, err := config.Parse(b.Place, []byte(b.Text)); err != nil {
					t.Errorf("%s: %v", b.Place, err)
				}
			case "go":
				compiled(t, b)
			case "json":
				if !json.Valid([]byte(b.Text)) {
					t.Errorf("%s: not JSON", b.Place)
				}
			case "sh", "text", "", "ini": // commands and their output: cmd/piopiyd/docs_test.go
			default:
				t.Errorf("%s: a block of kind %q is tested by nobody", b.Place, b.Language)
			}
		}
	}
}

// tested runs a block that stands beside an app.
func tested(t *testing.T, b blocks.Block, app string) {
	quiet := slog.New(slog.DiscardHandler)
	report, err := testrunner.Run(t.Context(), testrunner.Options{
		Files: fstest.MapFS{"desk/main.ts": {Data: []byte(app)}, "desk/block.test.ts": {Data: []byte(b.Text)}},
		Runtime: func(live *call.Live, place call.Originator) (runtime.Config, error) {
			modules, err := bindings.Standard(bindings.Options{})
			modules = append(modules, bindcall.NewCalls(bindcall.CallsOptions{Live: live, Originator: place}))
			return runtime.Config{Callbacks: bindcall.Callbacks, Modules: modules, Stdlib: stdlib.Files(), Logger: quiet}, err
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
			t.Errorf("%s: %s\n%v", r.Name, strings.Join(r.Problems, "\n"), r.Calls)
		}
	}
}

func read(t *testing.T, page string) []blocks.Block {
	t.Helper()
	list, err := blocks.Read(page)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// compiled checks that a Go block stands, as it is, in an example that Go's own tests compile and run.
func compiled(t *testing.T, b blocks.Block) {
	t.Helper()
	source, err := os.ReadFile("../runtime/example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(unindented(string(source)), unindented(b.Text)) {
		t.Errorf("%s: the code is not in runtime/example_test.go", b.Place)
	}
}

func unindented(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// script loads a block as an app and plays the calls that are noted above it.
func script(t *testing.T, b blocks.Block) {
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/recognise" {
			recognise(w, r)
			return
		}
		if r.URL.Path != "/customers/15550001111" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, `{"name":"Ada"}`)
	}))
	defer crm.Close()
	modules, err := bindings.Standard(bindings.Options{Fetch: outbound.Options{Allow: []string{"127.0.0.1"}}})
	if err != nil {
		t.Fatal(err)
	}
	clock, journal, quiet := sim.NewClock(sim.Epoch), runtime.NewMemoryJournal(0), slog.New(slog.DiscardHandler)
	live := &call.Live{}
	modules = append(modules, bindcall.NewCalls(bindcall.CallsOptions{Live: live}))
	rt, err := runtime.New(runtime.Config{
		Callbacks: bindcall.Callbacks, Modules: modules, Stdlib: stdlib.Files(), Clock: clock, Journal: journal, Logger: quiet,
		Settings: map[string]runtime.Settings{"desk": {Env: map[string]string{"CRM_URL": crm.URL}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	entry := "desk." + b.Language
	if _, err := rt.Load(t.Context(), "desk", runtime.FS(fstest.MapFS{entry: {Data: []byte(b.Text)}}), entry); err != nil {
		t.Fatal(err)
	}
	handler := bindcall.NewHandler(bindcall.Options{
		Runtime: rt, Stream: stream.New, Live: live, Logger: quiet, Fault: call.FaultPolicy{Say: "Please hold the line.", Forward: "14155550100"},
	})
	// One driver for all calls, so that each has an id of its own.
	ids := 0
	options := sim.Options{Clock: clock, Live: live, NewID: func() string { ids++; return "id" + string(rune('a'+ids)) }}
	for _, note := range b.Notes {
		if steps, ok := strings.CutPrefix(note, "call: "); ok {
			play(t, sim.Dial(t, handler).With(options).App("desk"), steps, journal)
		}
	}
}

// recognise is a server that understands the same of whatever it hears.
func recognise(w http.ResponseWriter, r *http.Request) {
	conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		return // it was told
	}
	defer func() { _ = conn.Close() }()
	for range 25 {
		if _, sound, err := conn.ReadMessage(); err != nil || len(sound) != 640 {
			return
		}
	}
	_ = conn.WriteMessage(websocket.TextMessage, []byte("good morning"))
	_, _, _ = conn.ReadMessage() // the goodbye
}

var stepPattern = regexp.MustCompile(`(\w+)=("[^"]*"|\S+)`)

// play makes a call and checks its steps: those that say what the caller does, then what he meets, in order.
func play(t *testing.T, phone *sim.Phone, steps string, journal *runtime.MemoryJournal) {
	t.Helper()
	matches := stepPattern.FindAllStringSubmatch(steps, -1)
	value := func(m []string) string { return strings.Trim(m[2], `"`) }
	for _, m := range matches {
		switch m[1] {
		case "press":
			phone.Press(value(m))
		case "from":
			phone.From(value(m))
		case "callee":
			phone.Callee(value(m))
		case "hangup":
			d, err := time.ParseDuration(value(m))
			if err != nil {
				t.Fatal(err)
			}
			phone.HangupAfter(d)
		}
	}
	has := func(match func(sim.Entry) bool) bool { return slices.ContainsFunc(phone.Transcript().Entries, match) }
	faulty := has(func(e sim.Entry) bool { return e.Error != "" })
	for _, m := range matches {
		ok := true
		switch m[1] {
		case "press", "from", "callee", "hangup":
		case "hears":
			phone.Hears(value(m))
		case "presses":
			phone.Presses(value(m))
		case "dials":
			phone.Dials(value(m))
		case "talks":
			phone.Talks()
		case "ends":
			phone.Ends(call.Side(value(m)))
		case "records":
			ok = has(func(e sim.Entry) bool { return e.Kind == sim.Recording })
		case "announced":
			ok = has(func(e sim.Entry) bool {
				return e.Kind == sim.Announced && strings.Contains(e.Prompt.String(), value(m))
			})
		case "streams":
			ok = has(func(e sim.Entry) bool { return e.Kind == sim.StreamHeard && e.Length > 0 })
		case "fails":
			ok = has(func(e sim.Entry) bool { return strings.Contains(e.Error, value(m)) })
			faulty = false
		case "logs":
			ok = slices.ContainsFunc(journal.Entries(phone.Transcript().Call), func(e runtime.Entry) bool {
				return e.Kind == "log" && strings.Contains(string(e.Data), value(m))
			})
		default:
			t.Fatalf("unknown step %q", m[1])
		}
		if !ok {
			t.Errorf("%s did not happen\n%s", m[0], phone.Transcript())
		}
	}
	if faulty {
		t.Errorf("the script failed\n%s", phone.Transcript())
	}
}

var linkPattern = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)

// Links between files lead somewhere.
func TestLinks(t *testing.T) {
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range linkPattern.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: %s leads nowhere", page, m[1])
			}
		}
	}
}
