// Package audio is the arithmetic of speech on the telephone: samples in, samples out. It knows no calls, no network
// and no clock; what moves sound is built on it.
//
// Sound is linear PCM, 16 bit, mono, at a rate in Hz. A level in dB is relative to full scale: 0 dB is as loud as
// samples can be, speech on a telephone line is around -26 dB.
package audio

import (
	"encoding/binary"
	"math"
)

// Quietest is the level that [Energy] gives for silence, in dB: below that of the last bit of a sample.
const Quietest = -100

// Clip returns the sample that is nearest to a value.
func Clip(v int32) int16 {
	switch {
	case v > math.MaxInt16:
		return math.MaxInt16
	case v < math.MinInt16:
		return math.MinInt16
	}
	return int16(v)
}

// Gain makes samples louder by dB, or softer when that is below 0, in place. What becomes too loud is clipped.
func Gain(samples []int16, dB float64) {
	factor := math.Pow(10, dB/20)
	for i, s := range samples {
		samples[i] = int16(max(math.MinInt16, min(math.MaxInt16, math.Round(float64(s)*factor))))
	}
}

// Mix adds src to dst, which is at least as long. What becomes too loud is clipped.
func Mix(dst, src []int16) {
	dst = dst[:len(src)]
	for i, s := range src {
		dst[i] = Clip(int32(dst[i]) + int32(s))
	}
}

// Energy returns the level of sound in dB: 0 for a square wave of full scale, -3 for a sine of full scale, [Quietest]
// for silence. A constant offset of the line is no sound.
func Energy(samples []int16) float64 {
	if len(samples) == 0 {
		return Quietest
	}
	return max(Quietest, level(samples))
}

// AppendPCM appends samples as octets, little endian.
func AppendPCM(dst []byte, samples []int16) []byte {
	for _, s := range samples {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(s))
	}
	return dst
}

// FromPCM appends the samples of octets, little endian. An odd last octet is no sample.
func FromPCM(dst []int16, data []byte) []int16 {
	for ; len(data) >= 2; data = data[2:] {
		dst = append(dst, int16(binary.LittleEndian.Uint16(data)))
	}
	return dst
}
