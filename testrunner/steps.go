package testrunner

import (
	"fmt"
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
	for name, do := range map[string]func(runtime.Args) goja.Value{
		"hears": p.hears, "press": p.press, "says": p.says, "staysSilent": p.staysSilent, "hangsUp": p.hangsUp, "ends": p.ends,
		"dials": p.dials, "talks": p.talks, "records": p.records, "joins": p.joins, "streams": p.streams, "refers": p.refers,
	} {
		_ = o.Set(name, func(c goja.FunctionCall) goja.Value { return do(p.b.session.Args("call."+name, c)) })
	}
	for name, get := range map[string]func() goja.Value{
		"ended": p.ended, "heard": p.heard, "transcript": func() goja.Value { return p.json(p.entries) },
	} {
		_ = o.DefineAccessorProperty(name, vm.ToValue(func(goja.FunctionCall) goja.Value { return get() }), nil, goja.FLAG_FALSE, goja.FLAG_TRUE)
	}
	return o
}

// pattern reads a text or a RegExp: which texts fit, and how it is shown.
func (p *phone) pattern(a runtime.Args, i int, what string, same func(text, pattern string) bool) (fits func(string) bool, shown string) {
	switch v := a.Value(i).(type) {
	case goja.String:
		text := v.String()
		return func(s string) bool { return same(s, text) }, "“" + text + "”"
	case *goja.Object:
		if test, ok := goja.AssertFunction(v.Get("test")); ok && v.ClassName() == "RegExp" {
			return func(s string) bool {
				_ = v.Set("lastIndex", 0)
				fits, err := test(v, p.b.session.VM().ToValue(s))
				return err == nil && fits.ToBoolean()
			}, v.String()
		}
	}
	a.Throw("%s must be a string or a RegExp, not %s", what, runtime.Describe(a.Value(i)))
	return nil, ""
}

func (p *phone) hears(a runtime.Args) goja.Value {
	fits, shown := p.pattern(a, 0, "what is heard", strings.Contains)
	return p.await(&step{
		what: "the caller did not hear " + shown,
		fits: func(e sim.Entry) bool {
			return (e.Kind == sim.Heard || e.Kind == sim.Announced) && fits(e.Prompt.String())
		},
		value: func(e sim.Entry) goja.Value { return p.b.session.VM().ToValue(e.Prompt.String()) },
	})
}

func (p *phone) heard() goja.Value {
	var list []any
	for _, e := range p.entries {
		if (e.Kind == sim.Heard || e.Kind == sim.Announced) && !e.Prompt.IsSilence() {
			list = append(list, e.Prompt.String())
		}
	}
	return p.b.session.VM().NewArray(list...)
}

func (p *phone) press(a runtime.Args) goja.Value {
	keys := a.String(0, "the keys")
	if keys == "" || strings.Trim(keys, "0123456789*#ABCD") != "" || len(keys) > 100 {
		a.Throw("the keys must be 1 to 100 of 0-9, *, # and A-D, not %.40q", keys)
	}
	after := a.Options(1, "after").Duration("after", 0)
	return p.act("the app did not take the keys "+keys+" that the caller pressed", func(taken func()) { p.hand.Press(keys, after, taken) })
}

func (p *phone) says(a runtime.Args) goja.Value {
	words := a.String(0, "the words")
	if strings.TrimSpace(words) == "" {
		a.Throw("the words must not be empty; for silence there is staysSilent()")
	}
	after := a.Options(1, "after").Duration("after", 0)
	return p.act("nobody listened to “"+words+"”, which the caller said", func(taken func()) { p.hand.Say(words, after, taken) })
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
		fits, shown = p.pattern(a, 0, what, func(to, wanted string) bool { return to == strings.TrimPrefix(wanted, "+") })
	}
	return p.await(&step{what: otherwise + shown, fits: func(e sim.Entry) bool { return e.Kind == kind && fits(e.To) }})
}

// dials waits until somebody is dialled, and says what becomes of it.
func (p *phone) dials(a runtime.Args) goja.Value {
	fits, shown := func(string) bool { return true }, "anybody"
	if a.Has(0) {
		fits, shown = p.pattern(a, 0, "the number or SIP user", func(to, wanted string) bool { return to == strings.TrimPrefix(wanted, "+") })
	}
	x := &expected{fits: fits}
	p.mu.Lock()
	p.callees = append(p.callees, x)
	p.mu.Unlock()
	promise := p.await(&step{what: "the app did not dial " + shown, fits: func(e sim.Entry) bool { return e.Kind == sim.Dialling && fits(e.To) }})
	vm := p.b.session.VM()
	o := vm.NewObject()
	for name, becomes := range map[string]sim.Outcome{
		"answers": sim.Answers, "busy": sim.Busy, "noAnswer": sim.NoAnswer, "rejects": sim.Rejects, "unreachable": sim.Unreachable, "voicemail": sim.Voicemail,
	} {
		_ = o.Set(name, func(c goja.FunctionCall) goja.Value {
			options := p.b.session.Args("dials."+name, c).Options(0, "after", "talk")
			model := sim.Callee{Outcome: becomes, After: options.Duration("after", 0), Talk: options.Duration("talk", 0)}
			p.mu.Lock()
			x.model = &model
			p.mu.Unlock()
			return promise
		})
	}
	then, _ := goja.AssertFunction(promise.ToObject(vm).Get("then"))
	_ = o.Set("then", func(c goja.FunctionCall) goja.Value {
		v, err := then(promise, c.Arguments...)
		if err != nil {
			panic(p.b.session.ErrorValue(err))
		}
		return v
	})
	return o
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
