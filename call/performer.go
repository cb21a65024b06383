package call

import (
	"context"
	"errors"
	"fmt"

	"github.com/piopiy/piopiyd/pcmo"
)

// Performer performs PCMO documents of the classic dialect on any driver's [Line] (protocol page section 2;
// what the page leaves open is decided in the comments of this file's methods).
//
// One Performer may perform many calls at once.
type Performer struct {
	// Handler decides: about the call and after digits. Required.
	Handler Handler
	// Asker asks other people's web servers; with nil only the Handler's own action_urls can be followed.
	Asker Asker
	// Reporter hears of events and CDRs; with nil nobody does.
	Reporter Reporter
	// Clock tells the time; nil is SystemClock.
	Clock Clock
	// Fault is performed when nothing else can be: the line failed, or nobody answered and no action is left.
	Fault FaultPolicy
	// MaxSteps ends calls whose documents never do: so many actions and plays are performed for one call.
	// 0 is DefaultMaxSteps.
	MaxSteps int
	// Observe, where set, is told of every step, on the call's goroutine.
	Observe func(Step)
}

// DefaultMaxSteps is the number of steps after which a call is held to be an endless loop.
const DefaultMaxSteps = 10_000

// ErrEndless says that a call was ended because its documents lead in a circle.
var ErrEndless = errors.New("endless: the call took too many steps")

// Asker asks a web server what follows an input.
type Asker interface {
	// Ask posts the digits to an action_url (protocol page section 1.3) and returns the reply's document. It
	// keeps its own time-outs.
	Ask(ctx context.Context, c *Call, actionURL string, in Input) (pcmo.Document, error)
}

// Reporter takes what is to be delivered to the app: a driver hands it to an [Inbox]. Its methods do not wait
// for the delivery and may be called from any goroutine; calls for one Call come in order.
type Reporter interface {
	Event(ctx context.Context, e *Event)
	CDR(ctx context.Context, r *CDR)
}

// Step is one thing that a Performer did or learned.
type Step struct {
	// Action is about to be performed. Set alone.
	Action pcmo.Action
	// Reply came from the Handler. An Asker's has only Document and JSON.
	Reply *Reply
	// Err is why no reply came, or what a line could not do.
	Err error
}

// Run asks the Handler what to do with a call and performs it to the end: when Run returns the line was hung up
// and everything reported.
func (p *Performer) Run(ctx context.Context, c *Call, line Line) Ending {
	r := p.begin(ctx, c, line)
	reply, err := p.Handler.Answer(ctx, r.call)
	if ctx.Err() != nil {
		return r.finish(r.gone())
	}
	if err != nil {
		r.observe(Step{Err: err})
		return r.finish(Ending{By: SidePlatform, Cause: undecided(err), Err: err})
	}
	return r.finish(r.perform(r.replied(reply)))
}

// Perform performs a document that is there already, as Run does: an outbound call's inline PCMO.
func (p *Performer) Perform(ctx context.Context, c *Call, line Line, doc pcmo.Document) Ending {
	r := p.begin(ctx, c, line)
	return r.finish(r.perform(doc))
}

// undecided is the cause for a caller about whose call nobody could decide.
func undecided(err error) string {
	switch {
	case errors.Is(err, ErrNoApp):
		return CauseUnreachable
	case errors.Is(err, ErrBusy), errors.Is(err, ErrDraining):
		return CauseCongestion
	}
	return CauseTemporaryFailure
}

// performance is one call being performed.
type performance struct {
	*Performer
	report
	ctx      context.Context
	line     Line
	steps    int
	answered bool
	waiting  []*pcmo.Stream // streams that open once the call is answered
	streams  []OpenStream
	why      error // why what is performed is a fault policy; nil otherwise
	faulted  bool  // it is this Performer's own
}

func (p *Performer) begin(ctx context.Context, c *Call, line Line) *performance {
	clock := p.Clock
	if clock == nil {
		clock = SystemClock
	}
	return &performance{Performer: p, ctx: ctx, line: line, report: newReport(ctx, c, clock, p.Reporter)}
}

