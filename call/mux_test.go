package call_test

import (
	"context"
	"errors"
	"testing"

	"github.com/piopiy/piopiyd/call"
)

// named answers everything with an error that is its own.
type named struct{ err error }

func (n named) Answer(context.Context, *call.Call) (call.Reply, error) {
	return call.Reply{Version: "1"}, n.err
}

func (n named) Input(context.Context, *call.Call, call.Input) (call.Reply, error) {
	return call.Reply{Version: "2"}, n.err
}
func (n named) Event(context.Context, *call.Event) error              { return n.err }
func (n named) CDR(context.Context, *call.CDR) error                  { return n.err }
func (n named) Stream(context.Context, *call.Call, call.Stream) error { return n.err }

func TestMux(t *testing.T) {
	web, scripts := errors.New("web"), errors.New("scripts")
	both := &call.Mux{Apps: map[string]call.Handler{"crm": named{web}}, Otherwise: named{scripts}}
	alone := &call.Mux{Apps: map[string]call.Handler{"crm": named{web}}}
	tests := []struct {
		mux  *call.Mux
		app  string
		want error
	}{{both, "crm", web}, {both, "support", scripts}, {alone, "crm", web}, {alone, "support", call.ErrNoApp}, {&call.Mux{}, "", call.ErrNoApp}}
	for _, tt := range tests {
		ctx, c := t.Context(), &call.Call{App: tt.app}
		answer, err1 := tt.mux.Answer(ctx, c)
		input, err2 := tt.mux.Input(ctx, c, call.Input{})
		for i, err := range []error{err1, err2, tt.mux.Event(ctx, &call.Event{App: tt.app}), tt.mux.CDR(ctx, &call.CDR{App: tt.app}), tt.mux.Stream(ctx, c, nil)} {
			if !errors.Is(err, tt.want) {
				t.Errorf("%q, method %d: %v, want %v", tt.app, i, err, tt.want)
			}
		}
		if tt.want != call.ErrNoApp && (answer.Version != "1" || input.Version != "2") {
			t.Errorf("%q: replies are lost", tt.app)
		}
	}
}
