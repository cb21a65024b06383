package call

import (
	"time"

	"github.com/piopiy/piopiyd/pcmo"
)

// voicemailLimit is how long a record action that stands last keeps an un-bridged call.
const voicemailLimit = 10 * time.Minute

// answer answers the call, once, and opens the streams that waited for it. Whatever needs the caller's ear or
// voice answers; bridge and connect do when their target does.
func (r *performance) answer() error {
	if r.answered {
		return nil
	}
	if err := r.line.Answer(r.ctx); err != nil {
		return err
	}
	r.answered = true
	r.callAnswered()
	for _, a := range r.waiting {
		if err := r.openStream(a); err != nil {
			return err
		}
	}
	r.waiting = nil
	return nil
}

func (r *performance) play(p Prompt) error {
	if err := r.answer(); err != nil {
		return err
	}
	return r.line.Play(r.ctx, p)
}

// record begins to record. As the last action it serves as voicemail: the call stays until the caller hangs up.
func (r *performance) record(rest pcmo.Document) error {
	if err := r.answer(); err != nil {
		return err
	}
	if err := r.line.Record(r.ctx); err != nil || len(rest) > 0 {
		return err
	}
	return r.line.Wait(r.ctx, voicemailLimit)
}

func (r *performance) input(a *pcmo.Input, rest pcmo.Document) (pcmo.Document, error) {
	return r.gather(a.ActionURL, rest, Gather{
		MaxDigits: a.Digits(), FirstDigit: a.DigitTimeout(), NextDigit: a.DigitTimeout(), Attempts: 1,
	})
}

func (r *performance) playGetInput(a *pcmo.PlayGetInput, rest pcmo.Document) (pcmo.Document, error) {
	return r.gather(a.ActionURL, rest, Gather{
		Prompt: playPrompt(a.Source()), MaxDigits: a.Digits(),
		FirstDigit: a.DigitTimeout(), NextDigit: a.DigitTimeout(), Attempts: 1 + a.Retries(),
	})
}

// gather collects digits, with replays of the prompt while none come, and asks what follows. No digits are
// digits "": they are asked about as well. The reply replaces the rest of the document; when it cannot be had
// the rest is performed as it stands, and the fault policy when nothing is left.
func (r *performance) gather(actionURL string, rest pcmo.Document, g Gather) (pcmo.Document, error) {
	if err := r.answer(); err != nil {
		return nil, err
	}
	digits := ""
	for g.Attempt = 1; g.Attempt <= g.Attempts && digits == ""; g.Attempt++ {
		if g.Attempt > 1 {
			if err := r.step(); err != nil {
				return nil, err
			}
		}
		var err error
		if digits, err = r.line.Gather(r.ctx, g); err != nil {
			return nil, err
		}
	}
	reply, err := r.ask(actionURL, digits)
	if err == nil {
		return r.replied(reply), nil
	}
	if r.ctx.Err() != nil || len(rest) == 0 {
		return nil, err
	}
	r.observe(Step{Err: err})
	return rest, nil
}

func (r *performance) ask(actionURL, digits string) (Reply, error) {
	if token, ours := r.call.InputToken(actionURL); ours {
		return r.Handler.Input(r.ctx, r.call, Input{Token: token, Digits: digits})
	}
	if r.Asker == nil {
		return Reply{}, errNoAsker
	}
	doc, err := r.Asker.Ask(r.ctx, r.call, actionURL, Input{Digits: digits})
	if err != nil {
		return Reply{}, err
	}
	return Reply{Document: doc, JSON: doc.AppendJSON(nil)}, nil
}

// stream opens a media stream beside the actions that follow. As the last action it holds the call as long as
// the stream lives, and so does a hangup that directly follows it: it is there for the stream's end.
func (r *performance) stream(a *pcmo.Stream, rest pcmo.Document) error {
	if a.WaitsForAnswer() && !r.answered && len(rest) > 0 {
		r.waiting = append(r.waiting, a)
		return nil
	}
	if err := r.answer(); err != nil {
		return err
	}
	if err := r.openStream(a); err != nil {
		return err
	}
	if len(rest) > 0 {
		if _, last := rest[0].(*pcmo.Hangup); last {
			return r.awaitStreams()
		}
	}
	return nil
}

// openStream opens a stream. One that cannot be opened is reported and passed over: the next action runs.
func (r *performance) openStream(a *pcmo.Stream) error {
	reported := &reportedStream{report: &r.report}
	s, err := r.line.Stream(r.ctx, StreamRequest{
		URL: a.WSURL, Listen: a.Listen(), SampleRate: a.SampleRate(), ExtraParams: r.call.ExtraParams, Ended: reported.hasEnded,
	})
	if err != nil {
		if r.ctx.Err() == nil {
			r.streamFailed(err)
			r.observe(Step{Err: err})
			err = nil
		}
		return err
	}
	reported.hasConnected()
	r.streams = append(r.streams, s)
	return nil
}

func (r *performance) awaitStreams() error {
	for len(r.streams) > 0 {
		if err := r.streams[0].Wait(r.ctx); err != nil {
			return err
		}
		r.streams = r.streams[1:]
	}
	return nil
}
