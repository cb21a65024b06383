package call

import (
	"context"
	"time"

	"github.com/piopiy/piopiyd/pcmo"
)

// Order asks for an outbound call (protocol page sections 3.1 and 3.7).
type Order struct {
	// App is the app that the call belongs to: its limits, its events and CDRs.
	App string
	// RequestID is the id that the API returns; "" has the driver make one.
	RequestID string
	// From is the caller id, To whom to call: a number with country code, or a SIP user or URI.
	From, To string
	// Document is performed once the call is answered. When it is nil AnswerURL is asked, and when that is empty
	// the app.
	Document  []pcmo.Action
	AnswerURL string
	// ExtraParams travel with the call: text, JSON or not.
	ExtraParams string
	// RingTimeout is how long To may ring (default 40 s, the platform's own for bridges); MaxDuration bounds the
	// conversation (default 5400 s).
	RingTimeout, MaxDuration time.Duration
	// Record records the call from its answer on.
	Record bool
}

// Originator places calls. Drivers that can implement it.
type Originator interface {
	// Originate begins an outbound call and returns at once; what becomes of it is in its events and CDR. The
	// error says why the call cannot even be tried.
	Originate(ctx context.Context, o Order) (*Call, error)
}

// Originate rings the party of an outbound call, and when it answers performs what the order asks for. When it
// returns the line was hung up and everything reported.
func (p *Performer) Originate(ctx context.Context, c *Call, line OutgoingLine, o Order) Ending {
	r := p.begin(ctx, c, line)
	defer r.leave()
	r.callProgress(StatusStarted)
	ringing := func() {
		r.control.change(func(s *State) { s.Status = StatusRinging })
		r.callProgress(StatusRinging)
	}
	if err := line.Ring(r.life, ringing); err != nil {
		return r.finish(endingOf(err))
	}
	r.noteAnswered()
	r.reportAnswered()
	if o.MaxDuration > 0 {
		limit := r.clock.AfterFunc(o.MaxDuration, func() {
			r.end(&HangupError{By: SidePlatform, Cause: CauseTimeLimit})
		})
		defer limit.Stop()
	}
	if o.Record {
		if err := line.Record(r.life, RecordOptions{}); err != nil && r.life.Err() == nil {
			r.observe(Step{Err: err})
		}
	}
	switch {
	case o.Document != nil:
		return r.finish(r.perform(o.Document))
	case o.AnswerURL != "":
		return r.finish(r.decided(func(ctx context.Context) (Reply, error) { return r.askAnswer(ctx, o.AnswerURL) }))
	}
	return r.finish(r.decided(func(ctx context.Context) (Reply, error) { return p.Handler.Answer(ctx, r.current()) }))
}
