package call

import (
	"context"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// policy answers for a script that failed: with the newest earlier version that can, or with the app's document.
func (h *Handler) policy(ctx context.Context, c *call.Call, failed *runtime.Version, why error) call.Reply {
	p, ok := h.opts.Faults[c.App]
	if !ok {
		p = h.opts.Fault
	}
	if p.LastGood && failed != nil {
		if reply, ok := h.lastGood(ctx, c, failed); ok {
			reply.Fault = why
			return reply
		}
	}
	document := p.Document(c)
	reply := call.Reply{Document: document, JSON: document.AppendJSON(nil), Fault: why}
	if failed != nil {
		reply.Version = failed.ShortID()
	}
	h.log.Warn("the fault policy answers the call", "app", c.App, "call", c.ID, "error", why)
	return reply
}

func (h *Handler) lastGood(ctx context.Context, c *call.Call, failed *runtime.Version) (call.Reply, bool) {
	app, ok := h.rt.App(c.App)
	if !ok {
		return call.Reply{}, false
	}
	older := app.Previous(failed)
	if older == nil || !older.HasExport("answer") {
		return call.Reply{}, false
	}
	conv, err := h.begin(c, older, false)
	if err != nil {
		return call.Reply{}, false
	}
	reply, err := conv.answer(ctx, c)
	if err != nil {
		conv.fail(err)
		return call.Reply{}, false
	}
	h.log.Warn("the last good version answers the call", "app", c.App, "call", c.ID, "version", older.ShortID())
	return reply, true
}
