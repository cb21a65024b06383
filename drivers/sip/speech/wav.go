package speech

import (
	"errors"

	"github.com/piopiy/piopiyd/audio"
)

// pcmOf returns the samples of a file that is known to be 16 bit PCM, mono, as flite writes it.
func pcmOf(wav []byte) ([]int16, error) {
	if len(wav) < audio.WAVHeaderSize || string(wav[36:40]) != "data" {
		return nil, errors.New("it made no WAV file")
	}
	return audio.FromPCM(nil, wav[audio.WAVHeaderSize:]), nil
}
