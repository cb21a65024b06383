// Package nodetest compares scripts with Node. A file of cases holds pieces of JavaScript and what Node returned
// for them, recorded by record.mjs; the test runs the same pieces here and compares. No Node is needed to test.
package nodetest

import (
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// Case is one piece of JavaScript: the body of an async function that returns text.
type Case struct {
	Name string `json:"name"`
	Body string `json:"body"`
	// Node is what Node returned, "throws NAME" for an exception, a list for what print printed.
	Node any `json:"node,omitempty"`
	// Ours is what we return where Node differs or lacks the feature; Why says why.
	Ours any    `json:"ours,omitempty"`
	Why  string `json:"why,omitempty"`
}

// Read returns the cases of a file.
func Read(t testing.TB, file string) []Case {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []Case
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return cases
}

// Run compares all cases of a file, each in a session of its own, on a clock that does not wait: first in newborn
// VMs, then in frozen ones.
func Run(t *testing.T, file string, modules ...runtime.Module) {
	t.Helper()
	for _, isolation := range []runtime.Isolation{runtime.Newborn, runtime.Frozen} {
		kit := runtimetest.New(t, modules...)
		kit.Config.Clock = NewClock()
		kit.Config.Settings = map[string]runtime.Settings{"test": {Isolation: isolation}}
		kit.Runtime()
		for _, c := range Read(t, file) {
			t.Run(string(isolation)+"/"+c.Name, func(t *testing.T) {
				kit.T = t
				c.compare(t, kit)
			})
		}
	}
}

func (c Case) compare(t *testing.T, kit *runtimetest.Kit) {
	got, err := kit.Try(c.Body)
	if err != nil {
		var f *runtime.Fault
		if !errors.As(err, &f) {
			t.Fatal(err)
		}
		if got = "throws " + f.Name; c.Want() != got {
			t.Logf("%+v", f)
		}
	}
	if diff := cmp.Diff(c.Want(), got); diff != "" {
		t.Errorf("%s\n-want +got:\n%s", c.Body, diff)
	}
}

// Want returns the answer that is right here.
func (c Case) Want() any {
	if c.Ours != nil {
		return c.Ours
	}
	return c.Node
}
