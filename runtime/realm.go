package runtime

import (
	"sync"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime/guard"
)

// maxRealms bounds the frozen VMs kept for reuse; each is about a megabyte.
const maxRealms = 64

// realm is a VM whose built-ins are deeply frozen. One session at a time lives in it; only the session's own
// module variables and objects can change, and those go with the session.
type realm struct {
	vm      *goja.Runtime
	guard   *guard.Guard
	stop    *guard.Stop
	lazy    *goja.Object // the global object's prototype; goja cannot freeze it
	root    *goja.Object // and that one's own prototype, Object.prototype
	session *Session
}

// realmPool keeps frozen VMs that no session is in.
type realmPool struct {
	mu   sync.Mutex
	free []*realm
}

// lend puts the session into a frozen VM.
func (p *realmPool) lend(s *Session) error {
	p.mu.Lock()
	var r *realm
	if n := len(p.free); n > 0 {
		r = p.free[n-1]
		p.free = p.free[:n-1]
	}
	p.mu.Unlock()
	if r != nil {
		r.session, s.realm = s, r
		s.setVM(r.vm, r.guard, r.stop)
		return r.lazy.SetPrototype(r.root)
	}
	r = &realm{stop: &guard.Stop{}, session: s}
	vm, g, err := newVM(s.rt.limits, r.stop)
	if err != nil {
		return err
	}
	r.vm, r.guard, s.realm = vm, g, r
	s.setVM(vm, g, r.stop)
	r.lazy = vm.NewDynamicObject(lazyGlobals{func() *Session { return r.session }})
	r.root = r.lazy.Prototype()
	if err := vm.GlobalObject().SetPrototype(r.lazy); err != nil {
		return err
	}
	for _, i := range s.rt.inst {
		if err := i.Install(s); err != nil {
			return err
		}
	}
	return guard.Freeze(vm)
}

// giveBack takes the VM of an ended session back for the next one, if its session ended in good order.
func (p *realmPool) giveBack(s *Session, clean bool) {
	r := s.realm
	if r == nil {
		return
	}
	s.realm = nil
	r.session = nil
	if !clean || r.stop.IsSet() {
		return
	}
	idle := func(*goja.Promise, goja.PromiseRejectionOperation) {}
	r.vm.SetPromiseRejectionTracker(idle)
	r.vm.SetAsyncContextTracker(nil)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) < maxRealms {
		p.free = append(p.free, r)
	}
}
