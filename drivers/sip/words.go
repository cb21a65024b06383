package sip

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// errNoEar says that words were asked for and nothing understands them.
var errNoEar = errors.New("gather: speech was asked for, and nothing is set up that understands it: set sip.recognition")

// ear listens to the caller of a conversation. It is a media.Tap that never waits: what nobody takes in time is lost.
type ear struct {
	frames chan media.Frame
	leave  func()
}

// earQueue is how far the listener may be behind, in frames: 2 s.
const earQueue = 100

func newEar(c *media.Conversation) *ear {
	e := &ear{frames: make(chan media.Frame, earQueue)}
	e.leave = c.AddTap(e)
	return e
}

// Tap implements media.Tap.
func (e *ear) Tap(caller, _ media.Frame) {
	select {
	case e.frames <- slices.Clone(caller):
	default:
	}
}

// words are what was made of an utterance.
type words struct {
	text string
	err  error
}

// speaker finds the utterances in what an ear hears, and has them recognized one after the other.
type speaker struct {
	line     *line
	language string
	rate     int
	ends     *audio.Endpointer
	resample *audio.Resampler // nil while frames have the rate
	from     int              // its source's rate
	pending  []int16          // of frames of another length
	samples  []int16          // kept, from the frame number kept on
	kept     int
	words    chan words
	asking   bool
	cancel   context.CancelFunc // of what is asked
}

// lead is how much sound is kept while nobody speaks, in frames: a second.
const lead = 50

func newSpeaker(l *line, language string) (*speaker, error) {
	if l.driver.opts.Recognizer == nil {
		return nil, errNoEar
	}
	s := &speaker{line: l, language: language, rate: l.talk.Rate(), words: make(chan words, 1), cancel: func() {}}
	var err error
	s.ends, err = audio.NewEndpointer(audio.EndpointerOptions{Rate: s.rate})
	return s, err
}

// busy reports whether somebody speaks, or what was said is not understood yet.
func (s *speaker) busy() bool { return s.asking || s.ends.Speaking() }

// hear takes a frame, and reports whether somebody has begun to speak.
func (s *speaker) hear(ctx context.Context, f media.Frame) (began bool) {
	if f.Rate() != s.rate { // somebody came who speaks wideband, or left
		if s.resample == nil || s.from != f.Rate() {
			s.from, s.resample = f.Rate(), audio.NewResampler(f.Rate(), s.rate)
		}
		s.pending = s.resample.Append(s.pending, f)
	} else {
		s.pending = append(s.pending, f...)
	}
	n := s.rate / 50
	for len(s.pending) >= n {
		s.samples = append(s.samples, s.pending[:n]...)
		activity, err := s.ends.Push(s.pending[:n])
		s.pending = s.pending[:copy(s.pending, s.pending[n:])]
		switch {
		case err != nil:
			s.line.observe(call.Step{Err: fmt.Errorf("gather: %w", err)})
		case activity == audio.Began:
			began = true
		case activity != audio.Unchanged:
			s.ask(ctx, slices.Clone(s.between(s.ends.Start(), s.ends.End())))
		}
		if !s.ends.Speaking() && len(s.samples) > 2*lead*n {
			cut := len(s.samples) - lead*n
			s.samples = s.samples[:copy(s.samples, s.samples[cut:])]
			s.kept += cut / n
		}
	}
	return began
}

// between returns the samples of a time since the beginning, as far as they are kept.
func (s *speaker) between(from, to time.Duration) []int16 {
	at := func(t time.Duration) int {
		return min(max(int(t/media.FrameTime)-s.kept, 0)*(s.rate/50), len(s.samples))
	}
	return s.samples[at(from):at(to)]
}

// ask has an utterance recognized. What is said while the last one is not understood yet is not.
func (s *speaker) ask(ctx context.Context, samples []int16) {
	if s.asking {
		return
	}
	s.asking = true
	if len(samples) == 0 {
		s.words <- words{}
		return
	}
	ctx, s.cancel = context.WithCancel(ctx)
	rate, language, out, l := s.rate, s.language, s.words, s.line
	l.work.Go(func() {
		text, err := l.driver.opts.Recognizer.Recognize(ctx, samples, rate, language)
		if err != nil {
			err = fmt.Errorf("gather: %w", err)
		}
		out <- words{text, err} // there is room for the only one
	})
}

// listen begins to listen for words.
func (g *gathering) listen() error {
	var err error
	if g.speaker, err = newSpeaker(g.line, g.Language); err != nil {
		g.speaker = nil
		return err
	}
	g.ear = newEar(g.line.talk)
	if prompt := g.prompt; prompt != nil {
		g.calm = g.line.startled(func() { prompt.Hesitate(hesitation) })
	}
	return nil
}

// deafen stops to listen.
func (g *gathering) deafen() {
	if g.ear == nil {
		return
	}
	g.calm()
	g.ear.leave()
	g.speaker.cancel()
	g.ear, g.speaker = nil, nil
}
