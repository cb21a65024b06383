// Package sim carries virtual calls: a scripted caller on a virtual clock. A call of half an hour takes
// milliseconds, runs the same way every time, and leaves a [Transcript] of what the caller met.
//
//	presses, _ := sim.ParsePresses("1,#")
//	transcript, err := sim.New(sim.Options{}).Call(ctx, handler, sim.Caller{App: "support", Press: presses})
//	fmt.Print(transcript)
package sim

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/piopiy/piopiyd/call"
)

// Options set up a Driver. The zero Options are ready to use.
type Options struct {
	// Clock is the time that the calls live in; the sessions that answer them must live in it too. nil is a
	// new clock at Epoch.
	Clock *Clock
	// Asker asks other people's web servers. Time stands still while it does.
	Asker call.Asker
	// Live, where set, knows the calls while they last: the handler's verbs find them there.
	Live *call.Live
	// Fault is the app's fault policy, for what its Handler does not apply itself.
	Fault call.FaultPolicy
	// MaxSteps and MaxDuration end calls that lead nowhere: 500 actions and plays, 4 h of virtual time.
	MaxSteps    int
	MaxDuration time.Duration
	// MaxQuiet, where set, ends calls in which a caller who was answered hears nothing for so long, while nothing is
	// asked, recorded, bridged or streamed.
	MaxQuiet time.Duration
	// Length returns how long a prompt takes. nil or a result of 0 leaves it to [SpeechLength] and 5 s for audio.
	Length func(call.Prompt) time.Duration
	// StreamFor is how long a media WebSocket stays open that the app does not serve itself: 30 s.
	StreamFor time.Duration
	// Connect, where set, is asked for the server at the URL of a media WebSocket that the app does not serve itself: a
	// function that returns when it is done with the stream, or nil where there is none. It is at work, and may wait in
	// the Clock's time. The error says why the server opens no stream.
	Connect func(ctx context.Context, url string) (serve func(ctx context.Context, s call.Stream) error, err error)
	// MaxPlaced bounds how many calls an Originator places, so that calls which place calls come to an end: 100.
	MaxPlaced int
	// NewID makes the ids of calls and legs. nil counts: 00000000-0000-4000-8000-000000000001 and so on.
	NewID func() string
	// Observe is told of every entry of the transcript as it happens, in order.
	Observe func(Entry)
}

// Driver carries virtual calls. It may carry several at once.
type Driver struct {
	opts Options
	ids  atomic.Uint64
}

// New returns a driver.
func New(opts Options) *Driver {
	if opts.Clock == nil {
		opts.Clock = NewClock(time.Time{})
	}
	if opts.MaxSteps <= 0 {
		opts.MaxSteps = 500
	}
	if opts.MaxDuration <= 0 {
		opts.MaxDuration = 4 * time.Hour
	}
	if opts.MaxPlaced <= 0 {
		opts.MaxPlaced = 100
	}
	if opts.StreamFor <= 0 {
		opts.StreamFor = 30 * time.Second
	}
	d := &Driver{opts: opts}
	if opts.NewID == nil {
		d.opts.NewID = func() string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", d.ids.Add(1)) }
	}
	return d
}

// Name is the driver's name.
func (d *Driver) Name() string { return "sim" }

// Clock returns the time that the driver's calls live in.
func (d *Driver) Clock() *Clock { return d.opts.Clock }

// Call makes one call and returns when it is over and its events and CDRs were delivered. Transcript is never
// nil. The error says that the simulation was cut short by ctx; what became of the call itself, and whether it
// led nowhere, is in the transcript.
func (d *Driver) Call(ctx context.Context, h call.Handler, who Caller) (*Transcript, error) {
	d.begin() // before the call is made: it begins now
	l := newLine(d, h, d.newCall(who), &who)
	if who.Party != nil && l.call.Direction == call.Outbound {
		l.order = &call.Order{App: who.App, From: l.call.From, To: l.call.To, ExtraParams: who.ExtraParams}
	}
	return d.conduct(ctx, l)
}

