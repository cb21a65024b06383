package call_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
)

// cloudCall is theCall on the platform.
func cloudCall(id string) *call.Call {
	c := theCall(id)
	c.Driver = "cloud"
	return c
}

// begin has the platform ask what to do with call c1.
func (d *desk) begin() call.Reply {
	d.t.Helper()
	reply, err := d.handler.Answer(d.t.Context(), cloudCall("c1"))
	if err != nil {
		d.t.Fatal(err)
	}
	return reply
}

// token is the one that a reply's last action asks back with.
func token(t *testing.T, reply call.Reply) string {
	t.Helper()
	var actions []struct {
		URL string `json:"action_url"`
	}
	if err := json.Unmarshal(reply.JSON, &actions); err != nil {
		t.Fatal(err)
	}
	if len(actions) == 0 || actions[len(actions)-1].URL == "" {
		t.Fatalf("the last action of %s does not ask back", reply.JSON)
	}
	token, ok := cloudCall("c1").InputToken(actions[len(actions)-1].URL)
	if !ok {
		t.Fatalf("%s asks somebody else", reply.JSON)
	}
	return token
}

// back has the platform bring digits.
func (d *desk) back(token, digits string) (call.Reply, error) {
	return d.handler.Input(d.t.Context(), cloudCall("c1"), call.Input{Token: token, Digits: digits})
}

func (d *desk) goOn(after call.Reply, digits string) call.Reply {
	d.t.Helper()
	reply, err := d.back(token(d.t, after), digits)
	if err != nil {
		d.t.Fatal(err)
	}
	return reply
}

// happens brings a live event.
func (d *desk) happens(leg call.Leg, id string, s call.Status, at time.Time) {
	d.t.Helper()
	e := &call.Event{App: "app", CallID: "c1", LegID: id, Leg: leg, Status: s, Time: at, To: "14155550101", Raw: json.RawMessage(`{}`)}
	if err := d.handler.Event(d.t.Context(), e); err != nil {
		d.t.Fatal(err)
	}
}

// settle lets everything end that was begun in a bubble, the compiler's timer too.
func (d *desk) settle() {
	d.rt.Close()
	time.Sleep(time.Second)
	synctest.Wait()
}

func (d *desk) hangsUp() { d.happens(call.LegA, "c1", call.StatusHangup, time.Time{}) }

// wrote compares a reply, its tokens aside.
func wrote(t *testing.T, reply call.Reply, want string) {
	t.Helper()
	got := string(reply.JSON)
	for {
		before, after, found := strings.Cut(got, "https://me.example/hooks/app/input/")
		if !found {
			break
		}
		_, rest, _ := strings.Cut(after, `"`)
		got = before + `URL"` + rest
	}
	if got != want || reply.Fault != nil {
		t.Errorf("the reply is\n%s, fault %v, want\n%s", got, reply.Fault, want)
	}
}

