package rest

import (
	"context"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

// Calls is a [Platform] on package call: it reaches the calls that performers perform, and has a driver place new ones.
type Calls struct {
	// Live knows the calls under way. Required.
	Live *call.Live
	// Originator places calls; with nil none can be. Its errors are those of Platform.MakeCall.
	Originator call.Originator
}

// MakeCall implements Platform.
func (p *Calls) MakeCall(ctx context.Context, o Order) (Queued, error) {
	if p.Originator == nil {
		return Queued{}, &call.UnsupportedError{Verb: "place calls", Driver: "configured"}
	}
	order := call.Order{
		App: o.App, RequestID: call.NewRequestID(), From: o.From, To: o.To,
		Document: o.Plan.actions(), AnswerURL: o.Plan.AnswerURL, ExtraParams: o.ExtraParams,
		RingTimeout: o.RingTimeout, MaxDuration: o.MaxDuration, Record: o.Record,
	}
	c, err := p.Originator.Originate(ctx, order)
	if err != nil {
		return Queued{}, err
	}
	return Queued{RequestID: order.RequestID, CallID: c.ID}, nil
}

// actions are the document of a plan that has one.
func (p Plan) actions() []pcmo.Action {
	if p.Pipeline != nil {
		return p.Pipeline
	}
	return p.Document
}

func (p *Calls) find(id string) (*call.Control, error) {
	c, ok := p.Live.Find(id)
	if !ok || c.State().Status == call.StatusHangup {
		return nil, ErrNoCall
	}
	return c, nil
}

// Call implements Platform.
func (p *Calls) Call(_ context.Context, id string) (Call, error) {
	control, err := p.find(id)
	if err != nil {
		return Call{}, err
	}
	c, state := control.Call(), control.State()
	return Call{
		ID: c.ID, RequestID: c.RequestID, App: c.App, Direction: c.Direction, From: c.From, To: c.To,
		Status: state.Status, Held: state.Held, Started: state.Since, Answered: state.Answered,
	}, nil
}

// Channels implements Platform.
func (p *Calls) Channels(_ context.Context, app string) (int, error) {
	n := 0
	for _, c := range p.Live.All() {
		if app == "" || c.Call().App == app {
			n++
		}
	}
	return n, nil
}

// Hold implements Platform.
func (p *Calls) Hold(ctx context.Context, id string, mode HoldMode) (bool, error) {
	c, err := p.find(id)
	if err != nil {
		return false, err
	}
	state := c.State()
	if state.Answered.IsZero() {
		return false, ErrNotConnected
	}
	held := mode == Hold || mode == ToggleHold && !state.Held
	return held, c.Hold(ctx, held, call.Prompt{})
}

// Hangup implements Platform. The reason is not kept: a call's record has a cause only.
func (p *Calls) Hangup(_ context.Context, id string, why Hangup) error {
	c, err := p.find(id)
	if err != nil {
		return err
	}
	return c.Hangup(call.Ending{By: call.SideApp, Cause: why.Cause})
}

// Transfer implements Platform.
func (p *Calls) Transfer(ctx context.Context, id string, to Plan, done func(error)) error {
	c, err := p.find(id)
	if err != nil {
		return err
	}
	if c.State().Transferring {
		return ErrTransferInProgress
	}
	if to.AnswerURL == "" {
		if err := c.Perform(to.actions()); err != nil {
			return err
		}
		done(nil)
		return nil
	}
	ctx = context.WithoutCancel(ctx)                      // the request ends before the web server has answered
	go func() { done(c.PerformURL(ctx, to.AnswerURL)) }() // ends with the call at the latest
	return nil
}

// summaryHeader tells a SIP phone what a warm transfer is about (protocol page 3.8).
const summaryHeader = "X-Transfer-Summary"

// WarmTransfer implements Platform. The platform's own music is what the driver plays where none is named. The
// transfer's variables go to the person's phone, in the header that PIOPIY's phones read.
func (p *Calls) WarmTransfer(ctx context.Context, id string, w Warm, done func(error)) error {
	c, err := p.find(id)
	if err != nil {
		return err
	}
	state := c.State()
	switch {
	case state.Transferring:
		return ErrTransferInProgress
	case state.Answered.IsZero():
		return ErrNotConnected
	}
	to := call.Warm{CallerID: w.CallerID, Timeout: w.RingTimeout, Confirm: w.Confirm, Whisper: call.Prompt{Say: w.Summary}}
	to.Target.Target = pcmo.PSTN(pcmo.Number(w.ToNumber))
	if w.SIPURI != "" {
		to.Target.Target = pcmo.SIP(w.SIPURI)
		for _, h := range w.Headers {
			to.Target.Headers = append(to.Target.Headers, call.Header{Name: h.Key, Value: headerText(h.Value)})
		}
		if w.Summary != "" {
			to.Target.Headers = append(to.Target.Headers, call.Header{Name: summaryHeader, Value: oneLine(w.Summary)})
		}
	}
	if w.ExtraParams != "" {
		to.Target.Headers = append(to.Target.Headers, call.Header{Name: call.ExtraParamsHeader, Value: w.ExtraParams})
	}
	if isWebURL(w.HoldAudio) {
		to.Music.URL = w.HoldAudio
	} else {
		to.Music.File = w.HoldAudio
	}
	ctx = context.WithoutCancel(ctx)
	go func() { done(c.Transfer(ctx, to)) }() // ends with the call at the latest
	return nil
}

// headerText is the value of a header that the API has let through.
func headerText(v any) string {
	s, _ := v.(string)
	return s
}
