package call_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/cloud"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/webapp"
)

// throughHooks delivers at once what the hooks accept, so that tests need not wait for it.
type throughHooks struct{ call.Handler }

func (h throughHooks) AcceptEvent(ctx context.Context, e *call.Event) (bool, error) {
	return true, h.Event(ctx, e)
}

func (h throughHooks) AcceptCDR(ctx context.Context, r *call.CDR) (bool, error) {
	return true, h.CDR(ctx, r)
}

func (throughHooks) Deliver(context.Context, call.Handler) error { return nil }

// hostedCall has a virtual caller meet a script whose calls are performed elsewhere: a platform performs documents, and
// asks for them over HTTP at the cloud driver's hooks, as PIOPIY does.
func hostedCall(t *testing.T, script string, who sim.Caller, without ...string) (*sim.Transcript, *desk) {
	t.Helper()
	clock := sim.NewClock(time.Time{})
	d := open(t, script, func(c *runtime.Config, _ *bindcall.Options) { c.Clock = clock })
	hooks := cloud.NewHooks(cloud.Options{Handler: d.handler, Inbox: throughHooks{d.handler}, Now: clock.Now})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hooks/{app}/answer", func(w http.ResponseWriter, r *http.Request) { hooks.Answer(w, r, r.PathValue("app")) })
	mux.HandleFunc("POST /hooks/{app}/input/{token}", func(w http.ResponseWriter, r *http.Request) {
		hooks.Input(w, r, r.PathValue("app"), r.PathValue("token"))
	})
	mux.HandleFunc("POST /hooks/{app}/event", func(w http.ResponseWriter, r *http.Request) { hooks.Event(w, r, r.PathValue("app")) })
	mux.HandleFunc("POST /hooks/{app}/cdr", func(w http.ResponseWriter, r *http.Request) { hooks.CDR(w, r, r.PathValue("app")) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	client := server.Client()
	t.Cleanup(client.CloseIdleConnections)
	urls := webapp.App{AnswerURL: server.URL + "/hooks/app/answer", EventURL: server.URL + "/hooks/app/event", CDRURL: server.URL + "/hooks/app/cdr"}
	if slices.Contains(without, "events") {
		urls.EventURL, urls.CDRURL = "", ""
	}
	platform, err := webapp.New(webapp.Options{Apps: map[string]webapp.App{"app": urls}, Client: client, Secret: []byte("0123456789abcdef")})
	if err != nil {
		t.Fatal(err)
	}
	who.App = "app"
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got, err := sim.New(sim.Options{Clock: clock, Asker: platform}).Call(ctx, platform, who)
	if err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	return got, d
}

// met is what the caller met, without the times and without what only a driver sees.
func met(got *sim.Transcript) string {
	var b strings.Builder
	for _, e := range got.Entries {
		switch e.Kind {
		case sim.Heard:
			fmt.Fprintln(&b, "hears", e.Prompt)
		case sim.Pressed:
			fmt.Fprintln(&b, "presses", strings.TrimSuffix(e.Digits, "#")) // the platform knows no finish key
		case sim.Dialling:
			fmt.Fprintln(&b, "dials", e.To, e.From, e.Timeout)
		case sim.Dialled:
			fmt.Fprintln(&b, e.To, e.Status, e.Cause)
		case sim.Unbridged:
			fmt.Fprintln(&b, "talked", e.Length, e.By)
		case sim.StreamOpened:
			fmt.Fprintln(&b, e.Kind, e.To)
		case sim.HungUp:
			fmt.Fprintln(&b, "hung up by", e.By, e.Error)
		}
	}
	return b.String()
}

func TestOneScriptOnEitherCarrier(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		who          sim.Caller
		holds        []string // what must be in it
	}{
		{"the long one", `
			exports.answer = async call => {
				await call.answer()
				await call.say('Welcome')
				await call.play(['a.wav', 'b.wav'], { loop: 2 })
				const { digits } = await call.gather({ say: 'Sales, press 1', maxDigits: 1, timeout: '3s', retries: 1 })
				await call.say('You pressed ' + digits)
				const leg = await call.dial('14155550101', { timeout: '20s', record: true })
				await call.say(leg.status + ' for ' + leg.duration + ' s, ' + leg.cause + ' by ' + leg.by + ' at ' + leg.to)
				await call.pause('2s')
				await call.hangup()
			}`, sim.Caller{Press: []sim.Press{{}, {Keys: "1"}}}, []string{"You pressed 1", "answered for 20 s, NORMAL_CLEARING by callee at 14155550101"}},
		{"retries with their own prompts and a validator", `
			exports.answer = async call => {
				const got = await call.gather({
					play: 'pin.wav', minDigits: 4, retries: 3, noInput: 'Are you there?', invalid: { say: 'Try again' },
					validate: async pin => { await call.say('Let me see'); return pin === '4242' },
				})
				await call.say(JSON.stringify(got))
			}`, sim.Caller{Press: []sim.Press{{Keys: "12"}, {Keys: "1111"}, {Keys: "4242"}}}, []string{"Let me see", `{"digits":"4242","speech":"","valid":true,"attempts":3}`}},
		{"a key that ends it", `
			exports.answer = async call => {
				const got = await call.gather({ say: 'Your number', maxDigits: 9, finishOnKey: '#' })
				await call.say(JSON.stringify(got))
			}`, sim.Caller{Press: []sim.Press{{Keys: "123#"}}}, []string{`{"digits":"123","speech":"","valid":true,"attempts":1}`}},
		{"a plan", `
			exports.answer = async call => {
				const leg = await call.dial(['14155550101', ['14155550102', '14155550103'], 'alice'], { timeout: '10s', callerId: '14155550199' })
				return [{ action: 'speak', text: leg.status + ' ' + leg.to }]
			}`, sim.Caller{Callee: sim.Callee{Outcome: sim.Busy}, Callees: map[string]sim.Callee{"alice": {Talk: time.Minute}}}, []string{"alice answers", "answered alice"}},
		{"nobody takes it", `
			exports.answer = async call => {
				const leg = await call.dial('14155550101', { timeout: '10s' })
				if (leg.status !== 'answered') await call.say('Nobody is there')
			}`, sim.Caller{Callee: sim.Callee{Outcome: sim.NoAnswer}}, []string{"Nobody is there"}},
		{"a blind transfer", `
			exports.answer = async call => {
				await call.say('One moment')
				await call.transfer('14155550101', { timeout: '15s' })
			}`, sim.Caller{}, []string{"dials 14155550101", "talked"}},
		{"a reject", `exports.answer = call => call.reject()`, sim.Caller{}, []string{"hung up by app"}},
		{"verbs at once", `
			exports.answer = async call => {
				const [, { digits }] = await Promise.all([call.say('one'), call.gather({ say: 'two', maxDigits: 1 }), call.say('three'), call.pause('1s'), call.say('four')])
				await call.say('got ' + digits)
			}`, sim.Caller{Press: []sim.Press{{Keys: "7"}}}, []string{"hears three\nhears four\nhears got 7"}},
		{"a document within", `
			exports.answer = async call => {
				await call.say('before')
				await call.perform([{ action: 'speak', text: 'instead' }, { action: 'hangup' }])
				return [{ action: 'speak', text: 'never' }]
			}`, sim.Caller{}, []string{"hears before\nhears instead\nhung up"}},
		{"a continuation that uses verbs", `
			exports.answer = async call => [{ action: 'play_get_input', file_name: 'menu.wav', action_url: chosen }]
			async function chosen({ digits }, call) {
				await call.say('you chose ' + digits)
				const { digits: more } = await call.gather({ say: 'and?' })
				return [{ action: 'speak', text: 'then ' + more }]
			}`, sim.Caller{Press: []sim.Press{{Keys: "1"}, {Keys: "2"}}}, []string{"you chose 1", "then 2"}},
		{"waiting for something else", `
			exports.answer = async call => {
				const { digits } = await call.gather({ say: 'one' })
				await new Promise(done => setTimeout(done, 3000))
				await call.say('late ' + digits)
			}`, sim.Caller{Press: []sim.Press{{Keys: "1"}}}, []string{"late 1"}},
		{"a stream that ends", `
			exports.answer = async call => {
				await call.say('The robot takes over')
				await call.stream('wss://robot.example/ear', { listen: 'caller' })
			}`, sim.Caller{}, []string{"stream_opened wss://robot.example/ear"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			live, _ := dialIn(t, tt.script, tt.who)
			hosted, d := hostedCall(t, tt.script, tt.who)
			if a, b := met(live), met(hosted); a != b {
				t.Errorf("with a line the caller met\n%s\nand on the platform\n%s\n%s", a, b, hosted)
			}
			for _, want := range tt.holds {
				if !strings.Contains(met(hosted), want) {
					t.Errorf("there is no %q in\n%s", want, hosted)
				}
			}
			d.over()
		})
	}
}
