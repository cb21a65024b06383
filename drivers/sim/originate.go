package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

// Originator places virtual calls. What their parties do is said by a Caller for each.
type Originator struct {
	driver  *Driver
	handler call.Handler
	who     func(call.Order) Caller
	life    context.Context
	calls   sync.WaitGroup
	placed  atomic.Int64
}

var _ call.Originator = (*Originator)(nil)

// Originator returns an originator whose calls h decides about, and which ctx cuts short. who says what the party of an
// order does once it has answered, and with Party or a Controller whether it does: App, From, To, Direction and
// ExtraParams are the order's. With nil all parties answer, listen, and are silent.
func (d *Driver) Originator(ctx context.Context, h call.Handler, who func(call.Order) Caller) *Originator {
	if who == nil {
		who = func(call.Order) Caller { return Caller{} }
	}
	return &Originator{driver: d, handler: h, who: who, life: ctx}
}

// Originate implements call.Originator. The caller is at work.
func (o *Originator) Originate(_ context.Context, order call.Order) (*call.Call, error) {
	if err := o.life.Err(); err != nil {
		return nil, context.Cause(o.life)
	}
	if strings.Trim(order.To, "+ ") == "" {
		return nil, errors.New("originate: to: whom to call is missing")
	}
	if most := o.driver.opts.MaxPlaced; o.placed.Add(1) > int64(most) {
		return nil, fmt.Errorf("originate: %d calls were placed, and no more are simulated: do the calls that the app places place calls?", most)
	}
	order.RequestID = cmp.Or(order.RequestID, o.driver.opts.NewID())
	order.RingTimeout = cmp.Or(order.RingTimeout, pcmo.DefaultRingTimeout)
	order.MaxDuration = cmp.Or(order.MaxDuration, pcmo.DefaultMaxDuration)
	who := o.who(order)
	who.App, who.Direction, who.ExtraParams = order.App, call.Outbound, order.ExtraParams
	who.From, who.To = cmp.Or(strings.TrimPrefix(order.From, "+"), defaultNumber), strings.TrimPrefix(order.To, "+")
	if who.Party == nil {
		who.Party = &Callee{}
	}
	c := o.driver.newCall(who)
	c.RequestID = order.RequestID
	l := newLine(o.driver, o.handler, c, &who)
	l.order, l.begun = &order, make(chan struct{})
	o.driver.begin()
	o.calls.Go(func() { _, _ = o.driver.conduct(o.life, l) })
	<-l.begun // so that whoever asked finds the call among those under way
	return c, nil
}

// Wait returns when all calls are over. The caller is not at work.
func (o *Originator) Wait() { o.calls.Wait() }

var _ call.OutgoingLine = (*line)(nil)

// Ring implements call.OutgoingLine.
func (l *line) Ring(ctx context.Context, progress func()) error {
	if l.begun != nil {
		close(l.begun)
	}
	if err := ended(ctx); err != nil {
		return err
	}
	began, timeout := l.clock.Now(), cmp.Or(l.order.RingTimeout, pcmo.DefaultRingTimeout)
	l.add(Entry{Kind: Ringing, To: l.call.To, From: l.call.From, Timeout: timeout})
	model := *l.who.Party
	if l.who.Controller != nil {
		l.settle()
		if said, ok := l.who.Controller.Rung(); ok {
			model = said
		}
	}
	talk := model.Talk
	model = model.complete()
	if model.Outcome == Unreachable {
		return missed(model)
	}
	progress()
	due := model.After
	if model.Outcome == NoAnswer {
		due = timeout
	}
	if err := l.Wait(ctx, min(due, timeout)-l.clock.Now().Sub(began)); err != nil {
		return err
	}
	if !model.takes() || due > timeout {
		return missed(model)
	}
	l.answered = true
	status := ""
	if model.Outcome == Voicemail {
		status = string(Voicemail)
	}
	l.add(Entry{Kind: Answered, Status: status})
	l.mu.Lock()
	l.quiet.answered = true
	l.listen()
	l.mu.Unlock()
	if talk > 0 {
		l.clock.AfterFunc(talk, func() { l.end(call.SideCaller, call.CauseNormal, "") })
	}
	return nil
}

// missed is how Ring ends when the party does not take the call.
func missed(model Callee) error {
	cause := call.CauseNoAnswer
	if !model.takes() {
		cause = model.Outcome.cause()
	}
	by := call.SidePlatform
	if model.Outcome == Busy || model.Outcome == Rejects {
		by = call.SideCaller
	}
	return &call.HangupError{By: by, Cause: cause}
}
