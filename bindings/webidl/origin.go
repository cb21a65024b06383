package webidl

import (
	"bytes"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

// Origin is where in a script an operation was begun. Its failure comes later, when that stack is gone.
type Origin []goja.StackFrame

// Here returns where the script is. On the session's goroutine.
func Here(s *runtime.Session) Origin { return s.VM().CaptureCallStack(10, nil) }

// Mark gives an error object the stack of the place where its operation was begun.
func (o Origin) Mark(s *runtime.Session, object *goja.Object) {
	var b bytes.Buffer
	if name, message := object.Get("name"), object.Get("message"); name != nil && message != nil {
		b.WriteString(name.String() + ": " + message.String())
	}
	for i := range o {
		if p := o[i].Position(); p.Filename == "" || p.Line == 0 {
			continue
		}
		b.WriteString("\n\tat ")
		o[i].Write(&b)
	}
	b.WriteByte('\n')
	_ = object.DefineDataProperty("stack", s.VM().ToValue(b.String()), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}
