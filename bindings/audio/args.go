package audio

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// maxSamples bounds one piece of sound: over four minutes at 8000 Hz.
const maxSamples = 1 << 21

// rates are the sample rates in Hz.
var rates = []int{8000, 16000, 24000, 48000}

// args reads the arguments of one call.
type args struct {
	runtime.Args
	in    *instance
	count int // how many arguments there are
}

// rangeError throws a RangeError.
func (a args) rangeError(name, format string, args ...any) {
	panic(a.in.s.NewError("RangeError", name+": "+fmt.Sprintf(format, args...)))
}

// sound returns argument i as samples, not a copy where it is an Int16Array.
func (a args) sound(i int, name string) []int16 {
	v := a.Value(i)
	samples, ok := webidl.Samples(v)
	if !ok {
		data, isBytes := octets(v)
		if !isBytes {
			a.Throw("the sound must be an Int16Array of samples, or a Uint8Array or ArrayBuffer that holds them; not %s", describe(v))
		}
		if len(data)%2 != 0 {
			a.rangeError(name, "an odd number of bytes (%d) is no sound: samples have two each; keep the last one and put it before the next piece", len(data))
		}
		a.bound(name, len(data)/2)
		return audio.FromPCM(make([]int16, 0, len(data)/2), data)
	}
	a.bound(name, len(samples))
	return samples
}

// bytes returns argument i as octets, not a copy.
func (a args) bytes(i int, name string) []byte {
	data, ok := octets(a.Value(i))
	if !ok {
		a.Throw("the data must be a Uint8Array or an ArrayBuffer, not %s", describe(a.Value(i)))
	}
	if len(data) > 2*maxSamples {
		a.rangeError(name, "%d bytes at once; the limit is %d: work on it in pieces", len(data), 2*maxSamples)
	}
	return data
}

func (a args) bound(name string, n int) {
	if n > maxSamples {
		a.rangeError(name, "%d samples at once; the limit is %d: work on it in pieces", n, maxSamples)
	}
}

// rate returns argument i, a sample rate.
func (a args) rate(i int, what string) int {
	return a.knownRate(what, a.Number(i, what))
}

func (a args) knownRate(what string, hz float64) int {
	if hz != math.Trunc(hz) || !slices.Contains(rates, int(hz)) {
		a.Throw("%s must be 8000, 16000, 24000 or 48000 Hz, not %v", what, hz)
	}
	return int(hz)
}

// samples hands sound to the script.
func (in *instance) samples(s []int16) goja.Value { return webidl.Int16Array(in.s, s) }

// octets returns the memory of what holds octets and nothing else.
func octets(v goja.Value) ([]byte, bool) {
	o, ok := v.(*goja.Object)
	if !ok || webidl.IsProxy(o) {
		return nil, false
	}
	if webidl.KindOf(o) == webidl.TypedArrayKind && !strings.HasPrefix(webidl.TagOf(o), "Uint8") {
		return nil, false
	}
	return webidl.Bytes(v)
}

// describe names a value; typed arrays by their kind.
func describe(v goja.Value) string {
	if o, ok := v.(*goja.Object); ok && !webidl.IsProxy(o) {
		if tag := webidl.TagOf(o); tag != "" && len(tag) < 40 {
			return "a " + tag
		}
	}
	return runtime.Describe(v)
}
