package sim

import (
	"context"
	"strings"
	"time"

	"github.com/piopiy/piopiyd/call"
)

// TB is what a Phone needs of a test: *testing.T, B and F have it.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Phone makes one call in a Go test and then checks, step by step, what the caller met:
//
//	sim.Dial(t, handler).App("support").Press("-,1").
//		Hears("Sales, press 1").Hears("Sales, press 1").Presses("1").Dials("14155550101").Ends(call.SideCallee)
//
// The methods up to Press and HangupAfter set the call up; the first of the others makes it. Each check looks on
// from where the last one found something, so that the order of the checks is the order of events.
type Phone struct {
	t          TB
	handler    call.Handler
	opts       Options
	who        Caller
	transcript *Transcript
	next       int
}

// Dial picks up a phone to call what h answers.
func Dial(t TB, h call.Handler) *Phone { return &Phone{t: t, handler: h, who: Caller{App: "test"}} }

// With sets the driver's options.
func (p *Phone) With(opts Options) *Phone {
	p.opts = opts
	return p
}

// App sets the app that is called; "test" otherwise.
func (p *Phone) App(name string) *Phone {
	p.who.App = name
	return p
}

// From sets the caller's number.
func (p *Phone) From(number string) *Phone {
	p.who.From = number
	return p
}

// To sets the dialled number.
func (p *Phone) To(number string) *Phone {
	p.who.To = number
	return p
}

// Press sets what the caller does at each prompt, as [ParsePresses] reads it.
func (p *Phone) Press(script string) *Phone {
	p.t.Helper()
	presses, err := ParsePresses(script)
	if err != nil {
		p.t.Fatalf("Press: %v", err)
	}
	p.who.Press = presses
	return p
}

// Callee adds a callee model, as [ParseCallee] reads it.
func (p *Phone) Callee(model string) *Phone {
	p.t.Helper()
	to, callee, err := ParseCallee(model)
	if err != nil {
		p.t.Fatalf("%v", err)
	}
	if to == "" {
		p.who.Callee = callee
		return p
	}
	if p.who.Callees == nil {
		p.who.Callees = map[string]Callee{}
	}
	p.who.Callees[to] = callee
	return p
}

// HangupAfter sets when the caller has had enough.
func (p *Phone) HangupAfter(d time.Duration) *Phone {
	p.who.HangupAfter = d
	return p
}

// Transcript makes the call, unless it has been made, and returns what became of it.
func (p *Phone) Transcript() *Transcript {
	p.t.Helper()
	if p.transcript == nil {
		t, err := New(p.opts).Call(context.Background(), p.handler, p.who)
		if err != nil {
			p.t.Fatalf("the call: %v", err)
		}
		p.transcript = t
	}
	return p.transcript
}

// Hears checks that the caller hears a prompt whose text, file or URL contains part.
func (p *Phone) Hears(part string) *Phone {
	p.t.Helper()
	return p.find("hears "+part, func(e Entry) bool { return e.Kind == Heard && strings.Contains(e.Prompt.String(), part) })
}

// Presses checks that the app gets digits from the caller.
func (p *Phone) Presses(digits string) *Phone {
	p.t.Helper()
	return p.find("presses "+digits, func(e Entry) bool { return e.Kind == Pressed && e.Digits == digits })
}

// StaysSilent checks that the caller is asked and presses nothing.
func (p *Phone) StaysSilent() *Phone {
	p.t.Helper()
	return p.find("stays silent", func(e Entry) bool { return e.Kind == Silent })
}

// Dials checks that the app dials a number or SIP user.
func (p *Phone) Dials(to string) *Phone {
	p.t.Helper()
	return p.find("dials "+to, func(e Entry) bool { return e.Kind == Dialling && e.To == to })
}

// Talks checks that the caller talks with a callee.
func (p *Phone) Talks() *Phone {
	p.t.Helper()
	return p.find("talks", func(e Entry) bool { return e.Kind == Bridged })
}

// Ends checks who hung up, and that the call did not have to be cut off at a dead end.
func (p *Phone) Ends(by call.Side) *Transcript {
	p.t.Helper()
	t := p.Transcript()
	if t.Ending.By != by || t.DeadEnd != "" {
		p.t.Fatalf("the call should have been ended by the %s\n%s", by, t)
	}
	return t
}

func (p *Phone) find(what string, match func(Entry) bool) *Phone {
	p.t.Helper()
	t := p.Transcript()
	for i := p.next; i < len(t.Entries); i++ {
		if match(t.Entries[i]) {
			p.next = i + 1
			return p
		}
	}
	p.t.Fatalf("missing, from entry %d on: %s\n%s", p.next+1, what, t)
	return p
}
