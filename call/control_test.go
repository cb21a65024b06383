package call_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

func TestPerformTakesTheDocumentsPlace(t *testing.T) {
	r := performing(t, one(), two())
	if err := r.control.Perform([]pcmo.Action{&pcmo.Play{FileName: "new"}, &pcmo.Hangup{Cause: "USER_BUSY"}}); err != nil {
		t.Fatal(err)
	}
	r.let("play new", "")
	r.ended(t, call.SideApp, "USER_BUSY")
	if want := "play one, play one stops, play new, play new ends, hangup app USER_BUSY"; r.steps() != want {
		t.Errorf("%s\nwant %s", r.steps(), want)
	}
	if err := r.control.Perform(nil); !errors.Is(err, call.ErrOver) {
		t.Errorf("after the end: %v", err)
	}
}

func TestAVerbInterruptsAndTheDocumentGoesOn(t *testing.T) {
	r := performing(t, one(), two())
	r.let("play aside", "")
	r.let("play two", "")
	if err := r.control.Play(t.Context(), call.Prompt{File: "aside"}); err != nil {
		t.Fatal(err)
	}
	r.let("play one", "")
	r.ended(t, call.SideApp, call.CauseNormal)
	if want := "play one, play one stops, play aside, play aside ends, play one, play one ends, play two, play two ends, hangup app NORMAL_CLEARING"; r.steps() != want {
		t.Errorf("%s\nwant %s", r.steps(), want)
	}
}

func TestVerbsQueueInTheirOrder(t *testing.T) {
	r := performing(t, one(), two())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- r.control.Play(t.Context(), call.Prompt{File: "first"}) }()
	r.until(t, "play first")
	go func() { second <- r.control.Play(t.Context(), call.Prompt{File: "second"}) }()
	r.let("play second", "")
	r.let("play first", "")
	if err := errors.Join(<-first, <-second); err != nil {
		t.Fatal(err)
	}
	r.let("play two", "")
	r.let("play one", "")
	r.ended(t, call.SideApp, call.CauseNormal)
	if strings.Index(r.steps(), "play first ends") > strings.Index(r.steps(), "play second") {
		t.Error(r.steps())
	}
}

// deciding is a Handler that holds the call in its hand, as a script with verbs does.
type deciding struct {
	call.Handler
	live  *call.Live
	verbs func(ctx context.Context, c *call.Control) ([]pcmo.Action, error)
	begun chan struct{}
}

func (d *deciding) Answer(ctx context.Context, c *call.Call) (call.Reply, error) {
	<-d.begun
	control, ok := d.live.Find(c.ID)
	if !ok {
		return call.Reply{}, errors.New("the call cannot be found while it is decided")
	}
	doc, err := d.verbs(ctx, control)
	return call.Reply{Document: doc}, err
}

func TestVerbsWhileTheHandlerDecides(t *testing.T) {
	d := &deciding{begun: make(chan struct{})}
	var got call.Gathered
	d.verbs = func(ctx context.Context, c *call.Control) ([]pcmo.Action, error) {
		if err := c.Play(ctx, call.Prompt{File: "one"}); err != nil {
			return nil, err
		}
		var err error
		got, err = c.Gather(ctx, call.Gather{MaxDigits: 1})
		return []pcmo.Action{two()}, err
	}
	p := newPhone()
	r := begin(t, d, rooms{p}, p)
	d.live = r.live
	close(d.begun)
	r.let("play one", "")
	r.let("gather", "7")
	r.let("play two", "")
	r.ended(t, call.SideApp, call.CauseNormal)
	if got.Digits != "7" {
		t.Errorf("gathered %+v", got)
	}
	if want := "play one, play one ends, gather, gather ends, play two, play two ends, hangup app NORMAL_CLEARING"; r.steps() != want {
		t.Errorf("%s\nwant %s", r.steps(), want)
	}
}

func TestHangupEndsVerbs(t *testing.T) {
	d := &deciding{begun: make(chan struct{})}
	failed := make(chan error, 1)
	d.verbs = func(ctx context.Context, c *call.Control) ([]pcmo.Action, error) {
		err := c.Play(ctx, call.Prompt{File: "one"})
		failed <- err
		return nil, err
	}
	p := newPhone()
	r := begin(t, d, rooms{p}, p)
	d.live = r.live
	close(d.begun)
	r.until(t, "play one")
	r.control, _ = r.live.Find("call-1")
	if err := r.control.Hangup(call.Ending{By: call.SideApp, Cause: "CALL_REJECTED"}); err != nil {
		t.Fatal(err)
	}
	var hangup *call.HangupError
	if err := <-failed; !errors.As(err, &hangup) || hangup.Cause != "CALL_REJECTED" {
		t.Errorf("the verb ended with %v", err)
	}
	r.ended(t, call.SideApp, "CALL_REJECTED")
	if err := r.control.Play(t.Context(), call.Prompt{File: "late"}); !errors.As(err, &hangup) {
		t.Errorf("a verb after the end: %v", err)
	}
}

