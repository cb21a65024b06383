package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/call/inboxtest"
	"github.com/piopiy/piopiyd/drivers/sip/siptest"
	"github.com/piopiy/piopiyd/journal"
	"github.com/piopiy/piopiyd/runtime"
)

// lostDesk connects callers with a phone, and tells a web server of what it is told.
const lostDesk = `
exports.answer = () => [{ action: 'connect', timeout: 60, connect: [{ type: 'sip', user: env.HUMAN }] }]
exports.event = (e, call) => tell('event', { ...e, raw: e.raw, call: call.id })
exports.cdr = (r, call) => tell('cdr', { ...r, raw: r.raw, call: call.id, from: call.from, ran: 'first' })

async function tell(what, body) {
	const r = await fetch(env.CRM + '/' + what, { method: 'POST', body: JSON.stringify(body) })
	if (!r.ok) throw new Error('the CRM answers ' + r.status)
}
`

// TestLostCalls kills the daemon while two phones talk: the next one ends the call, tells of it once, and the one after
// that has nothing left to do.
func TestLostCalls(t *testing.T) {
	for _, name := range []string{"script", "web server"} {
		t.Run(name, func(t *testing.T) {
			crm := startCRM(t)
			human, caller := siptest.StartSoftphone(t), siptest.StartSoftphone(t)
			uri := strings.TrimPrefix(human.URI("human"), "sip:")
			dir := t.TempDir()
			app := fmt.Sprintf(`{env: {CRM: %q, HUMAN: %q}}`, crm.URL, uri)
			files := map[string]string{"scripts/desk.js": lostDesk}
			if name == "web server" {
				web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					_, _ = fmt.Fprintf(w, `[{"action":"connect","timeout":60,"connect":[{"type":"sip","user":%q}]}]`, uri)
				}))
				defer web.Close()
				app = fmt.Sprintf(`{answer_url: %q, event_url: "%s/event", cdr_url: "%[2]s/cdr"}`, web.URL, crm.URL)
				files = map[string]string{"scripts/other.js": "exports.answer = () => []"}
			}
			files["piopiyd.yaml"] = fmt.Sprintf("fetch: {allow: [\"127.0.0.1:%s\"]}\nsip: {allow_hosts: [\"127.0.0.1\"]}\napps: {desk: %s}\n", crm.port(), app)
			lay(t, dir, files)

			d := startSIP(t, dir)
			caller.Dial("sip:desk@"+d.sip, "+15550001111")
			said := caller.Say(1000, time.Minute)
			siptest.Wait(t, "the caller speaks", func() bool { return !said.Begun().IsZero() })
			human.Hears(1000, said.Begun())
			events := func(status string) (legs []string) {
				for _, e := range crm.all("/event") {
					if strings.HasSuffix(e.text("status"), status) {
						legs = append(legs, strings.ToLower(e.text("leg")))
					}
				}
				return legs
			}
			siptest.Wait(t, "they are connected", func() bool { return len(events("bridged")) == 1 && len(events("answered")) == 1 })
			if calls := d.calls(); len(calls) != 1 || !calls[0].Ended.IsZero() {
				t.Fatalf("under way is %+v", calls)
			}
			_ = d.cmd.Process.Kill()
			<-d.ended
			if name == "script" { // whose call had begun does not meet it
				lay(t, dir, map[string]string{"scripts/desk.js": strings.ReplaceAll(lostDesk, "first", "second")})
			}

			d = startSIP(t, dir)
			calls := d.calls()
			if len(calls) != 1 || calls[0].Ended.Before(calls[0].Started) || calls[0].Ended.After(time.Now()) {
				t.Fatalf("after the restart there is %+v", calls)
			}
			d.logged("calls were ended that had been under way")
			siptest.Wait(t, "everything is told", func() bool { return len(crm.all("/cdr")) == 2 && strings.Contains(d.get("/api/deliveries"), "[]") })
			id := calls[0].ID
			for _, leg := range []string{"a", "b"} {
				r := crm.cdr(leg)
				raw := r
				if name == "script" {
					raw = r["raw"].(map[string]any)
					if r.text("call") != id || r.text("ran") != "first" || !strings.HasSuffix(r.text("from"), "15550001111") {
						t.Errorf("leg %s: the script knows %v", leg, r)
					}
				}
				if r.text("status") != "answered" || r.text("hangup_cause") != "NORMAL_TEMPORARY_FAILURE" || r.text("hangup_by") != "platform" || r.call() != id {
					t.Errorf("leg %s: the record is %v", leg, r)
				}
				if end := int64(raw.number("end_time")); raw.number("duration") < 0 || raw.number("answer_time") == 0 || end > time.Now().Unix() || end < int64(raw.number("answer_time")) {
					t.Errorf("leg %s: its times are %v", leg, raw)
				}
			}
			if got := strings.Join(events("hangup"), ""); got != "ba" {
				t.Errorf("the ends of the legs %q are told of", got)
			}
			if again := d.calls(); len(again) != 1 || !again[0].Ended.Equal(calls[0].Ended) {
				t.Errorf("once its record is told the call is %+v", again)
			}
			timeline := d.run("timeline", id)
			if !strings.Contains(timeline, "the call ended: piopiyd ended without a word") || !strings.Contains(timeline, "(NORMAL_TEMPORARY_FAILURE)") {
				t.Errorf("the timeline is\n%s", timeline)
			}
			for _, leg := range []string{"a", "b"} {
				want := fmt.Sprintf("\npiopiyd_sip_legs_total{cause=\"NORMAL_TEMPORARY_FAILURE\",leg=\"%s\",status=\"answered\"} 1\n", leg)
				if metrics := d.get("/metrics"); !strings.Contains(metrics, want) {
					t.Errorf("the metrics lack %s", want)
				}
			}

			for range 2 {
				_ = d.cmd.Process.Kill()
				<-d.ended
				d = startSIP(t, dir)
				siptest.Wait(t, "nothing waits", func() bool { return strings.Contains(d.get("/api/deliveries"), "[]") })
				if log, err := os.ReadFile(d.log); err != nil || strings.Contains(string(log), "calls were ended") {
					t.Errorf("it is ended again: %v\n%s", err, log)
				}
				if n := len(crm.all("/cdr")); n != 2 {
					t.Errorf("%d records are told: %v", n, crm.all("/cdr"))
				}
				if after := d.calls(); len(after) != 1 || !after[0].Ended.Equal(calls[0].Ended) {
					t.Errorf("after another restart there is %+v", after)
				}
			}
			d.stop()
		})
	}
}

