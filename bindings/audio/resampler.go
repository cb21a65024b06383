package audio

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/bindings/webidl"
)

// resampler is the state of a Resampler.
type resampler struct {
	*audio.Resampler
	from, to int
}

func resamplerClass(in *instance) *goja.Object {
	vm := in.s.VM()
	state := func(c goja.FunctionCall, name string) *resampler {
		return webidl.Receiver[*resampler](in.s, c, "Resampler."+name)
	}
	return webidl.Define(in.s, webidl.Class{
		Name: "Resampler", Length: 2,
		Construct: func(this *goja.Object, c goja.FunctionCall) {
			a := in.args("Resampler", c)
			from, to := a.rate(0, "the rate that comes in"), a.rate(1, "the rate that goes out")
			webidl.Attach(in.s, this, &resampler{audio.NewResampler(from, to), from, to})
		},
		Members: []webidl.Member{
			{Name: "push", Length: 1, Call: func(c goja.FunctionCall) goja.Value {
				r, a := state(c, "push"), in.args("Resampler.push", c)
				sound := a.sound(0, "Resampler.push")
				n := int(int64(len(sound))*int64(r.to)/int64(r.from)) + 2
				a.bound("Resampler.push", n-2)
				return in.samples(r.Append(make([]int16, 0, n), sound))
			}},
			{Name: "flush", Call: func(c goja.FunctionCall) goja.Value {
				r := state(c, "flush")
				tail := r.Flush(nil)
				r.Resampler = audio.NewResampler(r.from, r.to)
				return in.samples(tail)
			}},
			{Name: "from", Get: func(c goja.FunctionCall) goja.Value { return vm.ToValue(state(c, "from").from) }},
			{Name: "to", Get: func(c goja.FunctionCall) goja.Value { return vm.ToValue(state(c, "to").to) }},
		},
	})
}
