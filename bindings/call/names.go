package call

import "context"

// Names keeps which calls go by further ids, such as that of a leg: the platform calls one call by different ids in
// different callbacks, and none of them says which is the call's own.
type Names interface {
	// Alias notes a further id of a call. It does not wait.
	Alias(app, alias, call string) error
	// CallOf returns the id of the call that has been noted to go by another one; "" when there is none.
	CallOf(ctx context.Context, app, alias string) (call string, err error)
}

// recallAlias is recall by an id that is not the call's own.
func (h *Handler) recallAlias(ctx context.Context, app, alias string) (*conversation, error) {
	if h.opts.Names == nil {
		return nil, nil
	}
	id, err := h.opts.Names.CallOf(ctx, app, alias)
	if err != nil {
		return nil, notNow(err)
	}
	if id == "" || h.overFor(app, []string{id}) {
		return nil, nil
	}
	return h.recall(ctx, key{app, id})
}

// alias notes a further id of a call, so that it is found by it after a restart too. It needs h.mu.
func (h *Handler) alias(conv *conversation, alias string) {
	if h.opts.Names == nil || !conv.lasts() {
		return
	}
	if err := h.opts.Names.Alias(conv.call.App, alias, conv.call.ID); err != nil {
		h.log.Warn("a further id of a call could not be noted: after a restart the call is not known by it", "app", conv.call.App, "call", conv.call.ID, "error", err)
	}
}
