// Package media moves a call's sound: 20 ms frames of linear PCM, codecs, RTP and RTCP, a jitter buffer, telephone
// events, files, resampling, mixing, rooms and recording. It knows nothing of SIP and nothing of scripts.
//
// One clock drives everything: a [Pacer] ticks each [Conversation] every 20 ms, and in that tick the conversation
// takes one frame from each party, mixes, records and sends one frame to each. Nothing that runs in a tick waits:
// whatever may wait (disk, network streams, scripts) is at the other end of a bounded queue.
//
// A conversation runs at 8000 Hz, or at 16000 Hz while somebody takes part who speaks wideband. What has another
// rate is resampled where it comes in or goes out, and nowhere else.
package media

import (
	"time"

	"github.com/piopiy/piopiyd/audio"
)

// The sound inside a conversation.
const (
	// Rate is the sample rate in Hz of narrowband sound: that of the telephone network.
	Rate = 8000
	// WideRate is the sample rate in Hz of wideband sound.
	WideRate = 16000
	// FrameTime is the length of a frame.
	FrameTime = 20 * time.Millisecond
	// FrameSamples is the number of samples in a narrowband frame.
	FrameSamples = Rate / framesPerSecond

	framesPerSecond = 50
	maxFrame        = WideRate / framesPerSecond
)

// Frame is 20 ms of sound: linear PCM, 16 bit, mono. Its length tells its rate: 160 samples are narrowband, 320
// are wideband.
type Frame []int16

// NewFrame returns a silent frame at a rate: [Rate] or [WideRate].
func NewFrame(rate int) Frame { return make(Frame, rate/framesPerSecond) }

// Rate returns the frame's sample rate in Hz.
func (f Frame) Rate() int { return len(f) * framesPerSecond }

// Source yields sound, one frame at each tick. It reports false, and leaves dst alone, when it has nothing to say
// now. The length of dst tells the rate that is wanted, which may change from tick to tick. It must return at once.
//
// A Source or [Tap] that has a method Rate() int makes the conversation wideband while it is part of it, when Rate
// returns more than 8000 as it is added.
type Source interface {
	ReadFrame(dst Frame) bool
}

// Tap listens in on a conversation: to the caller's voice and to the other party's, at each tick. Both frames have
// one length, which may change from tick to tick. It must return at once and must not keep or change the frames.
type Tap interface {
	Tap(caller, callee Frame)
}

// Duration returns how long n samples at [Rate] last.
func Duration(n int) time.Duration { return durationAt(n, Rate) }

func durationAt(n, rate int) time.Duration {
	return time.Duration(n) * time.Second / time.Duration(rate)
}

// Add mixes src into dst, which is as long; what is too loud is clipped.
func Add(dst, src Frame) { audio.Mix(dst, src) }

func clip(v int32) int16 { return audio.Clip(v) }

// fade scales samples by a gain that moves evenly from one value to another (1 is unchanged).
func fade(samples []int16, from, to float32) { audio.Fade(samples, from, to) }

// crossfade turns dst evenly into src, which is as long.
func crossfade(dst, src []int16) {
	step, gain := 1/float32(len(dst)), float32(0)
	for i, s := range src {
		dst[i] = int16(float32(dst[i])*(1-gain) + float32(s)*gain)
		gain += step
	}
}
