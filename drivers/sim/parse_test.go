package sim_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/drivers/sim"
)

func TestParsePresses(t *testing.T) {
	tests := []struct {
		text string
		want []sim.Press
		err  string
	}{
		{"", nil, ""},
		{"1,#", []sim.Press{{Keys: "1"}, {Keys: "#"}}, ""},
		{" 12# , - ,x", []sim.Press{{Keys: "12#"}, {}, {Hangup: true}}, ""},
		{"1@2s,x@500ms", []sim.Press{{Keys: "1", After: 2 * time.Second}, {Hangup: true, After: 500 * time.Millisecond}}, ""},
		{"1,,2", nil, `press 2 of 3, "": must be keys of 0-9 * # A-D, - for silence or x to hang up`},
		{"one", nil, `press 1 of 1, "one": must be keys of 0-9 * # A-D, - for silence or x to hang up`},
		{"1@soon", nil, `press 1 of 1, "1@soon": "soon" must be a time above 0 and up to 24h, such as 2s or 500ms`},
		{"1@0s", nil, `press 1 of 1, "1@0s": "0s" must be a time above 0 and up to 24h, such as 2s or 500ms`},
		{"-@1s", nil, `press 1 of 1, "-@1s": silence has no time`},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := sim.ParsePresses(tt.text)
			if diff := cmp.Diff(tt.want, got); diff != "" || message(err) != tt.err {
				t.Errorf("error %q, want %q\n%s", message(err), tt.err, diff)
			}
		})
	}
}

func TestParseCallee(t *testing.T) {
	tests := []struct {
		text, to string
		want     sim.Callee
		err      string
	}{
		{"busy", "", sim.Callee{Outcome: sim.Busy}, ""},
		{"answers@5s/1m", "", sim.Callee{Outcome: sim.Answers, After: 5 * time.Second, Talk: time.Minute}, ""},
		{"+14155550101=no-answer", "14155550101", sim.Callee{Outcome: sim.NoAnswer}, ""},
		{"alice = rejects@1s", "alice", sim.Callee{Outcome: sim.Rejects, After: time.Second}, ""},
		{"asleep", "", sim.Callee{}, `callee "asleep": must be answers, busy, no-answer, rejects, unreachable or voicemail`},
		{"=busy", "", sim.Callee{}, `callee "=busy": a number or SIP user must stand before =`},
		{"busy/5s", "", sim.Callee{}, `callee "busy/5s": only a callee who answers stays for a time`},
		{"answers/x", "", sim.Callee{}, `callee "answers/x": "x" must be a time above 0 and up to 24h, such as 2s or 500ms`},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			to, got, err := sim.ParseCallee(tt.text)
			if message(err) != tt.err {
				t.Fatalf("error %q, want %q", message(err), tt.err)
			}
			if diff := cmp.Diff(tt.want, got); err == nil && (diff != "" || to != tt.to) {
				t.Errorf("to %q\n%s", to, diff)
			}
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
