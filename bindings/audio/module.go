// Package audio gives scripts the arithmetic of sound, for whole pieces at a time, in Go.
//
//	import { Resampler, VoiceActivity, samplesFromBase64, toBase64 } from 'piopiy/audio'
//
//	const up = new Resampler(8000, 24000), caller = new VoiceActivity({ rate: 8000 })
//	for await (const frame of socket) {
//		if (caller.push(frame) === 'began') socket.clear()
//		ai.send(JSON.stringify({ type: 'input_audio_buffer.append', audio: toBase64(up.push(frame)) }))
//	}
//
// Sound is an Int16Array of samples: linear PCM, mono. Where sound is taken, a Uint8Array, an ArrayBuffer or a
// DataView will do as well: 16 bit samples, little endian, as they come from the network. Samples go in and out without
// a copy in between. One piece has at most 2,097,152 samples, so that no call of these keeps a turn busy for long.
package audio

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

const specifier = "piopiy/audio"

// functions are those of the module; their order is that of the documentation.
var functions = []struct {
	name   string
	length int
	call   func(a args) goja.Value
}{
	{"resample", 3, resample},
	{"encodeMuLaw", 1, encodeMuLaw},
	{"decodeMuLaw", 1, decodeMuLaw},
	{"encodeALaw", 1, encodeALaw},
	{"decodeALaw", 1, decodeALaw},
	{"gain", 2, gain},
	{"mix", 1, mix},
	{"energy", 1, energy},
	{"tone", 2, tone},
	{"toBase64", 1, toBase64},
	{"samplesFromBase64", 1, samplesFromBase64},
	{"bytesFromBase64", 1, bytesFromBase64},
	{"encodeWav", 2, encodeWAV},
	{"decodeWav", 1, decodeWAV},
}

// classes are those of the module.
var classes = map[string]func(in *instance) *goja.Object{"Resampler": resamplerClass, "VoiceActivity": voiceActivityClass}

// Module provides the import piopiy/audio. It is safe for concurrent use.
type Module struct{}

// New returns the module.
func New() *Module { return &Module{} }

// Name implements [runtime.Module].
func (*Module) Name() string { return "audio" }

// Provides implements [runtime.Module].
func (*Module) Provides() runtime.Provides {
	return runtime.Provides{Imports: []string{specifier}, Exports: map[string][]string{specifier: names()}}
}

func names() []string {
	list := []string{"Resampler", "VoiceActivity"}
	for _, f := range functions {
		list = append(list, f.name)
	}
	return list
}

// Instantiate implements [runtime.Module].
func (*Module) Instantiate(s *runtime.Session) (runtime.Instance, error) {
	return &instance{s: s, made: map[string]goja.Value{}}, nil
}

// instance is the module in one session. Functions and classes are made when they are first named.
type instance struct {
	s    *runtime.Session
	made map[string]goja.Value
}

// Global implements [runtime.Instance]; the module provides no globals.
func (*instance) Global(string) goja.Value { return goja.Undefined() }

// Import implements [runtime.Instance].
func (in *instance) Import(string) goja.Value {
	exports := in.s.VM().NewObject()
	for _, name := range names() {
		_ = exports.Set(name, in.Export(specifier, name))
	}
	return exports
}

// Export implements [runtime.Exporter].
func (in *instance) Export(_, name string) goja.Value {
	v, ok := in.made[name]
	if !ok {
		v = in.make(name)
		in.made[name] = v
	}
	return v
}

func (in *instance) make(name string) goja.Value {
	if class, ok := classes[name]; ok {
		return class(in)
	}
	for _, f := range functions {
		if f.name == name {
			return webidl.Function(in.s.VM(), name, f.length, func(c goja.FunctionCall) goja.Value {
				return f.call(in.args(name, c))
			})
		}
	}
	return goja.Undefined()
}

func (in *instance) args(name string, c goja.FunctionCall) args {
	return args{in.s.Args(name, c), in, len(c.Arguments)}
}
