package rest_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
	"github.com/piopiy/piopiyd/server/rest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// line is a phone whose prompts last until something else is to be done. What it does goes to steps, in order.
type line struct {
	call.Line     // what a test does not use
	call.Controls // the same
	steps         chan string
	// outcome is what becomes of dialled parties; nothing while it is empty.
	outcome chan string
}

func (l *line) Ring(_ context.Context, progress func()) error { progress(); return nil }
func (l *line) Answer(context.Context) error                  { return nil }
func (l *line) Record(context.Context, call.RecordOptions) error {
	l.steps <- "record"
	return nil
}

func (l *line) Play(ctx context.Context, p call.Prompt) error {
	l.steps <- "play " + p.String()
	<-ctx.Done()
	return context.Cause(ctx)
}

func (l *line) Hold(_ context.Context, held bool, _ call.Prompt) error {
	l.steps <- map[bool]string{true: "hold", false: "unhold"}[held]
	return nil
}

func (l *line) Dial(ctx context.Context, d call.Dial) ([]call.DialOutcome, error) {
	to := d.Targets[0]
	step := "dial " + to.Number.Digits() + to.User + " from " + d.CallerID + " whisper " + d.Whisper.String() + " accept " + d.Accept + " music " + d.Music.String()
	for _, h := range to.Headers {
		step += " " + h.Name + ": " + h.Value
	}
	l.steps <- step
	d.Progress(0, "leg-b", call.StatusStarted)
	o := call.DialOutcome{LegID: "leg-b", Status: call.StatusMissed, Started: time.Now(), Ended: time.Now()}
	select {
	case cause := <-l.outcome:
		if o.Cause = cause; cause == "" {
			o.Status, o.Answered, o.Ended = call.StatusAnswered, time.Now(), time.Time{}
		}
		return []call.DialOutcome{o}, nil
	case <-ctx.Done():
		o.Cause = call.CauseCancelled
		return []call.DialOutcome{o}, context.Cause(ctx)
	}
}

func (l *line) Bridge(ctx context.Context, _ string, _ time.Duration) (call.Ending, error) {
	l.steps <- "bridge"
	<-ctx.Done()
	return call.Ending{}, context.Cause(ctx)
}

func (l *line) Hangup(_ context.Context, e call.Ending) call.Summary {
	l.steps <- "hangup " + string(e.By) + " " + e.Cause
	return call.Summary{}
}

// driver places calls on a line, whose apps all play their own name.
type driver struct {
	performer *call.Performer
	line      *line
	over      sync.WaitGroup
}

type apps struct{ call.Handler }

func (apps) Answer(_ context.Context, c *call.Call) (call.Reply, error) {
	return call.Reply{Document: pcmo.Document{&pcmo.Play{FileName: c.App}}}, nil
}

// servers is the web servers of the tests: each URL's document plays the URL.
type servers struct{ call.Asker }

func (servers) AskAnswer(_ context.Context, _ *call.Call, url string) ([]pcmo.Action, error) {
	return []pcmo.Action{&pcmo.Play{FileURL: url}, &pcmo.Play{FileName: "after.wav"}}, nil
}

func (d *driver) Originate(ctx context.Context, o call.Order) (*call.Call, error) {
	c := &call.Call{ID: callID, RequestID: o.RequestID, App: o.App, Driver: "test", Direction: call.Outbound, From: o.From, To: o.To, ExtraParams: o.ExtraParams, Time: time.Now()}
	d.over.Go(func() { d.performer.Originate(context.WithoutCancel(ctx), c, d.line, o) })
	return c, nil
}