// What each verb is on the wire.
func TestVerbsAsDocuments(t *testing.T) {
	for _, tt := range []struct{ script, want string }{
		{`call.say('hi')`, `[{"action":"speak","text":"hi"},{"action":"hangup"}]`},
		{`call.say('hi', { voice: 'x', language: 'en-IN' })`, `[{"action":"speak","text":"hi"},{"action":"hangup"}]`},
		{`call.play('https://a.example/a.wav')`, `[{"action":"play","file_url":"https://a.example/a.wav"},{"action":"hangup"}]`},
		{`call.answer()`, `[{"action":"hangup"}]`},
		{`call.gather({ say: 'hi', maxDigits: 3, timeout: '2500ms' })`, `[{"action":"speak","text":"hi"},{"action":"input","action_url":"URL","max_digit":3,"timeout":3}]`},
		{`call.gather({ play: 'a.wav', minDigits: 2 })`, `[{"action":"play_get_input","file_name":"a.wav","action_url":"URL","max_digit":2,"max_retry":1,"timeout":5}]`},
		{`call.gather({ timeout: 100 })`, `[{"action":"input","action_url":"URL","max_digit":1,"timeout":1}]`},
		{`call.gather({ say: 'hi', speech: true })`, `[{"action":"speak","text":"hi"},{"action":"input","action_url":"URL","max_digit":1,"timeout":5}]`},
		{`call.pause('90s')`, `[{"action":"input","action_url":"URL","max_digit":1,"timeout":90}]`},
		{`call.pause(0)`, `[{"action":"hangup"}]`},
		{`call.record({ say: 'speak', maxLength: '1m' })`, `[{"action":"speak","text":"speak"},{"action":"record"},{"action":"input","action_url":"URL","max_digit":1,"timeout":60}]`},
		{`call.dial('+1 415 555 0101', { maxDuration: '10m' })`, `[{"action":"bridge","from":15550002222,"connect":[{"type":"pstn","number":14155550101}],"duration":600,"timeout":40},{"action":"input","action_url":"URL","max_digit":1,"timeout":1}]`},
		{`call.dial(['14155550101', '14155550102'], { strategy: 'group', record: true, callerId: '+14155550199' })`, `[{"action":"record"},{"action":"bridge","from":14155550199,"connect":[{"type":"pstn","number":14155550101},{"type":"pstn","number":14155550102}],"duration":5400,"timeout":40,"ring_type":"group"},{"action":"input","action_url":"URL","max_digit":1,"timeout":1}]`},
		{`call.dial(['14155550101', '14155550102'])`, `[{"action":"bridge","from":15550002222,"connect":[{"type":"pstn","number":14155550101},{"type":"pstn","number":14155550102}],"duration":5400,"timeout":40},{"action":"input","action_url":"URL","max_digit":1,"timeout":1}]`},
		{`call.dial('alice', { record: true, timeout: 900 })`, `[{"action":"connect","from":15550002222,"connect":[{"type":"sip","user":"alice"}],"duration":5400,"timeout":1,"record":true},{"action":"input","action_url":"URL","max_digit":1,"timeout":1}]`},
		{`call.stream('wss://robot.example/ear')`, `[{"action":"stream","ws_url":"wss://robot.example/ear","listen_mode":"caller","voice_quality":"8000"}]`},
		{`call.transfer('14155550101')`, `[{"action":"bridge","connect":[{"type":"pstn","number":14155550101}],"duration":5400,"timeout":40}]`},
		{`call.transfer('sip:alice@pbx.example')`, `[{"action":"connect","connect":[{"type":"sip","user":"sip:alice@pbx.example"}],"duration":5400,"timeout":40}]`},
		{`call.transfer([{ action: 'hangup' }])`, `[{"action":"hangup"}]`},
		{`call.hangup()`, `[{"action":"hangup"}]`},
		{`call.hangup('USER_BUSY')`, `[{"action":"hangup","cause":"USER_BUSY"}]`},
		{`call.reject()`, `[{"action":"hangup"}]`},
	} {
		t.Run(tt.script, func(t *testing.T) {
			d := open(t, `exports.answer = async call => { await `+tt.script+` }`)
			wrote(t, d.begin(), tt.want)
			if found := bindcall.CannotCarry("cloud", tt.script); found != nil {
				t.Errorf("a check finds %v", found)
			}
			d.hangsUp()
			d.over()
		})
	}
}

