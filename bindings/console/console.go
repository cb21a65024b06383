// Package console is the scripts' console: what a script prints becomes an entry of the session's log and journal.
//
//	console.log('caller %s pressed %o', call.from, digits)
//
// Levels: debug and trace are Debug; log, info, dir, table, group, count and time are Info; warn is Warn; error
// and a failed assert are Error. Values are shown as Node shows them, but always bounded (see [Inspect]). A
// script cannot flood the log: a message is cut at 16 KiB, and after 100 messages in one second the rest of that
// second is dropped, which one message says. In a dry run nothing is printed.
package console

import (
	"context"
	"fmt"
	"log/slog"
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
	o := vm.NewObject()
	method := func(name string, call func(args []goja.Value)) webidl.Member {
		return webidl.Member{Name: name, Call: func(f goja.FunctionCall) goja.Value {
			if !c.s.DryRun() {
				call(f.Arguments)
			}
			return goja.Undefined()
		}}
	}
	level := func(name string, l slog.Level) webidl.Member {
		return method(name, func(args []goja.Value) { c.print(l, format(vm, args)) })
	}
	webidl.AddMembers(vm, o,
		level("log", slog.LevelInfo),
		level("info", slog.LevelInfo),
		level("warn", slog.LevelWarn),
		level("error", slog.LevelError),
		level("debug", slog.LevelDebug),
		method("trace", func(args []goja.Value) {
			head := strings.TrimSuffix("Trace: "+format(vm, args), ": ")
			c.print(slog.LevelDebug, head+c.stack())
		}),
		method("assert", func(args []goja.Value) {
			switch {
			case len(args) > 0 && args[0].ToBoolean():
			case len(args) < 2:
				c.print(slog.LevelError, "Assertion failed")
			default:
				if _, ok := args[1].(goja.String); ok {
					c.print(slog.LevelError, "Assertion failed: "+format(vm, args[1:]))
				} else {
					c.print(slog.LevelError, "Assertion failed "+format(vm, args[1:]))
				}
			}
		}),
		method("dir", func(args []goja.Value) {
			if len(args) > 0 {
				c.print(slog.LevelInfo, Inspect(vm, args[0]))
			}
		}),
		method("table", func(args []goja.Value) {
			if len(args) > 0 {
				c.print(slog.LevelInfo, table(vm, args))
			}
		}),
		method("group", func(args []goja.Value) {
			if len(args) > 0 {
				c.print(slog.LevelInfo, format(vm, args))
			}
			c.indent = min(c.indent+1, maxIndent)
		}),
		method("groupEnd", func([]goja.Value) { c.indent = max(c.indent-1, 0) }),
		method("count", func(args []goja.Value) {
			name := label(args)
			if _, known := c.counts[name]; !known && len(c.counts) == maxLabels {
				return
			}
			c.counts[name]++
			c.print(slog.LevelInfo, fmt.Sprintf("%s: %d", name, c.counts[name]))
		}),
		method("countReset", func(args []goja.Value) {
			name := label(args)
			if _, known := c.counts[name]; !known {
				c.print(slog.LevelWarn, fmt.Sprintf("Count for '%s' does not exist", name))
			}
			delete(c.counts, name)
		}),
		method("time", func(args []goja.Value) {
			name := label(args)
			if _, known := c.timers[name]; known {
				c.print(slog.LevelWarn, fmt.Sprintf("Label '%s' already exists for console.time()", name))
				return
			}
			if len(c.timers) < maxLabels {
				c.timers[name] = c.s.Now()
			}
		}),
		method("timeLog", func(args []goja.Value) { c.elapsed(args, "timeLog") }),
		method("timeEnd", func(args []goja.Value) {
			c.elapsed(args[:min(len(args), 1)], "timeEnd")
			delete(c.timers, label(args))
		}),
	)
	webidl.AddMembers(vm, o, webidl.Member{Name: "groupCollapsed", Call: mustCall(vm, o, "group")})
	webidl.Tag(vm, o, "console")
	return o
}

func mustCall(vm *goja.Runtime, o *goja.Object, name string) func(goja.FunctionCall) goja.Value {
	call, _ := goja.AssertFunction(o.Get(name))
	return func(f goja.FunctionCall) goja.Value {
		v, err := call(f.This, f.Arguments...)
		if err != nil {
			panic(err)
		}
		return v
	}
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

func label(args []goja.Value) string {
	if len(args) == 0 || goja.IsUndefined(args[0]) {
		return "default"
	}
	return clip(webidl.Text(args[0]))
}

func (c *instance) elapsed(args []goja.Value, method string) {
	name := label(args)
	since, known := c.timers[name]
	if !known {
		c.print(slog.LevelWarn, fmt.Sprintf("No such label '%s' for console.%s()", name, method))
		return
	}
	text := name + ": " + shortDuration(c.s.Now().Sub(since))
	if len(args) > 1 {
		text += " " + format(c.s.VM(), args[1:])
	}
	c.print(slog.LevelInfo, text)
}

// shortDuration writes a time as Node does: 1.234ms, 2.500s, 1:02.500 (m:ss.mmm).
func shortDuration(d time.Duration) string {
	switch {
	case d >= time.Hour:
		return fmt.Sprintf("%d:%02d:%02d (h:mm:ss)", d/time.Hour, d/time.Minute%60, d/time.Second%60)
	case d >= time.Minute:
		return fmt.Sprintf("%d:%02d.%03d (m:ss.mmm)", d/time.Minute, d/time.Second%60, d/time.Millisecond%1000)
	case d >= time.Second:
		return fmt.Sprintf("%.3fs", d.Seconds())
	}
	return strings.TrimSuffix(fmt.Sprintf("%.3f", float64(d)/float64(time.Millisecond)), ".000") + "ms"
}

// stack returns the script's own call stack, one frame a line.
func (c *instance) stack() string {
	err, ok := c.s.NewError("Error", "").(*goja.Object)
	if !ok {
		return ""
	}
	in := inspector{vm: c.s.VM()}
	in.failure(err)
	if _, frames, found := strings.Cut(in.out.String(), "\n"); found {
		return "\n" + frames
	}
	return ""
}
