package scripts_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
)

var crm = map[string]string{"CRM_URL": "/crm"}

func TestReceptionConnects(t *testing.T) {
	transcript := open(t, "reception", crm).phone().From("14155550199").To("14155550100").Press("2").
		Callee("14155550103=busy").Callee("14155550104=answers@4s/30s").
		Hears("Welcome back, Ada").Hears("For sales press 1").Presses("2").Hears("Connecting you to support").
		Dials("14155550103").Dials("14155550104").Talks().Ends(call.SideApp)
	for _, e := range transcript.Entries {
		if e.Kind == sim.Dialling && (e.From != "14155550100" || e.Timeout != 20*time.Second) {
			t.Errorf("%s", e)
		}
		if e.Kind == sim.Recording {
			t.Errorf("a message was taken after the talk\n%s", transcript)
		}
	}
}

func TestReceptionAsksThreeTimes(t *testing.T) {
	open(t, "reception").phone().Press("-,8,1").
		Hears("Thanks for calling").Hears("For sales press 1").StaysSilent().
		Hears("For sales press 1").Presses("8").Hears("did not get that").Presses("1").Hears("to sales").Dials("14155550101")
	open(t, "reception").phone().Press("-,-,-,#").
		Hears("For sales").Hears("For sales").Hears("For sales").Hears("could not tell").Hears("Thank you").Ends(call.SideApp)
}

func TestReceptionTakesAMessage(t *testing.T) {
	const recording = "http://sim.invalid/recordings/00000000-0000-4000-8000-000000000001.wav"
	for _, test := range []struct {
		name, press string
		down        bool
		hears       string
		ends        call.Side
		sent        []request
		problems    int
	}{
		{"finished", "1,#", false, "call you back", call.SideApp,
			[]request{{"/crm/messages", map[string]any{"from": "14155550188", "recording": recording}}}, 0},
		{"hung up", "1,x@30s", false, "talking to somebody else", call.SideCaller,
			[]request{{"/crm/messages", map[string]any{"from": "14155550188", "recording": "00000000-0000-4000-8000-000000000001.wav"}}}, 0},
		{"the CRM is down", "1,#", true, "Thank you", call.SideApp, nil, 1},
		{"hung up before", "x", false, "For sales press 1", call.SideCaller, nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := open(t, "reception", crm)
			h.down.Store(test.down)
			transcript := h.phone().From("14155550188").Press(test.press).Callee("no-answer").
				Hears(test.hears).Ends(test.ends)
			if diff := cmp.Diff(test.sent, h.requests()); diff != "" {
				t.Errorf("%s\n%s", diff, transcript)
			}
			problems := 0 // a record that was not taken comes again, where they are kept
			for _, e := range transcript.Entries {
				if e.Kind == sim.Problem {
					problems++
				}
			}
			if problems != test.problems {
				t.Errorf("%d problems\n%s", problems, transcript)
			}
		})
	}
}

func TestReceptionIsClosedAtNight(t *testing.T) {
	h := open(t, "reception")
	h.clock.Advance(12 * time.Hour)
	transcript := h.phone().Press("#").Hears("We are closed now").Ends(call.SideApp)
	if slices.ContainsFunc(transcript.Entries, func(e sim.Entry) bool { return e.Kind == sim.Dialling }) {
		t.Errorf("somebody was rung\n%s", transcript)
	}
	if logged := h.logged(transcript.Call); len(logged) != 1 || logged[0] != "15550001111 left a message: http://sim.invalid/recordings/"+transcript.Call+".wav" {
		t.Errorf("logged %q", logged)
	}
}

// The platform performs the call and asks by webhook; the script is the same.
func TestReceptionOnTheCloud(t *testing.T) {
	h := open(t, "reception", crm)
	h.clock.Begin()
	defer h.clock.End()
	var token string
	c := &call.Call{
		ID: "cloud", App: "reception", Driver: "cloud", Direction: call.Inbound, From: "14155550199", To: "14155550100", Time: h.clock.Now(),
		InputURL: func(t string) string { token = t; return "https://calls.example.com/" + t },
	}
	reply, err := h.handler.Answer(t.Context(), c)
	for _, step := range []struct{ digits, wants string }{
		{"9", `"text":"Welcome back, Ada."},{"action":"speak","text":"For sales press 1. For support press 2."},{"action":"input"`},
		{"2", `"text":"Sorry, I did not get that. Press 1 or 2."},{"action":"input"`},
		{"", `"text":"Connecting you to support."},{"action":"bridge","from":14155550100,"connect":[{"type":"pstn","number":14155550103},{"type":"pstn","number":14155550104}]`},
		{"#", `Please leave a message after the tone, and press the hash key."},{"action":"record"},{"action":"input"`},
	} {
		if err != nil || !strings.Contains(string(reply.JSON), step.wants) {
			t.Fatalf("%s is not in %s (%v)", step.wants, reply.JSON, err)
		}
		reply, err = h.handler.Input(t.Context(), c, call.Input{Token: token, Digits: step.digits})
	}
	if want := `[{"action":"speak","text":"Thank you. We will call you back."},{"action":"hangup"}]`; err != nil || string(reply.JSON) != want {
		t.Errorf("%s, %v", reply.JSON, err)
	}
	raw := []byte(`{"filename":"message.wav"}`)
	if err := h.handler.CDR(t.Context(), &call.CDR{App: "reception", CallID: "cloud", LegID: "cloud", Leg: call.LegA, From: c.From, Status: call.StatusAnswered, Raw: raw}); err != nil {
		t.Error(err)
	}
	want := []request{{"/crm/messages", map[string]any{"from": "14155550199", "recording": "message.wav"}}}
	if diff := cmp.Diff(want, h.requests()); diff != "" {
		t.Error(diff)
	}
}
