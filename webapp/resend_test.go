package webapp_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/webapp"
)

// A CDR that a web server does not take comes again after 5, 10 and 15 minutes, and then every 15.
func TestResend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Time
		h := handler(t, "http://crm", func(o *webapp.Options) {
			o.Client = fetching(func(*http.Request) (*http.Response, error) {
				tries = append(tries, time.Now())
				if len(tries) < 6 {
					return response(500, ""), nil
				}
				return response(200, "ok"), nil
			})
		})
		inbox := call.NewMemoryInbox(call.InboxOptions{BackoffFor: func(app, kind string) []time.Duration {
			if app != "crm" || kind != "cdr" {
				t.Errorf("asked for the times of %s's %s", app, kind)
			}
			return webapp.Resend()
		}})
		if _, err := inbox.AcceptCDR(t.Context(), &call.CDR{App: "crm", CallID: "c", LegID: "c", Leg: call.LegA}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- inbox.Deliver(ctx, h) }()
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if len(tries) != 6 {
			t.Fatalf("tried at %v", tries)
		}
		for i, want := range []time.Duration{5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
			if wait := tries[i+1].Sub(tries[i]); wait < want*8/10 || wait > want*12/10 {
				t.Errorf("wait %d was %v, want about %v", i+1, wait, want)
			}
		}
		if n, _ := inbox.Waiting(); n != 0 || len(h.notes.of("undelivered")) != 5 || len(h.notes.of("end")) != 1 {
			t.Errorf("%d wait, noted %v", n, h.notes.all)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
