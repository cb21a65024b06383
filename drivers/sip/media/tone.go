package media

import (
	"math"
	"time"
)

// Tone returns a sine tone at [Rate], at a level of -12 dB below full scale, faded in and out.
func Tone(hz float64, length time.Duration) []int16 {
	out := make([]int16, int(length*Rate/time.Second))
	for i := range out {
		out[i] = int16(8192 * math.Sin(2*math.Pi*hz*float64(i)/Rate))
	}
	if edge := Rate / 200; len(out) > 2*edge {
		fade(out[:edge], 0, 1)
		fade(out[len(out)-edge:], 1, 0)
	}
	return out
}

// Level returns how strong a frequency is in samples: the amplitude of the sine that it would be (Goertzel's
// algorithm).
func Level(samples []int16, hz float64, rate int) float64 {
	if len(samples) == 0 {
		return 0
	}
	c := goertzel(hz, rate)
	var s1, s2 float64
	for _, x := range samples {
		s1, s2 = float64(x)+c*s1-s2, s1
	}
	power := s1*s1 + s2*s2 - c*s1*s2
	return 2 * math.Sqrt(max(power, 0)) / float64(len(samples))
}

// goertzel is the coefficient for a frequency.
func goertzel(hz float64, rate int) float64 { return 2 * math.Cos(2*math.Pi*hz/float64(rate)) }
