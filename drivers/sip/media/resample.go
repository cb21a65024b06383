package media

import "math"

// Resampler changes the sample rate of a stream of sound: a polyphase filter, a sinc in a Kaiser window. What the
// new rate cannot carry is suppressed by more than 80 dB.
type Resampler struct {
	up, down int
	taps     int // per phase
	phases   [][]float32
	history  []float32
	position int // in units of 1/up of an input sample, from history[taps-1]
}

const (
	// kaiserBeta suppresses by 80 dB and more.
	kaiserBeta = 8.6
	// zeroCrossings is the filter's length to either side, in samples of the lower rate.
	zeroCrossings = 24
	// passband is how much of the lower rate's band is kept.
	passband = 0.92
)

// NewResampler returns a resampler from one rate to another, both in Hz and above 0.
func NewResampler(from, to int) *Resampler {
	g := gcd(from, to)
	r := &Resampler{up: to / g, down: from / g}
	if r.up == r.down {
		return r
	}
	cutoff := passband / 2 // in cycles per input sample
	half := zeroCrossings
	if to < from {
		cutoff *= float64(to) / float64(from)
		half = (zeroCrossings*from + to - 1) / to
	}
	r.taps = 2 * half
	r.phases = make([][]float32, r.up)
	for p := range r.phases {
		r.phases[p] = make([]float32, r.taps)
		sum := 0.0
		for i := range r.taps {
			x := float64(i-half+1) - float64(p)/float64(r.up)
			v := sinc(2*cutoff*x) * kaiser(x/float64(half))
			sum += v
			r.phases[p][i] = float32(v)
		}
		for i := range r.phases[p] {
			r.phases[p][i] /= float32(sum)
		}
	}
	r.history = make([]float32, half-1, 4*r.taps)
	return r
}

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
		window, filter := r.history[start:start+r.taps], r.phases[r.position%r.up]
		var sum float32
		for i, c := range filter {
			sum += c * window[i]
		}
		dst = append(dst, clip(int32(math.Round(float64(sum)))))
		r.position += r.down
	}
	start = min(start, len(r.history))
	r.history = r.history[:copy(r.history, r.history[start:])]
	r.position -= start * r.up
	return dst
}

// Flush appends what was held back.
func (r *Resampler) Flush(dst []int16) []int16 {
	if r.taps == 0 {
		return dst
	}
	return r.Append(dst, make([]int16, r.taps/2))
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

func kaiser(x float64) float64 {
	if x <= -1 || x >= 1 {
		return 0
	}
	return bessel(kaiserBeta*math.Sqrt(1-x*x)) / bessel(kaiserBeta)
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
