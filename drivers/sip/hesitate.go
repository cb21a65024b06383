package sip

import (
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// A word is known to be one 100 ms after it began, and the jitter buffer adds to that. Who is talked over for so long
// stops and begins again. So what plays falls silent with the first frame that may be of a word, as it arrives, and goes
// on where it was unless it has become one.

// hesitation is how long it waits after such a frame: longer than it takes until that is known.
const hesitation = 160 * time.Millisecond

// startled calls hesitate when the caller may have begun to speak, or may still speak, until stop is called. hesitate
// must not wait, and may be running still when stop has returned.
func (l *line) startled(hesitate func()) (stop func()) {
	talk := l.talk
	var ends *audio.Endpointer
	return l.first().session.Overhear(func(f media.Frame) {
		if ends == nil || ends.FrameSamples() != len(f) {
			var err error
			if ends, err = audio.NewEndpointer(audio.EndpointerOptions{Rate: f.Rate(), Onset: media.FrameTime, Silence: media.FrameTime}); err != nil {
				return
			}
		}
		if _, err := ends.Push(f); err != nil || !ends.Speaking() || !steady(f) {
			return
		}
		if muted, _ := talk.Muted(); !muted {
			hesitate()
		}
	})
}

// giveWay says whether what the server says falls silent with the first sound of the caller, until it is known whether
// that is a word: then the server says break.
func (s *stream) giveWay(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case on && s.calm == nil && s.life.Err() == nil:
		s.calm = s.line.startled(func() { s.voice.queue.Hesitate(hesitation) })
	case !on && s.calm != nil:
		s.calm()
		s.calm = nil
	}
}

const (
	// A voice lasts: of the quarters of its frame, 5 ms each, this many are not much weaker than the loudest. A click
	// fills one, or two where they meet.
	steadyQuarters = 3
	muchWeaker     = 20 // dB
)

// steady tells a voice from a click.
func steady(f media.Frame) bool {
	var levels [4]float64
	loudest := float64(audio.Quietest)
	for i := range levels {
		levels[i] = audio.Energy(f[i*len(f)/4 : (i+1)*len(f)/4])
		loudest = max(loudest, levels[i])
	}
	n := 0
	for _, level := range levels {
		if level > loudest-muchWeaker {
			n++
		}
	}
	return n >= steadyQuarters
}
