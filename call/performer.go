package call

import (
	"context"
	"errors"
	"fmt"

	"github.com/piopiy/piopiyd/pcmo"
)

// Performer performs PCMO documents of both dialects on any driver's [Line] (protocol page sections 2 and 3.7;
// what the page leaves open is decided in the comments of its methods).
//
// One Performer may perform many calls at once.
type Performer struct {
	// Handler decides: about the call and after digits. Required.
	Handler Handler
	// Asker asks other people's web servers; with nil only the Handler's own action_urls can be followed.
	Asker Asker
	// Reporter hears of events and CDRs; with nil nobody does.
	Reporter Reporter
	// Live, where set, knows the calls while they are performed.
	Live *Live
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
	Ask(ctx context.Context, c *Call, actionURL string, in Input) ([]pcmo.Action, error)
	// AskAnswer posts the call to an answer_url (protocol page section 1.2) and returns the reply's document.
	AskAnswer(ctx context.Context, c *Call, answerURL string) ([]pcmo.Action, error)
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
	defer r.leave()
	return r.finish(r.decided(func(ctx context.Context) (Reply, error) { return p.Handler.Answer(ctx, r.current()) }))
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

// performance is one call being performed. One goroutine performs, except while somebody decides: then the floor is
// free for whoever takes it (see Control.aside).
type performance struct {
	*Performer
	report
	life    context.Context // the call's
	end     context.CancelCauseFunc
	ctx     context.Context // what is performed now: it ends with the call, or when something takes its place
	line    Line
	floor   floor
	control *Control

	// Owned by whoever has the floor.
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
	r := &performance{Performer: p, line: line, report: newReport(ctx, c, clock, p.Reporter), floor: floor{clock: clock}}
	r.life, r.end = context.WithCancelCause(ctx)
	r.control = newControl(r)
	r.control.renew()
	if p.Live != nil {
		p.Live.add(r.control)
	}
	return r
}

// leave lets nobody reach the call any more.
func (r *performance) leave() {
	if r.Live != nil {
		r.Live.remove(r.control)
	}
	r.end(context.Canceled)
}

// decided performs what somebody decides about the call.
func (r *performance) decided(decide func(context.Context) (Reply, error)) Ending {
	reply, err := r.decide(decide)
	if r.life.Err() != nil {
		return r.gone()
	}
	if doc, ok := r.control.replacement(); ok {
		return r.perform(doc)
	}
	if err != nil {
		r.observe(Step{Err: err})
		return Ending{By: SidePlatform, Cause: undecided(err), Err: err}
	}
	return r.perform(r.replied(reply))
}

// decide gives the floor away while somebody decides.
func (r *performance) decide(decide func(context.Context) (Reply, error)) (Reply, error) {
	r.control.yield()
	defer r.control.resume()
	return decide(r.life)
}

// perform performs documents until one ends the call.
//
// At the end of a document the call is hung up, unless a stream is open: then the call lasts as long as it.
func (r *performance) perform(doc []pcmo.Action) Ending {
	if r.current().Direction == Outbound {
		if err := r.answer(); err != nil {
			return r.failed(err)
		}
	}
	for {
		rest, ending, err := r.performOnce(doc) // either of the three
		if r.life.Err() != nil {
			return r.gone()
		}
		if !r.isInterrupted() {
			if err != nil {
				return r.failed(err)
			}
			return *ending
		}
		doc = r.interrupted(rest)
	}
}

// performOnce performs a document to its end, or until something takes its place: then rest is what was left.
func (r *performance) performOnce(doc []pcmo.Action) (rest []pcmo.Action, ending *Ending, err error) {
	for len(doc) > 0 {
		if r.isInterrupted() {
			return doc, nil, nil
		}
		if err := r.step(); err != nil {
			return nil, nil, err
		}
		if cause, ok := hangs(doc[0]); ok {
			r.observe(Step{Action: doc[0]})
			return nil, r.ended(cause), nil
		}
		next, err := r.do(doc[0], doc[1:])
		switch {
		case err == nil:
			doc = next
		case r.isInterrupted():
			if isAgain(doc[0]) {
				return doc, nil, nil
			}
			return doc[1:], nil, nil
		case errors.Is(err, ErrEndless), r.faulted:
			return nil, nil, err
		default:
			r.observe(Step{Err: err})
			r.why, r.faulted = err, true
			doc = r.Fault.Document(r.current())
		}
	}
	if err := r.awaitStreams(); err != nil {
		return nil, nil, err
	}
	return nil, r.ended(""), nil
}

// isAgain reports whether an action that was interrupted is performed again from its beginning when the document goes
// on: what is said and what is asked is, what connected somebody or recorded is not.
func isAgain(a pcmo.Action) bool {
	switch a.(type) {
	case *pcmo.Play, *pcmo.Speak, *pcmo.Input, *pcmo.PlayGetInput, *pcmo.PipelinePlay, *pcmo.PipelineInput, *pcmo.PipelinePlayGetInput:
		return true
	}
	return false
}

// isInterrupted reports whether what is performed has ended before its time.
func (r *performance) isInterrupted() bool { return r.ctx.Err() != nil }

// hangs reports whether an action ends the call, and with which cause.
func hangs(a pcmo.Action) (cause string, ok bool) {
	switch a := a.(type) {
	case *pcmo.Hangup:
		return a.Cause, true
	case *pcmo.PipelineHangup:
		return "", true
	}
	return "", false
}

// interrupted does what interrupted the document and returns what is performed next.
func (r *performance) interrupted(rest []pcmo.Action) []pcmo.Action {
	r.control.renew()
	doc, replaced := r.control.attend()
	if !replaced {
		return rest
	}
	r.why, r.faulted = nil, false
	return doc
}

// ended is the ending that the document brought, with the cause it gave or "".
func (r *performance) ended(cause string) *Ending {
	e := &Ending{By: SideApp, Cause: CauseNormal}
	if r.why != nil {
		e = &Ending{By: SidePlatform, Cause: CauseTemporaryFailure, Err: r.why}
	}
	if cause != "" {
		e.Cause = cause
	}
	return e
}

// do performs one action and returns what follows it.
func (r *performance) do(a pcmo.Action, rest []pcmo.Action) ([]pcmo.Action, error) {
	r.observe(Step{Action: a})
	switch a := a.(type) {
	case *pcmo.Play:
		return rest, r.play(sound(a.Source()))
	case *pcmo.Speak:
		return rest, r.play(Prompt{Say: a.Text})
	case *pcmo.Param:
		r.setExtraParams(a.Text)
		return rest, nil
	case *pcmo.Record:
		return rest, r.record(RecordOptions{}, rest)
	case *pcmo.Input:
		return r.input(a, rest)
	case *pcmo.PlayGetInput:
		return r.playGetInput(a, rest)
	case *pcmo.Bridge:
		return rest, r.bridge(bridgeOf(a))
	case *pcmo.Connect:
		return rest, r.bridge(connectOf(a))
	case *pcmo.Stream:
		return rest, r.stream(a, rest)
	}
	return r.doPipeline(a, rest)
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
func (r *performance) replied(reply Reply) []pcmo.Action {
	r.observe(Step{Reply: &reply})
	r.why = reply.Fault
	r.setVersion(reply.Version)
	return reply.Document
}

// gone is the ending of a call whose context is over.
func (r *performance) gone() Ending { return endingOf(context.Cause(r.life)) }

// endingOf is the ending that an error of a line's brought about.
func endingOf(err error) Ending {
	var hangup *HangupError
	if errors.As(err, &hangup) {
		return Ending{By: hangup.By, Cause: hangup.Cause}
	}
	return Ending{By: SidePlatform, Cause: CauseTemporaryFailure, Err: err}
}

func (r *performance) failed(err error) Ending {
	if r.life.Err() != nil {
		return r.gone()
	}
	return Ending{By: SidePlatform, Cause: CauseTemporaryFailure, Err: err}
}

// finish hangs up and reports the end of the call, also when its context is over.
func (r *performance) finish(e Ending) Ending {
	r.control.close(e)
	r.callEnded(e, r.line.Hangup(r.report.ctx, e))
	return e
}
