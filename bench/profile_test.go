package main

import (
	"strings"
	"testing"
	"time"
)

func TestGroupPutsEachStackIntoItsFirstKind(t *testing.T) {
	traces := `File: piopiyd
Type: cpu
-----------+-------------------------------------------------------
    20000us   runtime.mallocgc
             github.com/dop251/goja.(*vm).run
             github.com/piopiy/piopiyd/runtime.(*Session).start
-----------+-------------------------------------------------------
    30000us   internal/runtime/syscall.Syscall6
             internal/poll.(*FD).Write
             net.(*conn).Write
             net/http.(*conn).serve
-----------+-------------------------------------------------------
    10000us   github.com/dop251/goja.(*vm).run
             github.com/piopiy/piopiyd/runtime.(*Session).turn
-----------+-------------------------------------------------------
     5000us   runtime.scanobject
             runtime.gcBgMarkWorker
-----------+-------------------------------------------------------
`
	shares, total, err := group(strings.NewReader(traces))
	if err != nil {
		t.Fatal(err)
	}
	if want := 65 * time.Millisecond; total != want {
		t.Errorf("total %v, want %v", total, want)
	}
	got := map[string]time.Duration{}
	for _, s := range shares {
		if s.time > 0 {
			got[s.name] = s.time
		}
	}
	for name, want := range map[string]time.Duration{
		"HTTP write": 30 * time.Millisecond,
		"session birth: VM, bindings, the script's top level": 20 * time.Millisecond,
		"script: callbacks, and the PCMO they return":         10 * time.Millisecond,
		"garbage collection":                                  5 * time.Millisecond,
	} {
		if got[name] != want {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("more kinds than expected: %v", got)
	}
}

func TestActionPath(t *testing.T) {
	for document, want := range map[string]string{
		`[{"action":"input","action_url":"http://127.0.0.1:8080/hooks/desk/input/abc","timeout":5}]`: "/hooks/desk/input/abc",
		`[{"action":"hangup"}]`:             "",
		`[{"action_url":"http://nowhere"}]`: "",
	} {
		got, err := actionPath([]byte(document))
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v; want %q", document, got, err, want)
		}
	}
}
