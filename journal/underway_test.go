package journal_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/journal"
)

func carriedCall(id string) *call.Call {
	return &call.Call{ID: id, App: "support", Driver: "sip", Direction: call.Inbound, From: "sip:alice@example", To: "support", Time: began, ExtraParams: `{"a":1}`}
}

func legEvent(id string, leg call.Leg, legID string, s call.Status, after time.Duration) *call.Event {
	return &call.Event{App: "support", Driver: "sip", CallID: id, LegID: legID, Leg: leg, Direction: call.Inbound, Status: s,
		Time: began.Add(after), From: "sip:alice@example", To: "sip:bob@example", ExtraParams: `{"a":1}`}
}

func legRecord(id string, leg call.Leg, legID string) *call.CDR {
	return &call.CDR{App: "support", CallID: id, Leg: leg, LegID: legID}
}

// lost settles what was left, and fails when that takes longer than anything here may.
func lost(t *testing.T, j *journal.Journal, err error) (all []journal.Lost) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got := j.Underway().Lost(ctx, func(l journal.Lost) error {
		all = append(all, l)
		return err
	})
	if !errors.Is(got, err) {
		t.Fatal(got)
	}
	return all
}

// legsOf names the legs that were left, and how they stand.
func legsOf(all []journal.Lost) (legs []string) {
	for _, l := range all {
		for _, one := range l.Calls {
			for _, leg := range one {
				text := fmt.Sprintf("%s %s %s", leg.CallID, leg.Leg, leg.LegID)
				if !leg.Answer.IsZero() {
					text += fmt.Sprintf(" answered after %s", leg.Answer.Sub(leg.Start))
				}
				if leg.Status != "" {
					text += fmt.Sprintf(" %s after %s", leg.Status, leg.End.Sub(leg.Start))
				}
				legs = append(legs, text)
			}
		}
	}
	return legs
}

// A process's open legs are found by the next one, until it has settled them; nothing else is.
func TestUnderway(t *testing.T) {
	at := []journal.Options{{Dir: t.TempDir()}, {URL: startServer(t).ClientURL(), UnderwayEvery: 50 * time.Millisecond}}
	for i, name := range []string{"embedded", "server"} {
		t.Run(name, func(t *testing.T) {
			before := time.Now()
			j := open(t, at[i])
			if legs := legsOf(lost(t, j, nil)); len(legs) > 0 {
				t.Errorf("a new journal holds %q", legs)
			}
			u := j.Underway()
			// One call is over, one was never answered, one talks to a second party after a first did not answer, and of one
			// the record is missing.
			u.Began(carriedCall("over"))
			u.Event(legEvent("over", call.LegA, "over", call.StatusAnswered, time.Second))
			u.Event(legEvent("over", call.LegB, "b", call.StatusStarted, 2*time.Second))
			u.Ended(legRecord("over", call.LegB, "b"))
			u.Ended(legRecord("over", call.LegA, "over"))
			u.Event(legEvent("over", call.LegA, "over", call.StatusHangup, time.Hour))
			u.Began(carriedCall("rings"))
			u.Began(carriedCall("talks"))
			u.Event(legEvent("talks", call.LegA, "talks", call.StatusAnswered, time.Second))
			u.Event(legEvent("talks", call.LegB, "talks", call.StatusStreamConnected, time.Second))
			u.Event(legEvent("talks", call.LegB, "b1", call.StatusStarted, 2*time.Second))
			u.Event(legEvent("talks", call.LegB, "b2", call.StatusStarted, 2*time.Second))
			u.Event(legEvent("talks", call.LegB, "b1", call.StatusHangup, 3*time.Second))
			u.Ended(legRecord("talks", call.LegB, "b1"))
			u.Event(legEvent("talks", call.LegB, "b2", call.StatusRinging, 3*time.Second))
			u.Event(legEvent("talks", call.LegB, "b2", call.StatusBridged, 4*time.Second))
			u.Event(legEvent("told", call.LegA, "told", call.StatusStarted, 0))
			u.Event(legEvent("told", call.LegA, "told", call.StatusHangup, 5*time.Second))
			u.Began(carriedCall("nobody's"))
			u.Gone(carriedCall("nobody's"))
			closeJournal(t, j)

			j = open(t, at[i])
			left := lost(t, j, errors.New("not now"))
			want := map[string]bool{
				"rings a rings": true, "talks a talks answered after 1s": true, "talks b b2 answered after 2s": true, "told a told hangup after 5s": true,
			}
			got := map[string]bool{}
			for _, leg := range legsOf(left) {
				got[leg] = true
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("left are (-want +got):\n%s", d)
			}
			if len(left) != 1 || len(left[0].Calls) != 3 {
				t.Errorf("left are %+v", left)
			} else if alive := left[0].Alive; alive.Before(before) || alive.After(time.Now()) {
				t.Errorf("the process was alive at %s", alive)
			}
			for _, legs := range left[0].Calls {
				if legs[0].CallID != "rings" {
					continue
				}
				whole := call.CDR{App: "support", Driver: "sip", CallID: "rings", LegID: "rings", Leg: call.LegA, Direction: call.Inbound,
					From: "sip:alice@example", To: "support", Start: began, ExtraParams: `{"a":1}`}
				if d := cmp.Diff([]call.CDR{whole}, legs); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
			}
			if again := lost(t, j, nil); len(legsOf(again)) != 4 {
				t.Errorf("what was not settled is not found again: %q", legsOf(again))
			}
			if again := lost(t, j, nil); len(again) > 0 {
				t.Errorf("what was settled is found again: %q", legsOf(again))
			}
			closeJournal(t, j)
			if again := lost(t, open(t, at[i]), nil); len(again) > 0 {
				t.Errorf("after a restart there is %q", legsOf(again))
			}
		})
	}
}

