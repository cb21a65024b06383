package audio

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/bindings/webidl"
)

// voiceActivity is the state of a VoiceActivity.
type voiceActivity struct {
	*audio.Endpointer
	rest []int16 // less than 20 ms
}

// push judges sound, 20 ms at a time, and returns what has changed, or else how it is.
func (v *voiceActivity) push(sound []int16) string {
	n, state := v.FrameSamples(), ""
	judge := func(frame []int16) {
		switch activity, _ := v.Push(frame); activity { // the length is right
		case audio.Began:
			state = "began"
		case audio.Ended, audio.Cut:
			state = "ended"
		}
	}
	if len(v.rest) > 0 {
		take := min(n-len(v.rest), len(sound))
		v.rest = append(v.rest, sound[:take]...)
		sound = sound[take:]
		if len(v.rest) == n {
			judge(v.rest)
			v.rest = v.rest[:0]
		}
	}
	for ; len(sound) >= n; sound = sound[n:] {
		judge(sound[:n])
	}
	v.rest = append(v.rest, sound...)
	switch {
	case state != "":
		return state
	case v.Speaking():
		return "speech"
	}
	return "silence"
}

func voiceActivityClass(in *instance) *goja.Object {
	vm := in.s.VM()
	states := map[string]goja.Value{}
	for _, name := range []string{"began", "ended", "speech", "silence"} {
		states[name] = vm.ToValue(name)
	}
	receiver := func(c goja.FunctionCall, name string) *voiceActivity {
		return webidl.Receiver[*voiceActivity](in.s, c, "VoiceActivity."+name)
	}
	attribute := func(name string, get func(v *voiceActivity) any) webidl.Member {
		return webidl.Member{Name: name, Get: func(c goja.FunctionCall) goja.Value { return vm.ToValue(get(receiver(c, name))) }}
	}
	return webidl.Define(in.s, webidl.Class{
		Name: "VoiceActivity",
		Construct: func(this *goja.Object, c goja.FunctionCall) {
			a := in.args("VoiceActivity", c)
			o := a.Options(0, "rate", "onset", "silence", "lead", "maxLength")
			options := audio.EndpointerOptions{
				Rate:  a.knownRate(`option "rate"`, o.Number("rate", 8000)),
				Onset: o.Duration("onset", 0), Silence: o.Duration("silence", 0), Lead: o.Duration("lead", 0), MaxLength: o.Duration("maxLength", 0),
			}
			e, err := audio.NewEndpointer(options)
			if err != nil {
				a.Throw("%v", err)
			}
			webidl.Attach(in.s, this, &voiceActivity{Endpointer: e})
		},
		Members: []webidl.Member{
			{Name: "push", Length: 1, Call: func(c goja.FunctionCall) goja.Value {
				return states[receiver(c, "push").push(in.args("VoiceActivity.push", c).sound(0, "VoiceActivity.push"))]
			}},
			attribute("speaking", func(v *voiceActivity) any { return v.Speaking() }),
			attribute("start", func(v *voiceActivity) any { return v.Start().Milliseconds() }),
			attribute("end", func(v *voiceActivity) any { return v.End().Milliseconds() }),
		},
	})
}
