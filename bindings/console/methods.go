package console

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
)

var methodNames = []string{
	"log", "warn", "dir", "time", "timeEnd", "timeLog", "trace", "assert", "count", "countReset", "group", "groupCollapsed",
	"groupEnd", "table", "debug", "info", "error",
}

var methods = map[string]func(c *instance, args []goja.Value){
	"log":   level(slog.LevelInfo),
	"info":  level(slog.LevelInfo),
	"warn":  level(slog.LevelWarn),
	"error": level(slog.LevelError),
	"debug": level(slog.LevelDebug),
	"trace": func(c *instance, args []goja.Value) {
		head := strings.TrimSuffix("Trace: "+format(c.s.VM(), args), ": ")
		c.print(slog.LevelDebug, head+c.stack())
	},
	"assert": func(c *instance, args []goja.Value) {
		if len(args) > 0 && args[0].ToBoolean() {
			return
		}
		text := "Assertion failed"
		if len(args) > 1 {
			text += " "
			if _, ok := args[1].(goja.String); ok {
				text = "Assertion failed: "
			}
			text += format(c.s.VM(), args[1:])
		}
		c.print(slog.LevelError, text)
	},
	"dir": func(c *instance, args []goja.Value) {
		if len(args) > 0 {
			c.print(slog.LevelInfo, Inspect(c.s.VM(), args[0]))
		}
	},
	"table": func(c *instance, args []goja.Value) {
		if len(args) > 0 {
			c.print(slog.LevelInfo, table(c.s.VM(), args))
		}
	},
	"group":          group,
	"groupCollapsed": group,
	"groupEnd":       func(c *instance, _ []goja.Value) { c.indent = max(c.indent-1, 0) },
	"count": func(c *instance, args []goja.Value) {
		name := label(args)
		if _, known := c.counts[name]; !known && len(c.counts) == maxLabels {
			return
		}
		c.counts[name]++
		c.print(slog.LevelInfo, fmt.Sprintf("%s: %d", name, c.counts[name]))
	},
	"countReset": func(c *instance, args []goja.Value) {
		name := label(args)
		if _, known := c.counts[name]; !known {
			c.print(slog.LevelWarn, fmt.Sprintf("Count for '%s' does not exist", name))
		}
		delete(c.counts, name)
	},
	"time": func(c *instance, args []goja.Value) {
		name := label(args)
		if _, known := c.timers[name]; known {
			c.print(slog.LevelWarn, fmt.Sprintf("Label '%s' already exists for console.time()", name))
			return
		}
		if len(c.timers) < maxLabels {
			c.timers[name] = c.s.Now()
		}
	},
	"timeLog": func(c *instance, args []goja.Value) { c.elapsed(args, "timeLog") },
	"timeEnd": func(c *instance, args []goja.Value) {
		c.elapsed(args[:min(len(args), 1)], "timeEnd")
		delete(c.timers, label(args))
	},
}

func level(l slog.Level) func(*instance, []goja.Value) {
	return func(c *instance, args []goja.Value) {
		if !c.silenced() {
			c.print(l, format(c.s.VM(), args))
		}
	}
}

func group(c *instance, args []goja.Value) {
	if len(args) > 0 {
		c.print(slog.LevelInfo, format(c.s.VM(), args))
	}
	c.indent = min(c.indent+1, maxIndent)
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
