package testrunner

import (
	"strings"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
)

// order is a call that a test expects to be placed, and what becomes of it.
type order struct {
	fits   func(to string) bool
	shown  string
	model  *sim.Callee // nil where the test does not say it
	met    *phone
	settle func(outcome func() (goja.Value, error)) // nil once it is settled
	cancel func()
}

// party makes the phone of an outbound call that an app places.
func (w *world) party(o call.Order) sim.Caller {
	b := w.bench
	p := &phone{b: b, to: strings.TrimPrefix(o.To, "+"), release: func() {}}
	p.begun = func(func() (goja.Value, error)) { b.introduce() }
	b.session.Post(func() error {
		b.phones = append(b.phones, p)
		b.placed = append(b.placed, p)
		return nil
	})
	return sim.Caller{Controller: p}
}

// Rung implements sim.Controller: the phone of an outbound call rings.
func (p *phone) Rung() (model sim.Callee, ok bool) {
	p.b.world.ask(func() {
		p.b.introduce()
		for _, o := range p.b.orders {
			if o.met == p && o.model != nil {
				model, ok = *o.model, true
			}
		}
	})
	return model, ok
}

// introduce brings the calls that were placed and those that are expected together, in order.
func (b *bench) introduce() {
	for _, o := range b.orders {
		for i, p := range b.placed {
			if o.met == nil && o.fits(p.to) {
				o.met = p
				b.placed = append(b.placed[:i:i], b.placed[i+1:]...)
				break
			}
		}
		if o.met != nil && o.met.object != nil && o.settle != nil {
			o.done(func() (goja.Value, error) { return o.met.object, nil })
		}
	}
}

// done settles what the test waits for, once.
func (o *order) done(outcome func() (goja.Value, error)) {
	if o.settle != nil {
		o.cancel()
		o.settle(outcome)
		o.settle = nil
	}
}

// callTo waits for a call that an app places, and says what becomes of it.
func (b *bench) callTo(a runtime.Args) goja.Value {
	b.mustRun(a)
	fits, shown := b.number(a, 0)
	o := &order{fits: fits, shown: shown}
	failure := b.failure()
	promise, settle := b.session.Promise()
	o.settle = settle
	missing := func(how string) {
		o.done(func() (goja.Value, error) {
			return nil, thrownWith(failure, "no app placed a call to "+shown+" "+how)
		})
	}
	o.cancel = b.session.AfterFunc(maxDuration, func() error { missing("within two hours"); return nil })
	b.atLast = append(b.atLast, func() { missing("before the test was over") })
	b.orders = append(b.orders, o)
	b.introduce()
	return b.outcomes(promise, "callTo", func(model sim.Callee) { o.model = &model })
}

// outcomes is what a test gets of a leg that is expected: a promise, with a method for each thing that may become of it.
func (b *bench) outcomes(promise goja.Value, name string, said func(sim.Callee)) goja.Value {
	vm := b.session.VM()
	o := vm.NewObject()
	for method, becomes := range map[string]sim.Outcome{
		"answers": sim.Answers, "busy": sim.Busy, "noAnswer": sim.NoAnswer, "rejects": sim.Rejects, "unreachable": sim.Unreachable, "voicemail": sim.Voicemail,
	} {
		known := []string{"after"}
		switch becomes {
		case sim.Answers, sim.Voicemail:
			known = append(known, "talk")
		case sim.NoAnswer, sim.Unreachable:
			known = nil
		}
		_ = o.Set(method, func(c goja.FunctionCall) goja.Value {
			options := b.session.Args(name+"."+method, c).Options(0, known...)
			said(sim.Callee{Outcome: becomes, After: options.Duration("after", 0), Talk: options.Duration("talk", 0)})
			return promise
		})
	}
	then, _ := goja.AssertFunction(promise.ToObject(vm).Get("then"))
	_ = o.Set("then", func(c goja.FunctionCall) goja.Value {
		v, err := then(promise, c.Arguments...)
		if err != nil {
			panic(b.session.ErrorValue(err))
		}
		return v
	})
	return o
}
