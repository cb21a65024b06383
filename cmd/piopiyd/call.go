package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/config"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
)

type callCommand struct {
	App         string        `arg:"" help:"The app, or one of its configured numbers."`
	Press       string        `placeholder:"KEYS" help:"What the caller presses at each prompt, separated by commas: 1  12#  - (silence)  x (hangs up)  1@2s (two seconds into the prompt)."`
	Callee      []string      `placeholder:"WHAT" help:"What becomes of dialled numbers: answers, busy, no-answer, rejects, unreachable or voicemail; with @5s after how long, answers/30s how long the talk is, +1415…=busy for one number. May be repeated."`
	From        string        `placeholder:"NUMBER" help:"The caller's number (default 15550001111)."`
	To          string        `placeholder:"NUMBER" help:"The dialled number (default the app's first, or 15550002222)."`
	HangupAfter time.Duration `placeholder:"TIME" help:"Let the caller hang up so long after the call's beginning."`
	ExtraParams string        `placeholder:"TEXT" help:"What travels with the call as extra_params."`
	Outbound    bool          `help:"Play an outbound call."`
	JSON        bool          `help:"Print the transcript as JSON."`
}

// Run plays a call. It fails when the script does, or when the call leads nowhere.
func (c callCommand) Run(ctx context.Context, t terminal, g globals) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	who, err := c.caller(cfg)
	if err != nil {
		return err
	}
	found, err := findApps(cfg)
	if err != nil {
		return err
	}
	files, done, entries, problems, err := found.list()
	if err != nil {
		return err
	}
	defer done()
	if err := found.clash(cfg, entries); err != nil {
		return err
	}
	now := sim.NewClock(time.Time{})
	lines := logLines{t, c.JSON}
	place := &placing{}
	e, err := newPlacingEngine(cfg, place, func(rc *runtime.Config) { rc.Clock, rc.Journal = now, lines })
	if err != nil {
		return err
	}
	defer e.close()
	web, err := newWebApps(cfg, &webJournal{journal: lines}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer web.client.Close()
	if !web.has(who.App) {
		entry, ok := entries[who.App]
		if problem := problems[who.App]; problem != nil {
			return problem
		}
		if !ok {
			return unknownApp(who.App, append(slices.Collect(maps.Keys(entries)), web.names...), found.name())
		}
		if _, err := e.rt.Load(ctx, who.App, runtime.FS(files), entry); err != nil {
			return errors.New(found.explain(err))
		}
	}
	policy := cfg.Fault
	if own := cfg.Apps[who.App].Fault; own != nil {
		policy = *own
	}
	options := sim.Options{Clock: now, Fault: faultPolicy(policy), Asker: web, Live: e.live}
	if !c.JSON {
		options.Observe = func(e sim.Entry) { t.printf("%s\n", t.entry(e)) }
	}
	driver, handler := sim.New(options), web.or(e.handler)
	outgoing := driver.Originator(ctx, handler, func(o call.Order) sim.Caller {
		party := who.Callee
		if own, ok := who.Callees[strings.TrimPrefix(o.To, "+")]; ok {
			party = own
		}
		return sim.Caller{Party: &party, Callee: who.Callee, Callees: who.Callees}
	})
	place.Originator = outgoing
	transcript, err := driver.Call(ctx, handler, who)
	outgoing.Wait()
	if err != nil {
		return err
	}
	return c.report(t, transcript)
}

// placing places calls with whoever is there once the calls begin.
type placing struct{ call.Originator }

// report ends the command with what became of the call.
func (c callCommand) report(t terminal, transcript *sim.Transcript) error {
	failed := transcript.DeadEnd != "" || transcript.Ending.Err != nil
	for _, e := range transcript.Entries {
		failed = failed || e.Kind == sim.Problem || e.Kind == sim.Replied && e.Error != ""
	}
	if c.JSON {
		if err := t.json(transcript); err != nil {
			return err
		}
	} else {
		colour := green
		if failed {
			colour = red
		}
		t.printf("%s\n", t.paint(colour, plain(transcript.Summary())))
	}
	if failed {
		return errSilent
	}
	return nil
}

func (c callCommand) caller(cfg config.Config) (sim.Caller, error) {
	who := sim.Caller{App: c.App, From: c.From, To: c.To, ExtraParams: c.ExtraParams, HangupAfter: c.HangupAfter, Callees: map[string]sim.Callee{}}
	dialled := strings.TrimPrefix(c.App, "+")
	for name, app := range cfg.Apps {
		for _, number := range app.Numbers {
			if strings.TrimPrefix(number, "+") == dialled {
				who.App = name
				if who.To == "" {
					who.To = dialled
				}
			}
		}
	}
	if numbers := cfg.Apps[who.App].Numbers; who.To == "" && len(numbers) > 0 {
		who.To = strings.TrimPrefix(numbers[0], "+")
	}
	if c.Outbound {
		who.Direction = call.Outbound
	}
	if c.HangupAfter < 0 {
		return who, errors.New("--hangup-after: must not be negative")
	}
	var err error
	if who.Press, err = sim.ParsePresses(c.Press); err != nil {
		return who, fmt.Errorf("--press: %w", err)
	}
	for _, text := range c.Callee {
		to, model, err := sim.ParseCallee(text)
		if err != nil {
			return who, fmt.Errorf("--callee: %w", err)
		}
		if to == "" {
			who.Callee = model
		} else {
			who.Callees[to] = model
		}
	}
	return who, nil
}

// entry shows one thing that happened in a simulated call, a line or more.
func (t terminal) entry(e sim.Entry) string {
	line := plain(e.String())
	switch {
	case e.Kind == sim.Problem, e.Kind == sim.Replied && e.Error != "", e.DeadEnd != "":
		return t.paint(red, line)
	case e.Kind == sim.Heard:
		return t.paint(bold, line)
	case e.Kind == sim.Replied, e.Kind == sim.Event, e.Kind == sim.CDR:
		return t.paint(dim, line)
	}
	return line
}

// logLines is a journal that shows what the script logs and where it fails, and forgets the rest.
type logLines struct {
	t      terminal
	silent bool
}

// Append implements runtime.Journal.
func (l logLines) Append(_, _ string, entries []runtime.Entry) error {
	for _, e := range entries {
		switch {
		case l.silent:
		case e.Kind == "log":
			l.print(yellow, "console  "+logMessage(e.Data))
		case e.Kind == "warning":
			var w struct{ Callback, Warning string }
			if err := json.Unmarshal(e.Data, &w); err == nil {
				l.print(yellow, "warning  "+w.Callback+": "+w.Warning)
			}
		case e.Kind == "fault":
			var f struct {
				runtime.Fault
				Reply string
			}
			err := json.Unmarshal(e.Data, &f)
			switch {
			case err != nil:
			case f.Reply != "":
				l.print(red, "reply    "+strings.TrimSpace(f.Reply))
			case f.Kind != "web": // of which the transcript tells
				l.print(red, "fault    "+f.Detail())
			}
		}
	}
	return nil
}

func (l logLines) print(colour, text string) {
	const margin = "         "
	l.t.printf("%s%s\n", margin, l.t.paint(colour, indented(plain(text), len(margin))))
}
