package guard

import (
	_ "embed"
	"fmt"
	"sync"

	"github.com/dop251/goja"
)

//go:embed freeze.js
var freezeSource string

var freezeProgram = sync.OnceValue(func() *goja.Program { return goja.MustCompile("freeze.js", freezeSource, true) })

// Freeze makes everything that is reachable in a runtime immutable: the global object with all it leads to, and
// the prototypes which only instances lead to (of async functions, generators and iterators). One runtime can
// then serve one script after another, each with module variables of its own and nothing else to write to.
//
// Assigning to inherited names that frozen prototypes would block, such as toString, name, message or
// constructor, still works on the scripts' own objects. Any other write to a built-in throws in strict code.
//
// Freeze makes and visits every built-in: some milliseconds and hundreds of kilobytes, for pooled runtimes only.
// Names that a host resolves through the global object's prototype stay the host's care: that prototype is not
// touched, and its values can no longer be cached on the global object.
func Freeze(vm *goja.Runtime) error {
	if _, err := vm.RunProgram(freezeProgram()); err != nil {
		return fmt.Errorf("guard: freeze: %w", err)
	}
	return nil
}
