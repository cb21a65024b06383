package media

import "math"

// noise is what is heard where nothing is: digital silence sounds like a line that is dead. The zero noise is faint.
type noise struct {
	state     uint32
	amplitude int32
}

const (
	// faintNoise is the level of noise whose sender has not told one, in -dBov.
	faintNoise = 68
	// loudestNoise bounds the level that a sender may ask for.
	loudestNoise = 30
)

// amplitudes are the peaks of evenly distributed noise by its level in -dBov.
var amplitudes = func() (table [128]int32) {
	for level := range table {
		table[level] = int32(32768 * math.Sqrt(3) * math.Pow(10, -float64(max(level, loudestNoise))/20))
	}
	return table
}()

// set sets the level (RFC 3389 section 3.1).
func (n *noise) set(level uint8) { n.amplitude = amplitudes[level&0x7F] }

func (n *noise) fill(dst []int16) {
	if n.state == 0 {
		n.state = 0x9E3779B9
	}
	if n.amplitude == 0 {
		n.set(faintNoise)
	}
	x, span := n.state, 2*n.amplitude+1
	for i := range dst {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		dst[i] = int16(int32(x>>16)*span>>16 - n.amplitude)
	}
	n.state = x
}