// awaitFewer waits until the stream of the calls under way holds fewer than n messages.
func awaitFewer(t *testing.T, url string, n uint64) {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		s, err := js.Stream(ctx, "underway_main")
		if err != nil {
			t.Fatal(err)
		}
		if s.CachedInfo().State.Msgs < n {
			return
		}
	}
}

// However long a call lasts and however many come and go meanwhile, it is known, and what was written before is removed.
func TestUnderwayStaysSmall(t *testing.T) {
	server := startServer(t)
	for name, opts := range map[string]journal.Options{
		"embedded": {Dir: t.TempDir(), UnderwayEvery: time.Millisecond},
		"server":   {URL: server.ClientURL(), UnderwayEvery: 20 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			j := open(t, opts)
			lost(t, j, nil)
			u := j.Underway()
			u.Began(carriedCall("long"))
			for i := range 2000 {
				id := fmt.Sprintf("c%d", i)
				u.Began(carriedCall(id))
				u.Event(legEvent(id, call.LegA, id, call.StatusAnswered, time.Second))
				u.Ended(legRecord(id, call.LegA, id))
			}
			if opts.URL != "" {
				awaitFewer(t, opts.URL, 10)
			}
			closeJournal(t, j)
			j = open(t, opts)
			if legs := legsOf(lost(t, j, nil)); len(legs) != 1 || legs[0] != "long a long" {
				t.Errorf("left is %q", legs)
			}
		})
	}
}

// On a shared server another process of the node that is still there keeps its calls.
func TestUnderwayElsewhere(t *testing.T) {
	url := startServer(t).ClientURL()
	old := open(t, journal.Options{URL: url, UnderwayEvery: 10 * time.Millisecond})
	old.Underway().Began(carriedCall("c1"))
	other := open(t, journal.Options{URL: url, Node: "other"})
	next := open(t, journal.Options{URL: url, UnderwayEvery: time.Second})
	if all := lost(t, other, nil); len(all) > 0 {
		t.Errorf("another node takes %q", legsOf(all))
	}
	next.Underway().Began(carriedCall("c2"))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // longer than a process that is gone is waited for
	defer cancel()
	err := next.Underway().Lost(ctx, func(l journal.Lost) error {
		t.Errorf("taken from a process that is there: %+v", l.Calls)
		return nil
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	old.Underway().Ended(legRecord("c1", call.LegA, "c1"))
	closeJournal(t, old)
	if all := lost(t, next, nil); len(all) > 0 {
		t.Errorf("of a process that ended in good order there is %q", legsOf(all))
	}
	closeJournal(t, next)
	if legs := legsOf(lost(t, open(t, journal.Options{URL: url, UnderwayEvery: 50 * time.Millisecond}), nil)); len(legs) != 1 || legs[0] != "c2 a c2" {
		t.Errorf("left is %q", legs)
	}
}
