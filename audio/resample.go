package audio

import (
	"math"
	"sync"
)

// Resampler changes the sample rate of a stream of sound: a polyphase filter, a sinc in a Kaiser window. What the
// new rate cannot carry is suppressed by more than 80 dB.
type Resampler struct {
	*filter
	history  []float32
	position int // in units of 1/up of an input sample, from history[taps-1]
}

// filter is what resamplers between two rates share.
type filter struct {
	up, down int
	taps     int // per phase
	phases   [][]float32
	between  bool // there are fewer phases than up: what lies between two of them is interpolated
}

const (
	// kaiserBeta suppresses by 80 dB and more.
	kaiserBeta = 8.6
	// zeroCrossings is the filter's length to either side, in samples of the lower rate.
	zeroCrossings = 24
	// passband is how much of the lower rate's band is kept.
	passband = 0.92
	// maxPhases bounds a filter: odd pairs of rates would need as many phases as the rate has samples.
	maxPhases = 512
)

// filters are those in use: few pairs of rates are common, and uncommon ones are made again.
var filters = struct {
	sync.Mutex
	known map[[2]int]*filter
}{known: map[[2]int]*filter{}}

// maxFilters bounds the filters that are kept.
const maxFilters = 32

func filterFor(from, to int) *filter {
	g := gcd(from, to)
	key := [2]int{to / g, from / g}
	filters.Lock()
	defer filters.Unlock()
	f, ok := filters.known[key]
	if !ok {
		f = newFilter(key[0], key[1])
		if len(filters.known) < maxFilters {
			filters.known[key] = f
		}
	}
	return f
}

func newFilter(up, down int) *filter {
	f := &filter{up: up, down: down}
	if up == down {
		return f
	}
	cutoff := passband / 2 // in cycles per input sample
	half := zeroCrossings
	if up < down {
		cutoff *= float64(up) / float64(down)
		half = (zeroCrossings*down + up - 1) / up
	}
	f.taps = 2 * half
	n := up
	if up > maxPhases {
		f.between, n = true, maxPhases
	}
	f.phases = make([][]float32, n, n+1)
	for p := range f.phases {
		f.phases[p] = phase(cutoff, half, float64(p)/float64(n))
	}
	if f.between {
		f.phases = append(f.phases, phase(cutoff, half, 1))
	}
	return f
}

// phase returns the filter for an output sample that lies offset after an input sample.
func phase(cutoff float64, half int, offset float64) []float32 {
	values, sum := make([]float64, 2*half), 0.0
	for i := range values {
		x := float64(i-half+1) - offset
		values[i] = sinc(2*cutoff*x) * kaiser(x/float64(half))
		sum += values[i]
	}
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32(v / sum)
	}
	return out
}

// NewResampler returns a resampler from one rate to another, both in Hz and above 0.
func NewResampler(from, to int) *Resampler {
	r := &Resampler{filter: filterFor(from, to)}
	if r.taps > 0 {
		r.history = make([]float32, r.taps/2-1, 2*r.taps)
	}
	return r
}

// Held returns how much of what comes in is held back, in samples: about 3 ms.
func (r *Resampler) Held() int { return r.taps / 2 }

// Append appends src at the new rate to dst. The end of src is held back until more comes, or Flush.
func (r *Resampler) Append(dst, src []int16) []int16 {
	if r.taps == 0 {
		return append(dst, src...)
	}
	for _, s := range src {
		r.history = append(r.history, float32(s))
	}
	start := 0
	for {
		start = r.position / r.up
		if start+r.taps > len(r.history) {
			break
		}
		dst = append(dst, Round(r.sample(r.history[start:start+r.taps], r.position%r.up)))
		r.position += r.down
	}
	start = min(start, len(r.history))
	r.history = r.history[:copy(r.history, r.history[start:])]
	r.position -= start * r.up
	return dst
}

func (f *filter) sample(window []float32, position int) float32 {
	if !f.between {
		return dot(window, f.phases[position])
	}
	at := float64(position) * maxPhases / float64(f.up)
	p := int(at)
	low := dot(window, f.phases[p])
	return low + float32(at-float64(p))*(dot(window, f.phases[p+1])-low)
}

// dot is unrolled: it is where resampling spends its time. Both are as long, and of an even length.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1 float32
	for i := 0; i+1 < len(a); i += 2 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
	}
	return s0 + s1
}

// Round returns the sample that is nearest to a value.
func Round(v float32) int16 {
	if v < 0 {
		return Clip(int32(v - 0.5))
	}
	return Clip(int32(v + 0.5))
}

// Flush appends what was held back.
func (r *Resampler) Flush(dst []int16) []int16 {
	if r.taps == 0 {
		return dst
	}
	return r.Append(dst, make([]int16, r.Held()))
}

// Resample returns samples at another rate.
func Resample(samples []int16, from, to int) []int16 {
	if from == to {
		return samples
	}
	r := NewResampler(from, to)
	want := int(int64(len(samples)) * int64(to) / int64(from))
	out := r.Flush(r.Append(make([]int16, 0, want+r.taps), samples))
	return out[:min(want, len(out))]
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

var kaiserPeak = bessel(kaiserBeta)

func kaiser(x float64) float64 {
	if x <= -1 || x >= 1 {
		return 0
	}
	return bessel(kaiserBeta*math.Sqrt(1-x*x)) / kaiserPeak
}

// bessel is the modified Bessel function of order 0.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= x / 2 / k * (x / 2 / k)
		sum += term
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
