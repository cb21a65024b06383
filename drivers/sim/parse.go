package sim

import (
	"fmt"
	"strings"
	"time"
)

// ParsePresses reads what a caller does at each prompt, separated by commas:
//
//	1        press 1 shortly after the prompt
//	12#      press 1, 2, #
//	1@2s     press 1 two seconds into the prompt (barge-in, if it is longer)
//	-        stay silent
//	x        hang up; x@2s hangs up two seconds into the prompt
//
// An empty text is nothing at all.
func ParsePresses(text string) ([]Press, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	items := strings.Split(text, ",")
	presses := make([]Press, len(items))
	for i, item := range items {
		p, err := parsePress(strings.TrimSpace(item))
		if err != nil {
			return nil, fmt.Errorf("press %d of %d, %q: %w", i+1, len(items), item, err)
		}
		presses[i] = p
	}
	return presses, nil
}

func parsePress(item string) (Press, error) {
	var p Press
	what, at, timed := strings.Cut(item, "@")
	if timed {
		d, err := parseTime(at)
		if err != nil {
			return p, err
		}
		p.After = d
	}
	switch {
	case what == "-" && timed:
		return p, fmt.Errorf("silence has no time")
	case what == "-":
	case what == "x":
		p.Hangup = true
	case what == "" || strings.Trim(what, "0123456789*#ABCD") != "":
		return p, fmt.Errorf("must be keys of 0-9 * # A-D, - for silence or x to hang up")
	default:
		p.Keys = what
	}
	return p, nil
}

// ParseCallee reads a callee model: an outcome, or NUMBER=outcome for one number or SIP user, which is then
// returned too. The outcomes are answers, busy, no-answer, rejects, unreachable and voicemail; @5s says after how long, and
// for answers /30s says how long the callee stays: "answers@5s/30s", "+14155550101=busy".
func ParseCallee(text string) (to string, c Callee, err error) {
	spec := strings.TrimSpace(text)
	if number, rest, found := strings.Cut(spec, "="); found {
		to, spec = strings.TrimPrefix(strings.TrimSpace(number), "+"), strings.TrimSpace(rest)
		if to == "" {
			return "", c, fmt.Errorf("callee %q: a number or SIP user must stand before =", text)
		}
	}
	spec, talk, talks := strings.Cut(spec, "/")
	spec, after, waits := strings.Cut(spec, "@")
	switch c.Outcome = Outcome(spec); c.Outcome {
	case Answers, Busy, NoAnswer, Rejects, Unreachable, Voicemail:
	default:
		return "", c, fmt.Errorf("callee %q: must be answers, busy, no-answer, rejects, unreachable or voicemail", text)
	}
	if waits {
		if c.After, err = parseTime(after); err != nil {
			return "", c, fmt.Errorf("callee %q: %w", text, err)
		}
	}
	if talks {
		if c.Outcome != Answers {
			return "", c, fmt.Errorf("callee %q: only a callee who answers stays for a time", text)
		}
		if c.Talk, err = parseTime(talk); err != nil {
			return "", c, fmt.Errorf("callee %q: %w", text, err)
		}
	}
	return to, c, nil
}

func parseTime(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > 24*time.Hour {
		return 0, fmt.Errorf("%q must be a time above 0 and up to 24h, such as 2s or 500ms", text)
	}
	return d, nil
}
