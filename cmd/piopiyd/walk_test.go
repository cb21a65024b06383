package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/siptest"
)

// verbs is a menu that awaits the caller.
const verbs = `
exports.answer = async (call) => {
	await call.answer()
	await call.startRecording()
	await call.say('Welcome to support.')
	const { digits } = await call.gather({ play: 'menu.wav', maxDigits: 1, timeout: '5s' })
	if (digits !== '5') return call.hangup('CALL_REJECTED')
	const leg = await call.dial('sip:bob', { timeout: '10s' })
	console.log('bob: ' + leg.status)
}
` + tell

// desk is the same menu as a document and a function.
const desk = `
const { PiopiyAction } = require('piopiy')

exports.answer = () => {
	const action = new PiopiyAction()
	action.record()
	action.speak('Welcome to support.')
	action.playGetInput(chosen, 'menu.wav', { max_digit: 1, timeout: 5 })
	return action.PCMO()
}

function chosen({ dtmf }) {
	if (dtmf !== '5') return [{ action: 'hangup', cause: 'CALL_REJECTED' }]
	return [{ action: 'connect', timeout: 10, connect: [{ type: 'sip', user: 'bob' }] }]
}
` + tell

// tell passes reports on.
const tell = `
exports.event = (e) => tell('event', e)
exports.cdr = (r) => tell('cdr', r)

async function tell(what, body) {
	const r = await fetch(env.CRM + '/' + what, { method: 'POST', body: JSON.stringify(body) })
	if (!r.ok) throw new Error('the CRM answers ' + r.status)
}
`

// TestWalk is the main job on real programs: a phone calls the daemon, hears the script's prompt, presses a key, is
// connected to a second phone and is recorded; events and a CDR for each leg go out.
func TestWalk(t *testing.T) {
	siptest.Program(t, "baresip", "baresip-core")
	script := func(crm string) string { return "env: {CRM: \"" + crm + "\"}" }
	web := func(crm string) string {
		return fmt.Sprintf("answer_url: %s/answer, event_url: %s/event, cdr_url: %s/cdr", crm, crm, crm)
	}
	for _, tt := range []struct {
		name, script string
		app          func(crm string) string // its configuration
		timeline     []string
	}{
		{"document", desk, script, []string{" line +performs record", " line +performs connect", " input +chosen gets the digits 5"}},
		{"verbs", verbs, script, []string{" log +bob: answered"}},
		{"web server", "", web, []string{" line +performs record", " line +performs connect"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			crm := startCRM(t)
			dir := t.TempDir()
			files := map[string]string{
				"media/menu.wav": string(media.EncodeWAV(media.Tone(880, 20*time.Second))),
				"piopiyd.yaml": fmt.Sprintf(`
sip:
  users: {alice: alice-password, bob: bob-password}
fetch: {allow: ["127.0.0.1:%s"]}
apps:
  support: {%s, numbers: ["14155550100"]}
`, crm.port(), tt.app(crm.URL)),
			}
			if tt.script != "" {
				files["scripts/support.js"] = tt.script
			}
			lay(t, dir, files)
			d := startSIP(t, dir)
			bob := siptest.StartPhone(t, siptest.Account{User: "bob", Password: "bob-password", Server: d.sip, Codec: "pcma"}, 1500)
			alice := siptest.StartPhone(t, siptest.Account{User: "alice", Password: "alice-password", Server: d.sip}, 1000)
			siptest.Wait(t, "both have registered", func() bool { return strings.Contains(d.get("/metrics"), "\npiopiyd_sip_registered_users 2\n") })

			alice.Dial("sip:support@" + d.sip)
			alice.Hears(880)
			alice.Press("5")
			alice.Hears(1500)
			bob.Hears(1000)
			if !strings.Contains(d.get("/metrics"), "\npiopiyd_sip_calls 1\n") {
				t.Error("the metrics do not show the call")
			}
			bob.Hangup()
			siptest.Wait(t, "CDRs of both legs", func() bool { return len(crm.all("/cdr")) == 2 })
			alice.Quit()
			bob.Quit()

			a, b := crm.cdr("A"), crm.cdr("B")
			check := func(r record, key, want string) {
				t.Helper()
				if got := r.text(key); got != want {
					t.Errorf("the CDR of leg %s has %s %q, want %q: %v", r.text("leg"), key, got, want, r)
				}
			}
			for _, r := range []record{a, b} {
				check(r, "status", "answered")
				check(r, "hangup_cause", "NORMAL_CLEARING")
				check(r, "app", "support")
			}
			check(b, "hangup_by", "callee")
			for _, leg := range []string{"a", "b"} {
				want := fmt.Sprintf("\npiopiyd_sip_legs_total{cause=\"NORMAL_CLEARING\",leg=\"%s\",status=\"answered\"} 1\n", leg)
				if metrics := d.get("/metrics"); !strings.Contains(metrics, want) {
					t.Errorf("the metrics lack %s", want)
				}
			}
			id := a.call()
			if id == "" || b.call() != id {
				t.Errorf("the legs' CDRs name the calls %q and %q", id, b.call())
			}
			check(a, "filename", id+".wav")
			check(a, "to", "support")
			if to := strings.TrimPrefix(b.text("to"), "sip:"); to != "bob" {
				t.Errorf("leg b is to %q", to)
			}
			if from := a.text("from"); !strings.HasPrefix(from, "sip:alice@") {
				t.Errorf("the caller is %q", from)
			}
			if a.number("duration") < b.number("duration") || b.number("duration") < 0 {
				t.Errorf("leg a talked for %v s, leg b for %v s", a.number("duration"), b.number("duration"))
			}
			for _, want := range []string{"answered", "bridged", "hangup"} {
				if !slices.ContainsFunc(crm.all("/event"), func(r record) bool { return strings.Contains(r.text("status"), want) }) {
					t.Errorf("no event says %s: %v", want, crm.all("/event"))
				}
			}

			recording, err := os.ReadFile(filepath.Join(dir, "data", "recordings", id+".wav"))
			if err != nil {
				t.Fatal(err)
			}
			samples, err := media.DecodeWAV(recording)
			if err != nil {
				t.Fatal(err)
			}
			for _, sound := range []struct {
				what    string
				samples []int16
				hz      []float64
			}{
				{"alice heard", alice.Heard(), []float64{880, 1500}}, {"bob heard", bob.Heard(), []float64{1000}},
				{"the recording has", samples, []float64{880, 1000, 1500}},
			} {
				for _, hz := range sound.hz {
					if !siptest.Contains(sound.samples, hz) {
						t.Errorf("%s no %g Hz in %v", sound.what, hz, media.Duration(len(sound.samples)))
					}
				}
			}
			if spoken, _ := filepath.Glob(filepath.Join(dir, "data", "speech", "*.wav")); len(spoken) == 0 {
				t.Error("nothing was spoken")
			}
			timeline := d.run("timeline", id)
			for _, want := range tt.timeline {
				if !regexp.MustCompile(want).MatchString(timeline) {
					t.Errorf("the timeline lacks %q:\n%s", want, timeline)
				}
			}
			for _, secret := range []string{"alice-password", "bob-password"} {
				if log, _ := os.ReadFile(d.log); strings.Contains(string(log), secret) {
					t.Error("the log shows a password")
				}
			}
			d.stop()
		})
	}
}

