package testrunner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
)

// methods is what a test sees of a call that began.
func (p *phone) methods(first sim.Entry) *goja.Object {
	vm := p.b.session.VM()
	o := vm.NewObject()
	_ = o.Set("id", first.Call)
	_ = o.Set("app", first.App)
	_ = o.Set("from", first.From)
	_ = o.Set("to", first.To)
	for name, do := range p.doings() {
		_ = o.Set(name, func(c goja.FunctionCall) goja.Value { return do(p.b.session.Args("call."+name, c)) })
	}
	for name, get := range map[string]func() goja.Value{
		"ended": p.ended, "heard": p.heard, "dialled": p.dialled, "recordings": p.recordings, "transcript": func() goja.Value { return p.json(p.entries) },
	} {
		_ = o.DefineAccessorProperty(name, vm.ToValue(func(goja.FunctionCall) goja.Value { return get() }), nil, goja.FLAG_FALSE, goja.FLAG_TRUE)
	}
	known := o.Keys()
	return vm.ToValue(vm.NewProxy(o, &goja.ProxyTrapConfig{Get: func(target *goja.Object, name string, _ goja.Value) goja.Value {
		if v := target.Get(name); v != nil || name == "then" || name == "toJSON" {
			return v
		}
		slices.Sort(known)
		panic(p.b.session.NewError("TypeError", fmt.Sprintf("a call has no %q; it has %s", name, strings.Join(known, ", "))))
	}})).(*goja.Object)
}

// doings are the steps of a call.
func (p *phone) doings() map[string]func(runtime.Args) goja.Value {
	return map[string]func(runtime.Args) goja.Value{
		"hears": p.hears, "press": p.press, "says": p.says, "staysSilent": p.staysSilent, "hangsUp": p.hangsUp, "ends": p.ends,
		"dials": p.dials, "talks": p.talks, "records": p.records, "joins": p.joins, "streams": p.streams, "refers": p.refers,
		"hearsAudio": p.hearsAudio,
	}
}

// unawaited lets whoever has forgotten to await a call know it.
func (p *phone) unawaited(promise goja.Value) {
	o := promise.ToObject(p.b.session.VM())
	for name := range p.doings() {
		_ = o.DefineAccessorProperty(name, p.b.session.VM().ToValue(func(goja.FunctionCall) goja.Value {
			panic(p.b.session.NewError("TypeError", name+": call() returns a promise of the call; write const c = await call(…)"))
		}), nil, goja.FLAG_FALSE, goja.FLAG_FALSE)
	}
}

// pattern reads a text or a RegExp: which texts fit, and how it is shown.
func (b *bench) pattern(a runtime.Args, i int, what string, same func(text, pattern string) bool) (fits func(string) bool, shown string) {
	switch v := a.Value(i).(type) {
	case goja.String:
		text := v.String()
		return func(s string) bool { return same(s, text) }, "“" + text + "”"
	case *goja.Object:
		if test, ok := goja.AssertFunction(v.Get("test")); ok && v.ClassName() == "RegExp" {
			return func(s string) bool {
				_ = v.Set("lastIndex", 0)
				fits, err := test(v, b.session.VM().ToValue(s))
				return err == nil && fits.ToBoolean()
			}, v.String()
		}
	}
	a.Throw("%s must be a string or a RegExp, not %s", what, runtime.Describe(a.Value(i)))
	return nil, ""
}

func (p *phone) hears(a runtime.Args) goja.Value {
	fits, shown := p.b.pattern(a, 0, "what is heard", strings.Contains)
	from := p.next
	return p.await(&step{
		what:    "the caller did not hear " + shown,
		instead: func() string { return p.heardSince(from) },
		fits:    func(e sim.Entry) bool { return isHeard(e) && fits(e.Prompt.String()) },
		value:   func(e sim.Entry) goja.Value { return p.b.session.VM().ToValue(e.Prompt.String()) },
	})
}

func (p *phone) press(a runtime.Args) goja.Value {
	keys := a.String(0, "the keys")
	if keys == "" || strings.Trim(keys, "0123456789*#ABCD") != "" || len(keys) > 100 {
		a.Throw("the keys must be 1 to 100 of 0-9, *, # and A-D, not %.40q", keys)
	}
	after := a.Options(1, "after").Duration("after", 0)
	return p.act("the app did not take the keys "+keys+" that the caller pressed", "", func(taken func()) { p.hand.Press(keys, after, taken) })
}

func (p *phone) says(a runtime.Args) goja.Value {
	words := a.String(0, "the words")
	if strings.TrimSpace(words) == "" {
		a.Throw("the words must not be empty; for silence there is staysSilent()")
	}
	after := a.Options(1, "after").Duration("after", 0)
	return p.act("nobody listened to “"+words+"”, which the caller said", words, func(taken func()) { p.hand.Say(words, after, taken) })
}

