package sip

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

// ErrNotAllowed says that an app may not call a number, user or host: no rule allows it. It is call's.
var ErrNotAllowed = call.ErrNotAllowed

var _ call.Originator = (*Driver)(nil)

// outgoing is the line of an outbound call.
type outgoing struct {
	*line
	order  call.Order
	from   string
	target call.Target
}

// Originate implements call.Originator. The error is call.ErrNoApp, call.ErrBusy, call.ErrDraining or
// [ErrNotAllowed], or says what is wrong with the order. A user whose phones are away was called in vain: that is in
// the CDR.
func (d *Driver) Originate(_ context.Context, o call.Order) (*call.Call, error) {
	h := d.handler.Load()
	switch {
	case o.App == "", d.opts.HasApp != nil && !d.opts.HasApp(o.App):
		return nil, fmt.Errorf("%w: %q", call.ErrNoApp, o.App)
	case h == nil:
		return nil, fmt.Errorf("%w: the driver does not serve yet", call.ErrBusy)
	}
	target, err := targetOf(o.To)
	if err != nil {
		return nil, err
	}
	from, err := callerID(o.From)
	if err != nil {
		return nil, err
	}
	if err := d.mayCall(o.App, target); err != nil {
		return nil, fmt.Errorf("originate: %w", err)
	}
	if err := d.enter(); err != nil {
		return nil, err
	}
	if o.RequestID == "" {
		o.RequestID = call.NewRequestID()
	}
	orElse(&o.RingTimeout, pcmo.DefaultRingTimeout)
	orElse(&o.MaxDuration, pcmo.DefaultMaxDuration)
	c := &call.Call{
		ID: uuid.NewString(), RequestID: o.RequestID, App: o.App, Driver: Name, Direction: call.Outbound, Time: time.Now(),
		From: party(from, ""), To: party(strings.TrimPrefix(o.To, "sip:"), ""), ExtraParams: o.ExtraParams,
	}
	name(c)
	l := &outgoing{line: d.newLine(c), order: o, from: from, target: call.Target{Target: target}}
	if value, ok := oneLine(o.ExtraParams); ok {
		l.target.Headers = []call.Header{{Name: extraParams, Value: value}}
	} else if o.ExtraParams != "" {
		d.log.Warn("extra_params are not sent to the phone: they are too long, or hold control characters", "app", o.App, "call", c.ID)
	}
	begun := make(chan struct{})
	l.began = sync.OnceFunc(func() { close(begun) })
	d.work.Go(func() {
		defer d.leave()
		defer l.began()
		l.perform(*h, func(ctx context.Context, p *call.Performer) { p.Originate(ctx, c, l, o) })
	})
	<-begun
	return c, nil
}

// oneLine writes parameters as the value of a header; ok is false where that cannot be.
func oneLine(text string) (value string, ok bool) {
	var b bytes.Buffer
	if json.Compact(&b, []byte(text)) == nil {
		text = b.String()
	}
	return text, text != "" && checkHeader(call.Header{Name: extraParams, Value: text}) == nil
}

// targetOf reads whom to call: a number, a user or a URI.
func targetOf(to string) (pcmo.Target, error) {
	digits := strings.TrimPrefix(to, "+")
	if digits != "" && strings.Trim(digits, "0123456789") == "" {
		return pcmo.PSTN(pcmo.Number(digits)), nil
	}
	if user := strings.TrimPrefix(to, "sip:"); user == "" || strings.ContainsAny(user, " <>\"\r\n") {
		return pcmo.Target{}, fmt.Errorf("originate: to: %.60q is neither a number with country code nor a SIP user or URI", to)
	}
	return pcmo.SIP(to), nil
}

// callerID reads who calls: a number, or the user of a SIP address.
func callerID(from string) (string, error) {
	user, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(from, "sip:"), "+"), "@")
	if len(user) > maxUser || strings.ContainsFunc(user, func(r rune) bool { return r <= ' ' || r == 0x7F || strings.ContainsRune(`<>";,:`, r) }) {
		return "", fmt.Errorf("originate: from: %.60q is neither a number nor a SIP user", from)
	}
	return user, nil
}

// maxUser bounds the names of users.
const maxUser = 128

// allowed is the error for what may not be called; nil for whoever may, and is only not there.
func allowed(err error) error {
	switch {
	case err == nil, errors.Is(err, errNotRegistered):
		return nil
	case errors.Is(err, errNotAllowed), errors.Is(err, errNotInPrefixes):
		return fmt.Errorf("%w: %w", ErrNotAllowed, err)
	}
	return err
}

// Ring implements call.OutgoingLine. All phones of a user ring at once.
func (l *outgoing) Ring(ctx context.Context, progress func()) error {
	if err := ended(ctx); err != nil {
		return err
	}
	d := newDialling(l.line, call.SideCaller, 1)
	d.timeout = l.order.RingTimeout
	d.progress = func(int) { progress() }
	d.outcomes[0] = call.DialOutcome{LegID: l.call.ID, Status: call.StatusMissed, Started: time.Now()}
	var err error
	if d.phones[0], err = l.driver.phones(l.call.App, l.target, l.from, l.observeError); err != nil {
		l.observeError(fmt.Errorf("originate: %w", err))
		return &call.HangupError{By: call.SidePlatform, Cause: causeOf(err)}
	}
	g, err := d.run(ctx)
	switch {
	case err != nil:
		return err
	case g == nil:
		cause := d.outcomes[0].Cause
		return &call.HangupError{By: missedBy(cause), Cause: cause}
	}
	l.seat(g)
	close(l.answered)
	l.watchCaller(g)
	l.begin()
	return nil
}

// missedBy says who is behind an outbound call that was not taken.
func missedBy(cause string) call.Side {
	switch cause {
	case call.CauseBusy, call.CauseRejected, causeUnallocated, causeIncompatible:
		return call.SideCaller
	}
	return call.SidePlatform
}
