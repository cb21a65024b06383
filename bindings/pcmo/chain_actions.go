package pcmo

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dop251/goja"

	call "github.com/piopiy/piopiyd/pcmo"
	"github.com/piopiy/piopiyd/runtime"
)

// The methods of pcmo(). Each reads its arguments into an action; the rules of PCMO are applied by chain.add.

func buildPlay(_ *chain, a runtime.Args) call.Action {
	name, url := audio(a.String(0, "the file name or URL"))
	return &call.Play{FileName: name, FileURL: url}
}

// audio tells a file of the platform from a URL.
func audio(source string) (name, url string) {
	if i := strings.Index(source, "://"); i > 0 && isScheme(source[:i]) {
		return "", source
	}
	return source, ""
}

func buildSpeak(_ *chain, a runtime.Args) call.Action {
	return &call.Speak{Text: a.String(0, "the text")}
}

// buildParam takes a text, or an object which travels as JSON.
func buildParam(c *chain, a runtime.Args) call.Action {
	v := a.Value(0)
	if s, ok := v.(goja.String); ok {
		return &call.Param{Text: s.String()}
	}
	if _, ok := v.(*goja.Object); !ok {
		a.Throw("the value must be a text or an object, not %s", runtime.Describe(v))
	}
	w := writer{vm: c.in.vm, out: make([]byte, 0, 128)}
	wrote, err := w.write(v)
	if err != nil {
		panic(c.in.thrown(err))
	}
	if !wrote {
		a.Throw("the value must be a text or an object, not %s", runtime.Describe(v))
	}
	return &call.Param{Text: string(w.out)}
}

func buildHangup(_ *chain, a runtime.Args) call.Action {
	if !a.Has(0) {
		return &call.Hangup{}
	}
	return &call.Hangup{Cause: a.String(0, "the cause")}
}

func buildBridge(c *chain, a runtime.Args) call.Action {
	targets := targetsOf(c.in, a, call.TargetPSTN)
	o := a.Options(1, "from", "timeout", "duration", "tries", "strategy")
	return &call.Bridge{
		From: numberOption(a, o, "from"), Targets: targets,
		DurationSeconds: secondsOption(a, o, "duration"), TimeoutSeconds: secondsOption(a, o, "timeout"),
		Loop: countOption(a, o, "tries"), RingType: call.RingType(o.String("strategy", "")),
	}
}

func buildConnect(c *chain, a runtime.Args) call.Action {
	targets := targetsOf(c.in, a, call.TargetSIP)
	o := a.Options(1, "from", "timeout", "duration", "tries", "strategy", "record", "media")
	action := &call.Connect{
		From: numberOption(a, o, "from"), Targets: targets,
		DurationSeconds: secondsOption(a, o, "duration"), TimeoutSeconds: secondsOption(a, o, "timeout"),
		Loop: countOption(a, o, "tries"), RingType: call.RingType(o.String("strategy", "")), CallType: o.String("media", ""),
	}
	if o.Has("record") {
		action.Record = new(o.Bool("record", false))
	}
	return action
}

// targetsOf reads the first argument: one party or several.
func targetsOf(in *instance, a runtime.Args, kind call.TargetType) []call.Target {
	v := a.Value(0)
	o, ok := v.(*goja.Object)
	if !ok {
		return []call.Target{target(a, v, "to", kind)}
	}
	if !in.isArray(v) {
		a.Throw("to must be a number or a list of them, not %s", runtime.Describe(v))
	}
	n := int(min(orUndefined(o.Get("length")).ToInteger(), 1000))
	list := make([]call.Target, n)
	for i := range list {
		list[i] = target(a, orUndefined(o.Get(itoa(i))), "to["+itoa(i)+"]", kind)
	}
	return list
}

