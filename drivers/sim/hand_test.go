package sim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/pcmo"
)

// puppeteer acts for a caller: at each prompt that holds a text, in work of its own.
type puppeteer struct {
	clock   *sim.Clock
	hand    *sim.Hand
	acts    map[string]func(*sim.Hand)
	callees map[string]sim.Callee
	party   sim.Callee
	taken   []string
	over    *sim.Transcript
}

func (p *puppeteer) Began(h *sim.Hand)        { p.hand = h }
func (p *puppeteer) Rung() (sim.Callee, bool) { return p.party, p.party != sim.Callee{} }
func (p *puppeteer) Over(t *sim.Transcript)   { p.over = t }

func (p *puppeteer) Dialled(to string) (sim.Callee, bool) {
	c, ok := p.callees[to]
	return c, ok
}

func (p *puppeteer) Happened(e sim.Entry) {
	for text, act := range p.acts {
		if e.Kind == sim.Heard && strings.Contains(e.Prompt.String(), text) {
			p.clock.Begin()
			go func() {
				defer p.clock.End()
				act(p.hand)
			}()
		}
	}
}

func TestController(t *testing.T) {
	three := 3
	app := plays(
		&pcmo.Speak{Text: "Which number?"}, &pcmo.Input{ActionURL: "http://sim.invalid/hooks/test/input/menu", MaxDigit: &three},
	)
	app.inputs = map[string]func(*call.Call, string) (pcmo.Document, error){
		"menu": func(_ *call.Call, digits string) (pcmo.Document, error) {
			return pcmo.Document{
				&pcmo.Speak{Text: "You pressed " + digits},
				&pcmo.Bridge{From: "15550002222", Targets: []pcmo.Target{{Type: pcmo.TargetPSTN, Number: "14155550101"}}},
				&pcmo.Speak{Text: "Wait"},
			}, nil
		},
	}
	clock := sim.NewClock(sim.Epoch)
	p := &puppeteer{clock: clock, callees: map[string]sim.Callee{"14155550101": {Outcome: sim.Voicemail, Talk: 7 * time.Second}}}
	p.acts = map[string]func(*sim.Hand){
		"Which": func(h *sim.Hand) {
			h.Press("12", 0, func() { p.taken = append(p.taken, "12") })
			h.Press("3", 5*time.Second, func() { p.taken = append(p.taken, "3") })
		},
		"Wait": func(h *sim.Hand) { h.Hangup(100 * time.Millisecond) },
	}
	transcript, err := sim.New(sim.Options{Clock: clock}).Call(t.Context(), app, sim.Caller{App: "test", Controller: p})
	if err != nil {
		t.Fatal(err)
	}
	text := transcript.String()
	for _, part := range []string{"presses  123", "“You pressed 123”", "answer   14155550101", "talked   for 7s: the callee hung up", "hangup   the caller hung up"} {
		if !strings.Contains(text, part) {
			t.Errorf("the transcript does not say %q", part)
		}
	}
	if strings.Join(p.taken, " ") != "12 3" || p.over != transcript {
		t.Errorf("taken %v, over %v", p.taken, p.over)
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestMaxQuiet(t *testing.T) {
	for name, test := range map[string]struct {
		doc  pcmo.Document
		want sim.DeadEnd
	}{
		"speech":    {pcmo.Document{&pcmo.Speak{Text: strings.Repeat("word ", 100)}}, ""},
		"recording": {pcmo.Document{&pcmo.Record{}}, ""},
	} {
		transcript, err := sim.New(sim.Options{MaxQuiet: 10 * time.Second}).Call(t.Context(), plays(test.doc...), sim.Caller{App: "test"})
		if err != nil || transcript.DeadEnd != test.want {
			t.Errorf("%s: error %v\n%s", name, err, transcript)
		}
	}
}

func TestClockSet(t *testing.T) {
	clock := sim.NewClock(sim.Epoch)
	rang := make(chan time.Time, 1)
	clock.AfterFunc(time.Minute, func() { rang <- clock.Now() })
	later := sim.Epoch.Add(1000 * time.Hour)
	clock.Set(later)
	stop := clock.Start()
	defer stop()
	if at := <-rang; !at.Equal(later.Add(time.Minute)) {
		t.Errorf("the timer ran at %s", at)
	}
}
