package guard

import (
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/dop251/goja"
)

// Stop is a flag set beside [goja.Runtime.Interrupt]. goja looks at an interrupt before every instruction, but
// not inside built-ins; guarded built-ins look at the flag, so that built-ins which call built-ins end too. The
// zero value is ready, and any goroutine may use it.
type Stop struct{ set atomic.Bool }

// Set raises the flag. Call it together with Interrupt, in either order.
func (s *Stop) Set() { s.set.Store(true) }

// Clear lowers the flag, beside [goja.Runtime.ClearInterrupt].
func (s *Stop) Clear() { s.set.Store(false) }

// IsSet reports whether the flag is up.
func (s *Stop) IsSet() bool { return s.set.Load() }

var errStopped = errors.New("the script was stopped")

// Interrupted reports whether a value recovered from a panic is a stop of the script rather than a defect, and
// returns it as an error: a [goja.InterruptedError], unless the flag was seen before the interrupt.
func Interrupted(recovered any) (error, bool) {
	err, ok := recovered.(error)
	if !ok {
		return nil, false
	}
	if interrupt, ok := errors.AsType[*goja.InterruptedError](err); ok {
		return interrupt, true
	}
	return err, errors.Is(err, errStopped)
}

// nothing is a program; running it makes goja notice a pending interrupt.
var nothing = goja.MustCompile("", "0", false)

// check unwinds the script if it has been stopped. No catch or finally of the script runs, as with any
// interrupt.
func (c *core) check(vm *goja.Runtime) {
	if c.stop == nil || !c.stop.set.Load() {
		return
	}
	// The flag may be up a moment before the interrupt is there.
	for deadline := time.Now().Add(100 * time.Millisecond); time.Now().Before(deadline); runtime.Gosched() {
		if _, err := vm.RunProgram(nothing); err != nil {
			panic(err)
		}
	}
	panic(errStopped)
}