func target(a runtime.Args, v goja.Value, what string, kind call.TargetType) call.Target {
	if kind == call.TargetSIP {
		if s, ok := v.(goja.String); ok {
			return call.SIP(s.String())
		}
		return call.SIP(string(phoneNumber(a, v, what+" must be a SIP user")))
	}
	n := phoneNumber(a, v, what+" must be a phone number")
	if strings.HasPrefix(string(n), "sip:") {
		a.Throw("%s %q is a SIP address; use connect() with the SIP user", what, string(n))
	}
	return call.PSTN(n)
}

// phoneNumber reads a number that may be written as a text or as a number.
func phoneNumber(a runtime.Args, v goja.Value, must string) call.Number {
	switch x := primitive(v).(type) {
	case string:
		if x != "" {
			return call.Number(x)
		}
	case int64:
		return call.Number(strconv.FormatInt(x, 10))
	case float64:
		if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
			return call.Number(strconv.FormatInt(int64(x), 10))
		}
	}
	a.Throw("%s, not %s", must, runtime.Describe(v))
	return ""
}

func numberOption(a runtime.Args, o runtime.Options, name string) call.Number {
	v := o.Value(name)
	if v == nil {
		return ""
	}
	return phoneNumber(a, v, "option "+strconv.Quote(name)+" must be a phone number")
}

// secondsOption reads a time that the wire holds as whole seconds.
func secondsOption(a runtime.Args, o runtime.Options, name string) *int {
	if !o.Has(name) {
		return nil
	}
	d := o.Duration(name, 0)
	if d < time.Second || d%time.Second != 0 {
		a.Throw(`option %q must be whole seconds, at least one, such as "20s" or "1h" (a bare number means milliseconds); not %s`, name, runtime.Describe(o.Value(name)))
	}
	return new(int(d / time.Second))
}

func countOption(a runtime.Args, o runtime.Options, name string) *int {
	v := o.Value(name)
	if v == nil {
		return nil
	}
	f, ok := isWhole(v)
	if !ok || math.Abs(f) > math.MaxInt32 {
		a.Throw("option %q must be a whole number, not %s", name, runtime.Describe(v))
	}
	return new(int(f))
}

func buildInput(c *chain, a runtime.Args) call.Action {
	o := a.Options(1, "maxDigits", "timeout")
	return &call.Input{
		MaxDigit: countOption(a, o, "maxDigits"), TimeoutSeconds: secondsOption(a, o, "timeout"),
		ActionURL: c.targetURL(a, 0),
	}
}

func buildPlayGetInput(c *chain, a runtime.Args) call.Action {
	name, url := audio(a.String(0, "the file name or URL"))
	o := a.Options(2, "maxDigits", "retries", "timeout")
	return &call.PlayGetInput{
		FileName: name, FileURL: url,
		MaxDigit: countOption(a, o, "maxDigits"), MaxRetry: countOption(a, o, "retries"), TimeoutSeconds: secondsOption(a, o, "timeout"),
		ActionURL: c.targetURL(a, 1),
	}
}

// targetURL reads where digits go: a function of the script, or a URL. It is read last, since a function is noted.
func (c *chain) targetURL(a runtime.Args, i int) string {
	if fn, ok := goja.AssertFunction(a.Value(i)); ok {
		return c.await(fn, a.Value(i).(*goja.Object))
	}
	if _, ok := a.Value(i).(goja.String); !ok {
		a.Throw("the target must be a function or a URL, not %s", runtime.Describe(a.Value(i)))
	}
	return a.String(i, "the target")
}

func buildStream(_ *chain, a runtime.Args) call.Action {
	url := a.String(0, "the WebSocket URL")
	o := a.Options(1, "listen", "rate", "onAnswer", "events")
	action := &call.Stream{WSURL: url, ListenMode: call.ListenMode(o.String("listen", ""))}
	if rate := countOption(a, o, "rate"); rate != nil {
		if *rate == 0 {
			a.Throw("rate 0 must be 8000 or 16000")
		}
		action.VoiceQuality = *rate
	}
	if o.Has("onAnswer") {
		action.StreamOnAnswer = new(o.Bool("onAnswer", false))
	}
	action.Events = o.Bool("events", false)
	return action
}

func itoa(n int) string { return strconv.Itoa(n) }
