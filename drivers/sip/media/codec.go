package media

import "github.com/piopiy/piopiyd/audio"

// Codec is a way to put sound on the wire. All of them have an RTP clock of 8000 Hz and 160 octets in 20 ms.
type Codec uint8

// Codecs.
const (
	PCMU Codec = iota // mu-law at 8000 Hz (ITU-T G.711, RFC 3551 section 4.5.14)
	PCMA              // A-law at 8000 Hz
	G722              // 64 kbit/s at 16000 Hz (ITU-T G.722, RFC 3551 section 4.5.2)
)

// Codecs are all that can be negotiated, in our order of preference.
var Codecs = []Codec{PCMU, PCMA, G722}

// frameOctets is what 20 ms are on the wire; also how far they move the RTP clock.
const frameOctets = 160

var codecNames = [...]string{PCMU: "PCMU", PCMA: "PCMA", G722: "G722"}

// CodecNamed returns the codec with an encoding name as in an SDP rtpmap, in upper case.
func CodecNamed(name string) (Codec, bool) {
	for i, n := range codecNames {
		if n == name {
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

// PayloadType returns the static RTP payload type (RFC 3551 table 4).
func (c Codec) PayloadType() uint8 { return [...]uint8{PCMU: 0, PCMA: 8, G722: 9}[c%3] }

// ClockRate returns the rate of the RTP clock in Hz. For G.722 it is not the rate of its sound: RFC 3551 section
// 4.5.2 tells why.
func (c Codec) ClockRate() int { return 8000 }

// SampleRate returns the rate of the sound in Hz.
func (c Codec) SampleRate() int {
	if c == G722 {
		return WideRate
	}
	return Rate
}

// Encoder codes one direction of a stream.
type Encoder interface {
	// Encode appends the coded samples to dst.
	Encode(dst []byte, samples []int16) []byte
}

// Decoder is the other end of an [Encoder].
type Decoder interface {
	// Decode appends the samples of coded octets to dst.
	Decode(dst []int16, coded []byte) []int16
}

// NewEncoder returns an encoder for a new stream. It is for one goroutine.
func (c Codec) NewEncoder() Encoder {
	if c == G722 {
		return newG722Encoder()
	}
	return c
}

// NewDecoder returns a decoder for a new stream. It is for one goroutine.
func (c Codec) NewDecoder() Decoder {
	if c == G722 {
		return newG722Decoder()
	}
	return c
}

// Encode appends the coded samples to dst, as a stream of their own.
func (c Codec) Encode(dst []byte, samples []int16) []byte {
	switch c {
	case PCMA:
		return audio.AppendALaw(dst, samples)
	case G722:
		return newG722Encoder().Encode(dst, samples)
	}
	return audio.AppendMuLaw(dst, samples)
}

// Decode appends the samples of coded octets, which are a stream of their own, to dst.
func (c Codec) Decode(dst []int16, coded []byte) []int16 {
	switch c {
	case PCMA:
		return audio.FromALaw(dst, coded)
	case G722:
		return newG722Decoder().Decode(dst, coded)
	}
	return audio.FromMuLaw(dst, coded)
}