// begin lets time run for a call, and says that somebody is at work in it.
func (d *Driver) begin() {
	d.opts.Clock.Begin()
	d.opts.Clock.move()
}

// conduct leads a call to its end, after begin.
func (d *Driver) conduct(ctx context.Context, l *line) (*Transcript, error) {
	clock, c, who := d.opts.Clock, l.call, l.who
	defer func() {
		clock.pause()
		clock.End()
	}()
	deliveries, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	l.mail.ctx = deliveries
	ctx, l.cancel = context.WithCancelCause(ctx)
	l.ctx = ctx
	defer l.cancel(context.Canceled)
	if who.Controller != nil {
		who.Controller.Began(&Hand{l})
	}
	l.add(Entry{Kind: Began, Call: c.ID, App: c.App, From: c.From, To: c.To})

	limit := clock.AfterFunc(d.opts.MaxDuration, func() {
		l.end(call.SidePlatform, call.CauseTimeLimit, NeverEnded)
	})
	if who.HangupAfter > 0 {
		patience := clock.AfterFunc(who.HangupAfter, func() { l.end(call.SideCaller, call.CauseNormal, "") })
		defer patience.Stop()
	}

	performer := &call.Performer{
		Handler: afterMail{l.handler, l}, Asker: d.opts.Asker, Reporter: l, Live: d.opts.Live, Clock: clock,
		Fault: d.opts.Fault, MaxSteps: d.opts.MaxSteps, Observe: l.observe,
	}
	var ending call.Ending
	if l.order != nil {
		ending = performer.Originate(ctx, c, l, *l.order)
	} else {
		ending = performer.Run(ctx, c, l)
	}
	limit.Stop()
	l.closeStreams()
	if !l.mail.wait(callbackLimit) {
		l.add(Entry{Kind: Problem, Error: "an event or cdr callback was still at work a minute after the call"})
	}
	transcript := l.transcript(ending)
	if who.Controller != nil {
		who.Controller.Over(transcript)
	}
	return transcript, cutShort(ctx)
}

// callbackLimit is how long callbacks may take after the end of a call, in virtual time.
const callbackLimit = time.Minute

// cutShort tells a context that was cancelled from outside from one that ended with the call.
func cutShort(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	cause := context.Cause(ctx)
	var hangup *call.HangupError
	if errors.As(cause, &hangup) {
		return nil
	}
	return cause
}

// defaultNumber is who calls when nobody says it.
const defaultNumber = "15550001111"

func (d *Driver) newCall(who Caller) *call.Call {
	c := &call.Call{
		ID: d.opts.NewID(), App: who.App, Driver: d.Name(), Direction: who.Direction, From: who.From, To: who.To,
		Time: d.opts.Clock.Now(), ExtraParams: who.ExtraParams,
	}
	if c.Direction == "" {
		c.Direction = call.Inbound
	}
	if c.From == "" {
		c.From = defaultNumber
	}
	if c.To == "" {
		c.To = "15550002222"
	}
	c.InputURL = func(token string) string { return "http://sim.invalid/hooks/" + c.App + "/input/" + token }
	c.StreamURL = "ws://sim.invalid/hooks/" + c.App + "/stream"
	return c
}

// length returns how long a prompt takes.
func (d *Driver) length(p call.Prompt) time.Duration {
	if d.opts.Length != nil {
		if n := d.opts.Length(p); n > 0 {
			return n
		}
	}
	_, tone, isTone := p.IsTone()
	switch {
	case p == call.Prompt{}:
		return 0
	case isTone:
		return tone
	case p.File != "" || p.URL != "":
		return audioLength
	}
	return SpeechLength(p.Say)
}

const audioLength = 5 * time.Second

// SpeechLength estimates how long a voice takes to say a text: 15 characters a second, and a breath after each
// sentence.
func SpeechLength(text string) time.Duration {
	text = strings.TrimSpace(text)
	n := time.Duration(utf8.RuneCountInString(text)) * time.Second / 15
	n += time.Duration(strings.Count(text, ". ")+strings.Count(text, "? ")+strings.Count(text, "! ")) * 300 * time.Millisecond
	return n.Round(100 * time.Millisecond)
}
