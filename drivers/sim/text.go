package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/piopiy/piopiyd/call"
)

// String renders the transcript for a terminal, one entry a line, and a last line that sums up.
func (t *Transcript) String() string {
	var b strings.Builder
	for _, e := range t.Entries {
		b.WriteString(e.String())
		b.WriteByte('\n')
	}
	b.WriteString(t.Summary())
	b.WriteByte('\n')
	return b.String()
}

// Summary says in one line how the call went.
func (t *Transcript) Summary() string {
	s := fmt.Sprintf("%s after %s", whoHungUp(t.Ending.By, t.Ending.Cause), t.Length.Round(100*time.Millisecond))
	switch t.DeadEnd {
	case Endless:
		return "dead end: the call goes in a circle; cut off after " + t.Length.String()
	case NeverEnded:
		return "dead end: nobody hung up; cut off after " + t.Length.String()
	case DeadAir:
		return "dead end: the caller heard nothing for too long; cut off after " + t.Length.String()
	}
	if t.Ending.Err != nil {
		s += ": " + t.Ending.Err.Error()
	}
	return s
}

// String renders the entry as one line: the time, then what happened.
func (e Entry) String() string {
	at := e.At.Round(100 * time.Millisecond)
	return fmt.Sprintf("%02d:%04.1f  %s", int(at.Minutes()), (at % time.Minute).Seconds(), e.text())
}

func (e Entry) text() string {
	switch e.Kind {
	case Began:
		return fmt.Sprintf("%s calls %s, app %s", e.From, e.To, e.App)
	case Replied:
		s := "app      "
		if e.Version != "" {
			s += "[" + e.Version + "] "
		}
		s += clip(string(e.Data))
		if e.Error != "" {
			s += "\n         fault: " + indent(e.Error)
		}
		return s
	case Param:
		return "param    " + clip(e.Text)
	case Rang:
		if e.Length == 0 {
			return "rings"
		}
		return "rings    for " + e.Length.String()
	case Ringing:
		return "rings    " + e.To + " for up to " + e.Timeout.String()
	case Answered:
		if e.Status == string(Voicemail) {
			return "answered by a machine"
		}
		return "answered"
	case Heard:
		return "hears    " + promptText(e.Prompt) + " (" + e.Length.String() + ")"
	case Asked:
		s := fmt.Sprintf("asked    for %s within %s", count(e.MaxDigits, "digit"), e.Timeout)
		if e.Attempts > 1 {
			s += fmt.Sprintf(", attempt %d of %d", e.Attempt, e.Attempts)
		}
		return s
	case Pressed:
		if e.BargedIn {
			return "presses  " + e.Digits + " (before the prompt's end)"
		}
		return "presses  " + e.Digits
	case Said:
		if e.BargedIn {
			return "says     " + e.Text + " (before the prompt's end)"
		}
		return "says     " + e.Text
	case Silent:
		return "silent   no digits in time"
	case Dialling:
		s := "dials    " + e.To
		if e.From != "" {
			s += " as " + e.From
		}
		return s + ", rings for up to " + e.Timeout.String()
	case Dialled:
		if e.Cause != "" {
			return "missed   " + e.To + ": " + e.Cause
		}
		return "answer   " + e.To
	case Bridged:
		if e.To != "" {
			return "talks    with " + e.To + ", of another call"
		}
		return "talks    with the callee"
	case Unbridged:
		return fmt.Sprintf("talked   for %s: %s", e.Length.Round(100*time.Millisecond), whoHungUp(e.By, e.Cause))
	case Recording:
		if e.Status != "" {
			return "records  " + e.Status
		}
		return "records  from here on"
	case Recorded:
		return "recorded " + e.Length.Round(100*time.Millisecond).String()
	case Announced:
		return "hears    " + promptText(e.Prompt) + " over it (" + e.Length.String() + ")"
	case Sent:
		return "sends    digits " + e.Digits
	case Muted:
		return "muted    " + e.Status
	case Held:
		return "hold     " + e.Status
	case Referred:
		return "referred to " + e.To
	case Joined:
		return "joins    " + e.To
	case Left:
		return "leaves   " + e.To + " after " + e.Length.String()
	case StreamOpened:
		to := "the script"
		if e.To != "" {
			to = hideQuery(e.To)
		}
		return fmt.Sprintf("stream   to %s opened: %s, %d Hz", to, e.Status, e.SampleRate)
	case StreamPlays:
		return "hears    the stream's sound"
	case StreamHeard:
		s := "hears    " + e.Length.Round(10*time.Millisecond).String() + " of the stream's sound"
		if e.Status != "" {
			s += "; the rest was " + e.Status
		}
		return s
	case StreamSent:
		return "stream   app sent " + e.Text
	case StreamClosed:
		s := fmt.Sprintf("stream   closed after %s (code %d", e.Length, e.Code)
		if e.Cause != "" {
			s += ", " + e.Cause
		}
		return s + fmt.Sprintf("); the app sent %d bytes of audio, %s", e.AudioBytes, count(e.TextFrames, "text frame"))
	case Event:
		return fmt.Sprintf("event    %s (leg %s)", e.Status, e.Leg)
	case CDR:
		return fmt.Sprintf("cdr      %s, %s (leg %s)", e.Status, e.Length.Round(100*time.Millisecond), e.Leg)
	case Problem:
		return "problem  " + indent(e.Error)
	case HungUp:
		s := "hangup   " + whoHungUp(e.By, e.Cause)
		if e.Error != "" {
			s += ": " + indent(e.Error)
		}
		return s
	}
	return string(e.Kind)
}

func promptText(p call.Prompt) string {
	switch {
	case p.Say != "":
		return "“" + p.Say + "”"
	case p.File != "":
		return "file " + p.File
	case p.URL != "":
		return "file " + hideQuery(p.URL)
	}
	return "nothing"
}

// hideQuery leaves out of a URL where secrets live.
func hideQuery(url string) string {
	base, _, cut := strings.Cut(url, "?")
	if cut {
		return base + "?…"
	}
	return base
}

func whoHungUp(by call.Side, cause string) string {
	who := "the " + string(by)
	if by == call.SidePlatform {
		who = "piopiyd"
	}
	if cause == call.CauseTimeLimit {
		return who + " ended it at the time limit"
	}
	if cause == "" || cause == call.CauseNormal {
		return who + " hung up"
	}
	return who + " hung up (" + cause + ")"
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func indent(s string) string { return strings.ReplaceAll(s, "\n", "\n         ") }
