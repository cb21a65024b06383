package media

import (
	"slices"
	"sync"

	"github.com/thesyncim/gopus"
)

// OpusFormat is what the party would like of Opus (RFC 7587 section 6.1). It can read whatever else we send.
type OpusFormat struct {
	// MaxBitrate is the most that it wants on average, in bit/s (maxaveragebitrate); 0 is up to us.
	MaxBitrate int
	// FEC says that it makes use of what a packet repeats of the one before it (useinbandfec).
	FEC bool
	// Constant says that it wants packets of one size, which tell nothing of what is said (cbr).
	Constant bool
}

const (
	// opusClock is the rate of the RTP clock, whatever the rate of the sound (RFC 7587 section 4.1).
	opusClock = 48000
	// opusBitrate is what a voice of 8 kHz bandwidth sounds well with, what packets repeat of each other included.
	opusBitrate = 32000
	// opusLeast and opusMost bound what is coded.
	opusLeast, opusMost = 6000, 64000
	// opusRoom is what a packet of ours may have in octets: five times the mean.
	opusRoom = 400
	// opusComplexity is where more work is no longer heard in a voice.
	opusComplexity = 5
	// opusLoss is the part of packets, in percent, whose loss packets that repeat each other are made for.
	opusLoss = 10
	// opusQuiet is how many frames of silence are coded before silence is only told of.
	opusQuiet = 25
	// opusSilence is a packet of 20 ms with nothing in it: the receiver makes up what is heard (RFC 6716 section 3.2.1).
	opusSilence = 9 << 3
)

// opusSpan returns how long a packet lasts, in 1/8000 s (RFC 6716 section 3.1): at most 120 ms. 0 is no packet.
func opusSpan(packet []byte) int {
	if len(packet) == 0 {
		return 0
	}
	frame, frames := 0, 1
	switch config := packet[0] >> 3; {
	case config < 12: // SILK: 10, 20, 40 and 60 ms
		frame = [...]int{80, 160, 320, 480}[config&3]
	case config < 16: // both: 10 and 20 ms
		frame = 80 << (config & 1)
	default: // CELT: 2.5, 5, 10 and 20 ms
		frame = 20 << (config & 3)
	}
	switch packet[0] & 3 {
	case 1, 2:
		frames = 2
	case 3:
		if len(packet) < 2 {
			return 0
		}
		frames = int(packet[1] & 0x3F)
	}
	if frame*frames > maxSpan {
		return 0
	}
	return frame * frames
}

// opusEncoder codes frames at WideRate. It has what it needs, 230 KiB, only while there is something to be heard: the
// silence of somebody who waits for a key costs nothing.
type opusEncoder struct {
	encoder *gopus.Encoder // nil while there is silence
	format  OpusFormat
	quiet   int // frames of silence in a row
}

// opusEncoders are those whose streams are silent.
var opusEncoders sync.Pool

func newOpusEncoder() *opusEncoder { return &opusEncoder{quiet: opusQuiet} }

// set takes the party's wishes, which may change within a call.
func (o *opusEncoder) set(f OpusFormat) {
	if f != o.format {
		o.format = f
		o.release()
	}
}

// Encode appends a packet of 20 ms to dst; samples are a wideband [Frame].
func (o *opusEncoder) Encode(dst []byte, samples []int16) []byte {
	if len(samples) != maxFrame {
		return dst
	}
	if slices.ContainsFunc(samples, func(v int16) bool { return v != 0 }) {
		o.quiet = 0
	} else if o.quiet++; o.quiet > opusQuiet {
		o.release()
		return append(dst, opusSilence)
	}
	at := len(dst)
	dst = slices.Grow(dst, opusRoom)
	n := o.encode(dst[at:at+opusRoom], samples)
	if n == 0 {
		return append(dst, opusSilence)
	}
	return dst[:at+n]
}

