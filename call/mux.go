package call

import (
	"context"
	"fmt"
)

// Mux is a Handler that leaves every call to the Handler of its app, so that one driver serves scripts and web
// servers alike.
type Mux struct {
	// Apps are the apps that have a Handler of their own. It must not change while the Mux is in use.
	Apps map[string]Handler
	// Otherwise decides about all other apps; nil answers ErrNoApp.
	Otherwise Handler
}

var _ Handler = (*Mux)(nil)

func (m *Mux) handler(app string) (Handler, error) {
	if h := m.Apps[app]; h != nil {
		return h, nil
	}
	if m.Otherwise == nil {
		return nil, fmt.Errorf("%w: %q", ErrNoApp, app)
	}
	return m.Otherwise, nil
}

// Answer implements Handler.
func (m *Mux) Answer(ctx context.Context, c *Call) (Reply, error) {
	h, err := m.handler(c.App)
	if err != nil {
		return Reply{}, err
	}
	return h.Answer(ctx, c)
}

// Input implements Handler.
func (m *Mux) Input(ctx context.Context, c *Call, in Input) (Reply, error) {
	h, err := m.handler(c.App)
	if err != nil {
		return Reply{}, err
	}
	return h.Input(ctx, c, in)
}

// Event implements Handler.
func (m *Mux) Event(ctx context.Context, e *Event) error {
	h, err := m.handler(e.App)
	if err != nil {
		return err
	}
	return h.Event(ctx, e)
}

// CDR implements Handler.
func (m *Mux) CDR(ctx context.Context, r *CDR) error {
	h, err := m.handler(r.App)
	if err != nil {
		return err
	}
	return h.CDR(ctx, r)
}

// Stream implements Handler.
func (m *Mux) Stream(ctx context.Context, c *Call, s Stream) error {
	h, err := m.handler(c.App)
	if err != nil {
		return err
	}
	return h.Stream(ctx, c, s)
}
