package webapp_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/cloud"
	"github.com/piopiy/piopiyd/pcmo"
	"github.com/piopiy/piopiyd/webapp"
)

// The bodies are those of the protocol page, sections 1.2 and 1.3, byte for byte.
func TestQuestions(t *testing.T) {
	with := func(set func(*call.Call)) *call.Call {
		c := inbound()
		set(c)
		return c
	}
	outbound := with(func(c *call.Call) {
		c.Direction, c.From, c.To, c.ExtraParams = call.Outbound, "15550002222", "15550001111", `{"order_id":"A1"}`
	})
	desk := with(func(c *call.Call) { c.From, c.To = "sip:desk@pbx.example", "" })
	tests := []struct {
		name, path, want string
		c                *call.Call
		in               *call.Input
	}{
		{name: "answer", c: inbound(), path: "/answer?key=hidden",
			want: `{"action":"inbound","from":"15550001111","to":"15550002222","time":1700000000123,"cmiuuid":"00000000-0000-4000-8000-000000000001"}`},
		{name: "answer, outbound", c: outbound, path: "/answer?key=hidden",
			want: `{"action":"outbound","from":"15550002222","to":"15550001111","time":1700000000123,"cmiuuid":"00000000-0000-4000-8000-000000000001","extra_params":"{\"order_id\":\"A1\"}"}`},
		{name: "answer, no numbers", c: desk, path: "/answer?key=hidden",
			want: `{"action":"inbound","from":"sip:desk@pbx.example","to":"","time":1700000000123,"cmiuuid":"00000000-0000-4000-8000-000000000001"}`},
		{name: "input", c: inbound(), in: &call.Input{Digits: "0042#"}, path: "/digits?n=1",
			want: `{"from":15550001111,"to":15550002222,"dtmf":"0042#","cmuuid":"00000000-0000-4000-8000-000000000001"}`},
		{name: "input, nothing pressed", c: outbound, in: &call.Input{}, path: "/digits?n=1",
			want: `{"from":15550002222,"to":15550001111,"dtmf":"","cmuuid":"00000000-0000-4000-8000-000000000001","extra_params":"{\"order_id\":\"A1\"}"}`},
		{name: "input, no numbers", c: desk, in: &call.Input{Digits: "1", Speech: "one"}, path: "/digits?n=1",
			want: `{"from":"sip:desk@pbx.example","to":"","dtmf":"1","cmuuid":"00000000-0000-4000-8000-000000000001","speech":"one"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := saying(t, 200, ` [{"action":"speak","text":"hi"}] `)
			secret := []byte("0123456789abcdef")
			h := handler(t, s.URL, func(o *webapp.Options) { o.Secret = secret })
			reply := ""
			if tt.in == nil {
				r, err := h.Answer(t.Context(), tt.c)
				if err != nil || r.Fault != nil {
					t.Fatal(err, r.Fault)
				}
				reply = string(r.JSON)
				if back, err := cloud.DecodeAnswer("crm", []byte(s.requests()[0].body), time.Now()); err != nil || back.ID != tt.c.ID || back.ExtraParams != tt.c.ExtraParams || !back.Time.Equal(tt.c.Time) {
					t.Errorf("the cloud driver reads %+v, %v", back, err)
				}
			} else {
				doc, err := h.Ask(t.Context(), tt.c, s.URL+tt.path, *tt.in)
				if err != nil {
					t.Fatal(err)
				}
				reply = string(pcmo.Document(doc).AppendJSON(nil))
				if _, in, err := cloud.DecodeInput("crm", "", []byte(s.requests()[0].body), time.Now()); err != nil || in.Digits != tt.in.Digits {
					t.Errorf("the cloud driver reads %+v, %v", in, err)
				}
			}
			if reply != `[{"action":"speak","text":"hi"}]` {
				t.Errorf("replied %s", reply)
			}
			got := s.requests()
			if len(got) != 1 || got[0].path != tt.path {
				t.Fatalf("asked %+v", got)
			}
			if diff := cmp.Diff(tt.want, got[0].body); diff != "" {
				t.Error(diff)
			}
			for name, want := range map[string]string{"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "piopiyd"} {
				if v := got[0].header.Get(name); v != want {
					t.Errorf("%s is %q", name, v)
				}
			}
			if err := webapp.Verify(secret, got[0].header.Get(webapp.SignatureHeader), []byte(got[0].body), time.Now(), time.Minute); err != nil {
				t.Error(err)
			}
			if logged := h.log.String(); logged != "" {
				t.Errorf("logged %s", logged)
			}
		})
	}
}

func TestReports(t *testing.T) {
	at := time.UnixMilli(1700000000123)
	event := &call.Event{App: "crm", CallID: "c", LegID: "l", Leg: call.LegB, Direction: call.Outbound, Status: call.StatusBridged, WireStatus: "out_bridged",
		Time: at, From: "15550001111", To: "desk", RequestID: "r"}
	record := &call.CDR{App: "crm", CallID: "c", LegID: "l", Leg: call.LegA, Direction: call.Inbound, Status: call.StatusAnswered, From: "15550001111", To: "15550002222",
		Start: at, Answer: at.Add(2 * time.Second), End: at.Add(9 * time.Second), Duration: 7 * time.Second, ExtraParams: "x"}
	rawEvent, rawRecord := *event, *record
	rawEvent.Raw, rawRecord.Raw = []byte(`{"appid":1,"status":"out_bridged"}`), []byte(`{"appid":1,"status":"answered"}`)
	tests := []struct {
		name, path, want string
		tell             func(context.Context, *webapp.Handler) error
	}{
		{"event", "/event?key=hidden", `{"appid":1,"status":"out_bridged"}`, func(ctx context.Context, h *webapp.Handler) error { return h.Event(ctx, &rawEvent) }},
		{"event without a wire form", "/event?key=hidden", `{"direction":"outbound","leg":"b","status":"out_bridged","time":1700000000123,"from":15550001111,"to":"desk","cmiuuid":"l","conversation_uuid":"c","request_id":"r"}`,
			func(ctx context.Context, h *webapp.Handler) error { return h.Event(ctx, event) }},
		{"cdr", "/cdr", `{"appid":1,"status":"answered"}`, func(ctx context.Context, h *webapp.Handler) error { return h.CDR(ctx, &rawRecord) }},
		{"cdr without a wire form", "/cdr", `{"direction":"inbound","status":"answered","leg":"a","from":15550001111,"to":15550002222,"time":1700000000123,"start_time":1700000000,"answer_time":1700000002,"end_time":1700000009,"duration":7,"cmiuuid":"l","conversation_uuid":"c","extra_params":"x"}`,
			func(ctx context.Context, h *webapp.Handler) error { return h.CDR(ctx, record) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := saying(t, 204, "")
			h := handler(t, s.URL, nil)
			if err := tt.tell(t.Context(), h.Handler); err != nil {
				t.Fatal(err)
			}
			got := s.requests()
			if len(got) != 1 || got[0].path != tt.path {
				t.Fatalf("told %+v", got)
			}
			if diff := cmp.Diff(tt.want, got[0].body); diff != "" {
				t.Error(diff)
			}
			if _, signed := got[0].header[webapp.SignatureHeader]; signed {
				t.Error("signed without a secret")
			}
			kind, _, _ := strings.Cut(tt.name, " ")
			if diff := cmp.Diff([]string{tt.want}, h.notes.of(kind)); diff != "" {
				t.Error(diff)
			}
			if ended := len(h.notes.of("end")); ended != strings.Count(kind, "cdr") {
				t.Errorf("%d ends", ended)
			}
		})
	}
}

// A report that is not taken is an error, so that the inbox delivers again.
func TestReportsNotTaken(t *testing.T) {
	for status, want := range map[int]string{500: "answered 500 Internal Server Error", 404: "answered 404 Not Found", 302: "answered 302 Found"} {
		s := saying(t, status, "15550001111 is unknown")
		h := handler(t, s.URL, nil)
		for _, err := range []error{h.Event(t.Context(), &call.Event{App: "crm", CallID: "c"}), h.CDR(t.Context(), &call.CDR{App: "crm", CallID: "c"})} {
			if err == nil || call.IsPermanent(err) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "15550001111") || strings.Contains(err.Error(), "hidden") {
				t.Errorf("status %d: %v", status, err)
			}
		}
		if n := len(s.requests()); n != 2 {
			t.Errorf("status %d: %d requests; trying again is the inbox's", status, n)
		}
		if w := h.notes.of("undelivered"); len(w) != 2 || !strings.Contains(w[0], want) || len(h.notes.of("end")) != 0 {
			t.Errorf("status %d: noted %v", status, h.notes.all)
		}
	}
}

func TestNobodyToTell(t *testing.T) {
	h := handler(t, "http://127.0.0.1:1", nil)
	ctx := t.Context()
	if err := h.Event(ctx, &call.Event{App: "quiet"}); !errors.Is(err, call.ErrNoCallback) {
		t.Error(err)
	}
	if err := h.CDR(ctx, &call.CDR{App: "quiet", CallID: "c", Leg: call.LegA}); !errors.Is(err, call.ErrNoCallback) || len(h.notes.of("end")) != 1 {
		t.Error(err, h.notes.all)
	}
	if err := h.Stream(ctx, inbound(), nil); !errors.Is(err, call.ErrNoCallback) {
		t.Error(err)
	}
	if _, err := h.Input(ctx, inbound(), call.Input{Token: "t"}); !errors.Is(err, call.ErrNoContinuation) {
		t.Error(err)
	}
	_, err := h.Answer(ctx, &call.Call{App: "nobody"})
	for _, err := range []error{err, h.Event(ctx, &call.Event{App: "nobody"}), h.CDR(ctx, &call.CDR{App: "nobody"})} {
		if !errors.Is(err, call.ErrNoApp) {
			t.Error(err)
		}
	}
}

func TestNewRefusesAddresses(t *testing.T) {
	for _, app := range []webapp.App{{}, {AnswerURL: "crm.example.com/answer"}, {AnswerURL: "ftp://h/"}, {AnswerURL: "http://h", CDRURL: "/cdr"}, {AnswerURL: "http://h", EventURL: "http://word\x7f"}} {
		_, err := webapp.New(webapp.Options{Apps: map[string]webapp.App{"crm": app}})
		if err == nil || !strings.Contains(err.Error(), `app "crm": `) || strings.Contains(err.Error(), "word") {
			t.Errorf("%+v: %v", app, err)
		}
	}
}

// An action_url may carry a user and a password, as it may towards PIOPIY; neither is shown anywhere.
func TestAskWithPassword(t *testing.T) {
	s := saying(t, 200, `[]`)
	h := handler(t, s.URL, nil)
	target := strings.Replace(s.URL, "http://", "http://ann:hidden@", 1) + "/digits"
	if _, err := h.Ask(t.Context(), inbound(), target, call.Input{Digits: "1"}); err != nil {
		t.Fatal(err)
	}
	r := http.Request{Header: s.requests()[0].header}
	if user, password, ok := r.BasicAuth(); !ok || user != "ann" || password != "hidden" {
		t.Errorf("sent %q %q", user, password)
	}
	if all := strings.Join(h.notes.all, "\n"); strings.Contains(all, "hidden") || !strings.Contains(all, `"continuation":"`+s.URL+`/digits"`) {
		t.Error(all)
	}
}

// A script's call has a journal of its own.
func TestAskForScripts(t *testing.T) {
	s := saying(t, 200, `[]`)
	h := handler(t, s.URL, nil)
	c := inbound()
	c.App = "script"
	if doc, err := h.Ask(t.Context(), c, s.URL, call.Input{}); err != nil || len(doc) != 0 || len(h.notes.all) != 0 {
		t.Errorf("%v, %v, noted %v", doc, err, h.notes.all)
	}
	for _, target := range []string{"", "digits", "ftp://h/x", "http://\x7f"} {
		var failed *webapp.Error
		if _, err := h.Ask(t.Context(), c, target, call.Input{}); !errors.As(err, &failed) || !strings.Contains(err.Error(), "must be an address") {
			t.Errorf("%q: %v", target, err)
		}
	}
}
