package sip

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/sdp"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// line is a call's first leg in the performer's hands.
type line struct {
	driver *Driver
	call   *call.Call
	inv    *ua.Invitation
	offer  *sdp.Description // nil when the caller left the offer to us
	leg    *leg
	talk   *media.Conversation
	cancel context.CancelCauseFunc
	ctx    context.Context

	handler  call.Handler
	answered chan struct{} // closed by Answer
	untick   func()
	guests   map[string]*leg // answered legs that wait to be bridged
	recorder *media.Recorder
	streams  []*stream
	work     sync.WaitGroup

	mu      sync.Mutex
	digits  []byte
	partner *leg          // who hears the caller's keys instead of the script
	pressed chan struct{} // holds one when digits have come
	unknown bool          // there is no such app
}

// maxDigits bounds the keys that wait for the next Gather.
const maxDigits = 128

func (d *Driver) newLine(c *call.Call, inv *ua.Invitation) (*line, error) {
	l := &line{
		driver: d, call: c, inv: inv, answered: make(chan struct{}), guests: map[string]*leg{}, pressed: make(chan struct{}, 1),
	}
	if len(inv.Offer) > 0 {
		var err error
		if l.offer, err = parse(inv.Offer); err != nil {
			return nil, err
		}
	}
	var err error
	if l.leg, err = d.newLeg(c.ID, inv.Source, call.SideCaller); err != nil {
		return nil, err
	}
	l.leg.onDigit(l.press)
	l.talk = media.NewConversation(l.leg.session)
	return l, nil
}

// run performs the call to its end.
func (l *line) run(h call.Handler) {
	d := l.driver
	l.handler = h
	ctx, cancel := context.WithCancelCause(context.Background())
	l.ctx, l.cancel = ctx, cancel
	defer cancel(context.Canceled)
	d.mu.Lock()
	d.lines[l] = struct{}{}
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		delete(d.lines, l)
		d.mu.Unlock()
	}()
	limit := time.AfterFunc(d.opts.MaxDuration, func() {
		cancel(&call.HangupError{By: call.SidePlatform, Cause: call.CauseTimeLimit})
	})
	defer limit.Stop()
	l.work.Go(l.watch)
	l.inv.Ring()
	d.performer(h, l).Run(ctx, l.call, l)
	cancel(context.Canceled)
	l.work.Wait()
}

// watch ends the call when the caller gives up before the answer, or hangs up after it, or falls silent.
func (l *line) watch() {
	select {
	case <-l.inv.Cancelled:
		select {
		case <-l.answered: // what was cancelled is the transaction, not the call
		default:
			l.cancel(&call.HangupError{By: call.SideCaller, Cause: call.CauseCancelled})
			return
		}
	case <-l.answered:
	case <-l.ctx.Done():
		return
	}
	tick := time.NewTicker(max(l.driver.opts.MediaTimeout/10, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-l.leg.gone:
			e := l.leg.how()
			l.cancel(&call.HangupError{By: e.By, Cause: e.Cause})
			return
		case <-tick.C:
			if s := l.leg.session.Stats(); s.Receiving && time.Since(s.Heard) > l.driver.opts.MediaTimeout {
				l.driver.log.Warn("a call is ended: its phone has sent no sound", "call", l.call.ID, "since", s.Heard)
				l.cancel(&call.HangupError{By: call.SidePlatform, Cause: causeNoReply})
				return
			}
		case <-l.ctx.Done():
			return
		}
	}
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
	body := l.leg.local.Offer()
	if l.offer != nil {
		l.leg.session.Start(l.offer.Format())
		body = l.leg.local.Answer(l.offer)
	}
	dialog, err := l.inv.Accept(body, l.leg.handlers())
	switch {
	case errors.Is(err, ua.ErrCancelled):
		l.cancel(&call.HangupError{By: call.SideCaller, Cause: call.CauseCancelled})
		return context.Cause(ctx)
	case err != nil:
		return err
	}
	l.leg.mu.Lock()
	l.leg.dialog = dialog
	l.leg.mu.Unlock()
	close(l.answered)
	l.untick = l.driver.pacer.Add(l.talk)
	return nil
}

// Play plays a prompt to its end. Keys pressed meanwhile wait for the next Gather.
func (l *line) Play(ctx context.Context, p call.Prompt) error {
	clip, err := l.clip(ctx, p)
	if err != nil || clip.Empty() {
		return err
	}
	return l.await(ctx, l.talk.Play(clip).Done())
}

// clip returns the sound of a prompt.
func (l *line) clip(ctx context.Context, p call.Prompt) (media.Sound, error) {
	if err := ended(ctx); err != nil {
		return media.Sound{}, err
	}
	clip, err := l.driver.clips.get(ctx, p, l.talk.Rate())
	if gone := ended(ctx); gone != nil {
		return media.Sound{}, gone
	}
	return clip, err
}

