package media

import "github.com/piopiy/piopiyd/audio"

// converter changes the rate of frames: one comes out for each that goes in, 3 ms later. The zero converter is
// ready to use.
type converter struct {
	resampler *audio.Resampler
	from, to  int
}

// convert fills dst with src at the rate of dst.
func (c *converter) convert(dst, src Frame) {
	if len(dst) == len(src) {
		copy(dst, src)
		c.resampler = nil // it would go on with what was long ago
		return
	}
	if c.resampler == nil || c.from != len(src) || c.to != len(dst) {
		c.from, c.to = len(src), len(dst)
		c.resampler = audio.NewResampler(c.from, c.to)
		c.resampler.Append(nil, make([]int16, c.resampler.Held())) // now nothing of a frame is held back
	}
	c.resampler.Append(dst[:0], src)
}
