package testrunner

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
)

// phone is a call as a test sees it: what happened so far, and what the test waits for. Its fields belong to the
// goroutine of the test's session.
type phone struct {
	b       *bench
	object  *goja.Object
	faulty  bool // faults of the script are expected
	begun   func(outcome func() (goja.Value, error))
	release func() // lets time pass once the call has begun
	hand    *sim.Hand
	start   time.Time
	entries []sim.Entry
	next    int // the entry that steps look on from
	steps   []*step
	pressed []*step // what the app has not taken yet
	over    bool
	result  *sim.Transcript
	atEnd   []func()
	sounds  []*sound
	callees []*expected
	to      string // who is called, where an app placed it
}

// step is something that a test waits for.
type step struct {
	what    string
	instead func() string // what there was in its place; may be nil
	fits    func(sim.Entry) bool
	value   func(sim.Entry) goja.Value
	failure *goja.Object
	settle  func(outcome func() (goja.Value, error))
	done    bool
}

// expected is a leg that the test expects to be dialled, and what becomes of it.
type expected struct {
	fits  func(to string) bool
	model *sim.Callee
}

// call begins a call.
func (b *bench) call(a runtime.Args) goja.Value {
	b.mustRun(a)
	app, options := b.app, 0
	if a.Has(0) {
		if _, isName := a.Value(0).(goja.String); isName {
			app, options = a.String(0, "the app"), 1
		}
	}
	if app == "" {
		a.Throw("name the app to call: this file stands beside none")
	}
	o := a.Options(options, "from", "to", "direction", "extraParams", "party", "callee", "callees", "allowFaults")
	p := &phone{b: b, faulty: o.Bool("allowFaults", false)}
	who := sim.Caller{
		App: app, From: strings.TrimPrefix(o.String("from", ""), "+"), To: strings.TrimPrefix(o.String("to", ""), "+"), Direction: call.Direction(o.String("direction", string(call.Inbound))),
		Callees: map[string]sim.Callee{}, Controller: p,
	}
	if who.Direction != call.Inbound && who.Direction != call.Outbound {
		a.Throw(`option "direction" must be "inbound" or "outbound", not %.40q`, who.Direction)
	}
	if party := o.Value("party"); party != nil {
		if who.Direction != call.Outbound {
			a.Throw(`option "party" says what becomes of an outbound call: add direction: 'outbound'`)
		}
		model := callee(b.session, party)
		who.Party = &model
	}
	switch extra := o.Value("extraParams").(type) {
	case nil:
	case *goja.Object:
		text, err := extra.MarshalJSON()
		if err != nil {
			a.Fail(err)
		}
		who.ExtraParams = string(text)
	default:
		who.ExtraParams = extra.String()
	}
	if model := o.Value("callee"); model != nil {
		who.Callee = callee(b.session, model)
	}
	if list, ok := o.Value("callees").(*goja.Object); ok {
		for _, to := range list.Keys() {
			who.Callees[strings.TrimPrefix(to, "+")] = callee(b.session, list.Get(to))
		}
	}
	failure := b.failure()
	w := b.world
	under := 0
	for _, other := range b.phones {
		if !other.over {
			under++
		}
	}
	if under >= maxCalls {
		a.Throw("%d calls are under way; let one of them end before the next", under)
	}
	b.phones = append(b.phones, p)
	promise, settle := b.session.Promise()
	p.unawaited(promise)
	p.begun, p.release = settle, b.session.Work()
	w.calls.Go(func() { p.run(w, who, failure) })
	return promise
}

// maxCalls bounds the calls that are under way at once in a test.
const maxCalls = 100

// run makes the call, from a goroutine of its own.
func (p *phone) run(w *world, who sim.Caller, failure *goja.Object) {
	driver, handler, err := w.load(w.ctx, who.App)
	if err == nil {
		_, err = driver.Call(w.ctx, handler, who)
	}
	p.b.session.Post(func() error {
		p.over = true
		if p.object == nil { // it never began
			p.begun(func() (goja.Value, error) { return nil, thrownWith(failure, detail(err)) })
			p.release()
		}
		p.b.quiet()
		return nil
	})
}

// thrownWith gives a failure its message.
func thrownWith(failure *goja.Object, message string) error {
	_ = failure.Set("message", message)
	return runtime.Thrown(failure)
}

// quiet tells whoever waits for the end of all calls.
func (b *bench) quiet() {
	for _, p := range b.phones {
		if !p.over {
			return
		}
	}
	if b.idle != nil {
		idle := b.idle
		b.idle = nil
		idle()
	}
}

var _ sim.Controller = (*phone)(nil)

// Began implements sim.Controller.
func (p *phone) Began(h *sim.Hand) {
	p.b.session.Post(func() error {
		p.hand = h
		return nil
	})
	p.release()
}

// Happened implements sim.Controller.
func (p *phone) Happened(e sim.Entry) {
	p.b.session.Post(func() error {
		p.entries = append(p.entries, e)
		p.listen(e)
		if p.object == nil {
			p.start = p.b.world.clock.Now().Add(-e.At)
			p.object = p.methods(e)
			p.begun(func() (goja.Value, error) { return p.object, nil })
		}
		p.look()
		return nil
	})
}