// The API on the calls of package call: ordered, held, transferred in each way and hung up.
func TestCallsUnderWay(t *testing.T) {
	live := &call.Live{}
	d := &driver{
		line:      &line{steps: make(chan string, 100), outcome: make(chan string, 1)},
		performer: &call.Performer{Handler: apps{}, Live: live, Asker: servers{}},
	}
	k := newKit(t, func(o *rest.Options) { o.Platform = &rest.Calls{Live: live, Originator: d} })
	step := func(want string) {
		t.Helper()
		select {
		case got := <-d.line.steps:
			if got != want {
				t.Fatalf("did %q, want %q", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("never did %q", want)
		}
	}
	post := func(path, body string) map[string]any {
		t.Helper()
		return k.reply(exchange{path: path, body: body, token: token})
	}
	get := func(path string) map[string]any {
		t.Helper()
		return k.reply(exchange{method: "GET", path: path, token: token})
	}
	// settled waits until a transfer is over.
	settled := func(reply map[string]any) string {
		t.Helper()
		id, _ := reply["request_id"].(string)
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
			if now := get("/v3/transfers/" + id); now["status"] != "queued" {
				reason, _ := now["reason"].(string)
				status, _ := now["status"].(string)
				return strings.TrimSpace(status + " " + reason)
			}
		}
		return "never over"
	}
	const calls = "/v3/calls/" + callID
	const channels = "/v2/piopiy/get_channels"

	made := post("/v3/voice/pcmo/call", `{`+parties+`,"app_id":"support","pipeline":[{"action":"play","file_name":"one.wav"}],"options":{"record":true}}`)
	step("record")
	step("play one.wav")
	state := get(calls)
	if state["status"] != "answered" || state["app"] != "support" || state["request_id"] != made["request_id"] || state["to_number"] != "14155550101" || state["on_hold"] != false || state["answered_at"] == nil {
		t.Errorf("the call is %v, ordered by %v", state, made)
	}
	if got := k.reply(exchange{path: channels, body: with("")})["channel"]; got != "1" {
		t.Errorf("%v channels", got)
	}

	for _, test := range []struct {
		action, step string
		held         bool
	}{{"hold", "hold", true}, {"hold", "hold", true}, {"unhold", "unhold", false}, {"holdToggle", "hold", true}, {"holdToggle", "unhold", false}} {
		reply := post("/v1/call/action", with(`"action":"`+test.action+`","cmiuuid":"`+callID+`"`))
		step(test.step)
		if reply["held"] != test.held || get(calls)["on_hold"] != test.held {
			t.Errorf("%s: %v", test.action, reply)
		}
	}

	// Blind: to a document and to a web server.
	if got := settled(post("/v3/voice/pcmo/transfer", `{"call_id":"`+callID+`","pipeline":[{"action":"play","file_name":"two.wav"}]}`)); got != "completed" {
		t.Errorf("the transfer to a document: %s", got)
	}
	step("play two.wav")
	next := k.reply(exchange{path: "/v1/call/action", body: with(`"action":"transfer","transfer_url":"https://h.example/next.wav","cmiuid":"` + callID + `"`)})
	if got := settled(next); got != "completed" {
		t.Errorf("the transfer to a web server: %s", got)
	}
	step("play https://h.example/next.wav")

	// Warm: nobody takes it and the call goes on; then somebody does.
	const warm = `{"sip_uri":"sip:bob@pbx.example","caller_id":"15550002222","confirm":true,"hold_audio":"wait.wav","transfer_summary":"a refund","sip_headers":{"X-Order":"A1"}}`
	const dialled = "dial sip:bob@pbx.example from 15550002222 whisper a refund accept 1 music wait.wav X-Order: A1 X-Transfer-Summary: a refund"
	ordered := post(calls+"/actions/transfer", warm)
	step(dialled)
	if again := post(calls+"/actions/transfer", warm); again["error"] != "transfer_in_progress" || again["request_id"] != ordered["request_id"] {
		t.Errorf("a second transfer: %v", again)
	}
	d.line.outcome <- call.CauseBusy
	if got := settled(ordered); got != "failed busy" {
		t.Errorf("the refused transfer: %s", got)
	}
	step("play https://h.example/next.wav") // it was interrupted, and is begun again
	if got := get(calls)["status"]; got != "answered" {
		t.Errorf("after the refused transfer the call is %v", got)
	}
	ordered = post(calls+"/actions/transfer", `{"to_number":"14155550102"}`)
	step("dial 14155550102 from 15550002222 whisper  accept  music ")
	d.line.outcome <- ""
	if got := settled(ordered); got != "completed" {
		t.Errorf("the taken transfer: %s", got)
	}
	step("bridge")
	if got := get(calls)["status"]; got != "bridged" {
		t.Errorf("the call is %v", got)
	}

	if got := post("/v3/voice/call/hangup", `{"call_id":"`+callID+`","cause":"USER_BUSY","reason":"enough"}`)["message"]; got != "queued" {
		t.Errorf("hang-up: %v", got)
	}
	step("hangup app USER_BUSY")
	d.over.Wait()
	for path, body := range map[string]string{
		"/v3/voice/call/hangup":   `{"call_id":"` + callID + `"}`,
		calls + "/actions/hangup": `{}`, calls + "/actions/transfer": `{"to_number":"14155550102"}`,
	} {
		if got := post(path, body)["error"]; got != "call_not_found" {
			t.Errorf("%s after the end: %v", path, got)
		}
	}
	if got := k.reply(exchange{path: channels, body: with("")})["channel"]; got != "0" {
		t.Errorf("%v channels after the end", got)
	}
	k.quiet()
}

// A daemon whose driver places no calls says so.
func TestNoOriginator(t *testing.T) {
	api := rest.New(rest.Options{Platform: &rest.Calls{Live: &call.Live{}}, Authorize: rest.Everybody, FindApp: findApp})
	w := httptest.NewRecorder()
	api.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v3/voice/ai/call", strings.NewReader(`{`+parties+`,"agent_id":"support"}`)))
	if body, _ := io.ReadAll(w.Body); w.Code != http.StatusNotImplemented || !strings.Contains(string(body), "not_supported") {
		t.Errorf("%d %s", w.Code, body)
	}
}
