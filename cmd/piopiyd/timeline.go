package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/piopiy/piopiyd/server"
)

type callsCommand struct {
	remote
	App   string `placeholder:"APP" help:"List only this app's calls."`
	Limit int    `default:"20" help:"How many to list, the newest first."`
}

// Run lists recent calls.
func (c callsCommand) Run(ctx context.Context, t terminal, g globals) (err error) {
	if c.Limit < 1 || c.Limit > 1000 {
		return errors.New("--limit: must be from 1 to 1000")
	}
	b, err := c.backend(ctx, t, g)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	list, err := b.Calls(ctx, c.App, c.Limit)
	if err != nil {
		return err
	}
	if c.JSON {
		return t.json(map[string]any{"calls": list})
	}
	if len(list) == 0 {
		t.printf("The journal holds no calls.\n")
		return nil
	}
	rows := [][]string{{"STARTED", "APP", "VERSION", "CALL", "STATE"}}
	for _, one := range list {
		rows = append(rows, []string{clock(one.Started), one.App, orDash(short(one.Version)), one.ID, state(one)})
	}
	t.table(rows)
	return nil
}

// state says how a call stands.
func state(c server.Call) string {
	text := "under way"
	if !c.Ended.IsZero() {
		text = "ended " + clock(c.Ended)
	}
	if c.Faults > 0 {
		text += ", faults: " + strconv.Itoa(c.Faults)
	}
	return text
}

type timelineCommand struct {
	remote
	Call   string `arg:"" help:"The call's id (cmiuuid); piopiyd calls lists them."`
	Follow bool   `short:"f" help:"Go on with new entries as they come."`
}

// Run shows a call's journal.
func (c timelineCommand) Run(ctx context.Context, t terminal, g globals) (err error) {
	b, err := c.backend(ctx, t, g)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	var all []server.Entry
	version := ""
	for e, err := range b.Timeline(ctx, c.Call, c.Follow) {
		switch {
		case errors.Is(err, errNotFound), errors.Is(err, server.ErrNotFound):
			return fmt.Errorf("the journal holds no call %q: it never was, or is past journal.max_age; piopiyd calls lists the recent ones", c.Call)
		case err != nil:
			return err
		case c.JSON && c.Follow:
			if err := json.NewEncoder(t.out).Encode(e); err != nil {
				return err
			}
		case c.JSON:
			all = append(all, e)
		case strings.HasSuffix(e.Kind, "_begin"):
			// its end says more
		case strings.HasSuffix(e.Kind, "_end") && len(e.Data) == 0:
			// its beginning says it all
		default:
			if e.Version != version && e.Version != "" {
				version = e.Version
				t.printf("%s\n", t.paint(dim, "version "+short(version)))
			}
			t.printf("%s\n", t.journal(e))
		}
	}
	if c.JSON && !c.Follow {
		return t.json(map[string]any{"call": c.Call, "entries": all})
	}
	return nil
}

// journal shows one entry of a journal.
func (t terminal) journal(e server.Entry) string {
	text := plain(strings.ReplaceAll(describe(e), "\n", "\n                        "))
	line := fmt.Sprintf("%s  %-9s %s", e.Time.Local().Format("15:04:05.000"), e.Kind, text)
	switch e.Kind {
	case "fault", "policy", "gap":
		return t.paint(red, line)
	case "warning", "undelivered":
		return t.paint(yellow, line)
	}
	return line
}

// maxText bounds how much of an entry one line shows; JSON shows all of it.
const maxText = 300

