package call_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/call/inboxtest"
)

func TestMemoryInbox(t *testing.T) {
	defer goleak.VerifyNone(t)
	inboxtest.Run(t, func(_ *testing.T, opts call.InboxOptions) call.Inbox { return call.NewMemoryInbox(opts) })
}

// An app may have times of its own; where it has none the general ones hold.
func TestBackoffFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := call.NewMemoryInbox(call.InboxOptions{Concurrency: 1, Backoff: []time.Duration{time.Second}, BackoffFor: func(app, kind string) []time.Duration {
			if app == "web" && kind == "cdr" {
				return []time.Duration{time.Hour}
			}
			return nil
		}})
		tries := map[string]int{}
		failing := errors.New("down")
		h := inboxtest.Handler{
			OnCDR:   func(_ context.Context, r *call.CDR) error { tries[r.App+" cdr"]++; return failing },
			OnEvent: func(_ context.Context, e *call.Event) error { tries[e.App+" event"]++; return failing },
		}
		for i, app := range []string{"web", "script"} {
			if _, err := in.AcceptCDR(t.Context(), &call.CDR{App: app, CallID: "c"}); err != nil {
				t.Fatal(err)
			}
			if _, err := in.AcceptEvent(t.Context(), &call.Event{App: app, CallID: "e" + app[:i]}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- in.Deliver(ctx, h) }()
		time.Sleep(1500 * time.Millisecond)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(map[string]int{"web cdr": 1, "web event": 2, "script cdr": 2, "script event": 2}, tries); diff != "" {
			t.Error(diff)
		}
	})
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := call.NewMemoryInbox(call.InboxOptions{Backoff: []time.Duration{time.Second, time.Minute}, CDRMaxAge: 3 * time.Minute})
		if _, err := in.AcceptCDR(t.Context(), &call.CDR{App: "a", CallID: "c"}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		var tries []time.Duration
		ended := make(chan error)
		go func() {
			ended <- in.Deliver(ctx, inboxtest.Handler{OnCDR: func(context.Context, *call.CDR) error {
				tries = append(tries, time.Since(start))
				return errors.New("the CRM is down")
			}})
		}()
		synctest.Wait()
		d := in.Deliveries(0)
		if len(d) != 1 || d[0].Attempts != 1 || d[0].LastError != "the CRM is down" || d[0].Kind != "cdr" || d[0].CallID != "c" || d[0].Next.IsZero() {
			t.Errorf("after the first failure: %+v", d)
		}
		if n, oldest := in.Waiting(); n != 1 || !oldest.Equal(start) {
			t.Errorf("waiting: %d since %v", n, oldest)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(tries); n < 5 || n > 6 { // 1 s, then minutes up to the age, each a fifth more or less
			t.Errorf("tried at %v", tries)
		}
		for i, want := range []time.Duration{0, time.Second, time.Minute, time.Minute} {
			if i == 0 {
				continue
			}
			if wait := tries[i] - tries[i-1]; wait < want*8/10 || wait > want*12/10 {
				t.Errorf("wait %d was %v, want about %v", i, wait, want)
			}
		}
		if n, _ := in.Waiting(); n != 0 {
			t.Errorf("%d wait after the record's age", n)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestInboxForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := call.NewMemoryInbox(call.InboxOptions{Remember: 8 * time.Hour, RememberMax: 80})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- in.Deliver(ctx, inboxtest.Handler{}) }()
		accept := func(id string) bool {
			fresh, err := in.AcceptCDR(t.Context(), &call.CDR{App: "a", CallID: id})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return fresh
		}
		accept("first")
		time.Sleep(7*time.Hour + 30*time.Minute)
		if accept("first") {
			t.Error("forgotten too early")
		}
		time.Sleep(3 * time.Hour)
		accept("other") // forgetting happens with the next delivery
		if !accept("first") {
			t.Error("still known long after its time")
		}
		for i := range 300 {
			accept(fmt.Sprint(i))
		}
		if accept("299") || accept("235") {
			t.Error("one of the last 65 of at most 80 is forgotten")
		}
		if !accept("1") {
			t.Error("the bound on what is remembered does not hold")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestPermanent(t *testing.T) {
	base := errors.New("gone")
	for _, c := range []struct {
		err  error
		want bool
	}{
		{call.Permanent(base), true},
		{fmt.Errorf("cdr: %w", call.Permanent(base)), true},
		{call.ErrNoCallback, true},
		{base, false},
		{call.ErrNoApp, false},
		{nil, false},
	} {
		if got := call.IsPermanent(c.err); got != c.want {
			t.Errorf("IsPermanent(%v) = %v", c.err, got)
		}
	}
	if call.Permanent(nil) != nil {
		t.Error("Permanent(nil) is not nil")
	}
	if !errors.Is(call.Permanent(base), base) {
		t.Error("Permanent hides its error")
	}
}

// An app whose web server hangs never takes all of the workers.
func TestAnAppThatHangsLeavesTheOthers(t *testing.T) {
	defer goleak.VerifyNone(t)
	in := call.NewMemoryInbox(call.InboxOptions{Concurrency: 8})
	hang, delivered := make(chan struct{}), make(chan string, 100)
	h := inboxtest.Handler{OnCDR: func(_ context.Context, r *call.CDR) error {
		if r.App == "hangs" {
			<-hang
		}
		delivered <- r.App
		return nil
	}}
	for i := range 20 {
		if _, err := in.AcceptCDR(t.Context(), &call.CDR{App: "hangs", CallID: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := in.AcceptCDR(t.Context(), &call.CDR{App: "works", CallID: "a"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- in.Deliver(ctx, h) }()
	if app := <-delivered; app != "works" {
		t.Errorf("%s came first", app)
	}
	close(hang)
	for range 20 {
		<-delivered
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
