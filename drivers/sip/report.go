package sip

import (
	"context"
	"time"

	"github.com/piopiy/piopiyd/call"
)

// reporter puts a call's events and CDRs into the inbox, in order.
type reporter struct {
	line *line
}

const (
	// acceptTime is how long the inbox may take to store one.
	acceptTime = 5 * time.Second
	// cdrTries is how often a CDR is offered to an inbox that fails: there is only one of it.
	cdrTries = 3
)

// nobody reports whether the app does not exist: nobody could ever take the delivery.
func (r *reporter) nobody() bool {
	r.line.mu.Lock()
	defer r.line.mu.Unlock()
	return r.line.unknown
}

// Event implements call.Reporter.
func (r *reporter) Event(ctx context.Context, e *call.Event) {
	r.line.began()
	if r.nobody() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, acceptTime)
	defer cancel()
	if _, err := r.line.driver.opts.Inbox.AcceptEvent(ctx, e); err != nil {
		r.line.driver.log.Error("an event is lost", "call", e.CallID, "leg", e.LegID, "status", e.WireStatus, "error", err)
	}
}

// CDR implements call.Reporter.
func (r *reporter) CDR(ctx context.Context, c *call.CDR) {
	if r.nobody() {
		return
	}
	var err error
	for try := range cdrTries {
		if try > 0 {
			time.Sleep(time.Duration(try) * time.Second)
		}
		if err = r.accept(ctx, c); err == nil {
			return
		}
	}
	r.line.driver.log.Error("a CDR is lost", "call", c.CallID, "leg", c.LegID, "record", string(c.Raw), "error", err)
}

func (r *reporter) accept(ctx context.Context, c *call.CDR) error {
	ctx, cancel := context.WithTimeout(ctx, acceptTime)
	defer cancel()
	_, err := r.line.driver.opts.Inbox.AcceptCDR(ctx, c)
	return err
}
