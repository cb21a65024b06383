package call

import (
	"context"
	"strconv"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
	"github.com/piopiy/piopiyd/runtime"
)

func (v *verbs) answer(runtime.Args) goja.Value {
	return v.do(task{verb: "answer", turn: inTurn, hosted: queues(), live: simply(func(ctx context.Context, c *call.Control) error { return c.Answer(ctx) })})
}

// ring lets a caller who was not answered hear ringing.
func (v *verbs) ring(a runtime.Args) goja.Value {
	var d time.Duration
	if a.Has(0) {
		d = a.Duration(0, "the time")
	}
	return v.do(task{verb: "ring", turn: inTurn, hosted: rings(a.Has(0)), live: simply(func(ctx context.Context, c *call.Control) error { return c.Ring(ctx, d) })})
}

// rings is nothing where the platform lets a call ring by itself; for how long it cannot be told.
func rings(forSome bool) hostedVerb {
	return func(h *hosted, t *turn) {
		var err error
		if forSome {
			err = unsupported(t.verb, "a time to ring before the call is answered")
		}
		h.finish(t, err)
	}
}

func (v *verbs) pause(a runtime.Args) goja.Value {
	d := a.Duration(0, "the time")
	return v.do(task{verb: "pause", turn: inTurn, hosted: pauses(d), live: simply(func(ctx context.Context, c *call.Control) error { return c.Pause(ctx, d) })})
}

func (v *verbs) say(a runtime.Args) goja.Value {
	o := a.Options(1, "language", "voice", "speed")
	p := spoken(a.String(0, "the text"), o)
	return v.do(task{verb: "say", turn: sound, hosted: queues(p), live: simply(func(ctx context.Context, c *call.Control) error { return c.Play(ctx, p) })})
}

// spoken is a prompt that is said.
func spoken(text string, o runtime.Options) call.Prompt {
	return call.Prompt{Say: text, Language: o.String("language", ""), Voice: o.String("voice", ""), Speed: o.Number("speed", 0)}
}

func (v *verbs) play(a runtime.Args) goja.Value {
	o := a.Options(1, "loop")
	prompts, times := v.sounds(a, a.Value(0)), o.Int("loop", 1, 1, 1000)
	return v.do(task{verb: "play", turn: sound, hosted: repeats(prompts, times), live: simply(func(ctx context.Context, c *call.Control) error {
		for range times {
			for _, p := range prompts {
				if err := c.Play(ctx, p); err != nil {
					return err
				}
			}
		}
		return nil
	})})
}

// maxSounds bounds a list of sounds.
const maxSounds = 100

// sounds reads a file name or URL, or a list of them.
func (v *verbs) sounds(a runtime.Args, value goja.Value) []call.Prompt {
	names := v.strings(a, value, "the file name or URL", maxSounds, textOf)
	prompts := make([]call.Prompt, len(names))
	for i, name := range names {
		prompts[i] = call.Sound(name)
	}
	return prompts
}

// strings reads a text or a list of texts, each by read.
func (v *verbs) strings(a runtime.Args, value goja.Value, what string, most int, read func(goja.Value) (string, bool)) []string {
	if text, ok := read(value); ok {
		return []string{text}
	}
	object, ok := value.(*goja.Object)
	if !ok || object.ClassName() != "Array" {
		a.Throw("%s must be a string or a list of strings, not %s", what, runtime.Describe(value))
	}
	n := int(object.Get("length").ToInteger())
	if n == 0 || n > most {
		a.Throw("%s: the list has %d entries; 1 to %d are allowed", what, n, most)
	}
	texts := make([]string, n)
	for i := range texts {
		if texts[i], ok = read(object.Get(itoa(i))); !ok {
			a.Throw("%s: entry %d must be a string, not %s", what, i, runtime.Describe(object.Get(itoa(i))))
		}
	}
	return texts
}

// textOf reads a text that is not empty.
func textOf(value goja.Value) (string, bool) {
	text, ok := value.(goja.String)
	if !ok || text.Length() == 0 {
		return "", false
	}
	return text.String(), true
}

// partyText reads a party: a text, or a phone number that stands as a JavaScript number.
func partyText(value goja.Value) (string, bool) {
	if text, ok := textOf(value); ok {
		return text, true
	}
	if _, isObject := value.(*goja.Object); isObject || value == nil {
		return "", false
	}
	number, ok := value.Export().(int64)
	if !ok || number <= 0 {
		return "", false
	}
	return strconv.FormatInt(number, 10), true
}