func (p *phone) staysSilent(runtime.Args) goja.Value {
	return p.await(&step{what: "the caller was not asked for anything", fits: func(e sim.Entry) bool { return e.Kind == sim.Silent }})
}

func (p *phone) hangsUp(a runtime.Args) goja.Value {
	after := a.Options(0, "after").Duration("after", 0)
	if !p.over {
		p.hand.Hangup(after)
	}
	return p.ends(a)
}

// ends waits for the end of the call.
func (p *phone) ends(runtime.Args) goja.Value {
	promise, settle := p.b.session.Promise()
	end := func() { settle(func() (goja.Value, error) { return p.ended(), nil }) }
	if p.over {
		end()
	} else {
		p.atEnd = append(p.atEnd, end)
	}
	return promise
}

func (p *phone) talks(runtime.Args) goja.Value {
	return p.await(&step{what: "the caller did not talk with a callee", fits: func(e sim.Entry) bool { return e.Kind == sim.Bridged }})
}

func (p *phone) records(runtime.Args) goja.Value {
	return p.await(&step{what: "no recording began", fits: func(e sim.Entry) bool { return e.Kind == sim.Recording && e.Status == "" }})
}

func (p *phone) joins(a runtime.Args) goja.Value {
	return p.toward(a, "the conference", sim.Joined, "the call did not join the conference ")
}

// hearsAudio waits until the caller begins to hear what the app plays into a stream.
func (p *phone) hearsAudio(runtime.Args) goja.Value {
	return p.await(&step{
		what:  "the caller heard no audio of a stream",
		fits:  func(e sim.Entry) bool { return e.Kind == sim.StreamPlays },
		value: func(sim.Entry) goja.Value { return p.sound(count(p.entries[:p.next], sim.StreamPlays) - 1) },
	})
}

func (p *phone) streams(a runtime.Args) goja.Value {
	return p.toward(a, "the URL", sim.StreamOpened, "no stream was opened to ")
}

func (p *phone) refers(a runtime.Args) goja.Value {
	return p.toward(a, "the number or SIP user", sim.Referred, "the caller was not referred to ")
}

// toward waits for an entry that leads somewhere; without an argument, anywhere.
func (p *phone) toward(a runtime.Args, what string, kind sim.Kind, otherwise string) goja.Value {
	fits, shown := func(string) bool { return true }, "any"
	if a.Has(0) {
		fits, shown = p.b.pattern(a, 0, what, func(to, wanted string) bool { return to == strings.TrimPrefix(wanted, "+") })
	}
	return p.await(&step{what: otherwise + shown, fits: func(e sim.Entry) bool { return e.Kind == kind && fits(e.To) }})
}

// dials waits until somebody is dialled, and says what becomes of it.
func (p *phone) dials(a runtime.Args) goja.Value {
	fits, shown := p.b.number(a, 0)
	x := &expected{fits: fits}
	p.callees = append(p.callees, x)
	promise := p.await(&step{what: "the app did not dial " + shown, fits: func(e sim.Entry) bool { return e.Kind == sim.Dialling && fits(e.To) }})
	return p.b.outcomes(promise, "dials", func(model sim.Callee) { x.model = &model })
}

// number reads a number or SIP user, with or without a plus, or a RegExp; without any, everybody fits.
func (b *bench) number(a runtime.Args, i int) (fits func(to string) bool, shown string) {
	if !a.Has(i) {
		return func(string) bool { return true }, "anybody"
	}
	return b.pattern(a, i, "the number or SIP user", func(to, wanted string) bool { return to == strings.TrimPrefix(wanted, "+") })
}

// callee reads a callee model: an outcome, or { outcome, after, talk }.
func callee(s *runtime.Session, v goja.Value) sim.Callee {
	a := s.Args("call", goja.FunctionCall{Arguments: []goja.Value{v}})
	var o runtime.Options
	name := ""
	if text, ok := v.(goja.String); ok {
		name = text.String()
	} else {
		o = a.Options(0, "outcome", "after", "talk")
		name = o.String("outcome", string(sim.Answers))
	}
	c := sim.Callee{Outcome: sim.Outcome(name), After: o.Duration("after", 0), Talk: o.Duration("talk", 0)}
	switch c.Outcome {
	case sim.Answers, sim.Busy, sim.NoAnswer, sim.Rejects, sim.Unreachable, sim.Voicemail:
	default:
		a.Throw("a callee's outcome is answers, busy, no-answer, rejects, unreachable or voicemail, not %s", fmt.Sprintf("%.40q", name))
	}
	return c
}
