package call_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

// phone is a line whose prompts, digits, rings and conversations end when the test says so: by a word sent to go.
type phone struct {
	mu      sync.Mutex
	done    []string
	changed chan struct{} // closed and renewed with every step
	next    map[string]chan string
}

func newPhone() *phone {
	return &phone{changed: make(chan struct{}), next: map[string]chan string{}}
}

func (p *phone) note(s string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = append(p.done, s)
	close(p.changed)
	p.changed = make(chan struct{})
}

// until waits for a step.
func (p *phone) until(t *testing.T, step string) {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		p.mu.Lock()
		found, changed := slices.Contains(p.done, step), p.changed
		all := strings.Join(p.done, ", ")
		p.mu.Unlock()
		if found {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("never came: %q after %s", step, all)
		}
	}
}

func (p *phone) steps() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.done, ", ")
}

func (p *phone) channel(what string) chan string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next[what] == nil {
		p.next[what] = make(chan string, 1)
	}
	return p.next[what]
}

// let lets something that is under way, or will be, end with a result.
func (p *phone) let(what, result string) { p.channel(what) <- result }

func (p *phone) wait(ctx context.Context, what string) (string, error) {
	p.note(what)
	select {
	case result := <-p.channel(what):
		p.note(what + " ends")
		return result, nil
	case <-ctx.Done():
		p.note(what + " stops")
		return "", context.Cause(ctx)
	}
}

func (p *phone) Answer(context.Context) error { return nil }
func (p *phone) Ring(ctx context.Context, progress func()) error {
	progress()
	result, err := p.wait(ctx, "ring")
	if err == nil && result != "answers" {
		err = &call.HangupError{By: call.SideCaller, Cause: result}
	}
	return err
}

func (p *phone) Play(ctx context.Context, prompt call.Prompt) error {
	_, err := p.wait(ctx, "play "+prompt.String())
	return err
}

func (p *phone) Gather(ctx context.Context, _ call.Gather) (call.Gathered, error) {
	digits, err := p.wait(ctx, "gather")
	return call.Gathered{Digits: digits}, err
}
func (p *phone) Record(context.Context, call.RecordOptions) error { p.note("record"); return nil }
func (p *phone) Dial(ctx context.Context, d call.Dial) ([]call.DialOutcome, error) {
	d.Progress(0, "leg-b", call.StatusStarted)
	to := d.Targets[0].User + d.Targets[0].Number.Digits()
	result, err := p.wait(ctx, "dial "+to)
	o := call.DialOutcome{LegID: "leg-b", Status: call.StatusMissed, Cause: result, Started: time.Unix(1, 0), Ended: time.Unix(2, 0)}
	switch {
	case err != nil:
		o.Cause = call.CauseCancelled
	case result == "answers":
		o.Status, o.Cause, o.Answered, o.Ended = call.StatusAnswered, "", time.Unix(2, 0), time.Time{}
	}
	return []call.DialOutcome{o}, err
}

func (p *phone) Bridge(ctx context.Context, _ string, _ time.Duration) (call.Ending, error) {
	_, err := p.wait(ctx, "bridge")
	return call.Ending{By: call.SideCallee, Cause: call.CauseNormal}, err
}

func (p *phone) Stream(context.Context, call.StreamRequest) (call.OpenStream, error) {
	return nil, errors.New("no streams here")
}

func (p *phone) Wait(ctx context.Context, _ time.Duration) error {
	_, err := p.wait(ctx, "wait")
	return err
}

func (p *phone) Hangup(_ context.Context, e call.Ending) call.Summary {
	p.note("hangup " + string(e.By) + " " + e.Cause)
	return call.Summary{
		Recordings: []call.Recording{{File: "a.wav", URL: "http://h/a.wav", Duration: 1500 * time.Millisecond}},
		Quality:    &call.Quality{Codec: "PCMU", Sent: 50, Received: 49, Lost: 1, Jitter: 2 * time.Millisecond, MOS: 4.2},
	}
}

// rooms is a phone that can take part in conferences.
type rooms struct{ *phone }

func (r rooms) Join(ctx context.Context, room string, _ call.JoinOptions) error {
	_, err := r.wait(ctx, "join "+room)
	return err
}
func (r rooms) Announce(ctx context.Context, p call.Prompt, to call.Leg) error {
	_, err := r.wait(ctx, "announce "+p.String()+" to "+string(to))
	return err
}
func (r rooms) Silence() { r.note("silence") }
func (r rooms) SendDigits(context.Context, string, call.Leg) error {
	r.note("digits")
	return nil
}
func (r rooms) Mute(context.Context, call.Leg, bool) error { r.note("mute"); return nil }
func (r rooms) Hold(_ context.Context, held bool, _ call.Prompt) error {
	r.note(map[bool]string{true: "hold", false: "unhold"}[held])
	return nil
}

func (r rooms) ControlRecording(_ context.Context, c call.RecordingCommand) error {
	r.note("recording " + string(c))
	return nil
}

func (r rooms) Refer(context.Context, call.Target) error {
	return &call.UnsupportedError{Verb: "refer", Driver: "test"}
}

// running is a call under way.
type running struct {
	*phone
	control *call.Control
	live    *call.Live
	ending  chan call.Ending
	reports *web
}

func begin(t *testing.T, decide call.Handler, line call.Line, p *phone) running {
	t.Helper()
	r := running{phone: p, live: &call.Live{}, ending: make(chan call.Ending, 1), reports: &web{}}
	performer := &call.Performer{Handler: decide, Reporter: r.reports, Live: r.live}
	c := &call.Call{ID: "call-1", App: "shop", Driver: "test", Direction: call.Inbound, From: "15550001111", To: "15550002222", Time: time.Now()}
	go func() { r.ending <- performer.Run(context.WithoutCancel(t.Context()), c, line) }()
	return r
}

func performing(t *testing.T, doc ...pcmo.Action) running {
	p := newPhone()
	r := begin(t, says{doc: doc}, rooms{p}, p)
	r.until(t, "play one")
	r.control, _ = r.live.Find("call-1")
	return r
}

func (r running) ended(t *testing.T, by call.Side, cause string) {
	t.Helper()
	select {
	case e := <-r.ending:
		if e.By != by || e.Cause != cause {
			t.Errorf("ended by %s with %s (%v); want %s, %s", e.By, e.Cause, e.Err, by, cause)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the call does not end after " + r.steps())
	}
	if r.live.Len() != 0 {
		t.Error("the call can be reached after its end")
	}
}

func one() pcmo.Action { return &pcmo.Play{FileName: "one"} }
func two() pcmo.Action { return &pcmo.Play{FileName: "two"} }
