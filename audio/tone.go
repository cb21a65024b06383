package audio

import (
	"math"
	"time"
)

// Tone returns a sine tone at a rate, at a level of -15 dB, faded in and out over 5 ms when it is long enough.
func Tone(hz float64, length time.Duration, rate int) []int16 {
	out := make([]int16, int(int64(length)*int64(rate)/int64(time.Second)))
	for i := range out {
		out[i] = int16(8192 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)))
	}
	if edge := rate / 200; len(out) > 2*edge {
		Fade(out[:edge], 0, 1)
		Fade(out[len(out)-edge:], 1, 0)
	}
	return out
}

// Fade scales samples by a factor that moves evenly from one value to another (1 is unchanged).
func Fade(samples []int16, from, to float32) {
	step := (to - from) / float32(len(samples))
	for i, s := range samples {
		samples[i] = int16(float32(s) * from)
		from += step
	}
}

// Level returns how strong a frequency is in samples: the amplitude of the sine that it would be (Goertzel's
// algorithm).
func Level(samples []int16, hz float64, rate int) float64 {
	if len(samples) == 0 {
		return 0
	}
	c := Goertzel(hz, rate)
	var s1, s2 float64
	for _, x := range samples {
		s1, s2 = float64(x)+c*s1-s2, s1
	}
	power := s1*s1 + s2*s2 - c*s1*s2
	return 2 * math.Sqrt(max(power, 0)) / float64(len(samples))
}

// Goertzel is the coefficient of Goertzel's algorithm for a frequency.
func Goertzel(hz float64, rate int) float64 { return 2 * math.Cos(2*math.Pi*hz/float64(rate)) }
