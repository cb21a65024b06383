package call

import (
	"context"
	"errors"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
	"github.com/piopiy/piopiyd/runtime"
)

// stream opens a media stream: with a URL a WebSocket to a server, and the promise settles when it is open; without one
// the stream is the script's own, and what the promise brings.
func (v *verbs) stream(a runtime.Args) goja.Value {
	if o, isOptions := a.Value(0).(*goja.Object); !a.Has(0) || isOptions && o.ClassName() != "String" {
		return v.streamHere(a)
	}
	o := a.Options(1, "listen", "sampleRate", "events")
	action := &pcmo.Stream{WSURL: a.String(0, "the ws or wss URL"), ListenMode: listenMode(a, o), VoiceQuality: sampleRate(a, o), Events: o.Bool("events", false)}
	if err := (pcmo.Document{action}).Validate(); err != nil {
		a.Throw("%v", err)
	}
	return v.do(task{verb: "stream", turn: inTurn, hosted: streams(action), live: func(ctx context.Context, c *call.Control) (outcome, error) {
		return undefined, streamError(c.OpenStream(ctx, action))
	}})
}

func (v *verbs) streamHere(a runtime.Args) goja.Value {
	o := a.Options(0, "listen", "sampleRate")
	listen, rate := listenMode(a, o), sampleRate(a, o)
	own, _ := v.session.Value(conversationKey{}).(*conversation)
	return v.do(task{verb: "stream", turn: inTurn, audio: true, hosted: refuses("without a URL: open a stream to call.streamUrl, and take it in the export stream"), live: func(ctx context.Context, c *call.Control) (outcome, error) {
		if own == nil || own.handler.opts.Stream == nil {
			return undefined, &call.UnsupportedError{Verb: "stream without a URL", Driver: c.Call().Driver}
		}
		s, err := c.StreamHere(ctx, listen, rate)
		if err != nil {
			return undefined, streamError(err)
		}
		unclaimed := context.AfterFunc(ctx, func() { _ = s.Close(1001, "the script has ended") })
		return func() goja.Value {
			unclaimed() // whoever reads it closes it
			socket, _ := own.handler.opts.Stream(v.session, s)
			return socket
		}, nil
	}})
}

// refuses is the hosted side of what documents cannot carry.
func refuses(what string) hostedVerb {
	return func(h *hosted, t *turn) { h.finish(t, unsupported(t.verb, what)) }
}

func listenMode(a runtime.Args, o runtime.Options) pcmo.ListenMode {
	switch mode := pcmo.ListenMode(o.String("listen", string(pcmo.ListenCaller))); mode {
	case pcmo.ListenCaller, pcmo.ListenCallee, pcmo.ListenBoth:
		return mode
	default:
		a.Throw(`option "listen" must be "caller", "callee" or "both", not %.20q`, mode)
	}
	return ""
}

func sampleRate(a runtime.Args, o runtime.Options) int {
	rate := o.Int("sampleRate", 8000, 8000, 16000)
	if rate != 8000 && rate != 16000 {
		a.Throw(`option "sampleRate" must be 8000 or 16000, not %d`, rate)
	}
	return rate
}

// streamError is what a script sees of a stream that could not be opened.
func streamError(err error) error {
	var failed *call.StreamError
	if !errors.As(err, &failed) {
		return err
	}
	return &runtime.ScriptError{Name: "StreamError", Message: failed.Error(), Code: "STREAM_FAILED", Err: err}
}
