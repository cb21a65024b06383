// Package media moves a call's sound: 20 ms frames of linear PCM, G.711, RTP, a jitter buffer, telephone events,
// files, resampling, mixing and recording. It knows nothing of SIP and nothing of scripts.
//
// One clock drives everything: a [Pacer] ticks each [Conversation] every 20 ms, and in that tick the conversation
// takes one frame from each party, mixes, records and sends one frame to each. Nothing that runs in a tick waits:
// whatever may wait (disk, network streams, scripts) is at the other end of a bounded queue.
package media

import "time"

// The sound inside a conversation.
const (
	// Rate is the sample rate in Hz.
	Rate = 8000
	// FrameTime is the length of a frame.
	FrameTime = 20 * time.Millisecond
	// FrameSamples is the number of samples in a frame.
	FrameSamples = Rate / 50
)

// Frame is 20 ms of sound: linear PCM, 16 bit, mono, 8000 Hz.
type Frame [FrameSamples]int16

// Source yields sound, one frame at each tick. It reports false, and leaves dst alone, when it has nothing to say
// now. It must return at once.
type Source interface {
	ReadFrame(dst *Frame) bool
}

// Tap listens in on a conversation: to the caller's voice and to the other party's, at each tick. It must return
// at once and must not keep the frames.
type Tap interface {
	Tap(caller, callee *Frame)
}

// Duration returns how long n samples at [Rate] last.
func Duration(n int) time.Duration { return time.Duration(n) * time.Second / Rate }

// Add mixes src into dst; what is too loud is clipped.
func Add(dst, src *Frame) {
	for i, s := range src {
		dst[i] = clip(int32(dst[i]) + int32(s))
	}
}

func clip(v int32) int16 {
	switch {
	case v > 32767:
		return 32767
	case v < -32768:
		return -32768
	}
	return int16(v)
}

// fade scales samples by a gain that moves evenly from one value to another (1 is unchanged).
func fade(samples []int16, from, to float64) {
	step := (to - from) / float64(len(samples))
	for i, s := range samples {
		samples[i] = int16(float64(s) * from)
		from += step
	}
}
