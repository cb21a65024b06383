package call

import (
	"context"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// bridge connects the call with another one of the app, given by what piopiy/calls returned or by its id. Its outcome is
// like that of dial.
func (v *verbs) bridge(a runtime.Args) goja.Value {
	id := callID(a, a.Value(0))
	limit := a.Options(1, "maxDuration").Duration("maxDuration", 90*time.Minute)
	return v.do(task{verb: "bridge", turn: inTurn, live: func(ctx context.Context, c *call.Control) (outcome, error) {
		other, ok := v.reach(id)
		if !ok {
			err := c.Err()
			if err == nil {
				err = &call.StateError{Verb: "bridge", Reason: call.StateOtherOver}
			}
			return undefined, err
		}
		got, err := c.Bridge(ctx, other, limit)
		return v.dialled(got), err
	}})
}

// callID reads which call is meant.
func callID(a runtime.Args, value goja.Value) string {
	if object, ok := value.(*goja.Object); ok {
		value = object.Get("id")
	}
	id, ok := textOf(value)
	if !ok {
		a.Throw("the other call must be one that calls.get or calls.make returned, or its id, not %s", runtime.Describe(a.Value(0)))
	}
	return id
}

// reachable finds calls of an app.
func reachable(live *call.Live, app string) func(id string) (*call.Control, bool) {
	return func(id string) (*call.Control, bool) {
		if live == nil {
			return nil, false
		}
		c, ok := live.Find(id)
		return c, ok && c.Call().App == app
	}
}

// dialled makes what came of a leg.
func (v *verbs) dialled(got call.Dialled) outcome {
	return func() goja.Value {
		leg := v.session.VM().NewObject()
		set(leg, "status", string(got.Status))
		set(leg, "id", got.LegID)
		set(leg, "to", targetName(got.Target))
		set(leg, "cause", got.Cause)
		set(leg, "by", string(got.By))
		set(leg, "duration", got.Duration.Seconds())
		return leg
	}
}
