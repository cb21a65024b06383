package call

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/pcmo"
)

// Control acts on a call while it is performed: for APIs, for other callbacks of its script, and for its media
// stream. Its methods may be called from any goroutine; once the call has ended they return ErrOver, or a [*HangupError],
// which is one.
//
// What takes the place of something lets nobody wait: the action that is performed is stopped at once. What goes
// beside it leaves it alone.
type Control struct {
	id, requestID string
	began         time.Time
	r             *performance
	over          chan struct{}

	mu       sync.Mutex
	ended    bool
	end      Ending
	deciding bool                    // the floor is free
	cancel   context.CancelCauseFunc // ends performance.ctx
	next     *[]pcmo.Action          // takes the place of what is performed
	asides   []*aside
	inAside  bool
	leave    context.CancelFunc // out of the conference, or of the link, while in one
	linked   *Control           // whose first leg this one talks to, see Bridge
	state    State
}

// aside is something to be done before the document goes on.
type aside struct {
	do      func() error
	done    chan error
	waiting bool // its requester rests, in virtual time
	over    bool // nobody waits for it any more
	running bool
}

// ErrReplaced says that something else took the place of what was performed.
var ErrReplaced = errors.New("something else took its place")

var errInterrupted = errors.New("something else is performed first")

func newControl(r *performance) *Control {
	c := r.call
	return &Control{
		id: c.ID, requestID: c.RequestID, began: c.Time, r: r, over: make(chan struct{}),
		state: State{Status: StatusStarted, Since: c.Time},
	}
}

func (c *Control) names() []string {
	if c.requestID == "" || c.requestID == c.id {
		return []string{c.id}
	}
	return []string{c.id, c.requestID}
}

// Call returns the call as it stands.
func (c *Control) Call() *Call { return c.r.current() }

// Done is closed when the call has ended.
func (c *Control) Done() <-chan struct{} { return c.over }

// Context ends with the call, or with whoever performs it; what ended it is its cause, or Err where that is not nil.
func (c *Control) Context() context.Context { return c.r.life }

// Err returns nil while the call lasts, and then how it ended: a [*HangupError].
func (c *Control) Err() error { return c.endedOr(nil) }

// State returns how the call stands.
func (c *Control) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// change changes the state.
func (c *Control) change(f func(*State)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.state)
}

// Hangup ends the call.
func (c *Control) Hangup(e Ending) error {
	if err := c.Err(); err != nil {
		return err
	}
	c.r.end(&HangupError{By: e.By, Cause: e.Cause})
	return nil
}

// Perform lets a document take the place of what is performed, or of what is being decided.
func (c *Control) Perform(doc []pcmo.Action) error {
	if err := c.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replace(doc)
	return nil
}

// replace needs c.mu.
func (c *Control) replace(doc []pcmo.Action) {
	c.next = &doc
	c.cancel(ErrReplaced)
}

// performJSON performs a PCMO array that came over a stream.
func (c *Control) performJSON(document []byte) error {
	decoded, err := pcmo.DecodeAny(document)
	if err == nil {
		err = decoded.Validate()
	}
	if err != nil {
		return err
	}
	return c.Perform(decoded.Actions())
}

// PerformURL asks an answer_url what is to take the place of what is performed.
func (c *Control) PerformURL(ctx context.Context, answerURL string) error {
	ctx, cancel := c.while(ctx)
	defer cancel()
	reply, err := c.r.askAnswer(ctx, answerURL)
	if err != nil {
		return c.endedOr(err)
	}
	return c.Perform(reply.Document)
}

// PerformApp asks an app what is to take the place of what is performed.
func (c *Control) PerformApp(ctx context.Context, app string) error {
	ctx, cancel := c.while(ctx)
	defer cancel()
	other := *c.Call()
	other.App = app
	reply, err := c.r.Handler.Answer(ctx, &other)
	if err != nil {
		return c.endedOr(err)
	}
	return c.Perform(reply.Document)
}

// while is a context that ends with the call too.
func (c *Control) while(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := whenOver(c.r.clock, c.r.life, func() { cancel(context.Cause(c.r.life)) })
	return ctx, func() { stop(); cancel(context.Canceled) }
}

// endedOr is the call's end, a [*HangupError], if it has come; else err. The end of a call is its own error, whoever
// noticed it.
func (c *Control) endedOr(err error) error {
	switch end, over := c.ending(); {
	case over:
		return &HangupError{By: end.By, Cause: end.Cause}
	case c.r.life.Err() != nil:
		end = c.r.gone()
		return &HangupError{By: end.By, Cause: end.Cause}
	}
	return err
}

