package media

import (
	"strings"

	"github.com/piopiy/piopiyd/audio"
)

// Codec is a way to put sound on the wire.
type Codec uint8

// Codecs.
const (
	PCMU Codec = iota // mu-law at 8000 Hz (ITU-T G.711, RFC 3551 section 4.5.14)
	PCMA              // A-law at 8000 Hz
	G722              // 64 kbit/s at 16000 Hz (ITU-T G.722, RFC 3551 section 4.5.2)
	Opus              // 6 to 64 kbit/s, here mono at 16000 Hz (RFC 6716, RFC 7587)
)

// Codecs are all that can be negotiated, in our order of preference.
var Codecs = []Codec{PCMU, PCMA, G722, Opus}

// frameOctets is what 20 ms of G.711 or G.722 are on the wire. How long packets of any codec are is counted in this
// unit, 1/8000 s.
const frameOctets = 160

var codecNames = [...]string{PCMU: "PCMU", PCMA: "PCMA", G722: "G722", Opus: "opus"}

// CodecNamed returns the codec with an encoding name as in an SDP rtpmap, in either case.
func CodecNamed(name string) (Codec, bool) {
	for i, n := range codecNames {
		if strings.EqualFold(n, name) {
			return Codec(i), true
		}
	}
	return 0, false
}

// Name returns the encoding's name as in an SDP rtpmap (RFC 3551 section 6).
func (c Codec) Name() string {
	if int(c) < len(codecNames) {
		return codecNames[c]
	}
	return "unknown"
}

// String is the codec's name.
func (c Codec) String() string { return c.Name() }

// PayloadType returns the static RTP payload type (RFC 3551 table 4), or the dynamic one that we offer: 111 is Opus to
// browsers too.
func (c Codec) PayloadType() uint8 { return [...]uint8{PCMU: 0, PCMA: 8, G722: 9, Opus: 111}[c%4] }

// Dynamic reports whether the payload type means the codec only where a description says so.
func (c Codec) Dynamic() bool { return c == Opus }

// ClockRate returns the rate of the RTP clock in Hz. For G.722 and Opus it is not the rate of the sound: RFC 3551
// section 4.5.2 and RFC 7587 section 4.1 tell why.
func (c Codec) ClockRate() int {
	if c == Opus {
		return opusClock
	}
	return Rate
}

// SampleRate returns the rate of the sound in Hz.
func (c Codec) SampleRate() int {
	if c == G722 || c == Opus {
		return WideRate
	}
	return Rate
}

// sound reports whether a payload type is that of the party's sound: it may send Opus by our number, and want it by another
// (RFC 3264 section 6.1).
func (f Format) sound(payloadType uint8) bool {
	return payloadType == f.PayloadType || f.Codec.Dynamic() && payloadType == f.Codec.PayloadType()
}

// span returns how long a payload lasts, in 1/8000 s; 0 is nothing, or nothing that can be read.
func (c Codec) span(payload []byte) int {
	if c == Opus {
		return opusSpan(payload)
	}
	return len(payload)
}

// Encoder codes one direction of a stream.
type Encoder interface {
	// Encode appends the coded samples, which are a [Frame], to dst. Only G.711 and G.722 take what is no frame.
	Encode(dst []byte, samples []int16) []byte
}

// Decoder is the other end of an [Encoder].
type Decoder interface {
	// Decode appends the samples of coded octets to dst.
	Decode(dst []int16, coded []byte) []int16
}

// NewEncoder returns an encoder for a new stream. It is for one goroutine.
func (c Codec) NewEncoder() Encoder {
	switch c {
	case G722:
		return newG722Encoder()
	case Opus:
		return newOpusEncoder()
	}
	return c
}

// NewDecoder returns a decoder for a new stream. It is for one goroutine.
func (c Codec) NewDecoder() Decoder {
	switch c {
	case G722:
		return newG722Decoder()
	case Opus:
		return new(opusDecoder)
	}
	return c
}

// Encode appends the coded samples to dst, as a stream of their own.
func (c Codec) Encode(dst []byte, samples []int16) []byte {
	switch c {
	case PCMA:
		return audio.AppendALaw(dst, samples)
	case G722, Opus:
		return c.NewEncoder().Encode(dst, samples)
	}
	return audio.AppendMuLaw(dst, samples)
}

// Decode appends the samples of coded octets, which are a stream of their own, to dst.
func (c Codec) Decode(dst []int16, coded []byte) []int16 {
	switch c {
	case PCMA:
		return audio.FromALaw(dst, coded)
	case G722, Opus:
		return c.NewDecoder().Decode(dst, coded)
	}
	return audio.FromMuLaw(dst, coded)
}
