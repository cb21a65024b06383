package call_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/call"
)

// told is a call.Reporter that keeps what it hears.
type told struct{ lines []string }

func (r *told) Event(_ context.Context, e *call.Event) {
	r.lines = append(r.lines, fmt.Sprintf("%s of %s %s at %d", e.WireStatus, e.Leg, e.LegID, e.Time.Unix()))
}

func (r *told) CDR(_ context.Context, c *call.CDR) {
	var raw struct {
		Cause   string `json:"hangup_cause"`
		By      string `json:"hangup_by"`
		Call    string `json:"conversation_uuid"`
		Version string `json:"version"`
	}
	if err := json.Unmarshal(c.Raw, &raw); err != nil {
		r.lines = append(r.lines, err.Error())
	}
	r.lines = append(r.lines, fmt.Sprintf("%s %s %s %s, %s to %d, %s by %s, of %s, %s", c.Leg, c.LegID, c.Direction, c.Status, c.Duration, c.End.Unix(), raw.Cause, raw.By, raw.Call, raw.Version))
}

func TestReportLost(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	a := call.CDR{App: "app", Driver: "sip", CallID: "c", LegID: "c", Leg: call.LegA, Direction: call.Inbound, From: "1", To: "2", Start: at(100)}
	answered, out := a, a
	answered.Answer = at(110)
	out.Direction, out.RequestID = call.Outbound, "r"
	b := call.CDR{App: "app", Driver: "sip", CallID: "c", LegID: "b", Leg: call.LegB, Direction: call.Inbound, From: "2", To: "3", Start: at(120), Answer: at(130)}
	gone := b
	gone.Status, gone.End = call.StatusHangup, at(150)
	for name, tt := range map[string]struct {
		legs []call.CDR
		want string
	}{
		"never answered": {[]call.CDR{a}, `in_hangup of a c at 200
a c inbound missed, 0s to 200, NORMAL_TEMPORARY_FAILURE by platform, of c, v1`},
		"outbound": {[]call.CDR{out}, `out_hangup of a c at 200
a c outbound missed, 0s to 200, NORMAL_TEMPORARY_FAILURE by platform, of r, v1`},
		"two parties": {[]call.CDR{answered, b}, `in_hangup of b b at 200
b b inbound answered, 1m10s to 200, NORMAL_TEMPORARY_FAILURE by platform, of c, v1
in_hangup of a c at 200
a c inbound answered, 1m30s to 200, NORMAL_TEMPORARY_FAILURE by platform, of c, v1`},
		"one whose hangup was told of": {[]call.CDR{gone}, `b b inbound answered, 20s to 150, NORMAL_TEMPORARY_FAILURE by platform, of c, v1`},
	} {
		t.Run(name, func(t *testing.T) {
			var r told
			call.ReportLost(t.Context(), tt.legs, "v1", at(200), &r)
			if got := strings.Join(r.lines, "\n"); got != tt.want {
				t.Errorf("told is\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
