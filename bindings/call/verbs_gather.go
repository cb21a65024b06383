package call

import (
	"encoding/json"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// gathering is one gather of a script: as many attempts as it wants.
type gathering struct {
	v                *verbs
	by               carrier
	gather           call.Gather
	least            int
	noInput, invalid call.Prompt
	validate         goja.Callable
	with             json.RawMessage
	settle           func(func() (goja.Value, error))
}

func (v *verbs) gather(a runtime.Args) goja.Value {
	o := a.Options(0, "say", "play", "language", "voice", "speed", "minDigits", "maxDigits", "finishOnKey", "timeout", "digitTimeout",
		"retries", "noInput", "invalid", "validate", "speech", "digits", "flush")
	g := &gathering{v: v, validate: o.Function("validate"), least: o.Int("minDigits", 1, 1, 100)}
	speech := o.Bool("speech", false)
	g.gather = call.Gather{
		Prompt: v.promptIn(a, o), MaxDigits: max(o.Int("maxDigits", g.least, 1, 100), g.least), FinishKey: finishKey(a, o, ""),
		Flush: o.Bool("flush", false), Speech: speech, SpeechOnly: speech && !o.Bool("digits", true), Language: o.String("language", ""),
		FirstDigit: o.Duration("timeout", 5*time.Second), Attempt: 1, Attempts: 1 + o.Int("retries", 0, 0, 100),
	}
	g.gather.NextDigit = o.Duration("digitTimeout", g.gather.FirstDigit)
	for name, prompt := range map[string]*call.Prompt{"noInput": &g.noInput, "invalid": &g.invalid} {
		if o.Has(name) {
			*prompt = v.prompt(a, o.Value(name), o)
		}
	}
	var err error
	if g.by, err = v.find(); err != nil {
		a.Fail(scriptError(err))
	}
	var promise goja.Value
	promise, g.settle = v.session.Deferred()
	if v.session.DryRun() {
		return promise
	}
	g.with = v.with
	g.attempt()
	return promise
}

// attempt asks once. On the session's goroutine.
func (g *gathering) attempt() {
	t := task{verb: "gather", with: g.with}
	if n := g.gather.Attempt; n > 1 {
		t.attempt = n
	}
	g.by.ask(t, g.gather, g.take)
}

// take judges what came. On the session's goroutine.
func (g *gathering) take(got call.Gathered, err error) {
	s := g.v.session
	if err != nil {
		if l, ok := g.by.(*live); ok {
			err = l.scriptError(err)
		} else {
			err = scriptError(err)
		}
		g.end(func() (goja.Value, error) { return nil, err })
		return
	}
	if got.Speech == "" && len(got.Digits) < g.least {
		again := g.noInput
		if got.Digits != "" {
			again = g.invalid
		}
		g.judged(got, false, again)
		return
	}
	if g.validate == nil {
		g.judged(got, true, call.Prompt{})
		return
	}
	answer := got.Digits
	if answer == "" {
		answer = got.Speech
	}
	verdict, err := g.validate(goja.Undefined(), s.VM().ToValue(answer), g.result(got, true))
	if err != nil {
		g.end(func() (goja.Value, error) { return nil, err })
		return
	}
	s.Await(verdict, func(verdict goja.Value) { g.judged(got, verdict.ToBoolean(), g.invalid) }, func(reason goja.Value) {
		g.end(func() (goja.Value, error) { return nil, runtime.Thrown(reason) })
	})
}

// judged ends the gathering, or asks again.
func (g *gathering) judged(got call.Gathered, valid bool, again call.Prompt) {
	if valid || g.gather.Attempt >= g.gather.Attempts {
		g.end(func() (goja.Value, error) { return g.result(got, valid), nil })
		return
	}
	g.gather.Attempt++
	g.gather.Flush = false
	if !again.IsSilence() {
		first := g.gather.Prompt
		g.gather.Prompt = again
		g.attempt()
		g.gather.Prompt = first
		return
	}
	g.attempt()
}

func (g *gathering) end(outcome func() (goja.Value, error)) { g.settle(outcome) }

func (g *gathering) result(got call.Gathered, valid bool) goja.Value {
	o := g.v.session.VM().NewObject()
	set(o, "digits", got.Digits)
	set(o, "speech", got.Speech)
	set(o, "valid", valid)
	set(o, "attempts", g.gather.Attempt)
	return o
}
