package sim_test

import (
	"context"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/pcmo"
)

// FuzzCall proves that every valid document ends with every caller: never a panic, never a hang, exactly one
// record per leg and one of leg a, with times that make sense. The document answers the call and, with its
// action_urls made ours, every input.
func FuzzCall(f *testing.F) {
	f.Add([]byte(`[{"action":"play_get_input","file_name":"m","action_url":"http://h/"},{"action":"speak","text":"x"}]`), "1,-,x", "busy", uint16(0))
	f.Add([]byte(`[{"action":"stream","ws_url":"wss://h/s"},{"action":"bridge","connect":[{"type":"pstn","number":112}],"loop":3,"ring_type":"group"}]`), "", "answers@1s", uint16(30))
	f.Add([]byte(`[{"action":"record"}]`), "", "answers", uint16(9))
	f.Add([]byte(`[{"action":"stream","ws_url":"ws://h","stream_on_answer":true},{"action":"connect","call":[{"type":"sip","user":"a"}]},{"action":"input","action_url":"http://h/","max_digit":9}]`), "1@1s,2#", "unreachable", uint16(0))
	f.Fuzz(func(t *testing.T, document []byte, presses, callee string, patience uint16) {
		doc, err := pcmo.Decode(document)
		if err != nil || doc.Validate() != nil || len(doc) > 50 {
			t.Skip()
		}
		script, err := sim.ParsePresses(presses)
		if err != nil {
			t.Skip()
		}
		who := sim.Caller{App: "fuzz", Press: script, HangupAfter: time.Duration(patience) * time.Second}
		_, who.Callee, _ = sim.ParseCallee(callee)
		a := &app{inputs: map[string]func(*call.Call, string) (pcmo.Document, error){}}
		a.answer = func(_ context.Context, c *call.Call) (pcmo.Document, error) {
			for _, action := range doc {
				switch action := action.(type) {
				case *pcmo.Input:
					action.ActionURL = c.InputURL("again")
				case *pcmo.PlayGetInput:
					action.ActionURL = c.InputURL("again")
				case *pcmo.Bridge:
					if len(action.Targets) > 20 {
						t.Skip()
					}
				}
			}
			return doc, nil
		}
		a.inputs["again"] = func(*call.Call, string) (pcmo.Document, error) { return doc, nil }

		result, err := sim.New(sim.Options{MaxSteps: 100}).Call(context.Background(), a, who)
		if err != nil {
			t.Fatal(err)
		}
		legs := map[string]int{}
		for _, r := range a.cdrs {
			legs[r.LegID]++
			if r.End.Before(r.Start) || r.Duration < 0 || !r.Answer.IsZero() && r.Answer.Before(r.Start) {
				t.Errorf("a record's times are out of order: %s", r.Raw)
			}
		}
		for _, e := range a.events {
			if e.Leg == call.LegB && e.Status == call.StatusStarted && legs[e.LegID] != 1 {
				t.Errorf("leg %s has %d records", e.LegID, legs[e.LegID])
			}
		}
		if legs[result.Call] != 1 {
			t.Errorf("leg a has %d records\n%s", legs[result.Call], result)
		}
		if last := result.Entries[len(result.Entries)-1]; last.Kind == sim.Began {
			t.Errorf("nothing happened\n%s", result)
		}
	})
}