// describe tells an entry's content in words where they are known, and else as JSON.
func describe(e server.Entry) string {
	if e.Kind == "event" || e.Kind == "cdr" {
		return describeReport(e.Data)
	}
	var d struct {
		From, To, Digits, Speech, Continuation, State, Reason, Error, Warning, Status, Leg, Callback string
		Call, With                                                                                   json.RawMessage
		Missing                                                                                      int
		Position                                                                                     struct {
			File         string
			Line, Column int
			Source       string
		}
		Name, Message, Reply, Action, Verb, Cause string
	}
	if err := json.Unmarshal(e.Data, &d); err != nil && e.Kind != "pcmo" {
		return compact(e.Data)
	}
	switch e.Kind {
	case "answer":
		return d.From + " calls " + d.To
	case "input":
		switch {
		case d.Digits != "":
			return d.Continuation + " gets the digits " + d.Digits
		case d.Speech != "":
			return d.Continuation + " gets the words “" + d.Speech + "”"
		}
		return d.Continuation + " gets nothing: no digits in time"
	case "pcmo":
		return describePCMO(e.Data)
	case "log":
		return logMessage(e.Data)
	case "start":
		return "the session begins"
	case "end":
		if e.Seq == 0 {
			return "the call ended: " + d.Reason + " (" + d.Cause + ")"
		}
		return "the session ends: " + d.Reason
	case "verb":
		return describeVerb(d.Verb, d.With)
	case "verb_end":
		switch {
		case d.Error != "":
			return d.Verb + " failed: " + d.Error
		case d.Digits != "":
			return d.Verb + " gets the digits " + d.Digits
		case d.Speech != "":
			return d.Verb + " gets the words “" + d.Speech + "”"
		case d.Verb == "gather":
			return "gather gets nothing: no digits in time"
		}
		return d.Verb + " is done"
	case "line":
		if d.Error != "" {
			return "failed: " + d.Error
		}
		return "performs " + d.Action
	case "stream":
		return d.State
	case "policy":
		return "the fault policy answers: " + d.Error
	case "warning":
		return d.Warning
	case "undelivered":
		return d.Callback + ": " + d.Error
	case "gap":
		return strconv.Itoa(d.Missing) + " entries are missing here"
	case "fault":
		text := d.Message
		if d.Name != "" {
			text = d.Name + ": " + text
		}
		if p := d.Position; p.File != "" {
			text = fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, text)
			if p.Source != "" {
				text += "\n" + strings.TrimSpace(p.Source)
			}
		}
		if d.Reply != "" {
			text += "\n" + cut(strings.TrimSpace(d.Reply))
		}
		return text
	}
	return compact(e.Data)
}

// describeReport names what an event or a CDR says of a leg, in whatever types the platform sent it.
func describeReport(data json.RawMessage) string {
	var d map[string]any
	if json.Unmarshal(data, &d) != nil || d["status"] == nil || d["leg"] == nil {
		return compact(data)
	}
	text := fmt.Sprintf("%v, leg %v", d["status"], d["leg"])
	if duration, ok := d["duration"]; ok {
		text += fmt.Sprintf(", %v s", duration)
	}
	if cause, ok := d["hangup_cause"]; ok {
		text += fmt.Sprintf(", %v", cause)
	}
	if by, ok := d["hangup_by"]; ok {
		text += fmt.Sprintf(" by the %v", by)
	}
	return cut(text)
}

// describeVerb shows a verb as its script called it.
func describeVerb(verb string, with json.RawMessage) string {
	arguments := strings.TrimSuffix(strings.TrimPrefix(compact(with), "["), "]")
	return verb + "(" + arguments + ")"
}

// describePCMO names a document's actions, with what is said or played.
func describePCMO(data json.RawMessage) string {
	var actions []map[string]any
	if json.Unmarshal(data, &actions) != nil {
		return compact(data)
	}
	if len(actions) == 0 {
		return "no actions: the call is hung up"
	}
	var names []string
	for _, a := range actions {
		name, _ := a["action"].(string)
		for _, key := range []string{"text", "file_name", "file_url", "audio_url", "ws_url", "cause"} {
			if text, ok := a[key].(string); ok && text != "" {
				name += " " + strconv.Quote(text)
				break
			}
		}
		names = append(names, name)
	}
	return cut(strings.Join(names, ", "))
}

// logMessage returns what a script logged.
func logMessage(data json.RawMessage) string {
	var d struct{ Level, Message string }
	if json.Unmarshal(data, &d) != nil {
		return compact(data)
	}
	if d.Level != "" && d.Level != "info" {
		return d.Level + ": " + d.Message
	}
	return d.Message
}

func compact(data json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, data) != nil {
		return cut(string(data))
	}
	return cut(b.String())
}

func cut(text string) string {
	if r := []rune(text); len(r) > maxText {
		return string(r[:maxText]) + "…"
	}
	return text
}
