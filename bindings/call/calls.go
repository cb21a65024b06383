package call

import (
	"context"
	"time"

	"github.com/dop251/goja"

	bindpcmo "github.com/piopiy/piopiyd/bindings/pcmo"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
	"github.com/piopiy/piopiyd/runtime"
)

// CallsOptions say what calls the module piopiy/calls reaches.
type CallsOptions struct {
	// Live knows the calls under way.
	Live *call.Live
	// Originator places calls; nil says that nobody can.
	Originator call.Originator
}

// NewCalls returns the module piopiy/calls: the calls of the script's app, and new ones.
//
//	import { calls } from 'piopiy/calls'
//
//	const other = calls.get(id)                       // undefined once it has ended
//	await other?.announce('One minute left')
//	const { id } = await calls.make({ to: '14155550101', from: call.to })
func NewCalls(o CallsOptions) runtime.Module { return &callsModule{o} }

type callsModule struct{ opts CallsOptions }

// Name implements runtime.Module.
func (*callsModule) Name() string { return "calls" }

// Provides implements runtime.Module.
func (*callsModule) Provides() runtime.Provides {
	return runtime.Provides{Imports: []string{"piopiy/calls"}, Exports: map[string][]string{"piopiy/calls": {"default", "calls"}}}
}

// Instantiate implements runtime.Module.
func (m *callsModule) Instantiate(s *runtime.Session) (runtime.Instance, error) {
	return &callsInstance{s: s, opts: m.opts}, nil
}

type callsInstance struct {
	s      *runtime.Session
	opts   CallsOptions
	object *goja.Object
}

// Global implements runtime.Instance.
func (in *callsInstance) Global(string) goja.Value { return goja.Undefined() }

// Export implements runtime.Exporter.
func (in *callsInstance) Export(_, _ string) goja.Value { return in.calls() }

// Import implements runtime.Instance.
func (in *callsInstance) Import(string) goja.Value {
	exports := in.s.VM().NewObject()
	set(exports, "calls", in.calls())
	set(exports, "default", in.calls())
	_ = exports.DefineDataProperty("__esModule", in.s.VM().ToValue(true), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	return exports
}

func (in *callsInstance) calls() *goja.Object {
	if in.object != nil {
		return in.object
	}
	in.object = in.s.VM().NewObject()
	for name, do := range map[string]func(runtime.Args) goja.Value{"get": in.get, "list": in.list, "make": in.make} {
		set(in.object, name, func(c goja.FunctionCall) goja.Value { return do(in.s.Args("calls."+name, c)) })
	}
	return in.object
}

// own returns a call of the script's app: others are none of its business.
func (in *callsInstance) own(id string) (*call.Control, bool) {
	return reachable(in.opts.Live, in.s.App())(id)
}

// otherCalls is why a script that looks at them cannot be run again.
const otherCalls = "the script looks at other calls, which may be gone"

func (in *callsInstance) get(a runtime.Args) goja.Value {
	in.s.Unrepeatable(otherCalls)
	c, ok := in.own(a.String(0, "the call's id"))
	if !ok {
		return goja.Undefined()
	}
	vm := in.s.VM()
	by := &live{session: in.s, control: c, other: c.Call().ID != in.s.ID()}
	o := vm.CreateObject(vm.NewDynamicObject(&verbs{session: in.s, find: func() (carrier, error) { return by, nil }, reach: in.own}))
	in.describe(o, c)
	return o
}

func (in *callsInstance) list(runtime.Args) goja.Value {
	in.s.Unrepeatable(otherCalls)
	var list []any
	if in.opts.Live != nil {
		for _, c := range in.opts.Live.All() {
			if c.Call().App == in.s.App() {
				o := in.s.VM().NewObject()
				in.describe(o, c)
				list = append(list, o)
			}
		}
	}
	return in.s.VM().NewArray(list...)
}

func (in *callsInstance) describe(o *goja.Object, c *call.Control) {
	is, state := c.Call(), c.State()
	set(o, "id", is.ID)
	set(o, "requestId", is.RequestID)
	set(o, "app", is.App)
	set(o, "driver", is.Driver)
	set(o, "direction", string(is.Direction))
	set(o, "from", is.From)
	set(o, "to", is.To)
	set(o, "time", millis(is.Time))
	set(o, "status", string(state.Status))
	set(o, "held", state.Held)
}

// make places a call. It belongs to the script's app, whose answer callback decides about it unless a document is
// given.
func (in *callsInstance) make(a runtime.Args) goja.Value {
	o := a.Options(0, "to", "from", "pcmo", "extraParams", "timeout", "maxDuration", "record")
	to, ok := partyText(o.Value("to"))
	if !ok {
		a.Throw(`option "to" is missing: the number or SIP address to call`)
	}
	from, _ := partyText(o.Value("from"))
	order := call.Order{
		App: in.s.App(), To: targetName(target(a, to, nil)), From: from, ExtraParams: in.extraParams(a, o),
		RingTimeout: o.Duration("timeout", 40*time.Second), MaxDuration: o.Duration("maxDuration", 90*time.Minute), Record: o.Bool("record", false),
	}
	if o.Has("pcmo") {
		result, err := bindpcmo.Decode(in.s, o.Value("pcmo"), nil)
		if err != nil {
			a.Fail(err)
		}
		if order.Document = []pcmo.Action(result.Document); result.Pipeline != nil {
			order.Document = result.Pipeline
		}
	}
	return runtime.Operate(in.s, runtime.Operation[madeCall]{
		Begin: "make_call", End: "make_call_end", Asks: map[string]string{"from": order.From, "to": order.To},
		Do: func(ctx context.Context) (madeCall, error) {
			if in.opts.Originator == nil {
				return madeCall{}, scriptError(&call.UnsupportedError{Verb: "make", Driver: "none that places calls"})
			}
			c, err := in.opts.Originator.Originate(ctx, order)
			if err != nil {
				return madeCall{}, err
			}
			return madeCall{c.ID, c.RequestID}, nil
		},
		Note: func(c madeCall, err error) any {
			if err != nil {
				return map[string]string{"error": err.Error()}
			}
			return c
		},
		Value: func(c madeCall, err error) (goja.Value, error) {
			if err != nil {
				return nil, err
			}
			made := in.s.VM().NewObject()
			set(made, "id", c.ID)
			set(made, "requestId", c.RequestID)
			return made, nil
		},
	})
}

// madeCall is a call that a script has made.
type madeCall struct {
	ID        string `json:"id"`
	RequestID string `json:"request_id,omitempty"`
}

// extraParams reads text, or an object that becomes JSON.
func (in *callsInstance) extraParams(a runtime.Args, o runtime.Options) string {
	switch v := o.Value("extraParams").(type) {
	case nil:
		return ""
	case goja.String:
		return v.String()
	case *goja.Object:
		text, err := v.MarshalJSON()
		if err != nil || len(text) > 8<<10 {
			a.Throw(`option "extraParams" must be a text or an object of at most 8 KiB`)
		}
		return string(text)
	}
	a.Throw(`option "extraParams" must be a text or an object`)
	return ""
}
