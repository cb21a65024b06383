package siptest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/sdp"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// Softphone is a telephone of our own, for what has to be timed: it says something when it is told to, and knows to the
// frame what it said and heard when. It registers nowhere and takes every call.
type Softphone struct {
	t       testing.TB
	agent   *ua.Agent
	session *media.Session
	talk    *media.Conversation
	pacer   media.Pacer
	over    chan ua.End

	mu     Watched
	untick func()
	dialog *ua.Dialog
	heard  []HeardFrame
}

// HeardFrame is 20 ms of what a [Softphone] has heard.
type HeardFrame struct {
	At      time.Time
	Samples []int16
}

// Level is how strong a frequency is in the frame.
func (f HeardFrame) Level(hz float64) float64 { return audio.Level(f.Samples, hz, media.Rate) }

// IsSilent reports whether there is nothing to hear in the frame but noise.
func (f HeardFrame) IsSilent() bool {
	for _, v := range f.Samples {
		if v > 300 || v < -300 {
			return false
		}
	}
	return true
}

// Utterance is something that a [Softphone] says.
type Utterance struct {
	mu    sync.Mutex
	rest  []int16
	begun time.Time
	done  chan struct{}
	ended bool
}

// ReadFrame implements media.Source.
func (u *Utterance) ReadFrame(dst media.Frame) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ended {
		return false
	}
	if u.begun.IsZero() {
		u.begun = time.Now()
	}
	n := copy(dst, u.rest)
	clear(dst[n:])
	if u.rest = u.rest[n:]; len(u.rest) == 0 {
		u.ended = true
		close(u.done)
	}
	return true
}

// Begun is when its first frame was sent.
func (u *Utterance) Begun() time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.begun
}

// Done is closed when it was said.
func (u *Utterance) Done() <-chan struct{} { return u.done }

// StartSoftphone starts a phone. It ends with the test.
func StartSoftphone(t testing.TB) *Softphone {
	t.Helper()
	p := &Softphone{t: t, over: make(chan ua.End, 8)}
	ports, err := media.NewPorts(netip.MustParseAddr("127.0.0.1"), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := ports.Open()
	if err != nil {
		t.Fatal(err)
	}
	p.session = media.NewSession(conn, media.SessionOptions{})
	p.talk = media.NewConversation(p.session)
	p.talk.AddTap(p)
	if p.agent, err = ua.Open(ua.Options{Listen: "127.0.0.1:0", Invite: p.pickUp}); err != nil {
		p.session.Close()
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

// URI is its address, for user.
func (p *Softphone) URI(user string) string {
	return fmt.Sprintf("sip:%s@127.0.0.1:%d", user, p.agent.Port())
}

func (p *Softphone) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = p.agent.Close(ctx) // and nobody picks up any more
	p.mu.Lock()
	untick := p.untick
	p.mu.Unlock()
	if untick != nil {
		untick()
	}
	p.session.Close()
}

func (p *Softphone) note(f func()) { p.mu.Change(f) }

// Tap implements media.Tap.
func (p *Softphone) Tap(caller, _ media.Frame) {
	p.note(func() { p.heard = append(p.heard, HeardFrame{time.Now(), append([]int16(nil), caller...)}) })
}

func (p *Softphone) local() sdp.Local {
	return sdp.Local{Addr: netip.MustParseAddr("127.0.0.1"), Port: p.session.Port(), ID: 1, Version: 1}
}

func (p *Softphone) handlers() ua.Handlers {
	return ua.Handlers{Ended: func(e ua.End) { p.over <- e }, Offer: func(offer []byte) ([]byte, error) {
		d, err := sdp.Parse(offer)
		if err != nil {
			return nil, err
		}
		p.session.Start(d.Format())
		return p.local().Answer(d), nil
	}}
}

// begin lets sound flow as the other side has described it.
func (p *Softphone) begin(dialog *ua.Dialog, description []byte) error {
	d, err := sdp.Parse(description)
	if err != nil {
		return err
	}
	p.session.Start(d.Format())
	untick := p.pacer.Add(p.talk)
	p.note(func() { p.dialog, p.untick = dialog, untick })
	return nil
}

func (p *Softphone) pickUp(i *ua.Invitation) {
	d, err := sdp.Parse(i.Offer)
	var dialog *ua.Dialog
	if err == nil {
		dialog, err = i.Accept(p.local().Answer(d), p.handlers())
	}
	if err == nil {
		err = p.begin(dialog, i.Offer)
	}
	if err != nil && !errors.Is(err, ua.ErrCancelled) {
		p.t.Error(err)
	}
}

// Dial calls an address as somebody, and returns when the call is answered.
func (p *Softphone) Dial(uri, from string) {
	p.t.Helper()
	dialog, answer, err := p.agent.Invite(p.t.Context(), ua.Outgoing{URI: uri, From: from, Offer: p.local().Offer(), Handlers: p.handlers()})
	if err == nil {
		err = p.begin(dialog, answer)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// Say says a tone for so long, from the next frame on.
func (p *Softphone) Say(hz float64, length time.Duration) *Utterance {
	u := &Utterance{rest: media.Tone(hz, length), done: make(chan struct{})}
	p.talk.AddSource(u)
	return u
}

// Until waits until ok holds for what was heard so far.
func (p *Softphone) Until(what string, ok func(heard []HeardFrame) bool) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	var heard []HeardFrame
	for seen := -1; time.Now().Before(deadline); seen = len(heard) {
		// ok may take its time, and the phone must hear meanwhile: it is called without the lock.
		if !p.mu.Until(time.Until(deadline), func() bool { heard = p.heard; return len(heard) != seen }) {
			break
		}
		if ok(heard) {
			return
		}
	}
	p.t.Fatalf("the phone does not hear %s", what)
}

// Hears waits until a tone is heard from a moment on, and returns when that was first.
func (p *Softphone) Hears(hz float64, since time.Time) (at time.Time) {
	p.t.Helper()
	p.Until(fmt.Sprintf("%g Hz", hz), func(heard []HeardFrame) bool {
		for _, f := range heard {
			if f.At.After(since) && f.Level(hz) > 2500 {
				at = f.At
				return true
			}
		}
		return false
	})
	return at
}

// Silence waits until nothing is heard for so long, from a moment on, and returns when that began.
func (p *Softphone) Silence(length time.Duration, since time.Time) (at time.Time) {
	p.t.Helper()
	p.Until("silence", func(heard []HeardFrame) bool {
		quiet := 0
		for _, f := range heard {
			switch {
			case !f.At.After(since):
			case !f.IsSilent():
				quiet = 0
			default:
				if quiet == 0 {
					at = f.At
				}
				if quiet++; time.Duration(quiet)*media.FrameTime >= length {
					return true
				}
			}
		}
		return false
	})
	return at
}

// Ends waits until the other side hangs up.
func (p *Softphone) Ends() {
	p.t.Helper()
	select {
	case <-p.over:
	case <-time.After(patience):
		p.t.Fatal("nobody hangs up")
	}
}

// HangUp ends the call.
func (p *Softphone) HangUp() {
	p.t.Helper()
	p.mu.Lock()
	dialog := p.dialog
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dialog.Bye(ctx, "")
}
