package media

import (
	"math"
	"time"
)

// SessionStats say how a session fares.
type SessionStats struct {
	JitterStats
	// Codec is how its sound is coded.
	Codec Codec
	// Sent counts packets sent, Foreign those that came from elsewhere or in another format and were ignored.
	Sent, Foreign uint64
	// Loss is the part of the party's packets, 0 to 1, that were not there when they were to be played.
	Loss float64
	// RTT is the round-trip time that the party's last report allows to tell; 0 is unknown.
	RTT time.Duration
	// MOS is the quality of what we hear, from 1 to 4.5, as the E-model estimates it (see [MOS]); 0 is unknown.
	MOS float64
	// Reports counts the party's own reports on what it hears. RemoteLoss is the part of our packets that it has
	// lost, 0 to 1, and RemoteJitter their jitter.
	Reports      uint64
	RemoteLoss   float64
	RemoteJitter time.Duration
	// Heard is when the party's last packet or report came; before the first it is when the session was started.
	Heard time.Time
	// Receiving says whether sound is expected: the party is not held.
	Receiving bool
}

// Stats returns the session's counts.
func (s *Session) Stats() SessionStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.control
	st := SessionStats{
		JitterStats: s.jitter.Stats(), Codec: s.format.Codec, Sent: s.sent.Load(), Foreign: s.foreign, RTT: c.rtt,
		Reports: c.reports, RemoteLoss: c.remoteLoss, RemoteJitter: c.remoteJitter, Heard: s.heardAt, Receiving: s.format.Receive,
	}
	if c.heardAt.After(st.Heard) {
		st.Heard = c.heardAt
	}
	if st.Received > 0 {
		// A late packet was received too, but when its time came it was lost.
		played := st.Received - min(st.Late, st.Received)
		st.Loss = float64(st.Lost) / float64(max(st.Lost+played, 1))
		st.MOS = MOS(st.Loss, st.RTT/2+st.Depth+FrameTime)
	}
	return st
}

// MOS estimates how people would judge a conversation, from 1 (bad) to 4.5, with the E-model (ITU-T G.107) in its
// common simplification: all but the loss of packets (0 to 1, taken as random) and the one-way delay has the
// standard's default values, and the codec conceals as G.711 does (ITU-T G.113 appendix I: Bpl 25.1). Wideband is
// judged on the same scale.
func MOS(loss float64, delay time.Duration) float64 {
	const (
		basic      = 93.2 // R without loss and delay
		robustness = 25.1
	)
	ms := float64(delay) / float64(time.Millisecond)
	r := basic - 0.024*ms
	if ms > 177.3 {
		r -= 0.11 * (ms - 177.3)
	}
	percent := min(max(loss, 0), 1) * 100
	r -= 95 * percent / (percent + robustness)
	switch {
	case r <= 0:
		return 1
	case r >= 100:
		return 4.5
	}
	return math.Round(max(1, 1+0.035*r+r*(r-60)*(100-r)*7e-6)*100) / 100 // more digits would pretend
}
