package media

import (
	"time"

	"github.com/piopiy/piopiyd/audio"
)

// Sound is a piece of sound, ready to be played: linear PCM, 16 bit, mono. Its samples are shared, and never changed.
type Sound struct {
	Samples []int16
	// Rate is the sample rate in Hz.
	Rate int
}

// Silence returns a piece of silence.
func Silence(length time.Duration) Sound {
	return Sound{Samples: make([]int16, int(length*Rate/time.Second)), Rate: Rate}
}

// Empty reports whether there is nothing to play.
func (s Sound) Empty() bool { return len(s.Samples) == 0 }

// Duration returns how long the sound lasts.
func (s Sound) Duration() time.Duration {
	if s.Rate <= 0 {
		return 0
	}
	return durationAt(len(s.Samples), s.Rate)
}

// At returns the sound at another rate. That takes time: about 1 ms a second of sound.
func (s Sound) At(rate int) Sound {
	if s.Rate == rate || s.Rate <= 0 {
		return s
	}
	return Sound{Samples: audio.Resample(s.Samples, s.Rate, rate), Rate: rate}
}

// from returns the sound without its beginning.
func (s Sound) from(offset time.Duration) Sound {
	if offset > 0 {
		n := min(int64(len(s.Samples)), int64(offset)*int64(s.Rate)/int64(time.Second))
		s.Samples = s.Samples[n:]
	}
	return s
}
