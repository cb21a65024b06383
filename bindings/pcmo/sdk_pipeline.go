package pcmo

import (
	"strconv"

	"github.com/dop251/goja"
)

// The class PipelineBuilder: every method but build, PCMO and clear appends one action, as it was given, and returns
// the builder. What is undefined among the required fields stays an own property, which JSON leaves out.

// spread appends what an iterable holds.
func (in *instance) spread(list *goja.Object, given goja.Value) {
	n := 0
	in.vm.ForOf(given, func(v goja.Value) bool {
		set(list, strconv.Itoa(n), v)
		n++
		return true
	})
}

var builderMethods = []method{
	appender("connect", wordConnect, 2, "params", "endpoints"),
	appender("play", wordPlay, 1, "file_name"),
	appender("playGetInput", wordPlayGet, 3, "prompt", "input", "on_result", "dtmf", "retries"),
	appender("play_get_input", wordPlayGet, 3, "prompt", "input", "on_result", "dtmf", "retries"),
	appender("param", wordParam, 1, "data"),
	appender("record", wordRecord, 0, "format", "channels"),
	appender("hangup", wordHangup, 0),
	appender("input", wordInput, 1, "on_result", "dtmf"),
	{"build", 0, build},
	{"PCMO", 0, func(in *instance, c goja.FunctionCall) goja.Value { return in.invoke(c.This, "build") }},
	{"clear", 0, func(in *instance, c goja.FunctionCall) goja.Value {
		in.assign(c.This, "actions", in.vm.NewArray())
		return c.This
	}},
}

// build returns a copy of the list, not of the actions in it.
func build(in *instance, c goja.FunctionCall) goja.Value {
	list := in.vm.NewArray()
	in.spread(list, in.get(c.This, "actions"))
	return list
}

// appender is a method that appends an action whose fields are the arguments; those after the first required ones are
// left out when undefined.
func appender(name string, action goja.Value, required int, fields ...string) method {
	return method{name, len(fields), func(in *instance, c goja.FunctionCall) goja.Value {
		o := in.action(action)
		for i, field := range fields {
			if v := c.Argument(i); i < required || !goja.IsUndefined(v) {
				set(o, field, v)
			}
		}
		in.invoke(in.get(c.This, "actions"), "push", o)
		return c.This
	}}
}
