package url_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/bindings/url"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// replay asks every recorded question again and returns the answers in the form of the recording.
const replay = `
import golden from './golden.json'
const attempt = (f) => { try { return f() } catch (e) { return e.name } }
const parts = (u) => ({ href: u.href, origin: u.origin, protocol: u.protocol, username: u.username, password: u.password, host: u.host, hostname: u.hostname, port: u.port, pathname: u.pathname, search: u.search, hash: u.hash, params: [...u.searchParams] })
export const main = () => JSON.stringify({
  parse: golden.parse.map(([i]) => [i, attempt(() => parts(new URL(i)))]),
  relative: golden.relative.map(([i, b]) => [i, b, attempt(() => parts(new URL(i, b)))]),
  setters: golden.setters.map(([base, name, value]) => [base, name, value, attempt(() => { const u = new URL(base); u.searchParams; u[name] = value; return [u.href, [...u.searchParams]] })]),
  queries: golden.queries.map(([q]) => { const p = new URLSearchParams(q); return [q, [...p], String(p), p.size] }),
})`

// TestAsNode compares with what Node answered, recorded by testdata/record.mjs.
func TestAsNode(t *testing.T) {
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	s := runtimetest.New(t, url.New()).Session(map[string]string{"main.js": replay, "golden.json": string(data)})
	out, err := runtimetest.Call(t.Context(), s, "main")
	if err != nil {
		t.Fatal(err)
	}
	var want, got map[string]any
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out.(string)), &got); err != nil {
		t.Fatal(err)
	}
	for group, cases := range got {
		for i, answer := range cases.([]any) {
			recorded := want[group].([]any)[i]
			key := group + " " + question(recorded.([]any))
			diff := cmp.Diff(recorded, answer)
			if _, known := differences[key]; known != (diff != "") {
				t.Errorf("%s: known to differ: %v; -node +ours:\n%s", key, known, diff)
			}
		}
	}
}

func question(c []any) string { return fmt.Sprintf("%q", c[:len(c)-1]) }

// differences are the questions that Node answers otherwise, and why.
var differences = map[string]string{
	// Node 20 forgets that a path ending in ".." keeps its slash (URL Standard, path state).
	`setters ["foo://h/x" "pathname" "../.."]`: "foo://h/",
}
