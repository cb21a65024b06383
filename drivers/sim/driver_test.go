package sim_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/pcmo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// support is a menu with voicemail behind it.
func support() *app {
	a := &app{inputs: map[string]func(*call.Call, string) (pcmo.Document, error){}}
	a.answer = func(_ context.Context, c *call.Call) (pcmo.Document, error) {
		return pcmo.Document{
			&pcmo.Speak{Text: "Thanks for calling Acme."},
			&pcmo.PlayGetInput{FileName: "menu.wav", ActionURL: c.InputURL("menu"), TimeoutSeconds: new(4), MaxRetry: new(2)},
			&pcmo.Hangup{},
		}, nil
	}
	a.inputs["menu"] = func(c *call.Call, digits string) (pcmo.Document, error) {
		switch digits {
		case "1":
			return pcmo.Document{&pcmo.Bridge{Targets: []pcmo.Target{pcmo.PSTN("14155550101"), pcmo.PSTN("14155550102")}, TimeoutSeconds: new(20)}}, nil
		case "2":
			return pcmo.Document{&pcmo.Input{ActionURL: c.InputURL("pin"), MaxDigit: new(4)}}, nil
		}
		return pcmo.Document{&pcmo.Speak{Text: "Leave a message."}, &pcmo.Record{}}, nil
	}
	a.inputs["pin"] = func(_ *call.Call, digits string) (pcmo.Document, error) {
		return pcmo.Document{&pcmo.Speak{Text: "Your pin is " + digits}}, nil
	}
	return a
}

