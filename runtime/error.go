package runtime

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/dop251/goja"
)

// thrown is a JavaScript value that was thrown or rejected with.
type thrown struct{ value goja.Value }

func (t thrown) Error() string { return fmt.Sprint(t.value) }

// fatal reports whether the fault ends the session, rather than only the callback it happened in.
func (f *Fault) fatal() bool {
	switch f.Kind {
	case FaultException, FaultResult, FaultUnsettled, FaultEnded:
		return false
	case FaultTimeout:
		return f.Position.File != "" || strings.HasPrefix(f.Message, "one turn")
	}
	return true
}

// NewError returns a JavaScript error object of the named built-in class ("TypeError", "RangeError", "Error"),
// with a stack, for a native to panic with. On the session's goroutine.
func (s *Session) NewError(class, message string) goja.Value {
	ctor := s.vm.GlobalObject().Get(class)
	if object, err := s.vm.New(ctor, s.vm.ToValue(message)); err == nil {
		return object
	}
	return s.vm.NewTypeError(message)
}

// Thrown returns an error that stands for a value which a script threw or rejected with; [Session.ErrorValue] gives the
// value back.
func Thrown(v goja.Value) error { return thrown{v} }

// ScriptError is a Go error that scripts see as an Error object with these properties.
type ScriptError struct {
	// Name is the error's name: a built-in class, or another name for an Error that carries it ("AbortError").
	Name string
	// Message is for the script's author.
	Message string
	// Code is a short machine-readable word, or empty.
	Code string
	// Fields are further properties.
	Fields map[string]any
	// End says that a script need not catch it: it is the end of what was waited for. A callback that ends with it
	// has no fault, and a promise that nobody handles is no matter.
	End bool
	// Err is the cause; it can be found again with errors.As when the error comes back from the script.
	Err error
}

// Error returns name and message.
func (e *ScriptError) Error() string { return e.Name + ": " + e.Message }

// Unwrap returns the cause.
func (e *ScriptError) Unwrap() error { return e.Err }

