package media

// concealer makes up what is missing: the last period of the voice is heard again and again, and fades away, as
// ITU-T G.711 appendix I does it. Then there is noise.
type concealer struct {
	history []int16 // the two frames that were played last
	period  int     // samples of it that repeat
	at      int     // in that period
	missing int     // frames made up in a row
	noise   noise
	quiet   bool // the sender has said that it is silent
}

// begin forgets what was heard. history is two frames of silence.
func (c *concealer) begin(history []int16) { *c = concealer{history: history} }

// heard notes a frame that was played.
func (c *concealer) heard(f Frame) {
	copy(c.history, c.history[len(f):])
	copy(c.history[len(c.history)-len(f):], f)
	c.missing = 0
}

// last is the frame that was played last.
func (c *concealer) last() []int16 { return c.history[len(c.history)/2:] }

// fill makes up a frame.
func (c *concealer) fill(dst Frame) {
	c.missing++
	if c.missing > fadeFrames || c.quiet {
		c.noise.fill(dst)
		return
	}
	if c.missing == 1 {
		c.period, c.at = pitch(c.history), 0
	}
	c.repeat(dst)
	fade(dst, 1-float32(c.missing-1)/fadeFrames, 1-float32(c.missing)/fadeFrames)
}

// join leads from what was made up over to a frame that has come.
func (c *concealer) join(dst Frame) {
	edge := dst[:len(dst)/4]
	if c.missing == 0 {
		return
	}
	if c.missing >= fadeFrames || c.quiet {
		fade(edge, 0, 1)
		return
	}
	var made [maxFrame / 4]int16
	c.repeat(made[:len(edge)])
	gain := 1 - float32(c.missing)/fadeFrames
	fade(made[:len(edge)], gain, gain)
	crossfade(made[:len(edge)], edge)
	copy(edge, made[:])
}

// repeat goes on with the period. Its end leads over to what was before its beginning, so that nothing jumps.
func (c *concealer) repeat(dst []int16) {
	end := len(c.history)
	cycle, before := c.history[end-c.period:], c.history[end-c.period-c.period/4:end-c.period]
	join := c.period - len(before) // where the end begins
	for i := range dst {
		v := cycle[c.at]
		if c.at >= join {
			w := float32(c.at-join+1) / float32(len(before)+1)
			v = int16(float32(v)*(1-w) + float32(before[c.at-join])*w)
		}
		dst[i] = v
		if c.at++; c.at == c.period {
			c.at = 0
		}
	}
}

// pitch is how many samples of a voice repeat: that shift between 5 and 15 ms at which the end of the sound, 10 ms of
// it, is most like what was before. Shorter periods are found as a multiple.
func pitch(history []int16) int {
	perMs := len(history) / 40
	window, shortest, longest := 10*perMs, 5*perMs, 15*perMs
	step := perMs / 8 // look at 8 samples in a millisecond
	tail := history[len(history)-window:]
	likeness := func(lag int) float32 {
		shifted := history[len(history)-window-lag:][:window]
		var product, power float32
		for i := 0; i < window; i += step {
			a, b := float32(tail[i]), float32(shifted[i])
			product += a * b
			power += b * b
		}
		if product <= 0 {
			return 0
		}
		return product * product / power
	}
	best, at := float32(0), shortest
	try := func(lag int) {
		if score := likeness(lag); score > best {
			best, at = score, lag
		}
	}
	coarse := perMs / 8 // then look closer
	for lag := shortest; lag <= longest; lag += coarse {
		try(lag)
	}
	for near, lag := at, max(at-coarse+1, shortest); lag < min(near+coarse, longest+1); lag++ {
		try(lag)
	}
	return at
}
