package sim_test

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

// app is a handler made of Go functions.
type app struct {
	answer func(ctx context.Context, c *call.Call) (pcmo.Document, error)
	// inputs are the continuations, by token.
	inputs map[string]func(c *call.Call, digits string) (pcmo.Document, error)
	event  func(ctx context.Context, e *call.Event) error
	stream func(ctx context.Context, s call.Stream) error

	mu     sync.Mutex
	events []*call.Event
	cdrs   []*call.CDR
}

// plays answers every call with one document.
func plays(actions ...pcmo.Action) *app {
	return &app{answer: func(context.Context, *call.Call) (pcmo.Document, error) { return actions, nil }}
}

func reply(doc pcmo.Document, err error) (call.Reply, error) {
	if err != nil {
		return call.Reply{}, err
	}
	return call.Reply{Document: doc, JSON: doc.AppendJSON(nil), Version: "v1"}, nil
}

func (a *app) Answer(ctx context.Context, c *call.Call) (call.Reply, error) {
	return reply(a.answer(ctx, c))
}

func (a *app) Input(_ context.Context, c *call.Call, in call.Input) (call.Reply, error) {
	f, ok := a.inputs[in.Token]
	if !ok {
		return call.Reply{}, call.ErrNoCallback
	}
	return reply(f(c, in.Digits))
}

func (a *app) Event(ctx context.Context, e *call.Event) error {
	a.mu.Lock()
	a.events = append(a.events, e)
	a.mu.Unlock()
	if a.event != nil {
		return a.event(ctx, e)
	}
	return nil
}

func (a *app) CDR(_ context.Context, r *call.CDR) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cdrs = append(a.cdrs, r)
	return nil
}

func (a *app) Stream(ctx context.Context, _ *call.Call, s call.Stream) error {
	if a.stream == nil {
		return call.ErrNoCallback
	}
	return a.stream(ctx, s)
}

// statuses lists the delivered events as leg:status.
func (a *app) statuses() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []string
	for _, e := range a.events {
		list = append(list, string(e.Leg)+":"+e.WireStatus)
	}
	return list
}

// records lists the delivered CDRs as leg:status:seconds:by:cause.
func (a *app) records() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []string
	for _, r := range a.cdrs {
		var raw struct {
			Duration json.Number
			By       string `json:"hangup_by"`
			Cause    string `json:"hangup_cause"`
		}
		if err := json.Unmarshal(r.Raw, &raw); err != nil {
			list = append(list, err.Error())
			continue
		}
		list = append(list, string(r.Leg)+":"+string(r.Status)+":"+raw.Duration.String()+":"+raw.By+":"+raw.Cause)
	}
	return list
}
