package runtime

import (
	"fmt"
	"strings"
)

// FaultKind says which rule a session broke.
type FaultKind string

// The kinds of fault.
const (
	FaultException FaultKind = "exception" // the script threw, or a promise it left behind was rejected
	FaultTimeout   FaultKind = "timeout"   // a turn or a callback took longer than its limit
	FaultUnsettled FaultKind = "unsettled" // the callback's promise can never settle: nothing is pending
	FaultMemory    FaultKind = "memory"    // a memory limit
	FaultLimit     FaultKind = "limit"     // any other limit: timers, pending operations, journal size, lifetime
	FaultResult    FaultKind = "result"    // the callback returned what its caller cannot use
	FaultInternal  FaultKind = "internal"  // a defect of a binding, not of the script
	FaultClosed    FaultKind = "closed"    // the session had already ended
	FaultEnded     FaultKind = "ended"     // what the callback waited for ended with the call: nobody's fault (see [ScriptError].End)
)

// Fault is how a session fails: what went wrong and where in the author's own file.
type Fault struct {
	Kind FaultKind `json:"kind"`
	// Name is the JavaScript error's name, such as "TypeError", where there is one.
	Name string `json:"name,omitempty"`
	// Message says what happened, in words meant for the script's author.
	Message string `json:"message"`
	// Position is where, in the author's source; its File is empty when unknown.
	Position Position `json:"position,omitzero"`
	// Stack lists the call sites, innermost first.
	Stack []Position `json:"stack,omitempty"`
	// Err is the Go error behind the fault, if any.
	Err error `json:"-"`
}

// Position is a place in a script.
type Position struct {
	// File is the path below the scripts root, with slashes.
	File string `json:"file,omitempty"`
	// Line and Column count from 1.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Function is the enclosing function's name, where known.
	Function string `json:"function,omitempty"`
	// Source is the text of the line.
	Source string `json:"source,omitempty"`
}

// String returns "file:line:column".
func (p Position) String() string {
	if p.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Error returns the fault on one line: where, and what.
func (f *Fault) Error() string {
	var b strings.Builder
	if p := f.Position.String(); p != "" {
		b.WriteString(p)
		b.WriteString(": ")
	}
	if f.Name != "" && !strings.HasPrefix(f.Message, f.Name) {
		b.WriteString(f.Name)
		b.WriteString(": ")
	}
	b.WriteString(f.Message)
	return b.String()
}

// Unwrap returns the Go error behind the fault.
func (f *Fault) Unwrap() error { return f.Err }

// Detail returns the fault for a person: the line of Error, the source line, and a caret under the column.
func (f *Fault) Detail() string {
	if f.Position.Source == "" {
		return f.Error()
	}
	margin := fmt.Sprintf("%5d | ", f.Position.Line)
	indent := make([]byte, 0, f.Position.Column)
	for i := 0; i < f.Position.Column-1 && i < len(f.Position.Source); i++ {
		if f.Position.Source[i] == '\t' {
			indent = append(indent, '\t')
		} else {
			indent = append(indent, ' ')
		}
	}
	return fmt.Sprintf("%s\n%s%s\n%s%s^", f.Error(), margin, f.Position.Source, strings.Repeat(" ", len(margin)), indent)
}
