package sim

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

// utterance is what the caller says into streams. Guarded by line.mu.
type utterance struct {
	begun, over time.Time
}

// happens lets streams hear a key or words of the caller, at their time. Keys wait for a Gather all the same; words do
// only if one takes them.
func (l *line) happens(k *keyPress) {
	l.mu.Lock()
	streams := slices.Clone(l.streams)
	l.mu.Unlock()
	streams = slices.DeleteFunc(streams, (*stream).over)
	if k.words == "" {
		for _, s := range streams {
			if k.key != 0 && s.pressed(k.key) {
				k.isTaken()
			}
		}
		return
	}
	streams = slices.DeleteFunc(streams, func(s *stream) bool { return s.req.Listen == pcmo.ListenCallee })
	now := l.clock.Now()
	l.mu.Lock()
	i := slices.Index(l.keys, k)
	alone := i >= 0 && len(streams) > 0 && !l.awaitsWords
	if alone {
		l.keys = slices.Delete(l.keys, i, i+1)
	}
	if len(streams) > 0 {
		l.spoken = utterance{now, now.Add(max(SpeechLength(k.words), 200*time.Millisecond))}
	}
	over := l.spoken.over
	l.mu.Unlock()
	if alone {
		l.add(Entry{Kind: Said, Text: k.words})
		l.clock.AfterFunc(over.Sub(now), k.isTaken)
	}
}

// over reports whether the stream is closed.
func (s *stream) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isClosed
}

const (
	// A voice has syllables: so many frames of sound, and so many of silence after them.
	syllable, gap = 9, 3
	loudness      = 6000
)

// heard is a frame for a stream that begins at a time, as PCM of 16 bits, little endian. The callee says nothing.
func (l *line) heard(req call.StreamRequest, at time.Time) []byte {
	n := req.SampleRate / int(time.Second/frameTime)
	frame := make([]byte, 2*n)
	l.mu.Lock()
	said := l.spoken
	l.mu.Unlock()
	if req.Listen == pcmo.ListenCallee || at.Before(said.begun) || !at.Before(said.over) {
		return frame
	}
	first := int(at.Sub(said.begun) / frameTime)
	if first%(syllable+gap) >= syllable {
		return frame
	}
	for i := range n {
		t := float64(first*n+i) / float64(req.SampleRate) * 2 * math.Pi
		v := loudness * (0.6*math.Sin(180*t) + 0.3*math.Sin(540*t) + 0.1*math.Sin(1620*t))
		binary.LittleEndian.PutUint16(frame[2*i:], uint16(int16(v)))
	}
	return frame
}