func TestTransfer(t *testing.T) {
	t.Run("succeeds", func(t *testing.T) {
		r := performing(t, one(), two())
		r.let("dial agent", "answers")
		if err := r.control.Transfer(t.Context(), call.Warm{Target: call.Target{Target: pcmo.SIP("agent")}}); err != nil {
			t.Fatal(err)
		}
		r.until(t, "bridge")
		if s := r.control.State(); s.Status != call.StatusBridged {
			t.Errorf("%+v", s)
		}
		r.let("bridge", "")
		r.ended(t, call.SideApp, call.CauseNormal)
		if strings.Contains(r.steps(), "two") {
			t.Error("the document went on after the transfer: " + r.steps())
		}
	})
	t.Run("fails", func(t *testing.T) {
		r := performing(t, one(), two())
		r.let("dial agent", call.CauseBusy)
		r.let("play two", "")
		err := r.control.Transfer(t.Context(), call.Warm{Target: call.Target{Target: pcmo.SIP("agent")}})
		var failed *call.TransferError
		if !errors.As(err, &failed) || failed.Reason != "busy" {
			t.Errorf("%v", err)
		}
		r.let("play one", "")
		r.ended(t, call.SideApp, call.CauseNormal)
		if !strings.Contains(r.steps(), "play two ends") {
			t.Error("the document does not go on: " + r.steps())
		}
	})
	t.Run("one at a time", func(t *testing.T) {
		r := performing(t, one())
		first := make(chan error, 1)
		go func() {
			first <- r.control.Transfer(t.Context(), call.Warm{Target: call.Target{Target: pcmo.SIP("agent")}})
		}()
		r.until(t, "dial agent")
		if err := r.control.Transfer(t.Context(), call.Warm{}); !errors.Is(err, call.ErrTransferring) {
			t.Errorf("%v", err)
		}
		r.let("dial agent", call.CauseNoAnswer)
		<-first
		r.let("play one", "")
		r.ended(t, call.SideApp, call.CauseNormal)
	})
	t.Run("the caller hangs up meanwhile", func(t *testing.T) {
		r := performing(t, one())
		first := make(chan error, 1)
		go func() {
			first <- r.control.Transfer(t.Context(), call.Warm{Target: call.Target{Target: pcmo.SIP("agent")}})
		}()
		r.until(t, "dial agent")
		_ = r.control.Hangup(call.Ending{By: call.SideCaller, Cause: call.CauseNormal})
		if err := <-first; err == nil {
			t.Error("a transfer without a caller succeeded")
		}
		r.ended(t, call.SideCaller, call.CauseNormal)
	})
}

func TestConference(t *testing.T) {
	r := performing(t, one(), two())
	left := make(chan error, 1)
	go func() { left <- r.control.Join(t.Context(), "lobby", call.JoinOptions{}) }()
	r.until(t, "join lobby")
	r.let("play two", "")
	r.let("play one", "")
	r.control.Leave()
	if err := <-left; err != nil {
		t.Error(err)
	}
	r.ended(t, call.SideApp, call.CauseNormal)
	if !strings.Contains(r.steps(), "play two ends") {
		t.Error(r.steps())
	}
}

func TestControls(t *testing.T) {
	r := performing(t, one())
	ctx := t.Context()
	if err := r.control.Hold(ctx, true, call.Prompt{}); err != nil || !r.control.State().Held {
		t.Error(err)
	}
	if err := errors.Join(r.control.Hold(ctx, false, call.Prompt{}), r.control.Mute(ctx, call.LegA, true), r.control.SendDigits(ctx, "1", call.LegA), r.control.Silence(), r.control.ControlRecording(ctx, call.RecordingPause)); err != nil {
		t.Error(err)
	}
	var unsupported *call.UnsupportedError
	if err := r.control.Refer(ctx, call.Target{}); !errors.As(err, &unsupported) {
		t.Errorf("%v", err)
	}
	r.let("play one", "")
	r.ended(t, call.SideApp, call.CauseNormal)
	if want := "play one, hold, unhold, mute, digits, silence, recording pause, play one ends, hangup app NORMAL_CLEARING"; r.steps() != want {
		t.Errorf("%s\nwant %s", r.steps(), want)
	}
	if err := r.control.Mute(ctx, call.LegA, true); !errors.Is(err, call.ErrOver) {
		t.Errorf("after the end: %v", err)
	}
}

func TestOriginate(t *testing.T) {
	for _, tt := range []struct{ ring, steps, events string }{
		{"answers", "ring, ring ends, play one, play one ends, hangup app NORMAL_CLEARING", "out_started, out_ringing, out_answered, out_hangup, cdr answered"},
		{"USER_BUSY", "ring, ring ends, hangup caller USER_BUSY", "out_started, out_ringing, out_hangup, cdr missed"},
	} {
		t.Run(tt.ring, func(t *testing.T) {
			p, reports := newPhone(), &web{}
			p.let("ring", tt.ring)
			p.let("play one", "")
			c := &call.Call{ID: "a", RequestID: "r", App: "shop", Driver: "test", Direction: call.Outbound, From: "15550002222", To: "15550001111", Time: time.Now()}
			performer := &call.Performer{Reporter: reports}
			performer.Originate(t.Context(), c, p, call.Order{Document: []pcmo.Action{one()}})
			if p.steps() != tt.steps {
				t.Errorf("%s\nwant %s", p.steps(), tt.steps)
			}
			if got := strings.Join(reports.events, ", "); got != tt.events {
				t.Errorf("%s\nwant %s", got, tt.events)
			}
			record := string(reports.last)
			for _, want := range []string{`"request_id":"r"`, `"conversation_uuid":"r"`, `"callerid":15550002222`, `"out":true`, `"filename":"a.wav"`, `"recording_duration":1.50`, `"quality":{"codec":"PCMU","sent":50,"received":49,"lost":1,"jitter_ms":2.0,"mos":4.20}`} {
				if !strings.Contains(record, want) {
					t.Errorf("%s is not in %s", want, record)
				}
			}
		})
	}
}