// fullFor is an inbox that has no room for the records of one leg.
type fullFor struct {
	call.Inbox
	leg call.Leg
}

func (in fullFor) AcceptCDR(ctx context.Context, r *call.CDR) (bool, error) {
	if r.Leg == in.leg {
		return false, call.ErrInboxFull
	}
	return in.Inbox.AcceptCDR(ctx, r)
}

// TestLostCallsInTwoGoes ends calls, is stopped in the middle and begins again, long after: nothing is told twice, and the
// call has ended when it was first found to have.
func TestLostCallsInTwoGoes(t *testing.T) {
	dir := t.TempDir()
	open := func() *journal.Journal {
		j, err := journal.Open(t.Context(), journal.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	stop := func(j *journal.Journal) {
		if err := j.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	began := time.Now().Round(0).Add(-time.Hour)
	last := began.Add(time.Hour + 5*time.Second) // the journal knows more than the last note of who was there
	j := open()
	j.Underway().Began(&call.Call{ID: "c1", App: "desk", Driver: "sip", Direction: call.Inbound, From: "1", To: "2", Time: began})
	j.Underway().Event(&call.Event{App: "desk", Driver: "sip", CallID: "c1", LegID: "c1", Leg: call.LegA, Direction: call.Inbound, Status: call.StatusAnswered, Time: began.Add(time.Second)})
	j.Underway().Event(&call.Event{App: "desk", Driver: "sip", CallID: "c1", LegID: "b1", Leg: call.LegB, Direction: call.Inbound, Status: call.StatusStarted, Time: began.Add(time.Minute)})
	if err := j.Append("desk", "c1", []runtime.Entry{{Seq: 1, Time: began, Kind: "start", Version: "v1"}, {Seq: 2, Time: last, Kind: "log"}}); err != nil {
		t.Fatal(err)
	}
	stop(j)

	log := slog.New(slog.DiscardHandler)
	j = open()
	lostCalls{j, fullFor{j.Inbox(), call.LegA}, log}.end(t.Context())
	if waiting := j.Inbox().Deliveries(0); len(waiting) != 3 { // two hangups and a record
		t.Errorf("waiting are %+v", waiting)
	}
	if err := j.Append("desk", "c1", []runtime.Entry{{Seq: 1, Time: last.Add(time.Second), Kind: "start", Version: "v1"}}); err != nil {
		t.Fatal(err)
	}
	stop(j)

	for range 2 {
		j = open()
		lostCalls{j, j.Inbox(), log}.end(t.Context())
		if waiting := j.Inbox().Deliveries(0); len(waiting) != 4 {
			t.Errorf("waiting are %+v", waiting)
		}
		entries, err := j.Recall(t.Context(), "desk", "c1")
		if err != nil {
			t.Fatal(err)
		}
		ends := 0
		for _, e := range entries {
			if e.Kind == "end" {
				ends++
				if !e.Time.Equal(last) || e.Seq != 0 || !strings.Contains(string(e.Data), "NORMAL_TEMPORARY_FAILURE") {
					t.Errorf("the end is %+v %s", e, e.Data)
				}
			}
		}
		if ends != 1 {
			t.Errorf("%d ends: %+v", ends, entries)
		}
		list, err := callsView{j, &call.Live{}}.List(t.Context(), "", 0)
		if err != nil || len(list) != 1 || !list[0].Ended.Equal(last) {
			t.Errorf("listed is %+v, %v", list, err)
		}
		stop(j)
	}

	j = open()
	defer stop(j)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var got []string
	taken := func(text string) error {
		if got = append(got, text); len(got) == 4 {
			cancel()
		}
		return nil
	}
	if err := j.Inbox().Deliver(ctx, inboxtest.Handler{
		OnEvent: func(_ context.Context, e *call.Event) error {
			return taken(fmt.Sprint(e.WireStatus, " ", e.LegID, " ", e.Time.Equal(last)))
		},
		OnCDR: func(_ context.Context, r *call.CDR) error {
			return taken(fmt.Sprint(r.Status, " ", r.LegID, " ", r.Duration, " ", r.End.Equal(last)))
		},
	}); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("in_hangup b1 true, missed b1 0s true, in_hangup c1 true, answered c1 %s true", last.Sub(began.Add(time.Second)))
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("told is %s, want %s", text, want)
	}
}

// listed is a call as the API lists it.
type listed struct {
	ID             string
	Started, Ended time.Time
}

// calls asks for the list of calls.
func (d *daemon) calls() []listed {
	d.t.Helper()
	var list struct{ Calls []listed }
	if text := d.get("/api/calls"); json.Unmarshal([]byte(text), &list) != nil {
		d.t.Fatalf("the calls are %s", text)
	}
	for _, c := range list.Calls {
		var one listed
		if text := d.get("/api/calls/" + c.ID); json.Unmarshal([]byte(text), &one) != nil || !one.Ended.Equal(c.Ended) {
			d.t.Errorf("the list says %+v, by itself the call is %s", c, text)
		}
	}
	return list.Calls
}
