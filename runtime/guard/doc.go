// Package guard closes the doors through which a script makes memory, or holds the processor where an
// interrupt cannot reach it. goja has no memory limit, and its built-ins, being Go code, cannot be interrupted:
// one line such as
//
//	'x'.repeat(2**40)
//
// ends the process. In a guarded runtime that line throws a RangeError which names the limit.
//
//	vm := goja.New()
//	var stop guard.Stop
//	g, err := guard.Install(vm, guard.Limits{}, &stop)
//
// A runtime is born for every call, so guards must cost a newborn nothing. goja makes the members of its
// prototypes from tables that all runtimes share, each member when it is first touched. This package edits those
// tables once, when the process starts, so that a member touched in a guarded runtime is born guarded; runtimes
// on which Install was not called are as goja made them. A guard goes inside the built-in function: the function
// object, its name, length, prototype and place in the world stay goja's own, which is why instanceof,
// subclassing, Symbol.species and `x.constructor` need no care.
//
// goja has no public door to those tables, hence unsafe, all of it in seam.go. What that file needs is looked
// up by name and type at start; should a new goja differ, Install returns an error that says what is missing.
//
// What remains open: operators (`s += s`, `{...longString}`, growth by loops), which a host bounds by watching
// the heap, since loops can be interrupted; and [goja.Runtime.SetMaxCallStackSize], which the host must set:
// 1,000 is a good depth, as recursion through built-ins unwinds in time quadratic in it.
package guard
