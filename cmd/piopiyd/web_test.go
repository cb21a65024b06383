package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/config"
	"github.com/piopiy/piopiyd/runtime"
)

// A configured address is reached wherever it is. What the server there names is not, unless it is the server itself
// or allowed.
func TestWebAppsAreGuarded(t *testing.T) {
	empty := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "[]") })
	inside := httptest.NewServer(empty)
	defer inside.Close()
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, inside.URL, http.StatusTemporaryRedirect)
			return
		}
		empty(w, r)
	}))
	defer crm.Close()
	cfg := config.Default()
	cfg.Apps = map[string]config.App{"crm": {AnswerURL: crm.URL + "/answer"}, "moved": {AnswerURL: crm.URL + "/moved"}}
	open := func() *webApps {
		w, err := newWebApps(cfg, nil, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.client.Close)
		return w
	}
	w := open()
	if reply, err := w.Answer(t.Context(), &call.Call{App: "crm"}); err != nil || reply.Fault != nil {
		t.Errorf("a configured address: %v, %v", err, reply.Fault)
	}
	if reply, err := w.Answer(t.Context(), &call.Call{App: "moved"}); err != nil || reply.Fault == nil || !strings.Contains(reply.Fault.Error(), "not followed") {
		t.Errorf("a redirect to the inside: %v, %v", err, reply.Fault)
	}
	asking := &call.Call{App: "crm"}
	for _, own := range []string{crm.URL, strings.Replace(crm.URL, "127.0.0.1", "localhost", 1)} {
		if _, err := w.Ask(t.Context(), asking, own+"/digits", call.Input{}); err != nil {
			t.Errorf("its own %s: %v", own, err)
		}
	}
	_, err := w.Ask(t.Context(), asking, inside.URL, call.Input{})
	if err == nil || !strings.Contains(err.Error(), "fetch.allow") {
		t.Errorf("another server of this machine: %v", err)
	}
	cfg.Fetch.Allow = []string{strings.TrimPrefix(inside.URL, "http://")}
	if _, err := open().Ask(t.Context(), asking, inside.URL, call.Input{}); err != nil {
		t.Errorf("an allowed one: %v", err)
	}
}

func TestDrainingRefusesWebApps(t *testing.T) {
	stopping := false
	h := draining{&call.Mux{}, func() bool { return stopping }}
	if _, err := h.Answer(t.Context(), &call.Call{}); !errors.Is(err, call.ErrNoApp) {
		t.Error(err)
	}
	stopping = true
	if _, err := h.Answer(t.Context(), &call.Call{}); !errors.Is(err, call.ErrDraining) {
		t.Error(err)
	}
	if err := h.CDR(t.Context(), &call.CDR{}); !errors.Is(err, call.ErrNoApp) {
		t.Errorf("reports go on: %v", err)
	}
}

func TestWebJournalNumbers(t *testing.T) {
	memory := runtime.NewMemoryJournal(10)
	var faults []string
	j := &webJournal{journal: memory, faulted: func(app string) { faults = append(faults, app) }}
	for _, note := range []string{"a answer", "b answer", "a fault", "a end", "a cdr"} {
		id, kind, _ := strings.Cut(note, " ")
		j.Note("crm", id, kind, time.Unix(1, 0), json.RawMessage(`{}`))
	}
	var got []string
	for _, id := range []string{"a", "b"} {
		for _, e := range memory.Entries(id) {
			got = append(got, fmt.Sprint(id, " ", e.Seq, " ", e.Kind))
		}
	}
	if diff := cmp.Diff([]string{"a 1 answer", "a 2 fault", "a 3 end", "a 1 cdr", "b 1 answer"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"crm"}, faults); diff != "" {
		t.Error(diff)
	}
}

func TestResendIsForWebServers(t *testing.T) {
	waits := resend(config.Config{Apps: map[string]config.App{"crm": {AnswerURL: "http://h"}, "desk": {}}})
	if len(waits("crm", "cdr")) != 3 || waits("crm", "event") != nil || waits("desk", "cdr") != nil || waits("other", "cdr") != nil {
		t.Error("the wrong deliveries wait as web servers' CDRs")
	}
}
