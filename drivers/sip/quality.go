package sip

import (
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// qualityOf is how a party sounded; nil when neither side has sent anything.
func qualityOf(s media.SessionStats) *call.Quality {
	if s.Sent == 0 && s.Received == 0 {
		return nil
	}
	return &call.Quality{
		Codec: s.Codec.Name(), Sent: s.Sent, Received: s.Received, Lost: s.Lost, Jitter: s.Jitter, RoundTrip: s.RTT, MOS: s.MOS,
	}
}
