package journal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/bindings/kv"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/call/inboxtest"
	"github.com/piopiy/piopiyd/journal"
	"github.com/piopiy/piopiyd/runtime"
)

func TestRestart(t *testing.T) {
	dir := t.TempDir()
	ctx := t.Context()
	j := open(t, journal.Options{Dir: dir})
	appendTurn(t, j, "support", "c", turn(1, 3))
	bundle := make([]byte, 3<<20)
	for i := range bundle {
		bundle[i] = byte(i * i >> 7)
	}
	v := j.Versions()
	for i, id := range []string{"old", "new", "gone"} {
		sv := runtime.StoredVersion{App: "support", ID: id, Created: began.Add(time.Duration(i) * time.Hour), Bundle: bundle[i:]}
		for range 2 { // twice is no error
			if err := v.SaveVersion(ctx, sv); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		if err := v.DeleteVersion(ctx, "support", "gone"); err != nil {
			t.Fatal(err)
		}
	}
	selected := runtime.Selection{Current: "new", Held: "old"}
	for _, app := range []string{"support", "a.b"} {
		if err := v.Select(ctx, app, selected); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := j.KV().Set(ctx, "support", "k", []byte(`1`), time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := j.KV().Set(ctx, "support", "short", []byte(`1`), 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	ended := time.After(150 * time.Millisecond)
	for i := range 3 {
		if fresh, err := j.Inbox().AcceptCDR(ctx, &call.CDR{App: "support", CallID: fmt.Sprint("c", i), Raw: []byte(`{}`)}); err != nil || !fresh {
			t.Fatal(fresh, err)
		}
	}
	deliverOne(t, j.Inbox(), "c0")
	closeJournal(t, j)
	<-ended

	j = open(t, journal.Options{Dir: dir})
	if l := j.Losses(); len(l) != 0 {
		t.Errorf("losses after a clean end: %q", l)
	}
	if got, app, err := j.Entries(ctx, "c"); err != nil || app != "support" || numbers(got) != "1,2,3" {
		t.Errorf("entries %s, %s, %v", numbers(got), app, err)
	}
	v = j.Versions()
	versions, err := v.Versions(ctx, "support")
	if err != nil || len(versions) != 2 || versions[0].ID != "new" || versions[1].ID != "old" || versions[0].Bundle != nil {
		t.Errorf("versions %v, %v", versions, err)
	}
	if sv, err := v.LoadVersion(ctx, "support", "new"); err != nil || !slices.Equal(sv.Bundle, bundle[1:]) || !sv.Created.Equal(began.Add(time.Hour)) {
		t.Errorf("bundle of %d bytes, %v, %v", len(sv.Bundle), sv.Created, err)
	}
	for _, id := range []string{"gone", "never"} {
		if _, err := v.LoadVersion(ctx, "support", id); !errors.Is(err, runtime.ErrNoVersion) {
			t.Errorf("version %s: %v", id, err)
		}
	}
	if s, err := v.Selected(ctx, "support"); err != nil || s != selected {
		t.Errorf("selected %v, %v", s, err)
	}
	if _, err := v.Selected(ctx, "sales"); !errors.Is(err, runtime.ErrNoVersion) {
		t.Errorf("selection of an unknown app: %v", err)
	}
	if apps, err := v.Apps(ctx); err != nil || !slices.Equal(apps, []string{"a.b", "support"}) {
		t.Errorf("apps %q, %v", apps, err)
	}
	if value, _, err := j.KV().Get(ctx, "support", "k"); err != nil || string(value) != "1" {
		t.Errorf("kv: %s, %v", value, err)
	}
	if _, _, err := j.KV().Get(ctx, "support", "short"); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("kv: ended key: %v", err)
	}
	for i := range 3 {
		if fresh, err := j.Inbox().AcceptCDR(ctx, &call.CDR{App: "support", CallID: fmt.Sprint("c", i)}); err != nil || fresh {
			t.Errorf("c%d accepted again: %v, %v", i, fresh, err)
		}
	}
	if n, _ := j.Inbox().Waiting(); n != 2 {
		t.Errorf("%d wait for delivery, want 2: %v", n, j.Inbox().Deliveries(0))
	}
	if n, err := j.Size(ctx); err != nil || n < 1<<20 {
		t.Errorf("size %d, %v", n, err)
	}
}

// deliverOne delivers the record of one call and no other.
func deliverOne(t *testing.T, in call.Inbox, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := in.Deliver(ctx, inboxtest.Handler{OnCDR: func(ctx context.Context, r *call.CDR) error {
		if r.CallID != id {
			<-ctx.Done()
			return ctx.Err()
		}
		cancel()
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
}
