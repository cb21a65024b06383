package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/piopiy/piopiyd/server"
)

// show tells of one replay: what the caller met, up to the first difference.
func (r *replayed) show(t terminal) error {
	if r.Outcome == replayFailed {
		return r.err
	}
	t.printf("call %s of %s, %s; %s\n", r.Call, r.App, lasted(r.Seconds), r.versions())
	for _, e := range r.Met {
		t.printf("  %s\n", stepLine(e))
	}
	switch r.Outcome {
	case replaySame:
		t.printf("%s\n", t.paint(green, fmt.Sprintf("The caller would have met the same (%.1f ms).", r.Milli)))
	case replayUnknown:
		t.printf("%s\n", t.paint(yellow, "Here the replay stops, and nobody knows what the caller would have met: "+r.Reason+"."))
	case replayDiffers:
		t.printf("%s\n%s\n%s\n", t.paint(red, "Here the caller would have met something else:"),
			t.paint(red, "- "+stepText(r.Recorded, "nothing more: the call ended here")), t.paint(green, "+ "+stepText(r.Replayed, "nothing more")))
	}
	return r.failure()
}

func (r *replayed) versions() string {
	if r.Version == r.Now {
		return "version " + short(r.Version)
	}
	return "version " + short(r.Version) + ", replayed with " + short(r.Now)
}

func lasted(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(10 * time.Millisecond).String()
}

func stepLine(e server.Entry) string {
	return plain(fmt.Sprintf("%s  %s", e.Time.Local().Format("15:04:05.000"), describe(e)))
}

func stepText(e *server.Entry, nothing string) string {
	if e == nil {
		return nothing
	}
	return plain(describe(*e))
}

// many replays the newest calls and sums up.
func (c replayCommand) many(ctx context.Context, t terminal, b backend, e *engine) error {
	list, err := b.Calls(ctx, c.App, c.Last)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		t.printf("The journal holds no calls.\n")
		return nil
	}
	count := map[string]int{}
	var all []replayed
	var seconds, milli float64
	for i, one := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		if t.colour && !c.JSON {
			_, _ = fmt.Fprintf(t.err, "\r%d of %d", i+1, len(list))
		}
		r := replay(ctx, b, e, one.ID)
		r.Met = nil
		if r.App == "" {
			r.App = one.App
		}
		count[r.Outcome]++
		seconds, milli = seconds+r.Seconds, milli+r.Milli
		all = append(all, r)
	}
	if t.colour && !c.JSON {
		_, _ = fmt.Fprint(t.err, "\r               \r")
	}
	if c.JSON {
		if err := t.json(map[string]any{"calls": all, "outcomes": count}); err != nil {
			return err
		}
	} else {
		sumUp(t, all, count, seconds, milli)
	}
	if count[replayDiffers] > 0 {
		return errSilent
	}
	return nil
}

// alike are replays with the same first difference.
type alike struct {
	app, outcome, text string
	calls              []string
}

// shownDifferences bounds how many of them are listed.
const shownDifferences = 20

// outcomeOrder is what a sum tells of first.
var outcomeOrder = []string{replayDiffers, replayUnknown, replayFailed}

// group puts replays that are not the same as their calls together: what differs first, and in there the most frequent.
func group(all []replayed) (groups []*alike) {
	for _, r := range all {
		if r.Outcome == replaySame {
			continue
		}
		text := strings.ReplaceAll(strings.TrimPrefix(r.Reason, "call "+r.Call+" cannot be replayed: "), "\n", " ")
		if r.Outcome == replayDiffers {
			text = "- " + stepText(r.Recorded, "nothing more") + " + " + stepText(r.Replayed, "nothing more")
		}
		i := slices.IndexFunc(groups, func(g *alike) bool { return g.app == r.App && g.outcome == r.Outcome && g.text == text })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &alike{app: r.App, outcome: r.Outcome, text: text})
		}
		groups[i].calls = append(groups[i].calls, r.Call)
	}
	slices.SortStableFunc(groups, func(a, b *alike) int {
		return cmp.Or(slices.Index(outcomeOrder, a.outcome)-slices.Index(outcomeOrder, b.outcome), len(b.calls)-len(a.calls))
	})
	return groups
}

func sumUp(t terminal, all []replayed, count map[string]int, seconds, milli float64) {
	groups, left := group(all), 0
	if len(groups) > shownDifferences {
		for _, g := range groups[shownDifferences:] {
			left += len(g.calls)
		}
		groups = groups[:shownDifferences]
	}
	rows := [][]string{{"APP", "CALLS", "SUCH AS", "OUTCOME", "FIRST DIFFERENCE"}}
	for _, g := range groups {
		rows = append(rows, []string{g.app, strconv.Itoa(len(g.calls)), g.calls[0], g.outcome, cut(g.text)})
	}
	if len(groups) > 0 {
		t.table(rows)
		t.printf("\n")
	}
	if left > 0 {
		t.printf("and %d calls more; --json has them all\n\n", left)
	}
	line := fmt.Sprintf("%d calls: %d the same, %d differ, %d nobody knows, %d not replayed", len(all), count[replaySame], count[replayDiffers], count[replayUnknown], count[replayFailed])
	colour := green
	if count[replayDiffers] > 0 {
		colour = red
	}
	t.printf("%s\n", t.paint(colour, line))
	if milli > 0 {
		t.printf("%s of calls in %.0f ms: %.0f times as fast as they were\n", lasted(seconds), milli, seconds*1000/milli)
	}
}
