package journal_test

import (
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/journal"
)

// A call is found by its further ids after a restart; they are no calls of their own.
func TestAlias(t *testing.T) {
	for name, opts := range map[string]journal.Options{"embedded": {Dir: t.TempDir()}, "server": {URL: startServer(t).ClientURL()}} {
		t.Run(name, func(t *testing.T) {
			j := open(t, opts)
			for _, id := range []string{"leg1", "", "a.b *", strings.Repeat("\xff", 200)} {
				if err := j.Alias("support", id, "call "+id); err != nil {
					t.Fatal(err)
				}
			}
			if err := j.Alias("support", "leg1", "call1"); err != nil { // the later one counts
				t.Fatal(err)
			}
			if err := j.Alias("support", strings.Repeat("x", 257), "call1"); err == nil {
				t.Error("an id that is too long is taken")
			}
			appendTurn(t, j, "support", "call1", turn(1, 2))
			closeJournal(t, j)

			j = open(t, opts)
			for alias, want := range map[string]string{
				"leg1": "call1", "": "call ", "a.b *": "call a.b *", strings.Repeat("\xff", 200): "call " + strings.Repeat("\xff", 200),
				"call1": "", "leg2": "", strings.Repeat("x", 257): "",
			} {
				if got, err := j.CallOf(t.Context(), "support", alias); err != nil || got != want {
					t.Errorf("the call of %.20q is %.20q, %v; want %.20q", alias, got, err, want)
				}
			}
			if got, err := j.CallOf(t.Context(), "other", "leg1"); err != nil || got != "" {
				t.Errorf("the call of another app's leg1 is %q, %v", got, err)
			}
			calls, err := j.Calls(t.Context(), journal.CallFilter{})
			if err != nil || len(calls) != 1 || calls[0].ID != "call1" {
				t.Errorf("the calls are %+v, %v", calls, err)
			}
			if entries, err := j.Recall(t.Context(), "support", "call1"); err != nil || len(entries) != 2 {
				t.Errorf("the call's entries are %v, %v", entries, err)
			}
		})
	}
}
