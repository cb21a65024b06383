package call

import (
	"strings"
	"time"

	"github.com/dop251/goja"

	bindpcmo "github.com/piopiy/piopiyd/bindings/pcmo"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

// What the classic dialect has for each verb (protocol page, section 2). It has no pause, no terminating key, no
// minimum of digits and no time below a second: those are made of input actions.

// queues writes prompts. They settle when they are written, before the caller has heard them.
func queues(prompts ...call.Prompt) hostedVerb { return repeats(prompts, 1) }

func repeats(prompts []call.Prompt, times int) hostedVerb {
	return func(h *hosted, t *turn) {
		for range times {
			if err := h.add(h.sounds(t.verb, prompts...)...); err != nil {
				h.finish(t, err)
				return
			}
		}
		h.finish(t, nil)
	}
}

// sounds are prompts as actions.
func (h *hosted) sounds(verb string, prompts ...call.Prompt) []pcmo.Action {
	var actions []pcmo.Action
	for _, p := range prompts {
		switch {
		case p.Say != "":
			if p.Language != "" || p.Voice != "" || p.Speed != 0 {
				h.warn(verb, "the platform has one voice: language, voice and speed are left out")
			}
			actions = append(actions, &pcmo.Speak{Text: p.Say})
		case !p.IsSilence():
			actions = append(actions, &pcmo.Play{FileName: p.File, FileURL: p.URL})
		}
	}
	return actions
}

// warn notes, once in a call, a wish that documents cannot carry.
func (h *hosted) warn(verb, warning string) {
	if h.warned[warning] {
		return
	}
	if h.warned == nil {
		h.warned = map[string]bool{}
	}
	h.warned[warning] = true
	h.s.Record("warning", map[string]string{"verb": verb, "warning": warning})
}

// streams opens a media WebSocket beside what follows.
func streams(action *pcmo.Stream) hostedVerb {
	return func(h *hosted, t *turn) {
		err := h.add(action)
		h.streaming = h.streaming || err == nil
		h.finish(t, err)
	}
}

// gathers asks once. A file is played by play_get_input, which keys interrupt; a text is said first and cannot be.
func gathers(g call.Gather) hostedVerb {
	return func(h *hosted, t *turn) {
		switch {
		case g.SpeechOnly:
			h.finish(t, unsupported(t.verb, "words without digits"))
			return
		case g.Speech:
			h.warn(t.verb, "the platform takes digits only: words are not heard")
		}
		if g.Flush {
			h.typed = ""
		}
		before := h.typed
		if h.take(t, before, g) {
			h.finish(t, nil)
			return
		}
		digits, wait := g.MaxDigits-len(before), wholeSeconds(g.FirstDigit)
		h.rest(t, func(url string) []pcmo.Action {
			if before == "" && g.Prompt.Say == "" && !g.Prompt.IsSilence() {
				once := 1 // the number of plays
				return []pcmo.Action{&pcmo.PlayGetInput{
					FileName: g.Prompt.File, FileURL: g.Prompt.URL, ActionURL: url, MaxDigit: &digits, MaxRetry: &once, TimeoutSeconds: &wait,
				}}
			}
			var actions []pcmo.Action
			if before == "" { // else the prompt has been interrupted already
				actions = h.sounds(t.verb, g.Prompt)
			}
			return append(actions, &pcmo.Input{ActionURL: url, MaxDigit: &digits, TimeoutSeconds: &wait})
		}, func(in call.Input) {
			h.take(t, before+in.Digits, g)
			h.finish(t, nil)
		})
	}
}

// take makes what was pressed the turn's outcome, and reports whether it is complete. What was pressed beyond that is
// kept for the next one.
func (h *hosted) take(t *turn, pressed string, g call.Gather) (complete bool) {
	end := min(len(pressed), g.MaxDigits)
	rest := end
	if i := strings.Index(pressed[:end], g.FinishKey); g.FinishKey != "" && i >= 0 {
		end, rest = i, i+1
		t.got.Finished = true
	}
	t.got.Digits, h.typed = pressed[:end], pressed[rest:]
	return t.got.Finished || end == g.MaxDigits
}

// maxTyped bounds the digits kept for a later gather.
const maxTyped = 256

func (h *hosted) keep(digits string) {
	h.typed += digits
	h.typed = h.typed[max(0, len(h.typed)-maxTyped):]
}

// pauses waits for digits that are kept for the next gather, until the time is over.
func pauses(d time.Duration) hostedVerb {
	return func(h *hosted, t *turn) {
		h.listen(t, nil, d, func(in call.Input) bool {
			h.keep(in.Digits)
			return false
		})
	}
}

// listen lets d pass after some actions. Each key pressed meanwhile is heard, and ends it when heard says so.
func (h *hosted) listen(t *turn, first []pcmo.Action, d time.Duration, heard func(call.Input) bool) {
	if d <= 0 {
		h.finish(t, h.add(first...))
		return
	}
	began := h.s.Now()
	h.rest(t, func(url string) []pcmo.Action {
		one, wait := 1, wholeSeconds(d)
		return append(first, &pcmo.Input{ActionURL: url, MaxDigit: &one, TimeoutSeconds: &wait})
	}, func(in call.Input) {
		left := d - h.s.Now().Sub(began)
		if in.Digits == "" || heard(in) || left < time.Second/2 {
			h.finish(t, nil)
			return
		}
		h.listen(t, nil, left, heard)
	})
}

// wholeSeconds is a time as the wire has it: rounded up, and a second at least.
func wholeSeconds(d time.Duration) int { return max(1, int((d+time.Second-1)/time.Second)) }

// records leaves a message: the recording begins after the prompt and goes on to the call's end, because nothing stops
// it; the verb ends with the finish key or the time. There is no tone, and nobody tells where the recording is kept.
func records(m call.Message, made func(call.Recording) outcome) hostedVerb {
	return func(h *hosted, t *turn) {
		began := h.s.Now()
		limit := m.MaxLength
		if limit <= 0 {
			limit = 10 * time.Minute
		}
		t.made = func() goja.Value { return made(call.Recording{Duration: h.s.Now().Sub(began)})() }
		h.listen(t, append(h.sounds(t.verb, m.Prompt), &pcmo.Record{}), limit, func(in call.Input) bool {
			return m.FinishKey != "" && strings.Contains(in.Digits, m.FinishKey)
		})
	}
}

// hangsUp ends the call with the reply under way, or with the next one where the platform is at work.
func hangsUp(cause string) hostedVerb {
	return func(h *hosted, t *turn) {
		if h.open == nil && h.conv.unspent == 0 {
			h.finish(t, unsupported(t.verb, "the platform performs what it was told and asks nothing any more"))
			return
		}
		action := &pcmo.Hangup{}
		if cause != call.CauseNormal && cause != call.CauseRejected { // those are what a hangup means by itself
			action.Cause = cause
		}
		queue := append(h.queue, action)
		h.hungUp(&call.HangupError{By: call.SideApp, Cause: cause})
		if h.open != nil {
			h.queue = queue
			h.reply(bindpcmo.Result{}, nil)
		}
		h.finish(t, nil)
	}
}

// performs has a document take the place of what the callback returns.
func performs(document bindpcmo.Result) hostedVerb {
	return func(h *hosted, t *turn) {
		if h.root == nil {
			h.finish(t, unsupported(t.verb, "the platform performs what it was told"))
			return
		}
		h.next = &document
		h.finish(t, nil)
	}
}

// transfers is performs for a bridge to a number or a connect to a SIP user.
func transfers(w call.Warm) hostedVerb {
	return func(h *hosted, t *turn) {
		action := connection(w.CallerID, []pcmo.Target{w.Target.Target}, false, wholeSeconds(w.Timeout), wholeSeconds(w.MaxDuration), false)
		doc := pcmo.Document{action}
		if err := doc.Validate(); err != nil {
			h.finish(t, h.add(action))
			return
		}
		performs(bindpcmo.Result{Document: doc, JSON: doc.AppendJSON(nil)})(h, t)
	}
}
