package media

import (
	"time"

	"github.com/piopiy/piopiyd/audio"
)

// Tone returns a sine tone at [Rate]; see [audio.Tone].
func Tone(hz float64, length time.Duration) []int16 { return audio.Tone(hz, length, Rate) }
