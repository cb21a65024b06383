package sip

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/sdp"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// line is a call in the performer's hands. What implements [call.Line] is used by one goroutine at a time; what
// implements [call.Controls] may be used by any.
type line struct {
	driver *Driver
	call   *call.Call
	inv    *ua.Invitation   // nil for outbound calls
	offer  *sdp.Description // the caller's; nil when it left the offer to us
	body   []byte           // our description to the caller, once it was made
	cancel context.CancelCauseFunc
	ctx    context.Context
	talk   *media.Conversation // of outbound calls, once they are answered

	handler  call.Handler
	answered chan struct{}   // closed when leg a has answered, or was
	untick   func()          // nil while no sound flows
	guests   map[string]*leg // answered legs that wait to be bridged
	streams  streams
	work     sync.WaitGroup
	tapes    tapes
	began    func()        // called with the first event: the call can be found among the live ones
	holding  chan struct{} // holds one while a hold is changed

	mu           sync.Mutex
	leg          *leg          // leg a; of outbound calls, once it has answered
	silence      *time.Timer   // looks whether it is silent, from its answer on
	partner      *leg          // leg b, which hears the caller's keys instead of the script
	movedPartner chan struct{} // holds one when another party has become the partner, or nobody
	link         *link         // set when the partner is the first leg of another call
	digits       []byte
	pressed      chan struct{} // holds one when digits have come
	unknown      bool          // there is no such app
	over         bool          // nobody can take part any more
}

// newLine returns the line of a call whose leg a is not known yet.
func (d *Driver) newLine(c *call.Call) *line {
	return &line{
		driver: d, call: c, answered: make(chan struct{}), guests: map[string]*leg{}, pressed: make(chan struct{}, 1),
		movedPartner: make(chan struct{}, 1), began: func() {}, holding: make(chan struct{}, 1),
	}
}

// incoming returns the line of a call that comes in.
func (d *Driver) incoming(c *call.Call, inv *ua.Invitation) (*line, error) {
	l := d.newLine(c)
	l.inv = inv
	local := d.describe(inv.Source, inv.Transport())
	var err error
	if len(inv.Offer) > 0 {
		if l.offer, err = readable(local.Parse(inv.Offer)); err != nil {
			return nil, err
		}
	}
	g, err := d.newLeg(c.ID, local, call.SideCaller)
	if err != nil {
		return nil, err
	}
	g.trunk = inv.Trusted
	l.seat(g)
	return l, nil
}

// seat makes a party leg a.
func (l *line) seat(g *leg) {
	g.onDigit(l.press)
	g.onRefer(l.refers(g))
	l.mu.Lock()
	l.leg = g
	l.mu.Unlock()
	if l.talk == nil {
		l.talk = media.NewConversation(g.session)
	}
}

// first is leg a.
func (l *line) first() *leg {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leg
}

// run performs a call that came in to its end.
func (l *line) run(h call.Handler) {
	l.perform(h, func(ctx context.Context, p *call.Performer) {
		l.inv.Ring()
		p.Run(ctx, l.call, l)
	})
}

// perform lives the call.
func (l *line) perform(h call.Handler, do func(context.Context, *call.Performer)) {
	d := l.driver
	l.handler = h
	ctx, cancel := context.WithCancelCause(context.Background())
	l.ctx, l.cancel = ctx, cancel
	defer cancel(context.Canceled)
	d.mu.Lock()
	d.lines[l] = struct{}{}
	stopped := d.stopped
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		delete(d.lines, l)
		d.mu.Unlock()
	}()
	if stopped {
		l.stop()
	}
	limit := time.AfterFunc(d.opts.MaxDuration, func() {
		cancel(&call.HangupError{By: call.SidePlatform, Cause: call.CauseTimeLimit})
	})
	defer limit.Stop()
	defer l.watch()()
	do(ctx, d.performer(h, l))
	cancel(context.Canceled)
	l.work.Wait()
}

// stop ends the call because the driver stops.
func (l *line) stop() {
	l.cancel(&call.HangupError{By: call.SidePlatform, Cause: call.CauseTemporaryFailure})
}

// ended is why the call is over, or nil.
func ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return context.Cause(ctx)
}

func (l *line) hasAnswered() bool {
	select {
	case <-l.answered:
		return true
	default:
		return false
	}
}

// Answer sends 200 and begins to send and take sound.
func (l *line) Answer(ctx context.Context) error {
	if err := ended(ctx); err != nil || l.hasAnswered() {
		return err
	}
	g := l.first()
	dialog, err := l.inv.Accept(l.describe(g), g.handlers())
	switch {
	case errors.Is(err, ua.ErrCancelled):
		l.cancel(&call.HangupError{By: call.SideCaller, Cause: call.CauseCancelled})
		return context.Cause(ctx)
	case err != nil:
		return err
	}
	g.mu.Lock()
	g.dialog = dialog
	g.mu.Unlock()
	close(l.answered)
	l.watchCaller(g)
	l.begin()
	return nil
}

