package sip_test

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
	"github.com/piopiy/piopiyd/drivers/sip/siptest"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// phone is a telephone: it calls, or is called.
type phone struct {
	t       *testing.T
	agent   *ua.Agent
	session *media.Session
	talk    *media.Conversation
	pacer   media.Pacer
	ticking sync.Mutex // guards untick: a phone may be called twice
	untick  func()
	dialog  *ua.Dialog
	over    chan ua.End

	mu      siptest.Watched
	heard   []int16
	digits  []byte
	offered string // the direction of the last offer within the call

	stubborn bool // it takes no offer within the call
	// ring, where set, decides about calls to the phone.
	ring func(*phone, *ua.Invitation)
}

func newPhone(t *testing.T, ring func(*phone, *ua.Invitation)) *phone {
	t.Helper()
	p := &phone{t: t, ring: ring, over: make(chan ua.End, 8)}
	ports, err := media.NewPorts(netip.MustParseAddr("127.0.0.1"), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := ports.Open()
	if err != nil {
		t.Fatal(err)
	}
	p.session = media.NewSession(conn, media.SessionOptions{OnDigit: func(d byte) {
		p.note(func() { p.digits = append(p.digits, d) })
	}})
	p.talk = media.NewConversation(p.session)
	p.talk.AddTap(p)
	p.agent, err = ua.Open(ua.Options{Listen: "127.0.0.1:0", Invite: func(i *ua.Invitation) {
		if p.ring == nil {
			i.Reject(486, "Busy Here", "")
			return
		}
		p.ring(p, i)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

func (p *phone) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = p.agent.Close(ctx) // and nobody picks up any more
	p.ticking.Lock()
	defer p.ticking.Unlock()
	if p.untick != nil {
		p.untick()
	}
	p.session.Close()
}

func (p *phone) note(f func()) { p.mu.Change(f) }

// Tap implements media.Tap.
func (p *phone) Tap(caller, _ media.Frame) {
	p.note(func() { p.heard = append(p.heard, caller[:]...) })
}

func (p *phone) local() sdp.Local {
	return sdp.Local{Addr: netip.MustParseAddr("127.0.0.1"), Port: p.session.Port(), ID: 1, Version: 1}
}

func (p *phone) handlers() ua.Handlers {
	h := ua.Handlers{Ended: func(e ua.End) { p.over <- e }, Digit: func(d byte) {
		p.note(func() { p.digits = append(p.digits, d) })
	}}
	if !p.stubborn {
		h.Offer = p.reoffered
	}
	return h
}

// reoffered answers an offer within the call.
func (p *phone) reoffered(offer []byte) ([]byte, error) {
	d, err := sdp.Parse(offer)
	if err != nil {
		return nil, err
	}
	p.session.Start(d.Format())
	p.note(func() { p.offered = string(d.Direction) })
	return p.local().Answer(d), nil
}

// direction is that of the last offer within the call.
func (p *phone) direction() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.offered
}

func (p *phone) start(description []byte) error {
	d, err := sdp.Parse(description)
	if err != nil {
		return err
	}
	p.session.Start(d.Format())
	p.ticking.Lock()
	defer p.ticking.Unlock()
	if p.untick != nil { // of its last call
		p.untick()
	}
	p.untick = p.pacer.Add(p.talk)
	return nil
}

// progress lets the caller of an invitation hear the phone, which is not answered.
func (p *phone) progress(i *ua.Invitation) {
	d, err := sdp.Parse(i.Offer)
	if err == nil {
		err = i.Progress(p.local().Answer(d), p.handlers())
	}
	if err == nil {
		err = p.start(i.Offer)
	}
	if err != nil {
		p.t.Error(err)
	}
}

// call calls user at an exchange.
func (p *phone) call(ctx context.Context, x *exchange, user string) error {
	return p.invite(ctx, ua.Outgoing{URI: fmt.Sprintf("sip:%s@127.0.0.1:%d", user, x.Port()), From: "+15550001111"})
}

func (p *phone) invite(ctx context.Context, o ua.Outgoing) error {
	if o.Offer == nil {
		o.Offer = p.local().Offer()
	}
	o.Handlers = p.handlers()
	dialog, answer, err := p.agent.Invite(ctx, o)
	if err != nil {
		return err
	}
	p.note(func() { p.dialog = dialog })
	return p.start(answer)
}

// pickUp answers a call.
func (p *phone) pickUp(i *ua.Invitation) {
	d, err := sdp.Parse(i.Offer)
	if err != nil {
		p.t.Error(err)
		return
	}
	dialog, err := i.Accept(p.local().Answer(d), p.handlers())
	if errors.Is(err, ua.ErrCancelled) {
		return
	}
	if err != nil {
		p.t.Error(err)
		return
	}
	p.note(func() { p.dialog = dialog })
	if err := p.start(i.Offer); err != nil {
		p.t.Error(err)
	}
}

// pickUpMute answers a call and sends no sound.
func (p *phone) pickUpMute(i *ua.Invitation) {
	d, err := sdp.Parse(i.Offer)
	if err == nil {
		_, err = i.Accept(p.local().Answer(d), p.handlers())
	}
	if err != nil {
		p.t.Error(err)
	}
}

// until waits until ok, which is called with p.mu held, is.
func (p *phone) until(what string, ok func() bool) {
	p.t.Helper()
	if !p.mu.Until(patience, ok) {
		p.t.Fatalf("the phone does not hear %s", what)
	}
}

// hears waits until 100 ms of a tone were heard.
func (p *phone) hears(hz float64) {
	p.t.Helper()
	p.until(fmt.Sprintf("%g Hz", hz), func() bool {
		n := len(p.heard)
		if n < 800 {
			return false
		}
		if audio.Level(p.heard[n-800:], hz, media.Rate) < 2500 {
			return false
		}
		p.heard = nil
		return true
	})
}

// ends waits until the other side hangs up.
func (p *phone) ends() ua.End {
	p.t.Helper()
	select {
	case e := <-p.over:
		return e
	case <-time.After(patience):
		p.t.Fatal("nobody hangs up")
		return ua.End{}
	}
}

// inCall is the phone's dialog, once it has one.
func (p *phone) inCall() (d *ua.Dialog) {
	p.t.Helper()
	p.until("the call", func() bool {
		d = p.dialog
		return d != nil
	})
	return d
}

func (p *phone) hangUp() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p.inCall().Bye(ctx, "")
}

// tone is a tone to be played.
func tone(hz float64, length time.Duration) media.Sound {
	return media.Sound{Samples: media.Tone(hz, length), Rate: media.Rate}
}
