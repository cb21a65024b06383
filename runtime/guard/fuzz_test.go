package guard_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime/guard"
)

// FuzzJSON holds the reader to what Go's own calls valid, and the writer to what the reader makes of it.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e3,null,true],"é":"\ud83d\ude00\n"}`, `[]`, `{}`, `"`, `[1,]`, `01`, `-`, `{"a":1,"a":2}`, `"\ud800"`, " \t1"} {
		f.Add(s)
	}
	vm := goja.New()
	g, err := guard.Install(vm, guard.Limits{}, nil)
	if err != nil {
		f.Fatal(err)
	}
	stringify, _ := goja.AssertFunction(g.Global("JSON").ToObject(vm).Get("stringify"))
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) || strings.Count(text, "[")+strings.Count(text, "{") > 1000 {
			return
		}
		var v goja.Value
		thrown := vm.Try(func() { v = g.ParseJSON(text) })
		if valid := json.Valid([]byte(text)); valid != (thrown == nil) {
			t.Fatalf("%q: valid is %v, but %v", text, valid, thrown)
		}
		if thrown != nil {
			return
		}
		once, err := stringify(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := stringify(nil, g.ParseJSON(once.String()))
		if err != nil || once.String() != twice.String() {
			t.Fatalf("%q: %s became %s (%v)", text, once, twice, err)
		}
	})
}