// record is an event or a CDR as it was sent.
type record map[string]any

// text returns a field of the record, or of the raw one that a script is given beside it.
func (r record) text(key string) string {
	if s, ok := r[key].(string); ok {
		return s
	}
	raw, _ := r["raw"].(map[string]any)
	s, _ := raw[key].(string)
	return s
}

func (r record) number(key string) float64 {
	n, _ := r[key].(float64)
	return n
}

// call is the id of the call that a record belongs to.
func (r record) call() string {
	for _, key := range []string{"callId", "conversation_uuid", "cmiuuid"} {
		if id := r.text(key); id != "" {
			return id
		}
	}
	return ""
}

// crm is a web server that decides about calls and takes reports.
type crm struct {
	*httptest.Server
	t *testing.T

	mu   sync.Mutex
	seen map[string][]record
}

func startCRM(t *testing.T) *crm {
	c := &crm{t: t, seen: map[string][]record{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var content record
		if err := json.Unmarshal(body, &content); err != nil {
			t.Errorf("%s: %v: %s", r.URL.Path, err, body)
		}
		c.mu.Lock()
		c.seen[r.URL.Path] = append(c.seen[r.URL.Path], content)
		c.mu.Unlock()
		switch r.URL.Path {
		case "/answer":
			fmt.Fprintf(w, `[{"action":"record"},{"action":"speak","text":"Welcome to support."},
				{"action":"play_get_input","file_name":"menu.wav","action_url":"http://%s/digits","max_digit":1,"timeout":5}]`, r.Host)
		case "/digits":
			if content.text("dtmf") != "5" {
				fmt.Fprint(w, `[{"action":"hangup","cause":"CALL_REJECTED"}]`)
				return
			}
			fmt.Fprint(w, `[{"action":"connect","timeout":10,"connect":[{"type":"sip","user":"bob"}]}]`)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *crm) port() string { return c.URL[strings.LastIndex(c.URL, ":")+1:] }

func (c *crm) all(path string) []record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.seen[path])
}

// cdr returns the record of a leg.
func (c *crm) cdr(leg string) record {
	c.t.Helper()
	for _, r := range c.all("/cdr") {
		if strings.EqualFold(r.text("leg"), leg) {
			return r
		}
	}
	c.t.Fatalf("no CDR of leg %s: %v", leg, c.all("/cdr"))
	return nil
}
