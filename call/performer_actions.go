package call

import (
	"context"
	"time"

	"github.com/piopiy/piopiyd/pcmo"
)

// voicemailLimit is how long a record action that stands last keeps an un-bridged call.
const voicemailLimit = 10 * time.Minute

// answer answers the call, once, and opens the streams that waited for it. Whatever needs the caller's ear or
// voice answers; bridge and connect do when their target does.
func (r *performance) answer() error {
	fresh, err := r.pickUp()
	if err != nil || !fresh {
		return err
	}
	return r.tellAnswered()
}

// pickUp answers the call without telling of it, and reports whether that had not been done.
func (r *performance) pickUp() (fresh bool, err error) {
	if r.answered {
		return false, nil
	}
	if err := r.line.Answer(r.ctx); err != nil {
		return false, err
	}
	r.noteAnswered()
	return true, nil
}

// noteAnswered notes that leg a has answered.
func (r *performance) noteAnswered() {
	r.answered = true
	at := r.clock.Now()
	r.mu.Lock()
	r.answerAt = at
	r.mu.Unlock()
	r.control.change(func(s *State) {
		if s.Answered = at; s.Status != StatusBridged {
			s.Status = StatusAnswered
		}
	})
}

// tellAnswered tells that leg a has answered, and opens the streams that waited for it.
func (r *performance) tellAnswered() error {
	r.reportAnswered()
	for _, a := range r.waiting {
		if err := r.openStream(a); err != nil {
			return err
		}
	}
	r.waiting = nil
	return nil
}

func (r *performance) setBridged(bridged bool) {
	r.control.change(func(s *State) {
		if s.Status = StatusAnswered; bridged {
			s.Status = StatusBridged
		}
	})
}

func (r *performance) play(p Prompt) error {
	if err := r.answer(); err != nil {
		return err
	}
	return r.line.Play(r.ctx, p)
}

// record begins to record. As the last action it serves as voicemail: the call stays until the caller hangs up.
func (r *performance) record(o RecordOptions, rest []pcmo.Action) error {
	if err := r.answer(); err != nil {
		return err
	}
	if err := r.line.Record(r.ctx, o); err != nil || len(rest) > 0 {
		return err
	}
	return r.line.Wait(r.ctx, voicemailLimit)
}

// stream opens a media stream beside the actions that follow. As the last action it holds the call as long as
// the stream lives, and so does a hangup that directly follows it: it is there for the stream's end.
func (r *performance) stream(a *pcmo.Stream, rest []pcmo.Action) error {
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

// openStream opens a stream to a server. One that cannot be opened is reported and passed over: the next action runs.
func (r *performance) openStream(a *pcmo.Stream) error {
	err := r.beginStream(a, r.line.Stream)
	if err != nil && r.ctx.Err() == nil {
		r.observe(Step{Err: err})
		return nil
	}
	return err
}

// beginStream opens a stream and reports what came of that.
func (r *performance) beginStream(a *pcmo.Stream, open func(context.Context, StreamRequest) (OpenStream, error)) error {
	reported := &reportedStream{report: &r.report}
	s, err := open(r.ctx, StreamRequest{
		URL: a.WSURL, Listen: a.Listen(), SampleRate: a.SampleRate(), Events: a.Events, ExtraParams: r.current().ExtraParams,
		Perform: r.control.performJSON, Ended: reported.hasEnded,
	})
	if err != nil {
		if r.ctx.Err() == nil {
			r.streamFailed(err)
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

// closeStreams ends the streams that are open.
func (r *performance) closeStreams(code int, reason string) {
	for _, s := range r.streams {
		_ = s.Close(code, reason) // it is over in any case
	}
	r.streams = nil
}