// Dialled implements sim.Controller.
func (p *phone) Dialled(to string) (model sim.Callee, ok bool) {
	p.b.world.ask(func() {
		for i, x := range p.callees {
			if x.fits(to) {
				p.callees = append(p.callees[:i:i], p.callees[i+1:]...)
				if x.model != nil {
					model, ok = *x.model, true
				}
				return
			}
		}
	})
	return model, ok
}

// Over implements sim.Controller.
func (p *phone) Over(t *sim.Transcript) {
	p.b.session.Post(func() error {
		p.over, p.result = true, t
		for _, s := range append(p.steps, p.pressed...) {
			if !s.done {
				s.settle(func() (goja.Value, error) { return nil, p.failed(s) })
			}
		}
		p.steps, p.pressed = nil, nil
		for _, f := range p.atEnd {
			f()
		}
		p.b.quiet()
		return nil
	})
}

// look compares what happened with what the test waits for, in order.
func (p *phone) look() {
	for p.next < len(p.entries) && len(p.steps) > 0 {
		e, s := p.entries[p.next], p.steps[0]
		p.next++
		if s.fits(e) {
			s.done = true
			p.steps = p.steps[1:]
			s.settle(func() (goja.Value, error) { return s.value(e), nil })
		}
	}
}

// await adds a step and returns its promise.
func (p *phone) await(s *step) goja.Value {
	if s.value == nil {
		s.value = func(sim.Entry) goja.Value { return goja.Undefined() }
	}
	s.failure = p.b.failure()
	promise, settle := p.b.session.Promise()
	s.settle = settle
	p.steps = append(p.steps, s)
	p.look()
	if !s.done && p.over {
		p.steps = p.steps[:len(p.steps)-1]
		settle(func() (goja.Value, error) { return nil, p.failed(s) })
	}
	return promise
}

// failed says what the test waited for in vain, and how the call ended instead.
func (p *phone) failed(s *step) error {
	message := s.what
	if p.result != nil {
		message += "; " + p.result.Summary()
	} else {
		message += "; the call is over"
	}
	if s.instead != nil {
		message += s.instead()
	}
	return thrownWith(s.failure, message)
}

// act is a step that is over when the app has taken what the caller does.
func (p *phone) act(what, words string, do func(taken func())) goja.Value {
	s := &step{what: what, failure: p.b.failure()}
	promise, settle := p.b.session.Promise()
	s.settle = settle
	if p.over {
		settle(func() (goja.Value, error) { return nil, p.failed(s) })
		return promise
	}
	p.pressed = append(p.pressed, s)
	do(func() {
		p.b.session.Post(func() error {
			if !s.done {
				s.done = true
				if len(p.steps) == 0 {
					p.next = p.since(words) // what was before is no answer to it
				}
				settle(func() (goja.Value, error) { return goja.Undefined(), nil })
			}
			return nil
		})
	})
	return promise
}

// since is the entry that steps look on from when words, or keys, were taken: what comes from now on, or from when the
// caller began to say them into a stream.
func (p *phone) since(words string) int {
	for i := len(p.entries) - 1; i >= p.next && words != ""; i-- {
		if e := p.entries[i]; e.Kind == sim.Said && e.Text == words {
			return i + 1
		}
	}
	return len(p.entries)
}

// ended is what the test sees of the call's end, undefined before.
func (p *phone) ended() goja.Value {
	if p.result == nil {
		return goja.Undefined()
	}
	vm, t := p.b.session.VM(), p.result
	o := vm.NewObject()
	_ = o.Set("by", string(t.Ending.By))
	_ = o.Set("cause", t.Ending.Cause)
	_ = o.Set("after", t.Length.Seconds())
	if t.Ending.Err != nil {
		_ = o.Set("error", t.Ending.Err.Error())
	}
	return o
}

// sofar is the transcript up to now.
func (p *phone) sofar() *sim.Transcript {
	if p.result != nil {
		return p.result
	}
	t := &sim.Transcript{Entries: p.entries}
	if len(p.entries) > 0 {
		first, last := p.entries[0], p.entries[len(p.entries)-1]
		t.Call, t.App, t.From, t.To, t.Length = first.Call, first.App, first.From, first.To, last.At
	}
	return t
}

// problems is what fails the test without being asked: dead ends, and faults of the script unless they are expected.
func (p *phone) problems() []string {
	var list []string
	if p.result != nil && p.result.DeadEnd != "" {
		list = append(list, p.result.Summary())
	}
	if p.faulty {
		return list
	}
	for _, e := range p.entries {
		if e.Error != "" && (e.Kind == sim.Problem || e.Kind == sim.Replied) {
			list = append(list, "the script failed: "+e.Error)
		}
	}
	return list
}

// json is a value made of JSON.
func (p *phone) json(v any) goja.Value {
	text, err := json.Marshal(v)
	if err != nil {
		return goja.Undefined()
	}
	return p.b.session.Guard().ParseJSON(string(text))
}