// aside does something before the document goes on, and returns when it was done. What is performed is
// interrupted; while somebody decides about the call it is done at once.
func (c *Control) aside(ctx context.Context, do func() error) error {
	c.mu.Lock()
	switch {
	case c.ended:
		c.mu.Unlock()
		return ErrOver
	case c.deciding:
		c.mu.Unlock()
		return c.onFreeFloor(ctx, do)
	}
	a := &aside{do: do, done: make(chan error, 1), waiting: true}
	c.asides = append(c.asides, a)
	if !c.inAside {
		c.cancel(errInterrupted)
	}
	c.mu.Unlock()
	defer whenOver(c.r.clock, ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if a.over = true; a.running {
			c.cancel(context.Cause(ctx))
		}
		c.settle(a, context.Cause(ctx))
	})()
	rest(c.r.clock)
	return <-a.done
}

// onFreeFloor does something while the performing goroutine waits for a decision.
func (c *Control) onFreeFloor(ctx context.Context, do func() error) error {
	if err := c.r.floor.take(ctx); err != nil {
		return err
	}
	defer c.r.floor.leave()
	if c.r.life.Err() != nil {
		return ErrOver
	}
	c.renew()
	c.mu.Lock()
	c.inAside = true
	cancel := c.cancel
	c.mu.Unlock()
	over := false // guarded by c.mu
	defer whenOver(c.r.clock, ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !over {
			cancel(context.Cause(ctx))
		}
	})()
	err := do()
	c.mu.Lock()
	c.inAside, over = false, true
	c.mu.Unlock()
	return err
}

// renew begins a new context for what is performed. By whoever has the floor.
func (c *Control) renew() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.renewLocked()
}

func (c *Control) renewLocked() {
	if c.cancel != nil {
		c.cancel(context.Canceled)
	}
	c.r.ctx, c.cancel = context.WithCancelCause(c.r.life)
}

// attend does what waits to be done and returns the document that takes the place of the one before, if any.
func (c *Control) attend() (doc []pcmo.Action, replaced bool) {
	for {
		c.mu.Lock()
		c.renewLocked()
		if doc, replaced := c.takeNext(); replaced {
			c.mu.Unlock()
			return doc, true
		}
		if len(c.asides) == 0 || c.r.life.Err() != nil {
			c.mu.Unlock()
			return nil, false
		}
		a := c.asides[0]
		c.asides = c.asides[1:]
		if a.over {
			c.mu.Unlock()
			continue
		}
		c.inAside, a.running = true, true
		c.mu.Unlock()
		err := a.do()
		c.mu.Lock()
		c.inAside, a.running = false, false
		c.settle(a, err)
		c.mu.Unlock()
	}
}

// settle tells the requester of an aside. Needs c.mu.
func (c *Control) settle(a *aside, err error) {
	if a.waiting {
		a.waiting = false
		work(c.r.clock)
	}
	select {
	case a.done <- err:
	default: // told already
	}
}

// replacement is the document that came while somebody decided.
func (c *Control) replacement() ([]pcmo.Action, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		return nil, false
	}
	c.renewLocked()
	return c.takeNext()
}

// takeNext takes the document that is to be performed next, if there is one; what else waits interrupts it at once.
// Needs c.mu.
func (c *Control) takeNext() (doc []pcmo.Action, ok bool) {
	if c.next == nil {
		return nil, false
	}
	doc, c.next = *c.next, nil
	if len(c.asides) > 0 {
		c.cancel(errInterrupted)
	}
	return doc, true
}

// yield gives the floor away.
func (c *Control) yield() {
	c.mu.Lock()
	c.deciding = true
	c.mu.Unlock()
	c.r.floor.leave()
}

// resume takes it back, once whoever has it is done.
func (c *Control) resume() {
	c.mu.Lock()
	c.deciding = false
	c.mu.Unlock()
	_ = c.r.floor.take(context.Background())
	if c.r.ctx.Err() == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil && len(c.asides) == 0 {
		c.renewLocked() // it ended with an aside's requester
	}
}

// ending is how the call ended, if it has.
func (c *Control) ending() (Ending, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end, c.ended
}

// close lets nobody act on the call any more.
func (c *Control) close(e Ending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended, c.end = true, e
	c.state.Status = StatusHangup
	close(c.over)
	c.r.floor.close()
	for _, a := range c.asides {
		c.settle(a, ErrOver)
	}
	c.asides = nil
}

// controls is what the line can do beside what is performed.
func (c *Control) controls(verb string) (Controls, error) {
	if err := c.Err(); err != nil {
		return nil, err
	}
	if line, ok := c.r.line.(Controls); ok {
		return line, nil
	}
	return nil, &UnsupportedError{Verb: verb, Driver: c.Call().Driver}
}