// ErrorValue returns the Error object that a script sees for a Go error. On the session's goroutine.
func (s *Session) ErrorValue(err error) goja.Value {
	var t thrown
	if errors.As(err, &t) {
		return t.value
	}
	var ex *goja.Exception
	if errors.As(err, &ex) {
		return ex.Value()
	}
	e := &ScriptError{Name: "Error", Message: err.Error()}
	errors.As(err, &e)
	var object *goja.Object
	switch e.Name {
	case "TypeError", "RangeError", "SyntaxError", "URIError", "EvalError", "ReferenceError":
		object = s.NewError(e.Name, e.Message).(*goja.Object)
	default:
		object = s.NewError("Error", e.Message).(*goja.Object)
		if e.Name != "Error" {
			_ = object.DefineDataProperty("name", s.vm.ToValue(e.Name), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
		}
	}
	if e.Code != "" {
		_ = object.Set("code", e.Code)
	}
	for name, value := range e.Fields {
		_ = object.Set(name, value)
	}
	if e.End {
		if s.ends == nil {
			s.ends = map[*goja.Object]error{}
		}
		s.ends[object] = e
	}
	return object
}

// explain turns whatever a turn failed with into a Fault that names the author's own file and line.
func (s *Session) explain(err error) *Fault {
	var fault *Fault
	var interrupted *goja.InterruptedError
	var overflow *goja.StackOverflowError
	var exception *goja.Exception
	var syntax *goja.CompilerSyntaxError
	var value thrown
	switch {
	case errors.As(err, &interrupted):
		f, ok := interrupted.Value().(*Fault)
		if !ok {
			f = &Fault{Kind: FaultTimeout, Message: fmt.Sprint(interrupted.Value())}
		}
		located := *f
		located.Stack = s.frames(interrupted.Stack())
		fault = &located
	case errors.As(err, &overflow):
		fault = &Fault{Kind: FaultLimit, Name: "RangeError", Message: fmt.Sprintf("calls are nested deeper than %d", s.rt.limits.Stack), Stack: s.frames(overflow.Stack())}
	case errors.As(err, &exception):
		fault = s.explainValue(exception.Value())
		if stack := s.frames(exception.Stack()); len(stack) > 0 && len(fault.Stack) == 0 {
			fault.Stack = stack
		}
	case errors.As(err, &value):
		fault = s.explainValue(value.value)
	case errors.As(err, &syntax):
		fault = &Fault{Kind: FaultException, Name: "SyntaxError", Message: syntax.Error()}
	case errors.As(err, &fault):
		copied := *fault
		fault = &copied
	default:
		fault = &Fault{Kind: FaultInternal, Message: err.Error(), Err: err}
	}
	if len(fault.Stack) > 10 {
		fault.Stack = fault.Stack[:10]
	}
	if end, ok := s.endOf(err); ok {
		fault.Kind, fault.Err = FaultEnded, end
	}
	if fault.Position.File == "" && len(fault.Stack) > 0 {
		fault.Position = authors(fault.Stack)
	}
	if fault.Position.Source == "" {
		fault.Position.Source = s.version.sourceLine(fault.Position)
	}
	if s.version != nil {
		for i := range fault.Stack {
			fault.Stack[i].Source = ""
		}
	}
	return fault
}

// authors returns the innermost call site in the author's own files: an error that the standard library throws is
// about the line that called it.
func authors(stack []Position) Position {
	for _, p := range stack {
		if !strings.HasPrefix(p.File, stdlibNamespace+":") {
			return p
		}
	}
	return stack[0]
}

var errorType = reflect.TypeFor[error]()

// explainValue describes a thrown value. Reading an error's properties can run script code, hence protect.
// endOf returns the error that what was thrown was made from, if that was an end.
func (s *Session) endOf(err error) (end error, ok bool) {
	if len(s.ends) == 0 {
		return nil, false
	}
	var exception *goja.Exception
	var value thrown
	var v goja.Value
	switch {
	case errors.As(err, &exception):
		v = exception.Value()
	case errors.As(err, &value):
		v = value.value
	}
	object, _ := v.(*goja.Object)
	end, ok = s.ends[object]
	return end, ok
}

func (s *Session) explainValue(v goja.Value) *Fault {
	fault := &Fault{Kind: FaultException}
	object, ok := v.(*goja.Object)
	if !ok {
		fault.Message = fmt.Sprintf("the script threw a value that is not an Error: %.200s", fmt.Sprint(v))
		return fault
	}
	err := s.protect(func() error {
		if inner, ok := object.Get("value").(*goja.Object); ok && inner.ExportType().Implements(errorType) {
			if err, ok := inner.Export().(error); ok {
				fault.Err = err
				errors.As(err, &fault)
			}
		}
		if name := object.Get("name"); name != nil && !goja.IsUndefined(name) {
			fault.Name = truncate(name.String(), 100)
		}
		if message := object.Get("message"); message != nil && !goja.IsUndefined(message) {
			fault.Message = truncate(message.String(), 2000)
		}
		if stack := object.Get("stack"); stack != nil && !goja.IsUndefined(stack) {
			fault.Stack = parseStack(truncate(stack.String(), 8000))
		}
		return nil
	})
	if err != nil {
		fault.Message = "the script threw an error whose own properties throw"
	}
	if fault.Message == "" && fault.Name == "" {
		fault.Message = "the script threw an object that is not an Error"
	}
	return fault
}

func truncate(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return text[:n] + "…"
}

func (s *Session) frames(stack []goja.StackFrame) []Position {
	var list []Position
	for _, frame := range stack {
		p := frame.Position()
		if p.Filename == "" || p.Filename == "(native)" || p.Line == 0 {
			continue
		}
		list = append(list, mapped(p.Filename, p.Line, p.Column, frame.FuncName()))
	}
	return list
}

// mapped makes a position of what goja reads out of a source map: there columns count from 0.
func mapped(file string, line, column int, function string) Position {
	return Position{File: cleanName(file), Line: line, Column: column + 1, Function: function}
}

var stackLine = regexp.MustCompile(`(?m)^\s*at (?:(.*) \()?([^()\s]+):(\d+):(\d+)(?:\(\d+\))?\)?$`)

// parseStack reads the call sites out of an Error's stack property.
func parseStack(stack string) []Position {
	var list []Position
	for _, m := range stackLine.FindAllStringSubmatch(stack, -1) {
		line, _ := strconv.Atoi(m[3])
		column, _ := strconv.Atoi(m[4])
		list = append(list, mapped(m[2], line, column, m[1]))
	}
	return list
}

// unhandledRejection returns a fault when the turn left a rejected promise that nobody handles.
func (s *Session) unhandledRejection() *Fault {
	if len(s.rejected) == 0 {
		return nil
	}
	var p *goja.Promise
	for _, rejected := range s.rejected {
		if _, ends := s.endOf(thrown{rejected.Result()}); !ends {
			p = rejected
			break
		}
	}
	s.rejected = nil
	if p == nil {
		return nil
	}
	fault := s.explain(thrown{p.Result()})
	fault.Message = "unhandled promise rejection: " + fault.Message
	return fault
}

func (s *Session) trackRejection(p *goja.Promise, op goja.PromiseRejectionOperation) {
	if op == goja.PromiseRejectionReject {
		s.rejected = append(s.rejected, p)
		return
	}
	s.handled(p)
}

func (s *Session) handled(p *goja.Promise) {
	for i, other := range s.rejected {
		if other == p {
			s.rejected = append(s.rejected[:i], s.rejected[i+1:]...)
			return
		}
	}
}
