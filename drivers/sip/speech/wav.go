package speech

import (
	"encoding/binary"
	"errors"
)

// wavHeader is the length of the header that EncodeWAV writes.
const wavHeader = 44

// EncodeWAV returns samples, mono, as a WAV file of 16 bit PCM at a rate in Hz.
func EncodeWAV(samples []int16, rate int) []byte {
	size := uint32(2 * len(samples))
	b := append(make([]byte, 0, wavHeader+int(size)), "RIFF"...)
	b = binary.LittleEndian.AppendUint32(b, wavHeader-8+size)
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, 1) // PCM
	b = binary.LittleEndian.AppendUint16(b, 1) // mono
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(2*rate))
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, size)
	for _, s := range samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}

// pcmOf returns the samples of a file that is known to be 16 bit PCM, mono, as flite writes it.
func pcmOf(wav []byte) ([]int16, error) {
	if len(wav) < wavHeader || string(wav[36:40]) != "data" {
		return nil, errors.New("it made no WAV file")
	}
	data := wav[wavHeader:]
	samples := make([]int16, len(data)/2)
	for i := range samples {
		samples[i] = int16(binary.LittleEndian.Uint16(data[2*i:]))
	}
	return samples, nil
}
