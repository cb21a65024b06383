package rest_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/docs/blocks"
	"github.com/piopiy/piopiyd/server/rest"
)

const page = "../../docs/rest-api.md"

// Every command line of the documentation does what stands below it.
func TestDocumentedExamples(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed; it runs the examples of docs/rest-api.md")
	}
	list, err := blocks.Read(page)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for i, b := range list {
		if b.Language != "sh" {
			continue
		}
		k := newKit(t, func(o *rest.Options) {
			o.Authorize = rest.NewAccounts([]rest.Account{
				{AppID: "2222", Secret: "THE-SECRET", Grant: rest.Grant{App: "support"}}, {Token: "THE-TOKEN", Grant: rest.Grant{All: true}},
			}).Authorize
		})
		server := httptest.NewServer(k.api)
		shell := exec.CommandContext(t.Context(), "sh", "-ec", strings.ReplaceAll(b.Text, "http://127.0.0.1:8080", server.URL))
		shell.Dir = t.TempDir()
		out, err := shell.CombinedOutput()
		server.Close()
		if err != nil {
			t.Errorf("%s: %v\n%s", b.Place, err, out)
			continue
		}
		ran++
		if i+1 == len(list) || list[i+1].Language != "json" { // the one that fetches a recording
			if sound, _ := os.ReadFile(shell.Dir + "/recording.wav"); string(sound) != "RIFF-one" {
				t.Errorf("%s: fetched %q, said %s", b.Place, sound, out)
			}
			continue
		}
		got := regexp.MustCompile(`"request_id":"[^"]+"`).ReplaceAllString(strings.TrimSpace(string(out)), `"request_id":"REQUEST-ID"`)
		if diff := cmp.Diff(strings.TrimSpace(list[i+1].Text), got); diff != "" {
			t.Errorf("%s (-documented +got):\n%s", b.Place, diff)
		}
	}
	if ran < 10 {
		t.Errorf("only %d examples ran", ran)
	}
}

// The documentation names every path, and every path it names is served.
func TestDocumentedPaths(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, path := range regexp.MustCompile("/v[123]/[a-z0-9_/{}]*[a-z0-9_}]").FindAllString(string(text), -1) {
		path = strings.NewReplacer("{call_id}", callID, "{request_id}", "x").Replace(path)
		if path != "/v3/calls" && path != "/v3/calls/00000000" && !slices.Contains(documented, path) {
			documented = append(documented, path)
		}
	}
	k := newKit(t)
	for _, path := range documented {
		post, get := k.do(exchange{path: path, body: "{}"}).StatusCode, k.do(exchange{method: "GET", path: path}).StatusCode
		if post == 404 && get == 404 || post == 405 && get == 405 {
			t.Errorf("%s is documented and not served", path)
		}
	}
	served := slices.Concat(classicPaths, v3Paths, []string{
		"/v1/global_make_call", "/v1/global_pcmo_make_call", "/v2/ind_pcmo_make_call", "/v1/call/global_action", "/v3/voice/agent/call",
		"/v3/voice/ai/hangup", "/v3/calls/" + callID, "/v3/transfers/x", "/v1/play", "/v2/piopiy/play", "/v3/piopiy/play",
	})
	for _, path := range served {
		if !slices.Contains(documented, path) {
			t.Errorf("%s is served and not documented", path)
		}
	}
}

// The documentation names every error of v3 and every code of v1 and v2.
func TestDocumentedErrors(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	sources, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	words := 0
	for _, file := range sources {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		source, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`word: +"([a-z_]+)"|http\.Status\w+, "([a-z_]+)"}`).FindAllStringSubmatch(string(source), -1) {
			word := m[1] + m[2]
			words++
			// What only v1 and v2 answer has no word there.
			if strings.HasPrefix(word, "endpoint_") || word == "cdr_not_found" {
				continue
			}
			if !strings.Contains(string(text), "`"+word+"`") {
				t.Errorf("%s: the error %s is not documented", file.Name(), word)
			}
		}
	}
	if words < 20 {
		t.Errorf("only %d errors were found in the sources", words)
	}
}