// perform performs documents until one ends the call.
//
// At the end of a document the call is hung up, unless a stream is open: then the call lasts as long as it.
func (r *performance) perform(doc pcmo.Document) Ending {
	if r.call.Direction == Outbound {
		if err := r.answer(); err != nil {
			return r.failed(err)
		}
	}
	for len(doc) > 0 {
		if err := r.step(); err != nil {
			return Ending{By: SidePlatform, Cause: CauseTemporaryFailure, Err: err}
		}
		if hangup, ok := doc[0].(*pcmo.Hangup); ok {
			r.observe(Step{Action: hangup})
			return r.ended(hangup.Cause)
		}
		next, err := r.do(doc[0], doc[1:])
		switch {
		case err == nil:
			doc = next
		case r.ctx.Err() != nil:
			return r.gone()
		case errors.Is(err, ErrEndless), r.faulted:
			return r.failed(err)
		default:
			r.observe(Step{Err: err})
			r.why, r.faulted = err, true
			doc = r.Fault.Document(r.call)
		}
	}
	if err := r.awaitStreams(); err != nil {
		return r.failed(err)
	}
	return r.ended("")
}

// ended is the ending that the document brought, with the cause it gave or "".
func (r *performance) ended(cause string) Ending {
	e := Ending{By: SideApp, Cause: CauseNormal}
	if r.why != nil {
		e = Ending{By: SidePlatform, Cause: CauseTemporaryFailure, Err: r.why}
	}
	if cause != "" {
		e.Cause = cause
	}
	return e
}

// do performs one action and returns what follows it.
func (r *performance) do(a pcmo.Action, rest pcmo.Document) (pcmo.Document, error) {
	r.observe(Step{Action: a})
	switch a := a.(type) {
	case *pcmo.Play:
		return rest, r.play(playPrompt(a.Source()))
	case *pcmo.Speak:
		return rest, r.play(Prompt{Say: a.Text})
	case *pcmo.Param:
		r.setExtraParams(a.Text)
		return rest, nil
	case *pcmo.Record:
		return rest, r.record(rest)
	case *pcmo.Input:
		return r.input(a, rest)
	case *pcmo.PlayGetInput:
		return r.playGetInput(a, rest)
	case *pcmo.Bridge:
		return rest, r.bridge(ringing{a.From, a.Targets, a.RingTimeout(), a.MaxDuration(), a.Tries(), a.RingsAll(), false})
	case *pcmo.Connect:
		return rest, r.bridge(ringing{a.From, a.Targets, a.RingTimeout(), a.MaxDuration(), a.Tries(), a.RingsAll(), a.Records()})
	case *pcmo.Stream:
		return rest, r.stream(a, rest)
	}
	return nil, fmt.Errorf("the action %q cannot be performed", a.Name())
}

func (r *performance) step() error {
	r.steps++
	limit := r.MaxSteps
	if limit == 0 {
		limit = DefaultMaxSteps
	}
	if r.steps > limit {
		return fmt.Errorf("%w (limit %d)", ErrEndless, limit)
	}
	return nil
}

func (r *performance) observe(s Step) {
	if r.Observe != nil {
		r.Observe(s)
	}
}

// replied takes a handler's reply.
func (r *performance) replied(reply Reply) pcmo.Document {
	r.observe(Step{Reply: &reply})
	r.why = reply.Fault
	return reply.Document
}

// gone is the ending of a call whose context is over.
func (r *performance) gone() Ending {
	cause := context.Cause(r.ctx)
	var hangup *HangupError
	if errors.As(cause, &hangup) {
		return Ending{By: hangup.By, Cause: hangup.Cause}
	}
	return Ending{By: SidePlatform, Cause: CauseTemporaryFailure, Err: cause}
}

func (r *performance) failed(err error) Ending {
	if r.ctx.Err() != nil {
		return r.gone()
	}
	return Ending{By: SidePlatform, Cause: CauseTemporaryFailure, Err: err}
}

// finish hangs up and reports the end of the call, also when its context is over.
func (r *performance) finish(e Ending) Ending {
	r.line.Hangup(r.report.ctx, e)
	r.callEnded(e)
	return e
}

func playPrompt(source string, isURL bool) Prompt {
	if isURL {
		return Prompt{URL: source}
	}
	return Prompt{File: source}
}
