package pcmo

import "github.com/dop251/goja"

// The part "ai" of a v3 client: a call to an agent, and with a second agent to fall back to.

func aiCall(in *instance, c goja.FunctionCall) goja.Value {
	return in.async(func() goja.Value {
		request := aiRequest(in, c).(*goja.Object)
		in.checkAiCall(request)
		payload := in.vm.NewObject()
		copyTo := func(names ...string) {
			for _, name := range names {
				set(payload, name, request.Get(name))
			}
		}
		copyTo("caller_id", "to_number")
		failover, path := orUndefined(request.Get("failover")), "/voice/ai/call"
		if absent(failover) {
			copyTo("agent_id")
		} else {
			path = "/voice/pcmo/call"
			copyTo("app_id")
			set(payload, "pipeline", in.failover(request.Get("caller_id"), request.Get("agent_id"), failover))
		}
		for _, name := range []string{"options", "variables"} {
			if !absent(request.Get(name)) {
				copyTo(name)
			}
		}
		if !absent(failover) {
			in.checkPcmoCall(payload)
		}
		return in.sendV3(c.This, path, payload)
	})
}

// aiRequest takes one object, or arguments of which the fourth may be an object of what else can be said.
func aiRequest(in *instance, c goja.FunctionCall) goja.Value {
	rest := []string{"options", "variables", "app_id", "failover"}
	first, options := c.Argument(0), c.Argument(3)
	o := in.vm.NewObject()
	if in.isPlain(first) && goja.IsUndefined(c.Argument(1)) {
		given := first.(*goja.Object)
		for _, name := range []string{"caller_id", "to_number", "agent_id"} {
			set(o, name, given.Get(name))
		}
		for _, name := range rest {
			if v := given.Get(name); hasOwn(given, name) && !absent(v) {
				set(o, name, v)
			}
		}
		return o
	}
	values := []goja.Value{options, c.Argument(4), c.Argument(5), c.Argument(6)}
	if in.isPlain(options) && goja.IsUndefined(values[1]) && goja.IsUndefined(values[2]) && goja.IsUndefined(values[3]) {
		given, named := options.(*goja.Object), false
		for _, name := range rest {
			named = named || hasOwn(given, name)
		}
		if named {
			for i, name := range rest {
				values[i] = given.Get(name)
			}
		}
	}
	set(o, "caller_id", c.Argument(1))
	set(o, "to_number", first)
	set(o, "agent_id", c.Argument(2))
	for i, name := range rest {
		if !absent(values[i]) {
			set(o, name, values[i])
		}
	}
	return o
}

func failoverPipeline(in *instance, c goja.FunctionCall) goja.Value {
	return in.failover(c.Argument(0), c.Argument(1), c.Argument(2))
}

// failover makes the pipeline that rings one agent and then another.
func (in *instance) failover(caller, agent, failover goja.Value) goja.Value {
	given := failover.ToObject(in.vm)
	params := in.vm.NewObject()
	set(params, "caller_id", caller)
	if hasOwn(given, "strategy") {
		set(params, "strategy", given.Get("strategy"))
	}
	options, some := in.vm.NewObject(), false
	for _, key := range connectOptionKeys {
		if hasOwn(given, key) {
			set(options, key, given.Get(key))
			some = true
		}
	}
	if some {
		set(params, "options", options)
	}
	if hasOwn(given, "metadata") {
		set(params, "metadata", given.Get("metadata"))
	}
	endpoint := func(id goja.Value) *goja.Object {
		o := in.vm.NewObject()
		set(o, "type", in.vm.ToValue("agent"))
		set(o, "id", id)
		return o
	}
	return in.vm.NewArray(in.connectAction(params, endpoint(agent), endpoint(given.Get("agent_id"))))
}
