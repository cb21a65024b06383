package testrunner

import (
	"fmt"
	"strings"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/drivers/sim"
)

// This file is what a test sees of a call beside its steps.

func isHeard(e sim.Entry) bool { return e.Kind == sim.Heard || e.Kind == sim.Announced }

func (p *phone) heard() goja.Value {
	var list []any
	for _, e := range p.entries {
		if isHeard(e) && !e.Prompt.IsSilence() {
			list = append(list, e.Prompt.String())
		}
	}
	return p.b.session.VM().NewArray(list...)
}

// heardSince tells what the caller heard from an entry on, the last of it.
func (p *phone) heardSince(from int) string {
	const most = 4
	var list []string
	for _, e := range p.entries[from:] {
		if isHeard(e) && !e.Prompt.IsSilence() {
			list = append(list, "“"+e.Prompt.String()+"”")
		}
	}
	switch {
	case len(list) == 0:
		return "\nnothing more was heard"
	case len(list) > most:
		return fmt.Sprintf("\nheard instead: %d prompts, at last %s", len(list), strings.Join(list[len(list)-most:], ", "))
	}
	return "\nheard instead: " + strings.Join(list, ", ")
}

// dialled lists the legs that were dialled: an entry for each, in order.
func (p *phone) dialled() goja.Value {
	type leg struct {
		To      string `json:"to"`
		From    string `json:"from"`
		Outcome string `json:"outcome,omitempty"`
		Cause   string `json:"cause,omitempty"`
	}
	list := []*leg{}
	for _, e := range p.entries {
		switch e.Kind {
		case sim.Dialling:
			list = append(list, &leg{To: e.To, From: e.From})
		case sim.Dialled:
			for _, l := range list {
				if l.To != e.To || l.Outcome != "" {
					continue
				}
				if l.Outcome, l.Cause = "answered", e.Cause; e.Cause != "" {
					l.Outcome = "missed"
				}
				break
			}
		}
	}
	return p.json(list)
}

// recordings lists what was recorded, once it is done.
func (p *phone) recordings() goja.Value {
	type recording struct {
		File     string  `json:"file"`
		URL      string  `json:"url"`
		Duration float64 `json:"duration"`
	}
	list := []recording{}
	for _, e := range p.entries {
		if e.Kind == sim.Recorded {
			list = append(list, recording{e.Text, e.To, e.Length.Seconds()})
		}
	}
	return p.json(list)
}

// sound is audio of a stream that the caller hears, without a gap.
type sound struct {
	object  *goja.Object
	began   sim.Entry
	over    *sim.Entry
	waiting []func()
}

// listen notes which sound of streams the caller hears.
func (p *phone) listen(e sim.Entry) {
	switch e.Kind {
	case sim.StreamPlays:
		p.sounds = append(p.sounds, &sound{began: e})
	case sim.StreamHeard:
		for _, s := range p.sounds {
			if s.over == nil {
				s.over = &e
				for _, f := range s.waiting {
					f()
				}
				return
			}
		}
	}
}

// sound is what a test gets of one.
func (p *phone) sound(n int) goja.Value {
	s := p.sounds[n]
	if s.object != nil {
		return s.object
	}
	vm := p.b.session.VM()
	s.object = vm.NewObject()
	_ = s.object.Set("began", s.began.At.Seconds())
	for name, get := range map[string]func() any{
		"over": func() any { return s.over != nil },
		"length": func() any {
			if s.over == nil {
				return (p.b.world.clock.Now().Sub(p.start) - s.began.At).Seconds()
			}
			return s.over.Length.Seconds()
		},
		"cut": func() any { return s.over != nil && s.over.Status != "" },
	} {
		_ = s.object.DefineAccessorProperty(name, vm.ToValue(func(goja.FunctionCall) goja.Value { return vm.ToValue(get()) }), nil, goja.FLAG_FALSE, goja.FLAG_TRUE)
	}
	_ = s.object.Set("ends", func(goja.FunctionCall) goja.Value {
		promise, settle := p.b.session.Promise()
		end := func() { settle(func() (goja.Value, error) { return s.object, nil }) }
		if s.over != nil {
			end()
		} else {
			s.waiting = append(s.waiting, end)
		}
		return promise
	})
	return s.object
}

// count counts the entries of a kind.
func count(entries []sim.Entry, kind sim.Kind) int {
	n := 0
	for _, e := range entries {
		if e.Kind == kind {
			n++
		}
	}
	return n
}
