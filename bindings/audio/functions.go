package audio

import (
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/bindings/webidl"
)

// resample(sound, from, to)
func resample(a args) goja.Value {
	sound, from, to := a.sound(0, "resample"), a.rate(1, "the rate it has"), a.rate(2, "the rate it gets")
	a.bound("resample", int(int64(len(sound))*int64(to)/int64(from)))
	if from == to {
		return a.in.samples(slices.Clone(sound))
	}
	return a.in.samples(audio.Resample(sound, from, to))
}

func encodeMuLaw(a args) goja.Value {
	sound := a.sound(0, "encodeMuLaw")
	return webidl.Uint8Array(a.in.s, audio.AppendMuLaw(make([]byte, 0, len(sound)), sound))
}

func encodeALaw(a args) goja.Value {
	sound := a.sound(0, "encodeALaw")
	return webidl.Uint8Array(a.in.s, audio.AppendALaw(make([]byte, 0, len(sound)), sound))
}

func decodeMuLaw(a args) goja.Value {
	data := a.bytes(0, "decodeMuLaw")
	a.bound("decodeMuLaw", len(data))
	return a.in.samples(audio.FromMuLaw(make([]int16, 0, len(data)), data))
}

func decodeALaw(a args) goja.Value {
	data := a.bytes(0, "decodeALaw")
	a.bound("decodeALaw", len(data))
	return a.in.samples(audio.FromALaw(make([]int16, 0, len(data)), data))
}

// gain(sound, dB)
func gain(a args) goja.Value {
	out := slices.Clone(a.sound(0, "gain"))
	audio.Gain(out, a.Number(1, "the gain in dB"))
	return a.in.samples(out)
}

// maxMixed bounds how many sounds are mixed at once.
const maxMixed = 16

// mix(...sounds)
func mix(a args) goja.Value {
	n := a.count
	if n == 0 || n > maxMixed {
		a.Throw("1 to %d sounds are mixed, not %d", maxMixed, n)
	}
	var out []int16
	for i := range n {
		sound := a.sound(i, "mix")
		if len(sound) > len(out) {
			out = append(out, make([]int16, len(sound)-len(out))...)
		}
		audio.Mix(out, sound)
	}
	return a.in.samples(out)
}

func energy(a args) goja.Value { return a.in.s.VM().ToValue(audio.Energy(a.sound(0, "energy"))) }

// tone(frequency, length, rate = 8000)
func tone(a args) goja.Value {
	hz, length, rate := a.Number(0, "the frequency"), a.Duration(1, "the length"), 8000
	if a.Has(2) {
		rate = a.rate(2, "the rate")
	}
	if hz <= 0 || hz >= float64(rate)/2 {
		a.rangeError("tone", "the frequency must be above 0 and below half the rate of %d Hz, not %v", rate, hz)
	}
	if longest := time.Duration(maxSamples) * time.Second / time.Duration(rate); length > longest {
		a.rangeError("tone", "a length of %v; the limit at %d Hz is %v", length, rate, longest.Truncate(time.Second))
	}
	return a.in.samples(audio.Tone(hz, length, rate))
}

// toBase64(sound or bytes)
func toBase64(a args) goja.Value {
	data, ok := octets(a.Value(0))
	if !ok {
		sound := a.sound(0, "toBase64")
		data = audio.AppendPCM(make([]byte, 0, 2*len(sound)), sound)
	}
	a.bound("toBase64", len(data)/2)
	return a.in.s.VM().ToValue(base64.StdEncoding.EncodeToString(data))
}

func samplesFromBase64(a args) goja.Value {
	data := a.base64("samplesFromBase64")
	if len(data)%2 != 0 {
		a.rangeError("samplesFromBase64", "an odd number of bytes (%d) is no sound: samples have two each; is it mu-law or A-law? then see bytesFromBase64", len(data))
	}
	return a.in.samples(audio.FromPCM(make([]int16, 0, len(data)/2), data))
}

func bytesFromBase64(a args) goja.Value {
	return webidl.Uint8Array(a.in.s, a.base64("bytesFromBase64"))
}

// base64 decodes argument 0, with or without padding.
func (a args) base64(name string) []byte {
	text := a.String(0, "the text")
	if n := base64.StdEncoding.DecodedLen(len(text)); n > 2*maxSamples+2 {
		a.rangeError(name, "%d characters at once; the limit is %d: work on it in pieces", len(text), base64.StdEncoding.EncodedLen(2*maxSamples))
	}
	coding := base64.StdEncoding
	if len(text)%4 != 0 {
		coding = base64.RawStdEncoding
	}
	data, err := coding.DecodeString(text)
	var at base64.CorruptInputError
	if errors.As(err, &at) {
		a.Throw("the text is no base64: see character %d", int64(at)+1)
	}
	return data
}

// encodeWav(sound, rate)
func encodeWAV(a args) goja.Value {
	sound, rate := a.sound(0, "encodeWav"), a.rate(1, "the rate")
	return webidl.Uint8Array(a.in.s, audio.EncodeWAV(sound, rate))
}

// decodeWav(bytes)
func decodeWAV(a args) goja.Value {
	data := a.bytes(0, "decodeWav")
	samples, rate, err := audio.DecodeWAV(data, time.Hour)
	if err != nil {
		a.Throw("this is no WAV file that can be read: %v", err)
	}
	a.bound("decodeWav", len(samples))
	vm := a.in.s.VM()
	out := vm.NewObject()
	webidl.AddFields(vm, out, webidl.Field{Name: "samples", Value: a.in.samples(samples)}, webidl.Field{Name: "rate", Value: rate})
	return out
}
