package media

import "slices"

// G.722 at 64 kbit/s (ITU-T G.722, 11/88 and later): a filter bank splits the sound into two bands, and each is
// coded as the difference from what a predictor expects: 6 bits for the lower, 2 for the higher. The names of the
// blocks are those of the recommendation's section 6.

// g722Band is the state of one band, which encoder and decoder keep alike.
type g722Band struct {
	s, sz  int32 // what the predictor expects, and its part from the zeros
	nb     int32 // the logarithm of the quantizer's scale
	det    int32 // that scale
	a1, a2 int32 // the predictor's poles
	r1, r2 int32 // what was reconstructed last
	p1, p2 int32
	b, d   [6]int32 // its zeros, and the differences last coded
}

// newG722Bands returns the state at the beginning of a stream.
func newG722Bands() [2]g722Band { return [2]g722Band{{det: 32}, {det: 8}} }

// The tables of section 6.2.
var (
	g722Levels = [...]int32{0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919}
	g722Minus  = [...]int32{0, 63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4}
	g722Plus   = [...]int32{0, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32}
	g722Low6   = [64]int32{
		-136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
		-7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
		24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
		4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
	}
	g722Low4     = [16]int32{0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0}
	g722LowStep  = [16]int32{-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60}
	g722High     = [4]int32{-7408, -1616, 7408, 1616}
	g722HighStep = [4]int32{798, -214, 798, -214}
	g722Scale    = [32]int32{
		2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
		2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
	}
	g722Filter = [12]int32{3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11}
)

// adaptLow is LOGSCL and SCALEL for a code of 4 bits.
func (b *g722Band) adaptLow(code int32) {
	b.nb = min(max(b.nb*127>>7+g722LowStep[code], 0), 18432)
	b.det = scaleOf(b.nb, 8)
}

// adaptHigh is LOGSCH and SCALEH.
func (b *g722Band) adaptHigh(code int32) {
	b.nb = min(max(b.nb*127>>7+g722HighStep[code], 0), 22528)
	b.det = scaleOf(b.nb, 10)
}

func scaleOf(nb, most int32) int32 {
	v := g722Scale[nb>>6&31]
	if shift := most - nb>>11; shift >= 0 {
		return v >> shift << 2
	} else {
		return v << -shift << 2
	}
}

// predict is block 4: it takes a difference, adapts the predictor and tells what it expects next.
func (b *g722Band) predict(d int32) {
	r := saturate(b.s + d)  // RECONS
	p := saturate(b.sz + d) // PARREC

	// UPPOL2
	w := saturate(b.a1 << 2)
	if (p ^ b.p1) >= 0 {
		w = min(-w, 32767)
	}
	a2 := w>>7 + b.a2*32512>>15
	if (p ^ b.p2) >= 0 {
		a2 += 128
	} else {
		a2 -= 128
	}
	a2 = min(max(a2, -12288), 12288)

	// UPPOL1
	a1 := b.a1 * 32640 >> 15
	if (p ^ b.p1) >= 0 {
		a1 += 192
	} else {
		a1 -= 192
	}
	limit := 15360 - a2
	a1 = min(max(saturate(a1), -limit), limit)

	// UPZERO, DELAYA and FILTEZ
	step := int32(128)
	if d == 0 {
		step = 0
	}
	sz, before := int32(0), d
	for i := range b.b {
		v, last := b.b[i]*32640>>15, b.d[i]
		if (last ^ d) >= 0 {
			v += step
		} else {
			v -= step
		}
		v = saturate(v)
		sz += v * saturate(before+before) >> 15
		b.b[i], b.d[i] = v, before
		before = last
	}
	b.sz = saturate(sz)

	// FILTEP and PREDIC
	sp := saturate(a1*saturate(r+r)>>15 + a2*saturate(b.r1+b.r1)>>15)
	b.s = saturate(sp + b.sz)
	b.a1, b.a2, b.r2, b.r1, b.p2, b.p1 = a1, a2, b.r1, r, b.p1, p
}

func saturate(v int32) int32 { return min(max(v, -32768), 32767) }

// g722History is what the filter bank remembers: its coefficients meet every other sample.
const g722History = 24

// g722Encoder codes a stream.
type g722Encoder struct {
	bands [2]g722Band
	x     [g722History]int32
}

func newG722Encoder() *g722Encoder { return &g722Encoder{bands: newG722Bands()} }

// Encode codes pairs of samples: an octet each.
func (e *g722Encoder) Encode(dst []byte, samples []int16) []byte {
	low, high := &e.bands[0], &e.bands[1]
	dst = slices.Grow(dst, len(samples)/2)
	for ; len(samples) >= 2; samples = samples[2:] {
		copy(e.x[:], e.x[2:])
		e.x[22], e.x[23] = int32(samples[0]), int32(samples[1])
		var odd, even int32
		for i, c := range g722Filter {
			odd += e.x[2*i] * c
			even += e.x[2*i+1] * g722Filter[11-i]
		}
		xl, xh := (even+odd)>>14, (even-odd)>>14

		// QUANTL and INVQAL
		diff := saturate(xl - low.s)
		size := diff
		if diff < 0 {
			size = -(diff + 1)
		}
		i, over := 1, len(g722Levels)
		for i < over { // the first level that size is below
			mid := int(uint(i+over) / 2)
			if size < g722Levels[mid]*low.det>>12 {
				over = mid
			} else {
				i = mid + 1
			}
		}
		code := g722Plus[i]
		if diff < 0 {
			code = g722Minus[i]
		}
		d := low.det * g722Low4[code>>2] >> 15
		low.adaptLow(code >> 2)
		low.predict(d)

		// QUANTH and INVQAH
		diff = saturate(xh - high.s)
		size = diff
		if diff < 0 {
			size = -(diff + 1)
		}
		top := int32(1)
		if size >= 564*high.det>>12 {
			top = 0
		}
		if diff >= 0 {
			top += 2
		}
		d = high.det * g722High[top] >> 15
		high.adaptHigh(top)
		high.predict(d)
		dst = append(dst, byte(top<<6|code))
	}
	return dst
}

// g722Decoder is the other end.
type g722Decoder struct {
	bands [2]g722Band
	x     [g722History]int32
}

func newG722Decoder() *g722Decoder { return &g722Decoder{bands: newG722Bands()} }

// Decode makes two samples of each octet.
func (d *g722Decoder) Decode(dst []int16, coded []byte) []int16 {
	low, high := &d.bands[0], &d.bands[1]
	dst = slices.Grow(dst, 2*len(coded))
	for _, c := range coded {
		code, top := int32(c&0x3F), int32(c>>6)

		rl := min(max(low.s+low.det*g722Low6[code]>>15, -16384), 16383)
		diff := low.det * g722Low4[code>>2] >> 15
		low.adaptLow(code >> 2)
		low.predict(diff)

		diff = high.det * g722High[top] >> 15
		rh := min(max(diff+high.s, -16384), 16383)
		high.adaptHigh(top)
		high.predict(diff)

		copy(d.x[:], d.x[2:])
		d.x[22], d.x[23] = rl+rh, rl-rh
		var first, second int32
		for i, f := range g722Filter {
			second += d.x[2*i] * f
			first += d.x[2*i+1] * g722Filter[11-i]
		}
		dst = append(dst, clip(first>>11), clip(second>>11))
	}
	return dst
}