// describe is our description to the caller. Once it was made, sound may flow.
func (l *line) describe(g *leg) []byte {
	if l.body != nil {
		return l.body
	}
	l.body = g.local.Offer()
	if l.offer != nil {
		g.agree(g.local, l.offer)
		l.body = g.local.Answer(l.offer)
	}
	return l.body
}

// begin lets sound flow.
func (l *line) begin() {
	if l.untick == nil {
		l.untick = l.driver.pacer.Add(l.talk)
	}
}

// early lets a caller who was not answered hear us (183), and reports whether it does.
func (l *line) early() bool {
	if l.untick != nil {
		return true
	}
	if l.inv == nil || l.offer == nil {
		return false
	}
	g := l.first()
	if err := l.inv.Progress(l.describe(g), g.handlers()); err != nil {
		return false
	}
	l.begin()
	return true
}

// Play plays a prompt to its end. Keys pressed meanwhile wait for the next Gather.
func (l *line) Play(ctx context.Context, p call.Prompt) error {
	sound, err := l.clip(ctx, p)
	if err != nil || sound.Empty() {
		return err
	}
	return hear(ctx, l.play(sound, media.PlayOptions{}))
}

// play begins to play a sound, beside what plays already: that is announcements, and they are not cut short.
func (l *line) play(s media.Sound, o media.PlayOptions) *media.Playback {
	o.Beside = true
	return l.talk.PlayWith(s, o)
}

// hear waits for the end of what plays, and stops it when ctx ends first.
func hear(ctx context.Context, p *media.Playback) error {
	select {
	case <-p.Done():
		return nil
	case <-ctx.Done():
		p.Stop()
		return context.Cause(ctx)
	}
}

// clip returns the sound of a prompt.
func (l *line) clip(ctx context.Context, p call.Prompt) (media.Sound, error) {
	if err := ended(ctx); err != nil {
		return media.Sound{}, err
	}
	rate := media.Rate
	if l.talk != nil {
		rate = l.talk.Rate()
	}
	sound, err := l.driver.clips.get(ctx, p, rate)
	if gone := ended(ctx); gone != nil {
		return media.Sound{}, gone
	}
	return sound, err
}

// Wait keeps the line open and silent.
func (l *line) Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ended(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Hangup ends the call, or rejects it.
func (l *line) Hangup(_ context.Context, e call.Ending) call.Summary {
	l.cancel(&call.HangupError{By: e.By, Cause: e.Cause})
	for id, g := range l.guests {
		delete(l.guests, id)
		l.dismiss(g, e.Cause)
	}
	l.streams.close(1000, "the call ended")
	l.mu.Lock()
	g := l.leg
	l.over = true
	l.mu.Unlock()
	code := codeOf(e.Cause)
	switch {
	case l.hasAnswered():
		l.dismiss(g, e.Cause)
	case l.inv != nil:
		l.inv.Reject(code.status, code.phrase, code.reason())
	}
	if l.untick != nil {
		l.untick()
	}
	sum := call.Summary{Recordings: l.finishRecordings()}
	if g == nil {
		l.driver.log.Info("a call ended", "call", l.call.ID, "app", l.call.App, "by", e.By, "cause", e.Cause, "error", e.Err)
		return sum
	}
	g.close()
	s := g.session.Stats()
	sum.Quality = qualityOf(s)
	l.driver.log.Info("a call ended", "call", l.call.ID, "app", l.call.App, "by", e.By, "cause", e.Cause, "error", e.Err,
		"sent", s.Sent, "received", s.Received, "lost", s.Lost, "late", s.Late, "jitter", s.Jitter, "rtt", s.RTT, "mos", s.MOS)
	return sum
}

// dismiss says goodbye to a leg, beside everything else.
func (l *line) dismiss(g *leg, cause string) {
	g.mu.Lock()
	dialog := g.dialog
	g.mu.Unlock()
	if dialog == nil {
		return
	}
	l.driver.work.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), goodbye)
		defer cancel()
		dialog.Bye(ctx, codeOf(cause).reason())
		g.close() // leg a's is closed already
	})
}

// goodbye is how long a party may take to answer a BYE.
const goodbye = 5 * time.Second

// observe logs what goes wrong in a call.
func (l *line) observe(s call.Step) {
	if s.Err != nil {
		l.driver.log.Warn("a step of a call failed", "app", l.call.App, "call", l.call.ID, "error", s.Err)
	}
	if errors.Is(s.Err, call.ErrNoApp) {
		l.mu.Lock()
		l.unknown = true
		l.mu.Unlock()
	}
	if l.driver.opts.Observe != nil {
		l.driver.opts.Observe(l.call, s)
	}
}
