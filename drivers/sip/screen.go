package sip

import (
	"context"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// acceptKeyTime is how long a party may think about whether it takes a call.
const acceptKeyTime = 10 * time.Second

// missed is the error of a party that answered and does not have the call.
type missed struct{ cause string }

func (e *missed) Error() string { return "the party does not have the call: " + e.cause }

// screens reports whether a party that answers must pass something before it has the call.
func screens(d call.Dial) bool {
	return d.DetectMachine || d.Accept != "" || !d.Whisper.IsSilence()
}

// screen lets a party that has answered hear the whisper and press the key by which it takes the call, unless it is
// a machine. The error is a *missed when the party does not have the call.
func (l *line) screen(ctx context.Context, g *leg, d call.Dial) error {
	talk := media.NewConversation(g.session)
	keys := make(chan byte, 8)
	g.onDigit(func(b byte) {
		select {
		case keys <- b:
		default:
		}
	})
	defer g.onDigit(nil)
	untick := l.driver.pacer.Add(talk)
	defer untick()
	if d.DetectMachine {
		machine, err := l.isMachine(ctx, g, talk)
		if err != nil {
			return err
		}
		if machine {
			return &missed{call.CauseMachine}
		}
	}
	var whisper *media.Playback
	sound, err := l.clip(ctx, d.Whisper)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		l.observe(call.Step{Err: err})
	case !sound.Empty():
		whisper = talk.Play(sound)
		defer whisper.Stop()
	}
	if d.Accept == "" {
		if whisper == nil {
			return nil
		}
		select {
		case <-whisper.Done():
			return nil
		case <-g.gone:
			return &missed{call.CauseRejected}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	timer := time.NewTimer(sound.Duration() + acceptKeyTime)
	defer timer.Stop()
	select {
	case key := <-keys:
		if string(key) == d.Accept {
			return nil
		}
		return &missed{call.CauseRejected}
	case <-timer.C:
		return &missed{call.CauseRejected}
	case <-g.gone:
		return &missed{call.CauseRejected}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// How a machine is told from a person: by how long they talk before they wait for an answer. People say a word or
// two, machines a sentence.
const (
	// machineSpeech is how long a machine talks without a pause; pause is what ends a greeting.
	machineSpeech = 2500 * time.Millisecond
	greetingPause = 800 * time.Millisecond
	// machineTime is how long is waited for a greeting. Who says nothing is a person who waits.
	machineTime = 4 * time.Second
	// The tones of fax machines (ITU-T T.30: 1100 Hz of the one that calls, 2100 Hz of the one that answers) are no
	// speech; nor is a tone part of a greeting that is most of a frame's energy.
	faxCalls, faxAnswers = 1100, 2100
	mostlyTone           = 0.7
)

// isMachine listens to a party that has just answered and decides whether it is an answering machine.
func (l *line) isMachine(ctx context.Context, g *leg, talk *media.Conversation) (bool, error) {
	e := newEar(talk)
	defer e.leave()
	timer := time.NewTimer(machineTime)
	defer timer.Stop()
	var ends *audio.Endpointer
	rate := 0
	for {
		select {
		case f := <-e.frames:
			if f.Rate() != rate { // also when the party changes to wideband: listen anew
				rate = f.Rate()
				var err error
				if ends, err = audio.NewEndpointer(audio.EndpointerOptions{
					Rate: rate, Silence: greetingPause, MaxLength: machineSpeech, Lead: media.FrameTime,
				}); err != nil {
					return false, err
				}
			}
			if isFax(f, rate) {
				clear(f)
			}
			activity, err := ends.Push(f)
			switch {
			case err != nil:
				return false, err
			case activity == audio.Began: // it ends, or is cut as too long
				timer.Reset(2 * machineSpeech)
			case activity == audio.Cut:
				return true, nil
			case activity == audio.Ended:
				return false, nil
			}
		case <-timer.C:
			return false, nil
		case <-g.gone:
			return false, &missed{call.CauseRejected}
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// isFax reports whether a frame is a fax machine's tone.
func isFax(f media.Frame, rate int) bool {
	power := 0.0
	for _, v := range f {
		power += float64(v) * float64(v)
	}
	power /= float64(max(len(f), 1))
	for _, hz := range []float64{faxCalls, faxAnswers} {
		if tone := audio.Level(f, hz, rate); tone*tone/2 > mostlyTone*power && power > 0 {
			return true
		}
	}
	return false
}