// await waits for what plays; at the call's end it stops it.
func (l *line) await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		l.talk.Stop()
		return context.Cause(ctx)
	}
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

// press takes a key of the caller.
func (l *line) press(digit byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.partner != nil {
		l.partner.session.SendDigits(string(digit))
		return
	}
	if len(l.digits) < maxDigits {
		l.digits = append(l.digits, digit)
	}
	select {
	case l.pressed <- struct{}{}:
	default:
	}
}

// digit takes the key that waits longest.
func (l *line) digit() (byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.digits) == 0 {
		return 0, false
	}
	d := l.digits[0]
	l.digits = l.digits[1:]
	return d, true
}

// waiting reports whether a key waits to be taken.
func (l *line) waiting() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.digits) > 0
}

// flush forgets the keys that wait.
func (l *line) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.digits = nil
}

// Gather collects digits; the first one stops the prompt, and one that came before there is no need for it.
func (l *line) Gather(ctx context.Context, g call.Gather) (call.Gathered, error) {
	clip, err := l.clip(ctx, g.Prompt)
	if err != nil {
		return call.Gathered{}, err
	}
	if g.Flush {
		l.flush()
	}
	var digits []byte
	var playing <-chan struct{}
	timer := time.NewTimer(g.FirstDigit)
	defer timer.Stop()
	if first, ok := l.digit(); ok {
		digits = append(digits, first)
		timer.Reset(g.NextDigit)
	} else if !clip.Empty() {
		playing = l.talk.Play(clip).Done()
		timer.Stop()
	}
	for len(digits) < g.MaxDigits {
		if d, ok := l.digit(); ok {
			if playing != nil {
				l.talk.Stop()
				playing = nil
			}
			if string(d) == g.FinishKey {
				return call.Gathered{Digits: string(digits), Finished: true}, nil
			}
			digits = append(digits, d)
			timer.Reset(g.NextDigit)
			continue
		}
		select {
		case <-l.pressed:
		case <-playing:
			playing = nil
			timer.Reset(g.FirstDigit)
		case <-timer.C:
			return call.Gathered{Digits: string(digits)}, nil
		case <-ctx.Done():
			l.talk.Stop()
			return call.Gathered{}, context.Cause(ctx)
		}
	}
	return call.Gathered{Digits: string(digits)}, nil
}

// Record begins to record the conversation into a file named by the call.
func (l *line) Record(ctx context.Context, o call.RecordOptions) error {
	if err := ended(ctx); err != nil || l.recorder != nil {
		return err
	}
	dir := l.driver.opts.RecordingsDir
	if dir == "" {
		return errors.New("nothing can be recorded: no folder for recordings is set")
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	channels := media.Mixed
	if o.Channels == "dual" || o.Channels == "" && l.driver.opts.SeparateChannels {
		channels = media.Separate
	}
	r, err := media.NewRecorder(filepath.Join(dir, l.call.ID+".wav"), media.RecorderOptions{Channels: channels, Rate: l.talk.Rate()})
	if err != nil {
		return err
	}
	l.recorder = r
	l.talk.Record(r)
	return nil
}

// Hangup ends the call, or rejects it.
func (l *line) Hangup(_ context.Context, e call.Ending) call.Summary {
	l.cancel(&call.HangupError{By: e.By, Cause: e.Cause})
	for id, g := range l.guests {
		delete(l.guests, id)
		l.dismiss(g, e.Cause)
	}
	for _, s := range l.streams {
		s.close(1000, "the call ended", false)
	}
	code := codeOf(e.Cause)
	if !l.hasAnswered() {
		l.inv.Reject(code.status, code.phrase, code.reason())
	} else {
		l.dismiss(l.leg, e.Cause)
		l.untick()
	}
	l.talk.Record(nil)
	var sum call.Summary
	if r := l.recorder; r != nil {
		if err := r.Close(); err != nil {
			l.driver.log.Error("a recording is not whole", "call", l.call.ID, "file", r.Path(), "error", err)
		} else {
			l.driver.log.Info("a call was recorded", "call", l.call.ID, "file", r.Path(), "length", r.Length(), "lost", r.Lost())
		}
		sum.Recordings = append(sum.Recordings, call.Recording{File: filepath.Base(r.Path()), Duration: r.Length()})
	}
	l.leg.session.Close()
	s := l.leg.session.Stats()
	l.driver.log.Info("a call ended", "call", l.call.ID, "app", l.call.App, "by", e.By, "cause", e.Cause, "error", e.Err,
		"sent", s.Sent, "received", s.Received, "lost", s.Lost, "late", s.Late, "jitter", s.Jitter)
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
		if g != l.leg {
			g.session.Close()
		}
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