func (v *verbs) announce(a runtime.Args) goja.Value {
	o := a.Options(1, "to", "language", "voice", "speed")
	p, to := v.prompt(a, a.Value(0), o), party(a, o, "to")
	return v.do(task{verb: "announce", live: simply(func(ctx context.Context, c *call.Control) error { return c.Announce(ctx, p, to) })})
}

// prompt reads a text to say, or { say } or { play }.
func (v *verbs) prompt(a runtime.Args, value goja.Value, o runtime.Options) call.Prompt {
	switch value := value.(type) {
	case goja.String:
		return spoken(value.String(), o)
	case *goja.Object:
		if play, ok := value.Get("play").(goja.String); ok {
			return call.Sound(play.String())
		}
		if say, ok := value.Get("say").(goja.String); ok {
			return spoken(say.String(), o)
		}
	}
	a.Throw("a prompt must be a text to say, { say: text } or { play: file or URL }, not %s", runtime.Describe(value))
	return call.Prompt{}
}

// party reads an option that names a party: "caller", "callee" or "both".
func party(a runtime.Args, o runtime.Options, name string) call.Leg {
	switch who := o.String(name, "both"); who {
	case "caller":
		return call.LegA
	case "callee":
		return call.LegB
	case "both":
	default:
		a.Throw(`option %q must be "caller", "callee" or "both", not %.20q`, name, who)
	}
	return ""
}

func (v *verbs) stop(runtime.Args) goja.Value {
	return v.do(task{verb: "stop", turn: inOrder, live: simply(func(_ context.Context, c *call.Control) error { return c.Silence() })})
}

func recording(command call.RecordingCommand) func(*verbs, runtime.Args) goja.Value {
	return func(v *verbs, _ runtime.Args) goja.Value {
		var hosted hostedVerb
		if command == call.RecordingStart {
			hosted = recordsAll
		}
		return v.do(task{verb: string(command) + "Recording", turn: inOrder, hosted: hosted, live: simply(func(ctx context.Context, c *call.Control) error { return c.ControlRecording(ctx, command) })})
	}
}

// recordsAll begins a recording, which goes on to the call's end because nothing stops it.
func recordsAll(h *hosted, t *turn) {
	if h.open == nil && h.current == nil && h.root == nil {
		h.finish(t, unsupported(t.verb, "the platform performs what it was told and asks nothing any more"))
		return
	}
	h.finish(t, h.add(&pcmo.Record{}))
}

func (v *verbs) record(a runtime.Args) goja.Value {
	o := a.Options(0, "say", "play", "language", "voice", "speed", "beep", "maxLength", "finishOnKey", "format", "channels")
	m := call.Message{
		Prompt: v.promptIn(a, o), Beep: o.Bool("beep", true), MaxLength: o.Duration("maxLength", 10*time.Minute),
		FinishKey: finishKey(a, o, "#"), Options: call.RecordOptions{Format: o.String("format", ""), Channels: o.String("channels", "")},
	}
	made := func(rec call.Recording) outcome {
		return func() goja.Value {
			object := v.session.VM().NewObject()
			set(object, "file", rec.File)
			set(object, "url", rec.URL)
			set(object, "duration", rec.Duration.Seconds())
			return object
		}
	}
	return v.do(task{verb: "record", turn: inTurn, hosted: records(m, made), live: func(ctx context.Context, c *call.Control) (outcome, error) {
		rec, err := c.RecordMessage(ctx, m)
		return made(rec), err
	}})
}

// promptIn reads the options say and play; silence when there is neither.
func (v *verbs) promptIn(a runtime.Args, o runtime.Options) call.Prompt {
	switch {
	case o.Has("say") && o.Has("play"):
		a.Throw("give say or play, not both")
	case o.Has("say"):
		return spoken(o.String("say", ""), o)
	case o.Has("play"):
		return call.Sound(o.String("play", ""))
	}
	return call.Prompt{}
}

// finishKey reads the option finishOnKey: one key, or "" for none.
func finishKey(a runtime.Args, o runtime.Options, otherwise string) string {
	key := o.String("finishOnKey", otherwise)
	if len(key) > 1 || key != "" && !isKeys(key) {
		a.Throw(`option "finishOnKey" must be one of 0-9, * and #, or "" for none`)
	}
	return key
}

func isKeys(text string) bool {
	for _, r := range text {
		if (r < '0' || r > '9') && r != '*' && r != '#' && (r < 'A' || r > 'D') {
			return false
		}
	}
	return true
}