func TestWhatThePlatformCannotDo(t *testing.T) {
	for script, want := range map[string]string{
		`call.announce('hi')`:                             "announce",
		`call.stop()`:                                     "stop",
		`call.conference('room')`:                         "conference",
		`call.leave()`:                                    "leave",
		`call.hold()`:                                     "hold",
		`call.unhold()`:                                   "unhold",
		`call.mute()`:                                     "mute",
		`call.unmute()`:                                   "unmute",
		`call.sendDigits('1')`:                            "sendDigits",
		`call.refer('alice')`:                             "refer",
		`call.bridge('another')`:                          "bridge",
		`call.ring('3s')`:                                 "ring (a time to ring before the call is answered)",
		`call.stopRecording()`:                            "stopRecording",
		`call.transfer('alice', { warm: true })`:          "transfer",
		`call.stream()`:                                   "stream (without a URL: open a stream to call.streamUrl, and take it in the export stream)",
		`call.stream({ sampleRate: 16000 })`:              "stream (without a URL: open a stream to call.streamUrl, and take it in the export stream)",
		`call.gather({ speech: true, digits: false })`:    "gather (words without digits)",
		`call.dial('alice', { whisper: 'a call' })`:       "dial (the option whisper)",
		`call.dial('alice', { accept: '1' })`:             "dial (the option accept)",
		`call.dial('alice', { machineDetection: true })`:  "dial (the option machineDetection)",
		`call.dial('alice', { headers: { 'X-A': '1' } })`: "dial (the option headers)",
		`call.dial(['alice', '14155550101'], { strategy: 'group' })`: "dial (numbers and SIP users at once)",
	} {
		t.Run(script, func(t *testing.T) {
			d := open(t, `exports.answer = async call => {
				try { await `+script+` } catch (e) { return [{ action: 'speak', text: [e.name, e.verb, e.driver, e.code, e.message].join('|') }] }
			}`)
			verb, _, _ := strings.Cut(want, " ")
			if found := bindcall.CannotCarry("cloud", script); !strings.Contains(want, "at once") && (len(found) != 1 || found[0].Verb != verb) {
				t.Errorf("a check finds %v", found)
			}
			wrote(t, d.begin(), fmt.Sprintf(`[{"action":"speak","text":"UnsupportedError|%s|cloud|UNSUPPORTED|the driver cloud cannot do this: %s"}]`, verb, want))
			d.over()
		})
	}
}

func TestVerbsThatNobodyAwaitsAreHeardBeforeTheReturnedDocument(t *testing.T) {
	d := open(t, `exports.answer = call => {
		call.say('one')
		call.play('two.wav')
		return [{ action: 'speak', text: 'three', more: 1 }]
	}`)
	wrote(t, d.begin(), `[{"action":"speak","text":"one"},{"action":"play","file_name":"two.wav"},{"action":"speak","text":"three","more":1}]`)
	d.over()
}

func TestADocumentComesAfterTheVerbThatNobodyAwaits(t *testing.T) {
	d := open(t, `exports.answer = call => {
		call.gather({ say: 'who?' }).then(({ digits }) => call.say('so ' + digits))
		return [{ action: 'speak', text: 'bye' }]
	}`)
	first := d.begin()
	wrote(t, first, `[{"action":"speak","text":"who?"},{"action":"input","action_url":"URL","max_digit":1,"timeout":5}]`)
	wrote(t, d.goOn(first, "1"), `[{"action":"speak","text":"so 1"},{"action":"speak","text":"bye"}]`)
}

// Digits pressed while nothing asks for them count for the next gather, as on a line.
func TestTypedAhead(t *testing.T) {
	got, d := hostedCall(t, `exports.answer = async call => {
		await call.pause('4s')
		await call.say(JSON.stringify(await call.gather({ say: 'unheard', maxDigits: 2 })))
		await call.say(JSON.stringify(await call.gather({ play: 'unheard.wav', maxDigits: 2, timeout: '3s' })))
	}`, sim.Caller{Press: []sim.Press{{Keys: "429", After: time.Second}, {}, {Keys: "5"}}})
	wants(t, got, "presses 4", "presses 2", "presses 9", "silent", `{"digits":"42","speech":"","valid":true,"attempts":1}`, "presses 5", `{"digits":"95"`)
	if strings.Contains(met(got), "unheard") {
		t.Error(got)
	}
	d.over()
}

func TestAMessageOnThePlatform(t *testing.T) {
	got, _ := hostedCall(t, `exports.answer = async call => {
		const rec = await call.record({ say: 'Leave a message', maxLength: '30s' })
		await call.say(JSON.stringify(rec))
	}`, sim.Caller{Press: []sim.Press{{Keys: "1", After: 4 * time.Second}, {Keys: "#", After: 6 * time.Second}}})
	wants(t, got, "Leave a message", "records", "presses 1", "presses #", `{"file":"","url":"","duration":11`)
}
