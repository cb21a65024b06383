package guard

import (
	"runtime"
	"testing"
	"time"

	"github.com/dop251/goja"
)

// TestGuardsAreForgotten makes sure that a runtime's guard does not outlive it, nor keep it.
func TestGuardsAreForgotten(t *testing.T) {
	count := func() int {
		guards.RLock()
		defer guards.RUnlock()
		return len(guards.of)
	}
	func() {
		vms := make([]*goja.Runtime, 0, 50) // alive until they are counted
		for range 50 {
			vm := goja.New()
			vms = append(vms, vm)
			if _, err := Install(vm, Limits{}, new(Stop)); err != nil {
				t.Fatal(err)
			}
			vm.RunProgram(goja.MustCompile("", "JSON.stringify(['x'.repeat(3), new Uint8Array(2)]) + /x/.test('y') + RegExp", false))
		}
		if count() < 50 {
			t.Fatalf("only %d guards", count())
		}
		runtime.KeepAlive(vms)
	}()
	for deadline := time.Now().Add(20 * time.Second); count() > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%d guards are left", count())
		}
		runtime.GC()
		runtime.Gosched()
	}
}
