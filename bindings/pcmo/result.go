package pcmo

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dop251/goja"

	call "github.com/piopiy/piopiyd/pcmo"
	"github.com/piopiy/piopiyd/runtime"
)

// Continuations take the functions that stand where a document wants an action_url.
type Continuations interface {
	// Register keeps the function for the digits to come and returns the URL that leads to it. The label names it
	// in faults and timelines: the function's name, or else the place it stands at.
	Register(fn goja.Callable, label string) (url string)
}

// Result is what a callback returned, understood.
type Result struct {
	// Nothing says that the callback returned nothing: undefined or null. The other fields are then zero.
	Nothing bool
	// Document is the document if it is of the classic dialect.
	Document call.Document
	// Pipeline is the document if it is of the v3 dialect; nil otherwise.
	Pipeline call.Pipeline
	// JSON is the document exactly as the script wrote it, with URLs in the place of functions.
	JSON []byte
	// Warnings is what was read past, one sentence each.
	Warnings []string
}

// Decode reads what a callback returned: nothing, a builder of pcmo() or pipeline(), a PiopiyAction, a
// PipelineBuilder or anything else with a method PCMO, or a plain array of actions. Functions at action_url, on_result
// and on_result.url are registered. On the session's goroutine.
//
// The error is a *runtime.Fault of kind FaultResult whose message begins with the JSON path of what is wrong, or what
// the script's own code (a getter, a toJSON) threw. A nil c refuses functions.
func Decode(s *runtime.Session, v goja.Value, c Continuations) (Result, error) {
	if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
		return Result{Nothing: true}, nil
	}
	o, ok := v.(*goja.Object)
	if !ok {
		if _, text := v.(goja.String); text {
			return Result{}, refuse("$: is a string; return the array of actions itself, not its JSON text")
		}
		return Result{}, refuse("$: is %s; %s", runtime.Describe(v), wanted)
	}
	switch o.ExportType() {
	case chainType:
		return o.Export().(*chain).result(c)
	case pipeType:
		return o.Export().(*pipe).result(c)
	}
	var warnings []string
	var list goja.Value
	if ex := s.VM().Try(func() { list, warnings = actionsOf(o) }); ex != nil {
		return Result{}, ex
	}
	switch list.(type) {
	case nil:
		return Result{}, refuse("$: is %s; %s", runtime.Describe(v), wanted)
	case goja.String:
		return Result{}, refuse("$: PCMO() gave a string: a StreamAction is for the media socket; return a PiopiyAction")
	}
	if inner, ok := list.(*goja.Object); ok && inner != o {
		switch inner.ExportType() {
		case chainType, pipeType:
			return Decode(s, inner, c)
		}
	}
	w := writer{vm: s.VM(), out: make([]byte, 0, 512), function: functionsIn(c)}
	wrote, err := w.write(list)
	if err != nil {
		return Result{}, err
	}
	if !wrote || w.out[0] != '[' {
		return Result{}, refuse("$: PCMO() gave %s; %s", runtime.Describe(list), wanted)
	}
	result := Result{JSON: w.out, Warnings: warnings}
	decoded, err := call.DecodeAny(w.out)
	if err == nil {
		err = decoded.Validate()
	}
	for _, warning := range decoded.Warnings {
		result.Warnings = append(result.Warnings, warning.Error())
	}
	if err != nil {
		return Result{}, invalid(err)
	}
	result.Document, result.Pipeline = decoded.Document, decoded.Pipeline
	return result, nil
}

const wanted = "return an array of actions, pcmo(), a PiopiyAction, or nothing"

func refuse(format string, args ...any) error {
	return &runtime.Fault{Kind: runtime.FaultResult, Message: fmt.Sprintf(format, args...)}
}

// invalid tells of the problems of a document: the first in full, and how many more there are.
func invalid(err error) error {
	message := err.Error()
	var list call.Errors
	if errors.As(err, &list) && len(list) > 1 {
		message = list[0].Error() + fmt.Sprintf(" (and %d more)", len(list)-1)
	}
	return &runtime.Fault{Kind: runtime.FaultResult, Message: message, Err: err}
}

// actionsOf finds the array in what was returned, or nil.
func actionsOf(o *goja.Object) (list goja.Value, warnings []string) {
	if o.ClassName() == "Array" {
		return o, nil
	}
	if f, ok := goja.AssertFunction(orUndefined(o.Get("PCMO"))); ok {
		v, err := f(o)
		if err != nil {
			panic(err)
		}
		return orUndefined(v), nil
	}
	for _, wrapper := range []string{"pcmo", "pipeline"} {
		if inner, ok := o.Get(wrapper).(*goja.Object); ok && inner.ClassName() == "Array" {
			return inner, []string{`$: is wrapped as {"` + wrapper + `":[…]}; return the bare array`}
		}
	}
	if o.ExportType() == proxyType && isArrayProxy(o) {
		return o, nil
	}
	return nil, nil
}

// functionsIn returns the writer's hook that puts URLs in the place of functions.
func functionsIn(c Continuations) func(*writer, goja.Callable, *goja.Object) bool {
	return func(w *writer, f goja.Callable, o *goja.Object) bool {
		here, above := "", ""
		if n := len(w.path); n > 0 {
			here = w.path[n-1].name
			if n > 1 {
				above = w.path[n-2].name
			}
		}
		whole := here == "on_result"
		if !whole && here != "action_url" && (here != "url" || above != "on_result") {
			w.fail("is a function; a function may stand only at action_url or on_result")
		}
		if c == nil {
			w.fail("is a function, and nothing can bring digits back to it here; write the URL of a web server")
		}
		url := c.Register(f, label(o, w.where()))
		if whole {
			w.out = append(w.out, `{"type":"url","url":`...)
			w.out = append(call.AppendString(w.out, url), '}')
		} else {
			w.out = call.AppendString(w.out, url)
		}
		return true
	}
}

// label names a function: its own name, or where it stands.
func label(o *goja.Object, where string) string {
	name, ok := o.Get("name").(goja.String)
	if !ok || name.Length() == 0 || name.Length() > 100 || strings.Contains(name.String(), "/") {
		return "the function at " + where
	}
	return name.String()
}
