package call

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/call"
)

// callObject returns what a script sees as `call`: one object for the whole call, so that what a script notes on
// call.vars stays.
func (conv *conversation) callObject(c *call.Call) goja.Value {
	if conv.object != nil {
		return conv.object
	}
	vm := conv.session.VM()
	o := vm.CreateObject(conv.verbsOf())
	conv.object = o
	set(o, "id", c.ID)
	set(o, "app", c.App)
	set(o, "driver", c.Driver)
	set(o, "direction", string(c.Direction))
	set(o, "from", c.From)
	set(o, "to", c.To)
	set(o, "time", millis(c.Time))
	set(o, "extraParams", c.ExtraParams)
	set(o, "streamUrl", c.StreamURL)
	set(o, "version", conv.session.Version().ShortID())
	lazily(vm, o, "vars", func() goja.Value {
		if v, ok := conv.parse([]byte(c.ExtraParams)).(*goja.Object); ok {
			return v
		}
		return vm.NewObject()
	})
	return o
}

func (conv *conversation) inputObject(c *call.Call, in call.Input) goja.Value {
	o := conv.session.VM().NewObject()
	set(o, "digits", in.Digits)
	set(o, "dtmf", in.Digits)
	set(o, "speech", in.Speech)
	set(o, "from", c.From)
	set(o, "to", c.To)
	set(o, "cmiuuid", c.ID)
	set(o, "extra_params", c.ExtraParams)
	return o
}

func (conv *conversation) eventObject(e *call.Event) goja.Value {
	vm := conv.session.VM()
	o := vm.NewObject()
	set(o, "status", string(e.Status))
	set(o, "wireStatus", e.WireStatus)
	set(o, "leg", string(e.Leg))
	set(o, "direction", string(e.Direction))
	at := e.Time
	if at.IsZero() {
		at = conv.session.Now()
	}
	set(o, "time", millis(at))
	set(o, "from", e.From)
	set(o, "to", e.To)
	set(o, "callId", e.CallID)
	set(o, "legId", e.LegID)
	set(o, "requestId", e.RequestID)
	set(o, "extraParams", e.ExtraParams)
	lazily(vm, o, "raw", func() goja.Value { return conv.parse(e.Raw) })
	return o
}

func (conv *conversation) cdrObject(r *call.CDR) goja.Value {
	vm := conv.session.VM()
	o := vm.NewObject()
	set(o, "status", string(r.Status))
	set(o, "leg", string(r.Leg))
	set(o, "direction", string(r.Direction))
	set(o, "from", r.From)
	set(o, "to", r.To)
	set(o, "start", millis(r.Start))
	set(o, "answer", millis(r.Answer))
	set(o, "end", millis(r.End))
	set(o, "duration", r.Duration.Seconds())
	set(o, "callId", r.CallID)
	set(o, "legId", r.LegID)
	set(o, "requestId", r.RequestID)
	set(o, "extraParams", r.ExtraParams)
	lazily(vm, o, "raw", func() goja.Value { return conv.parse(r.Raw) })
	return o
}

func set(o *goja.Object, name string, value any) { _ = o.Set(name, value) }

// lazily gives an object a property whose value is made when it is first read.
func lazily(vm *goja.Runtime, o *goja.Object, name string, make func() goja.Value) {
	_ = o.DefineAccessorProperty(name, vm.ToValue(func(goja.FunctionCall) goja.Value {
		v := make()
		_ = o.DefineDataProperty(name, v, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE)
		return v
	}), nil, goja.FLAG_TRUE, goja.FLAG_TRUE)
}

// parse returns JSON as JavaScript values, undefined when it is none.
func (conv *conversation) parse(text []byte) goja.Value {
	v := goja.Undefined()
	_ = conv.session.VM().Try(func() { v = conv.session.Guard().ParseJSON(string(text)) })
	return v
}
