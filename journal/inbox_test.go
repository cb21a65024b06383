package journal_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/call/inboxtest"
	"github.com/piopiy/piopiyd/journal"
)

// TestRestartDelivers hands back, field by field and in order, what was accepted before a restart.
func TestRestartDelivers(t *testing.T) {
	each := []any{
		&call.Event{App: "support", CallID: "c\x00 ü", LegID: "leg", RequestID: "req", Leg: call.LegB, Direction: call.Outbound,
			Status: call.StatusStreamError, WireStatus: "STREAM_ERROR", Time: began, From: "1", To: "2", ExtraParams: "not JSON", Raw: []byte(`{"a":1}`)},
		&call.Event{App: "support", CallID: "c\x00 ü", Status: call.StatusHangup},
		&call.CDR{App: "support", CallID: "c\x00 ü", LegID: "leg", RequestID: "req", Leg: call.LegA, Direction: call.Inbound,
			Status: call.StatusAnswered, From: "1", To: "2", Start: began, Answer: began.Add(time.Second), End: began.Add(time.Hour),
			Duration: time.Hour - time.Second, ExtraParams: "x", Raw: []byte(`{}`)},
		&call.CDR{App: "", CallID: "c\x00 ü", Status: call.StatusMissed, Start: time.Unix(-1<<40, 5).UTC()},
	}
	dir := t.TempDir()
	j := open(t, journal.Options{Dir: dir})
	for _, a := range each {
		var fresh bool
		var err error
		switch a := a.(type) {
		case *call.Event:
			fresh, err = j.Inbox().AcceptEvent(t.Context(), a)
		case *call.CDR:
			fresh, err = j.Inbox().AcceptCDR(t.Context(), a)
		}
		if err != nil || !fresh {
			t.Fatal(fresh, err)
		}
	}
	closeJournal(t, j)

	j = open(t, journal.Options{Dir: dir, Inbox: call.InboxOptions{Concurrency: 1}})
	var got []any
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	take := func(what any) {
		if got = append(got, what); len(got) == len(each) {
			cancel()
		}
	}
	err := j.Inbox().Deliver(ctx, inboxtest.Handler{
		OnEvent: func(_ context.Context, e *call.Event) error { take(e); return nil },
		OnCDR:   func(_ context.Context, r *call.CDR) error { take(r); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	// The fourth belongs to another app, and so to another call, which may come in between.
	for i := range got {
		if r, ok := got[i].(*call.CDR); ok && r.App == "" {
			got = append(append(got[:i:i], got[i+1:]...), r)
			break
		}
	}
	if d := cmp.Diff(each, got); d != "" {
		t.Error(d)
	}
}

// TestInboxSpace fills the inbox's disk space: accepting is refused until deliveries make room, also while one
// delivery does not succeed.
func TestInboxSpace(t *testing.T) {
	j := open(t, journal.Options{InboxMaxBytes: 256 << 10, Inbox: call.InboxOptions{Backoff: []time.Duration{time.Hour}}})
	raw := []byte(`"` + strings.Repeat("x", 4000) + `"`)
	n := 0
	accept := func() error {
		n++
		_, err := j.Inbox().AcceptCDR(t.Context(), &call.CDR{App: "support", CallID: fmt.Sprint("c", n), Raw: raw})
		return err
	}
	var err error
	for n < 1000 && err == nil {
		err = accept()
	}
	if !errors.Is(err, call.ErrInboxFull) || n < 50 {
		t.Fatalf("after %d records: %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- j.Inbox().Deliver(ctx, inboxtest.Handler{OnCDR: func(_ context.Context, r *call.CDR) error {
			if r.CallID == "c1" {
				return errors.New("never")
			}
			return nil
		}})
	}()
	deadline := time.Now().Add(30 * time.Second)
	for taken := 0; taken < 200; {
		switch err := accept(); {
		case err == nil:
			taken++
		case !errors.Is(err, call.ErrInboxFull):
			t.Fatal(err)
		case time.Now().After(deadline):
			t.Fatalf("only %d more were taken", taken)
		default:
			<-time.After(20 * time.Millisecond)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if d := j.Inbox().Deliveries(1); len(d) != 1 || d[0].CallID != "c1" || d[0].LastError != "never" {
		t.Errorf("waiting: %+v", d)
	}
}

// TestOversizedRecord is refused alone.
func TestOversizedRecord(t *testing.T) {
	j := open(t, journal.Options{})
	big := &call.CDR{App: "support", CallID: "big", Raw: []byte(`"` + strings.Repeat("x", 9<<20) + `"`)}
	if fresh, err := j.Inbox().AcceptCDR(t.Context(), big); fresh || err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("a record of 9 MiB: %v, %v", fresh, err)
	}
	big.Raw = nil
	if fresh, err := j.Inbox().AcceptCDR(t.Context(), big); !fresh || err != nil {
		t.Errorf("the same in small: %v, %v", fresh, err)
	}
}