func TestCalls(t *testing.T) {
	t.Run("digits lead to a bridge, the first target is busy", func(t *testing.T) {
		a := support()
		sim.Dial(t, a).Press("1").Callee("14155550101=busy").Callee("answers@5s/30s").
			Hears("Thanks for calling Acme.").Hears("menu.wav").Presses("1").
			Dials("14155550101").Dials("14155550102").Talks().Ends(call.SideApp)
		if diff := cmp.Diff([]string{
			"a:in_answered",
			"b:in_started", "b:in_ringing", "b:in_hangup",
			"b:in_started", "b:in_ringing", "b:in_bridged", "b:in_hangup",
			"a:in_hangup",
		}, a.statuses()); diff != "" {
			t.Error(diff)
		}
		// 1.6 s of speech, 5 s of audio, 0.8 s of thought, 3 + 5 s of ringing, 30 s of talk
		if diff := cmp.Diff([]string{
			"b:missed:0:callee:USER_BUSY", "b:answered:30:callee:NORMAL_CLEARING", "a:answered:45:app:NORMAL_CLEARING",
		}, a.records()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("silence replays the prompt, then asks with no digits", func(t *testing.T) {
		a := support()
		var got string
		menu := a.inputs["menu"]
		a.inputs["menu"] = func(c *call.Call, digits string) (pcmo.Document, error) {
			got = "digits:" + digits
			return menu(c, digits)
		}
		result := sim.Dial(t, a).HangupAfter(2 * time.Minute).
			Hears("menu.wav").StaysSilent().Hears("menu.wav").StaysSilent().Hears("menu.wav").StaysSilent().
			Hears("Leave a message.").Ends(call.SideCaller)
		if got != "digits:" || result.Length != 2*time.Minute {
			t.Errorf("got %q after %s", got, result.Length)
		}
	})
	t.Run("a retry is answered", func(t *testing.T) {
		sim.Dial(t, support()).Press("-,2,1234").
			Hears("menu.wav").StaysSilent().Hears("menu.wav").Presses("2").Presses("1234").
			Hears("Your pin is 1234").Ends(call.SideApp)
	})
	t.Run("keys beyond what is asked go to the next prompt", func(t *testing.T) {
		sim.Dial(t, support()).Press("21234").Presses("2").Presses("1234").Hears("1234").Ends(call.SideApp)
	})
	t.Run("barge-in", func(t *testing.T) {
		result := sim.Dial(t, support()).Press("2@1s,12").Transcript()
		for _, e := range result.Entries {
			if e.Kind == sim.Pressed && e.Digits == "2" {
				if want := 1600*time.Millisecond + time.Second; !e.BargedIn || e.At != want {
					t.Errorf("barged in %v at %s, want %s", e.BargedIn, e.At, want)
				}
				return
			}
		}
		t.Errorf("2 was not pressed\n%s", result)
	})
	t.Run("digits short of the maximum", func(t *testing.T) {
		sim.Dial(t, support()).Press("2,12").Presses("12").Hears("Your pin is 12").Ends(call.SideApp)
	})
	t.Run("hang-up at a prompt", func(t *testing.T) {
		a := support()
		sim.Dial(t, a).Press("x@2s").Hears("menu.wav").Ends(call.SideCaller)
		if diff := cmp.Diff([]string{"a:answered:3:caller:NORMAL_CLEARING"}, a.records()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("hang-up while it rings", func(t *testing.T) {
		a := support()
		sim.Dial(t, a).Press("1").Callee("no-answer").HangupAfter(10 * time.Second).Dials("14155550101").Ends(call.SideCaller)
		if diff := cmp.Diff([]string{
			"b:missed:0:caller:ORIGINATOR_CANCEL", "a:answered:10:caller:NORMAL_CLEARING",
		}, a.records()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("hang-up while they talk", func(t *testing.T) {
		a := support()
		sim.Dial(t, a).Press("1").Callee("answers/1h").HangupAfter(31 * time.Minute).Talks().Ends(call.SideCaller)
		if diff := cmp.Diff([]string{
			"b:answered:1849:caller:NORMAL_CLEARING", "a:answered:1860:caller:NORMAL_CLEARING",
		}, a.records()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestActions(t *testing.T) {
	two := []pcmo.Target{pcmo.PSTN("14155550101"), pcmo.PSTN("14155550102")}
	tests := []struct {
		name string
		doc  pcmo.Document
		who  sim.Caller
		want []string // kinds with what matters, events left out
	}{
		{"empty document rejects", nil, sim.Caller{}, []string{"hung_up app NORMAL_CLEARING"}},
		{"hangup first rejects", pcmo.Document{&pcmo.Hangup{Cause: "USER_BUSY"}, &pcmo.Speak{Text: "x"}}, sim.Caller{}, []string{"hung_up app USER_BUSY"}},
		{"param and record", pcmo.Document{&pcmo.Param{Text: "a"}, &pcmo.Record{}, &pcmo.Play{FileURL: "https://h/a.wav"}}, sim.Caller{},
			[]string{"param a", "answered", "recording", "heard https://h/a.wav", "recorded", "hung_up app NORMAL_CLEARING"}},
		{"record last is a voicemail", pcmo.Document{&pcmo.Record{}}, sim.Caller{},
			[]string{"answered", "recording", "recorded", "hung_up app NORMAL_CLEARING @10m0s"}},
		{"single rings in order, as often as loop says", pcmo.Document{&pcmo.Bridge{Targets: two, Loop: new(2), TimeoutSeconds: new(10)}}, sim.Caller{Callee: sim.Callee{Outcome: sim.NoAnswer}},
			[]string{"dialling 14155550101", "dialled 14155550101 NO_ANSWER", "dialling 14155550102", "dialled 14155550102 NO_ANSWER",
				"dialling 14155550101", "dialled 14155550101 NO_ANSWER", "dialling 14155550102", "dialled 14155550102 NO_ANSWER", "hung_up app NORMAL_CLEARING @40s"}},
		{"group rings at once, the quickest has it", pcmo.Document{&pcmo.Bridge{Targets: two, RingType: pcmo.RingGroup}},
			sim.Caller{Callees: map[string]sim.Callee{"14155550101": {After: 9 * time.Second}, "14155550102": {After: 4 * time.Second}}},
			[]string{"dialling 14155550101", "dialling 14155550102", "dialled 14155550101 LOSE_RACE", "dialled 14155550102", "answered", "bridged",
				"unbridged callee NORMAL_CLEARING", "hung_up app NORMAL_CLEARING @24s"}},
		{"busy and rejected in a group", pcmo.Document{&pcmo.Bridge{Targets: two, RingType: pcmo.RingGroup}},
			sim.Caller{Callees: map[string]sim.Callee{"14155550101": {Outcome: sim.Busy}, "14155550102": {Outcome: sim.Rejects, After: 6 * time.Second}}},
			[]string{"dialling 14155550101", "dialling 14155550102", "dialled 14155550101 USER_BUSY", "dialled 14155550102 CALL_REJECTED", "hung_up app NORMAL_CLEARING @6s"}},
		{"unreachable at once", pcmo.Document{&pcmo.Bridge{Targets: two[:1]}}, sim.Caller{Callee: sim.Callee{Outcome: sim.Unreachable}},
			[]string{"dialling 14155550101", "dialled 14155550101 NO_ROUTE_DESTINATION", "hung_up app NORMAL_CLEARING @0s"}},
		{"duration ends the conversation, the next action runs", pcmo.Document{&pcmo.Bridge{Targets: two[:1], DurationSeconds: new(7)}, &pcmo.Speak{Text: "time is up"}}, sim.Caller{},
			[]string{"dialling 14155550101", "dialled 14155550101", "answered", "bridged", "unbridged platform ALLOTTED_TIMEOUT", "heard time is up", "hung_up app NORMAL_CLEARING"}},
		{"connect records when asked", pcmo.Document{&pcmo.Connect{Targets: []pcmo.Target{pcmo.SIP("alice")}, Record: new(true)}}, sim.Caller{},
			[]string{"dialling alice", "dialled alice", "answered", "recording", "bridged", "unbridged callee NORMAL_CLEARING", "recorded", "hung_up app NORMAL_CLEARING"}},
		{"nobody can be asked: the rest runs as it stands", pcmo.Document{&pcmo.Input{ActionURL: "https://elsewhere/x"}, &pcmo.Speak{Text: "rest"}}, sim.Caller{},
			[]string{"answered", "asked", "silent", "problem", "heard rest", "hung_up app NORMAL_CLEARING"}},
		{"nobody can be asked and nothing is left: fault policy", pcmo.Document{&pcmo.Input{ActionURL: "https://elsewhere/x"}}, sim.Caller{},
			[]string{"answered", "asked", "silent", "problem", "heard sorry", "hung_up platform NORMAL_TEMPORARY_FAILURE"}},
		{"outbound calls are answered before the app is performed", pcmo.Document{&pcmo.Bridge{Targets: two[:1]}}, sim.Caller{Direction: call.Outbound, Callee: sim.Callee{Outcome: sim.Busy}},
			[]string{"answered", "dialling 14155550101", "dialled 14155550101 USER_BUSY", "hung_up app NORMAL_CLEARING"}},
		{"a stream holds the call", pcmo.Document{&pcmo.Stream{WSURL: "wss://h/s"}}, sim.Caller{},
			[]string{"answered", "stream_opened wss://h/s", "stream_closed", "hung_up app NORMAL_CLEARING @30s"}},
		{"a stream runs beside what follows", pcmo.Document{&pcmo.Stream{WSURL: "wss://h/s"}, &pcmo.Bridge{Targets: two[:1]}}, sim.Caller{},
			[]string{"answered", "stream_opened wss://h/s", "dialling 14155550101", "dialled 14155550101", "bridged", "unbridged callee NORMAL_CLEARING", "stream_closed", "hung_up app NORMAL_CLEARING @30s"}},
		{"hangup after stream waits for it", pcmo.Document{&pcmo.Stream{WSURL: "wss://h/s"}, &pcmo.Hangup{}}, sim.Caller{},
			[]string{"answered", "stream_opened wss://h/s", "stream_closed", "hung_up app NORMAL_CLEARING @30s"}},
		{"stream_on_answer waits for the answer", pcmo.Document{&pcmo.Stream{WSURL: "wss://h/s", StreamOnAnswer: new(true)}, &pcmo.Bridge{Targets: two[:1]}}, sim.Caller{},
			[]string{"dialling 14155550101", "dialled 14155550101", "answered", "stream_opened wss://h/s", "bridged", "unbridged callee NORMAL_CLEARING", "stream_closed", "hung_up app NORMAL_CLEARING @33s"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			driver := sim.New(sim.Options{Fault: call.FaultPolicy{Say: "sorry"}})
			result, err := driver.Call(context.Background(), plays(tt.doc...), tt.who)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, outline(result, tt.want)); diff != "" {
				t.Errorf("%s\n%s", diff, result)
			}
		})
	}
}

// outline is a transcript in the words of TestActions; the ending's time only where want has one.
func outline(result *sim.Transcript, want []string) []string {
	var list []string
	for _, e := range result.Entries {
		s := string(e.Kind)
		switch e.Kind {
		case sim.Began, sim.Replied, sim.Event, sim.CDR:
			continue
		case sim.Param:
			s += " " + e.Text
		case sim.Heard:
			s += " " + e.Prompt.String()
		case sim.Dialling, sim.StreamOpened:
			s += " " + e.To
		case sim.Dialled:
			s = strings.TrimSpace(s + " " + e.To + " " + e.Cause)
		case sim.Unbridged:
			s += " " + string(e.By) + " " + e.Cause
		case sim.HungUp:
			s += " " + string(e.By) + " " + e.Cause
			if strings.Contains(want[len(want)-1], "@") {
				s += " @" + e.At.String()
			}
		}
		list = append(list, s)
	}
	return list
}

func TestDeadEnds(t *testing.T) {
	t.Run("an endless menu", func(t *testing.T) {
		a := support()
		a.inputs["menu"] = func(c *call.Call, _ string) (pcmo.Document, error) { return a.answer(t.Context(), c) }
		result := sim.Dial(t, a).With(sim.Options{MaxSteps: 30}).Transcript()
		if result.DeadEnd != sim.Endless || !errors.Is(result.Ending.Err, call.ErrEndless) {
			t.Errorf("%s", result)
		}
	})
	t.Run("nobody hangs up", func(t *testing.T) {
		result := sim.Dial(t, plays(&pcmo.Bridge{Targets: []pcmo.Target{pcmo.PSTN("14155550101")}})).
			With(sim.Options{MaxDuration: time.Hour}).Callee("answers/2h").Transcript()
		if result.DeadEnd != sim.NeverEnded || result.Length != time.Hour {
			t.Errorf("%s", result)
		}
	})
	t.Run("an app that never answers", func(t *testing.T) {
		clock := sim.NewClock(time.Time{})
		a := &app{answer: func(ctx context.Context, _ *call.Call) (pcmo.Document, error) {
			return nil, clock.Sleep(ctx, 24*time.Hour)
		}}
		result := sim.Dial(t, a).With(sim.Options{Clock: clock}).HangupAfter(time.Minute).Ends(call.SideCaller)
		if result.Length != time.Minute || len(a.cdrs) != 1 || a.cdrs[0].Status != call.StatusMissed {
			t.Errorf("%s", result)
		}
	})
}

func TestUndecided(t *testing.T) {
	for err, cause := range map[error]string{
		call.ErrNoApp:        call.CauseUnreachable,
		call.ErrBusy:         call.CauseCongestion,
		errors.New("broken"): call.CauseTemporaryFailure,
	} {
		a := &app{answer: func(context.Context, *call.Call) (pcmo.Document, error) { return nil, err }}
		result := sim.Dial(t, a).Ends(call.SidePlatform)
		if result.Ending.Cause != cause || !errors.Is(result.Ending.Err, err) {
			t.Errorf("%v: ended with %+v", err, result.Ending)
		}
	}
}

func TestCancelledFromOutside(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	enough := errors.New("enough")
	a := plays(&pcmo.Speak{Text: "hello"})
	a.event = func(context.Context, *call.Event) error {
		cancel(enough)
		return nil
	}
	result, err := sim.New(sim.Options{}).Call(ctx, a, sim.Caller{})
	if !errors.Is(err, enough) || result.Ending.By != call.SidePlatform {
		t.Errorf("error %v, transcript\n%s", err, result)
	}
}

func TestEventsAndRecordsOnTheWire(t *testing.T) {
	a := plays(&pcmo.Param{Text: `{"order":"A1"}`}, &pcmo.Speak{Text: "123456789012345"})
	sim.Dial(t, a).From("+15550001111").To("sip:support@h").Ends(call.SideApp)
	got := []string{string(a.events[0].Raw), string(a.cdrs[0].Raw)}
	const id = "00000000-0000-4000-8000-000000000001"
	want := []string{
		`{"direction":"inbound","leg":"a","status":"in_answered","time":1767603600000,"from":15550001111,"to":"sip:support@h","cmiuuid":"` + id +
			`","conversation_uuid":"` + id + `","extra_params":"{\"order\":\"A1\"}"}`,
		`{"direction":"inbound","status":"answered","leg":"a","from":15550001111,"to":"sip:support@h","time":1767603600000,"start_time":1767603600,` +
			`"answer_time":1767603600,"end_time":1767603601,"duration":1,"cmiuuid":"` + id + `","conversation_uuid":"` + id +
			`","extra_params":"{\"order\":\"A1\"}","hangup_cause":"NORMAL_CLEARING","hangup_by":"app","ring_time":0.0,"app":"test","version":"v1"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if e := a.events[0]; e.Status != call.StatusAnswered || e.CallID != id || !json.Valid(e.Raw) {
		t.Errorf("%+v", e)
	}
}

func TestStreamIsServedByTheApp(t *testing.T) {
	var first string
	frames := 0
	a := plays(&pcmo.Stream{WSURL: "wss://h/s?token=t", VoiceQuality: 16000, ListenMode: pcmo.ListenBoth}, &pcmo.Hangup{})
	a.stream = func(ctx context.Context, s call.Stream) error {
		for frames < 500 {
			text, data, err := s.Read(ctx)
			switch {
			case err != nil:
				return err
			case text:
				first = string(data)
			case len(data) != 640:
				return errors.New("a frame of the wrong length")
			default:
				frames++
				if err := s.Write(ctx, false, data); err != nil {
					return err
				}
			}
		}
		return s.Write(ctx, true, []byte(`{"action":"stop"}`))
	}
	result := sim.Dial(t, a).Ends(call.SideApp)
	if frames != 500 || result.Length != 10*time.Second || !strings.Contains(first, `"event":"start"`) {
		t.Errorf("%d frames after %q\n%s", frames, first, result)
	}
	if diff := cmp.Diff([]string{"a:in_answered", "b:stream_connected", "b:stream_disconnected", "a:in_hangup"}, a.statuses()); diff != "" {
		t.Error(diff)
	}
	if text := result.String(); !strings.Contains(text, "stream   to wss://h/s?… opened") || !strings.Contains(text, "320000 bytes of audio, 1 text frame") {
		t.Errorf("%s", text)
	}
}

func TestStreamEndsWithTheCall(t *testing.T) {
	var ended error
	a := plays(&pcmo.Stream{WSURL: "wss://h/s"})
	a.stream = func(_ context.Context, s call.Stream) error {
		for {
			if _, _, err := s.Read(context.Background()); err != nil {
				ended = err
				return nil
			}
		}
	}
	sim.Dial(t, a).HangupAfter(5 * time.Second).Ends(call.SideCaller)
	if !errors.Is(ended, io.EOF) {
		t.Errorf("the stream ended with %v", ended)
	}
}

func TestSlowEventCallbackDoesNotDelayTheCall(t *testing.T) {
	clock := sim.NewClock(time.Time{})
	a := plays(&pcmo.Speak{Text: strings.Repeat("x", 150)})
	a.event = func(ctx context.Context, e *call.Event) error {
		if e.Status == call.StatusAnswered {
			return clock.Sleep(ctx, 25*time.Second)
		}
		return nil
	}
	result := sim.Dial(t, a).With(sim.Options{Clock: clock}).Ends(call.SideApp)
	if result.Length != 10*time.Second || len(a.events) != 2 || len(a.cdrs) != 1 {
		t.Errorf("%d events, %d cdrs\n%s", len(a.events), len(a.cdrs), result)
	}
}

func TestTranscriptIsTheSameEveryTime(t *testing.T) {
	var first string
	for range 50 {
		result := sim.Dial(t, support()).Press("-,1").Callee("14155550101=busy").HangupAfter(33 * time.Minute).Callee("answers/1h").Transcript()
		data, err := json.Marshal(result)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case first == "":
			first = string(data) + result.String()
		case first != string(data)+result.String():
			t.Fatalf("two runs differ\n%s\n%s", first, data)
		}
	}
}

func TestCallsShareAClock(t *testing.T) {
	driver := sim.New(sim.Options{})
	results := make(chan time.Duration)
	for range 20 {
		go func() {
			result, err := driver.Call(context.Background(), support(), sim.Caller{HangupAfter: 33 * time.Minute, Press: []sim.Press{{Keys: "1"}}, Callee: sim.Callee{Talk: time.Hour}})
			if err != nil {
				t.Error(err)
			}
			results <- result.Length
		}()
	}
	for range 20 {
		if got := <-results; got != 33*time.Minute {
			t.Errorf("a call took %s", got)
		}
	}
}

func BenchmarkHalfHourCall(b *testing.B) {
	driver := sim.New(sim.Options{})
	who := sim.Caller{HangupAfter: 33 * time.Minute, Press: []sim.Press{{}, {Keys: "1"}}, Callee: sim.Callee{Talk: time.Hour}}
	for b.Loop() {
		if _, err := driver.Call(context.Background(), support(), who); err != nil {
			b.Fatal(err)
		}
	}
}
