package call_test

import (
	goruntime "runtime"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/runtime"
)

// A session that was ended because memory ran short gives its memory back at once, whenever its call is reported to be over.
func TestAnEndedSessionGivesItsMemoryBack(t *testing.T) {
	d := open(t, menu)
	first := d.answer("c1")
	freed := make(chan struct{})
	for _, s := range d.rt.Sessions() {
		s.Post(func() error {
			goruntime.AddCleanup(s.VM(), func(done chan struct{}) { close(done) }, freed)
			return &runtime.Fault{Kind: runtime.FaultMemory, Message: "shed"}
		})
		<-s.Done()
	}
	for deadline := time.Now().Add(3 * time.Second); ; goruntime.GC() {
		select {
		case <-freed:
		default:
			if time.Now().Before(deadline) {
				continue
			}
			t.Error("something still holds its VM")
		}
		break
	}
	if reply := d.press("c1", first, "1"); reply.Fault == nil {
		t.Errorf("the call goes on: %s", reply.JSON)
	}
}
