// Package console is the scripts' console: what a script prints becomes an entry of the session's log and journal.
//
//	console.log('caller %s pressed %o', call.from, digits)
//
// Levels: debug and trace are Debug; log, info, dir, table, group, count and time are Info; warn is Warn; error
// and a failed assert are Error. Values are shown as Node shows them, but always bounded (see [Inspect]). A
// script cannot flood the log: a message is cut at 16 KiB, and after 100 messages in one second the rest of that
// second is dropped, which one message says. Texts under names such as token, secret, password and authorization
// are masked. In a dry run nothing is printed.
package console

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

const (
	maxMessage = 16 << 10
	maxRate    = 100 // messages in a second
	maxLabels  = 1000
	maxIndent  = 20
)

// Module provides the global console.
type Module struct{}

// New returns the module.
func New() *Module { return &Module{} }

// Name implements runtime.Module.
func (*Module) Name() string { return "console" }

// Provides implements runtime.Module.
func (*Module) Provides() runtime.Provides { return runtime.Provides{Globals: []string{"console"}} }

// Instantiate implements runtime.Module.
func (*Module) Instantiate(s *runtime.Session) (runtime.Instance, error) {
	return &instance{s: s, counts: map[string]int{}, timers: map[string]time.Time{}}, nil
}

type instance struct {
	s      *runtime.Session
	log    *slog.Logger
	indent int
	counts map[string]int
	timers map[string]time.Time

	second  time.Time
	printed int
}

// Import implements runtime.Instance.
func (*instance) Import(string) goja.Value { return goja.Undefined() }

// Global implements runtime.Instance.
func (c *instance) Global(string) goja.Value {
	vm := c.s.VM()
	o := vm.NewDynamicObject(&namespace{c: c, values: map[string]goja.Value{}, keys: slices.Clone(methodNames)})
	proto := vm.NewObject()
	webidl.Tag(vm, proto, "console")
	_ = o.SetPrototype(proto)
	return o
}

// namespace is the console object. A method is made when it is first touched: most scripts use one or two.
type namespace struct {
	c      *instance
	values map[string]goja.Value
	keys   []string
}

// Get implements goja.DynamicObject.
func (n *namespace) Get(name string) goja.Value {
	if v, ok := n.values[name]; ok {
		return v
	}
	method, ok := methods[name]
	if !ok || !slices.Contains(n.keys, name) {
		return nil
	}
	v := webidl.Function(n.c.s.VM(), name, 0, func(f goja.FunctionCall) goja.Value {
		if !n.c.s.DryRun() {
			method(n.c, f.Arguments)
		}
		return goja.Undefined()
	})
	n.values[name] = v
	return v
}

// Set implements goja.DynamicObject.
func (n *namespace) Set(name string, v goja.Value) bool {
	if !n.Has(name) {
		n.keys = append(n.keys, name)
	}
	n.values[name] = v
	return true
}

// Has implements goja.DynamicObject.
func (n *namespace) Has(name string) bool { return slices.Contains(n.keys, name) }

// Delete implements goja.DynamicObject.
func (n *namespace) Delete(name string) bool {
	delete(n.values, name)
	n.keys = slices.DeleteFunc(n.keys, func(k string) bool { return k == name })
	return true
}

// Keys implements goja.DynamicObject.
func (n *namespace) Keys() []string { return n.keys }

// silenced reports whether the next message would be dropped.
func (c *instance) silenced() bool {
	d := c.s.Now().Sub(c.second)
	return c.printed > maxRate && d >= 0 && d < time.Second
}

// print writes one message to log and journal.
func (c *instance) print(level slog.Level, message string) {
	now := c.s.Now()
	if d := now.Sub(c.second); d < 0 || d >= time.Second {
		c.second, c.printed = now, 0
	}
	c.printed++
	switch {
	case c.printed == maxRate+1:
		level = slog.LevelWarn
		message = fmt.Sprintf("console: more than %d messages within a second; the rest of this second is dropped", maxRate)
	case c.printed > maxRate:
		return
	}
	if c.indent > 0 {
		pad := strings.Repeat("  ", c.indent)
		message = pad + strings.ReplaceAll(message, "\n", "\n"+pad)
	}
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + "…"
	}
	c.s.Record("log", map[string]string{"level": levelName(level), "message": message})
	if c.s.Replaying() {
		return // it was said the first time
	}
	if c.log == nil {
		c.log = c.s.Logger()
	}
	if c.log.Enabled(context.Background(), level) {
		c.log.Log(context.Background(), level, oneLine(message))
	}
}

func levelName(l slog.Level) string { return strings.ToLower(l.String()) }

// oneLine makes a message safe for any log: no line breaks and no control characters.
func oneLine(message string) string {
	if !strings.ContainsFunc(message, isControl) {
		return message
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return '⏎'
		case r == '\t':
			return ' '
		case isControl(r):
			return '�'
		}
		return r
	}, message)
}

func isControl(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029'
}
