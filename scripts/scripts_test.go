package scripts_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/scripts"
)

func TestEveryTemplateHasAnEntryAndASummary(t *testing.T) {
	var names []string
	for _, template := range scripts.Templates() {
		names = append(names, template.Name)
		if template.Summary == "" {
			t.Errorf("%s: the README does not say what it does", template.Name)
		}
		main, err := fs.Glob(scripts.Files(), template.Name+"/main.*")
		if err != nil || len(main) != 1 {
			t.Errorf("%s: entry files %v, %v", template.Name, main, err)
		}
	}
	want := []string{"ai-streaming", "call-center", "call-masking", "classic-sdk", "hello", "order-confirmation", "outbound-dialer", "reception", "support", "transaction-alert", "voicebot"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

func TestHello(t *testing.T) {
	open(t, "hello").phone().From("15550001111").To("15550002222").
		Hears("You called 15550002222 from 15550001111").Ends(call.SideApp)
}

func TestCallMaskingCustomerToAgent(t *testing.T) {
	transcript := open(t, "call-masking", map[string]string{"AGENT": "14155550101"}).
		phone().From("14155550199").To("14155550100").Callee("14155550101=answers@3s/8s").
		Dials("14155550101").Talks().Transcript()
	dialled := first(t, transcript, sim.Dialling)
	if dialled.From != "14155550100" {
		t.Errorf("the agent sees %s; it must be the masking number", dialled.From)
	}
	if dialled.Timeout != 20*time.Second {
		t.Errorf("the agent's phone rings for %s", dialled.Timeout)
	}
}

func TestCallMaskingLastsTenSeconds(t *testing.T) {
	transcript := open(t, "call-masking").phone().Callee("answers@1s/60s").Talks().Transcript()
	if talked := first(t, transcript, sim.Unbridged); talked.Length != 10*time.Second {
		t.Errorf("they talked for %s", talked.Length)
	}
}

func TestCallMaskingAgentToCustomer(t *testing.T) {
	h := open(t, "call-masking", account, map[string]string{"AGENT": "14155550101", "MASKING_NUMBER": "14155550100"})
	reply, err := h.run("connect", "+1 415 555-0199")
	if err != nil || !strings.Contains(reply, `"request_id":"r1"`) {
		t.Fatalf("reply %s, error %v", reply, err)
	}
	want := []request{{"/v2/global_pcmo_make_call", map[string]any{
		"appid": 2222222.0, "secret": "s3cret", "extra_params": map[string]any{}, "duration": 10.0,
		"to": 14155550101.0, "from": 14155550100.0, // the agent's phone rings first
		"pcmo": []any{map[string]any{
			"action": "bridge", "from": 14155550100.0, "duration": 10.0, "timeout": 20.0, "loop": 1.0,
			"connect": []any{map[string]any{"type": "pstn", "number": 14155550199.0}}, // then the customer's
		}},
	}}}
	if diff := cmp.Diff(want, h.requests()); diff != "" {
		t.Error(diff)
	}
}

func TestCallCenterRingsAllAgentsAtOnce(t *testing.T) {
	transcript := open(t, "call-center", map[string]string{"AGENTS": "14155550101,14155550102"}).
		phone().To("14155550100").Callee("14155550101=busy").Callee("14155550102=answers@4s/5s").
		Dials("14155550101").Dials("14155550102").Talks().Transcript()
	for _, e := range transcript.Entries {
		if e.Kind == sim.Dialling && (e.At != 0 || e.From != "14155550100" || e.Timeout != 20*time.Second) {
			t.Errorf("%s", e)
		}
	}
}

func TestCallCenterReportsACallThatNobodyTook(t *testing.T) {
	h := open(t, "call-center")
	transcript := h.phone().From("14155550199").Callee("no-answer").Transcript()
	for _, e := range transcript.Entries {
		if e.Kind == sim.Problem {
			t.Error(e)
		}
	}
	if first(t, transcript, sim.HungUp).At < 20*time.Second {
		t.Errorf("the phones rang too short\n%s", transcript)
	}
}

func TestOrderConfirmationPlacesTheCall(t *testing.T) {
	h := open(t, "order-confirmation", account, map[string]string{"FROM": "14155550100", "ANSWER_URL": "https://calls.example.com/hooks/order-confirmation/answer"})
	if _, err := h.run("confirm", "14155550199"); err != nil {
		t.Fatal(err)
	}
	want := []request{{"/v1/global_make_call", map[string]any{
		"appid": 2222222.0, "secret": "s3cret", "to": 14155550199.0, "from": 14155550100.0, "duration": 300.0,
		"answer_url": "https://calls.example.com/hooks/order-confirmation/answer",
	}}}
	if diff := cmp.Diff(want, h.requests()); diff != "" {
		t.Error(diff)
	}
}

func TestOrderConfirmation(t *testing.T) {
	for _, test := range []struct {
		press     string
		hears     []string
		confirmed bool
	}{
		{"1", []string{"order_question.wav", "order_confirmed.wav"}, true},
		{"2", []string{"order_question.wav", "order_cancelled.wav"}, false},
		{"-,1", []string{"order_question.wav", "order_question.wav", "order_confirmed.wav"}, true},
		{"-,-", []string{"order_question.wav", "order_question.wav", "order_cancelled.wav"}, false},
	} {
		h := open(t, "order-confirmation", map[string]string{"ORDERS_URL": "/confirmations"})
		transcript := placed(t, h, sim.Caller{From: "14155550100", To: "14155550199"}, test.press)
		if got := heard(transcript); !slices.Equal(got, test.hears) {
			t.Errorf("pressed %s: heard %v\n%s", test.press, got, transcript)
		}
		if asked := first(t, transcript, sim.Asked); asked.MaxDigits != 1 || asked.Attempts != 2 {
			t.Errorf("%s", asked)
		}
		want := []request{{"/confirmations", map[string]any{"customer": "14155550199", "confirmed": test.confirmed}}}
		if diff := cmp.Diff(want, h.requests()); diff != "" {
			t.Errorf("pressed %s: %s", test.press, diff)
		}
	}
}

func TestOrderConfirmationGoesOnWhenTheShopIsDown(t *testing.T) {
	h := open(t, "order-confirmation", map[string]string{"ORDERS_URL": "http://127.0.0.1:1/"})
	if got := heard(placed(t, h, sim.Caller{}, "1")); !slices.Contains(got, "order_confirmed.wav") {
		t.Errorf("heard %v", got)
	}
}

func TestOutboundDialer(t *testing.T) {
	h := open(t, "outbound-dialer", account, map[string]string{"FROM": "14155550100", "AGENTS": "14155550101,14155550102"})
	result, err := h.run("dialAll", []string{"14155550199", "nonsense"})
	if err != nil || !strings.Contains(result, `"request":"r1"`) || !strings.Contains(result, `\"nonsense\" is not a phone number`) {
		t.Errorf("result %s, error %v", result, err)
	}
	want := []request{{"/v2/global_pcmo_make_call", map[string]any{
		"appid": 2222222.0, "secret": "s3cret", "extra_params": map[string]any{}, "duration": 10.0, "to": 14155550199.0, "from": 14155550100.0,
		"pcmo": []any{map[string]any{
			"action": "bridge", "from": 14155550100.0, "duration": 10.0, "timeout": 20.0, "loop": 1.0, "ring_type": "group",
			"connect": []any{map[string]any{"type": "pstn", "number": 14155550101.0}, map[string]any{"type": "pstn", "number": 14155550102.0}},
		}},
	}}}
	if diff := cmp.Diff(want, h.requests()); diff != "" {
		t.Error(diff)
	}
}

func TestTransactionAlert(t *testing.T) {
	h := open(t, "transaction-alert", account, map[string]string{"FROM": "911140000000", "ANNOUNCEMENT": "alert.wav"})
	if _, err := h.run("alert", "919876543210"); err != nil {
		t.Fatal(err)
	}
	sent := h.requests()
	if len(sent) != 1 || sent[0].Path != "/v2/ind_pcmo_make_call" {
		t.Fatalf("sent %v", sent)
	}
	if diff := cmp.Diff([]any{map[string]any{"action": "play", "file_name": "alert.wav"}}, sent[0].Body["pcmo"]); diff != "" {
		t.Error(diff)
	}
	if extra, _ := sent[0].Body["extra_params"].(map[string]any); len(extra["alert"].(string)) != 36 {
		t.Errorf("extra_params %v", extra)
	}
}

func TestPlacingACallNeedsAnAccount(t *testing.T) {
	for _, test := range []struct{ app, function string }{
		{"call-masking", "connect"}, {"outbound-dialer", "dial"}, {"transaction-alert", "alert"},
	} {
		_, err := open(t, test.app).run(test.function, "14155550199")
		if err == nil || !strings.Contains(err.Error(), "apps."+test.app+".env.PIOPIY_APPID") {
			t.Errorf("%s: error %v", test.app, err)
		}
	}
}

func TestSupport(t *testing.T) {
	h := open(t, "support")
	h.phone().To("14155550100").Press("2").
		Hears("For sales press 1").Presses("2").Hears("Connecting you to support").
		Dials("14155550103").Dials("14155550104").Talks()

	// Three mistakes lead to voicemail.
	transcript := h.phone().Press("9,-,#").Hears("For sales").Presses("9").Hears("did not get that").StaysSilent().
		Hears("did not get that").Presses("#").Hears("leave a message").Transcript()
	first(t, transcript, sim.Recording)

	// So does a call at night: the clock of the test begins on a Monday at 14:30 in Kolkata.
	h.clock.Advance(8 * time.Hour)
	first(t, h.phone().Hears("We are closed now").Transcript(), sim.Recording)
}

func TestClassicSDK(t *testing.T) {
	h := open(t, "classic-sdk")
	h.phone().To("14155550100").Press("1").Hears("welcome.mp3").Hears("menu.wav").Presses("1").Dials("14155550101").Dials("14155550102")
	first(t, h.phone().Press("2").Hears("leave a message").Transcript(), sim.Recording)
	h.phone().Press("-").Hears("menu.wav").Hears("Goodbye").Ends(call.SideApp)
}

// placed plays a call that the app placed: its party has answered when the app is asked.
func placed(t *testing.T, h *house, who sim.Caller, press string) *sim.Transcript {
	t.Helper()
	presses, err := sim.ParsePresses(press)
	if err != nil {
		t.Fatal(err)
	}
	who.App, who.Direction, who.Press = h.app, call.Outbound, presses
	transcript, err := sim.New(sim.Options{Clock: h.clock}).Call(t.Context(), h.handler, who)
	if err != nil {
		t.Fatal(err)
	}
	return transcript
}

func first(t *testing.T, transcript *sim.Transcript, kind sim.Kind) sim.Entry {
	t.Helper()
	for _, e := range transcript.Entries {
		if e.Kind == kind {
			return e
		}
	}
	t.Fatalf("nothing %s\n%s", kind, transcript)
	return sim.Entry{}
}

func heard(transcript *sim.Transcript) []string {
	var list []string
	for _, e := range transcript.Entries {
		if e.Kind == sim.Heard {
			list = append(list, e.Prompt.String())
		}
	}
	return list
}

// The cloud carries all of the voice bot but the stream that the script holds itself, and for that it has a callback.
func TestVoicebotOnTheCloud(t *testing.T) {
	source, err := fs.ReadFile(scripts.Files(), "voicebot/main.ts")
	if err != nil {
		t.Fatal(err)
	}
	if found := bindcall.CannotCarry("cloud", string(source)); len(found) != 1 || found[0].String() != "call.stream without a URL" {
		t.Errorf("found %v", found)
	}
}