// encode returns how many octets it has written; 0 is that it could not.
func (o *opusEncoder) encode(dst []byte, samples []int16) (n int) {
	defer func() {
		if recover() != nil { // what becomes of one stream must not end all
			o.encoder, n = nil, 0
		}
	}()
	if o.encoder == nil && !o.acquire() {
		return 0
	}
	n, err := o.encoder.EncodeInt16(samples, dst)
	if err != nil {
		return 0
	}
	return n
}

// acquire takes an encoder that nobody uses, or makes one.
func (o *opusEncoder) acquire() bool {
	e, _ := opusEncoders.Get().(*gopus.Encoder)
	if e == nil {
		var err error
		e, err = gopus.NewEncoder(gopus.EncoderConfig{SampleRate: WideRate, Channels: 1, Application: gopus.ApplicationVoIP})
		if err != nil || e.SetFrameSize(maxFrame) != nil || e.SetComplexity(opusComplexity) != nil || e.SetSignal(gopus.SignalVoice) != nil {
			return false
		}
	} else {
		e.Reset()
	}
	rate, loss := opusBitrate, 0
	if o.format.MaxBitrate > 0 {
		rate = min(max(o.format.MaxBitrate, opusLeast), opusMost)
	}
	if o.format.FEC {
		loss = opusLoss
	}
	e.SetFEC(o.format.FEC)
	e.SetVBR(!o.format.Constant)
	if e.SetPacketLoss(loss) != nil || e.SetBitrate(rate) != nil {
		return false
	}
	o.encoder = e
	return true
}

func (o *opusEncoder) release() {
	if o.encoder != nil {
		opusEncoders.Put(o.encoder)
		o.encoder = nil
	}
}

// opusDecoder yields samples at WideRate. Its 170 KiB come with the first packet.
type opusDecoder struct {
	decoder *gopus.Decoder
	mended  []float32
	broken  int // how often it has failed in ways that it must not
}

// opusPatience is how many failures of the decoder itself a stream is given; then it is silent.
const opusPatience = 3

// Decode appends the samples of a packet to dst, as many as it says to hold. What cannot be read is silence.
func (o *opusDecoder) Decode(dst []int16, packet []byte) []int16 {
	return o.run(dst, opusSpan(packet), func(out []int16) bool {
		n, err := o.decoder.DecodeInt16(packet, out)
		return err == nil && n == len(out)
	})
}

// mend implements mender: with what the next packet repeats of the one that is lost, or with what went before it.
func (o *opusDecoder) mend(dst []int16, span int, next []byte) []int16 {
	return o.run(dst, span, func(out []int16) bool {
		if o.mended == nil {
			o.mended = make([]float32, maxSpan*WideRate/Rate)
		}
		mended := o.mended[:len(out)]
		n, err := o.decoder.DecodeWithFEC(next, mended, true)
		if err != nil || n != len(out) {
			return false
		}
		for i, v := range mended {
			out[i] = clip(int32(v * 32768))
		}
		return true
	})
}

// run appends as much sound as span to dst: what decode makes of it, otherwise silence.
func (o *opusDecoder) run(dst []int16, span int, decode func(out []int16) bool) []int16 {
	at, n := len(dst), span*WideRate/Rate
	if n == 0 {
		return dst
	}
	dst = slices.Grow(dst, n)[:at+n]
	if !o.try(dst[at:], decode) {
		clear(dst[at:])
	}
	return dst
}

func (o *opusDecoder) try(out []int16, decode func(out []int16) bool) (ok bool) {
	defer func() {
		if recover() != nil { // the decoder is somebody else's, and the packets are too
			o.decoder, ok = nil, false
			o.broken++
		}
	}()
	if o.decoder == nil {
		if o.broken >= opusPatience {
			return false
		}
		d, err := gopus.NewDecoder(gopus.DecoderConfig{SampleRate: WideRate, Channels: 1, MaxPacketSamples: maxSpan * WideRate / Rate, MaxPacketBytes: maxDatagram})
		if err != nil {
			return false
		}
		o.decoder = d
	}
	return decode(out)
}
