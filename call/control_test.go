package call_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
