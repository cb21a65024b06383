package ua_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/sdp"
	"github.com/piopiy/piopiyd/drivers/sip/siptest"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// desk answers a real phone's calls, and describes sound that nobody hears.
type desk struct {
	t       *testing.T
	agent   *ua.Agent
	sound   net.PacketConn
	dialogs chan *ua.Dialog
	heard   chan sdp.Direction // of the phone's offers
	ended   chan ua.End
	refer   func(context.Context, *ua.Referral)

	mu    sync.Mutex
	local sdp.Local
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	sound, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sound.Close() })
	d := &desk{t: t, sound: sound, dialogs: make(chan *ua.Dialog, 4), heard: make(chan sdp.Direction, 16), ended: make(chan ua.End, 4)}
	d.local = sdp.Local{Addr: netip.MustParseAddr("127.0.0.1"), Port: sound.LocalAddr().(*net.UDPAddr).Port, ID: 1, Version: 1}
	d.agent = open(t, ua.Options{Invite: d.invited})
	return d
}

func (d *desk) invited(i *ua.Invitation) {
	answer, err := d.offered(i.Offer)
	if err != nil {
		d.t.Error(err)
		return
	}
	dialog, err := i.Accept(answer, ua.Handlers{Offer: d.offered, Refer: d.refer, Ended: func(e ua.End) { d.ended <- e }})
	if err != nil {
		d.t.Error(err)
		return
	}
	d.dialogs <- dialog
}

func (d *desk) offered(offer []byte) ([]byte, error) {
	theirs, err := sdp.Parse(offer)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.local.Version++
	d.heard <- theirs.Direction
	return d.local.Answer(theirs), nil
}

// reoffer makes an offer, and returns the direction of the phone's answer.
func (d *desk) reoffer(dialog *ua.Dialog, direction sdp.Direction) sdp.Direction {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	var got sdp.Direction
	if err := dialog.Renegotiate(ctx, func() []byte {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.local.Version++
		d.local.Direction = direction
		return d.local.Offer()
	}, func(answer []byte) error {
		theirs, err := sdp.Parse(answer)
		if err == nil {
			got = theirs.Direction
		}
		return err
	}); err != nil {
		d.t.Errorf("%s: %v", direction, err)
	}
	return got
}

func (d *desk) call(phone *siptest.Phone) *ua.Dialog {
	d.t.Helper()
	phone.Dial(uri(d.agent))
	if got := within(d.t, d.heard, "a call"); got != sdp.SendRecv {
		d.t.Errorf("the call's direction is %s", got)
	}
	return within(d.t, d.dialogs, "an answer")
}

// within takes what a channel brings in time.
func within[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain: %s", what)
	}
	panic("not reached")
}

func (d *desk) phone(t *testing.T) *siptest.Phone {
	t.Helper()
	return siptest.StartPhone(t, siptest.Account{User: "alice", Server: fmt.Sprintf("127.0.0.1:%d", d.agent.Port())}, 440)
}

// TestBaresipHolds lets a real phone hold us and come back, and holds it.
func TestBaresipHolds(t *testing.T) {
	siptest.Program(t, "baresip", "baresip-core")
	t.Parallel()
	d := newDesk(t)
	p := d.phone(t)
	dialog := d.call(p)
	p.Command("hold", "")
	if got := within(t, d.heard, "hold"); got != sdp.SendOnly {
		t.Errorf("it holds with %s", got)
	}
	p.Command("resume", "")
	if got := within(t, d.heard, "resume"); got != sdp.SendRecv {
		t.Errorf("it is back with %s", got)
	}
	if got := d.reoffer(dialog, sdp.SendOnly); got != sdp.RecvOnly {
		t.Errorf("held, it answers %s", got)
	}
	if got := d.reoffer(dialog, sdp.SendRecv); got != sdp.SendRecv {
		t.Errorf("taken back, it answers %s", got)
	}
	dialog.Bye(t.Context(), "")
}

// TestBaresipTransfers lets a real phone transfer its call: it wants to know how that goes, and hangs up when it went
// well.
func TestBaresipTransfers(t *testing.T) {
	siptest.Program(t, "baresip", "baresip-core")
	t.Parallel()
	d := newDesk(t)
	referrals := make(chan *ua.Referral, 1)
	d.refer = func(_ context.Context, r *ua.Referral) {
		if err := r.Accept(); err != nil {
			t.Error(err)
		}
		r.Notify(180, "Ringing")
		r.Notify(200, "OK")
		referrals <- r
	}
	p := d.phone(t)
	d.reoffer(d.call(p), sdp.SendRecv) // then the phone has its call
	p.Command("transfer", "sip:carol@127.0.0.1")
	if r := within(t, referrals, "a transfer"); r.To != "sip:carol@127.0.0.1" || r.User != "carol" || r.Replaces != "" {
		t.Errorf("%+v", r)
	}
	if e := within(t, d.ended, "it hangs up"); e.Err != nil {
		t.Errorf("%+v", e)
	}
}

// TestBaresipIsTransferred asks a real phone to call somebody else.
func TestBaresipIsTransferred(t *testing.T) {
	siptest.Program(t, "baresip", "baresip-core")
	t.Parallel()
	d, other := newDesk(t), newDesk(t)
	p := d.phone(t)
	dialog := d.call(p)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	o, err := dialog.Refer(ctx, ua.Transfer{To: uri(other.agent), ReferredBy: "sip:desk@127.0.0.1"})
	if err != nil || o.Status != 200 {
		t.Errorf("%+v, %v", o, err)
	}
	theirs := within(t, other.dialogs, "the phone calls the other")
	dialog.Bye(t.Context(), "")
	theirs.Bye(t.Context(), "")
}

// TestBaresipFindsTheTargetBusy asks a real phone to call somebody who does not answer.
func TestBaresipFindsTheTargetBusy(t *testing.T) {
	siptest.Program(t, "baresip", "baresip-core")
	t.Parallel()
	d, busy := newDesk(t), open(t, ua.Options{})
	p := d.phone(t)
	dialog := d.call(p)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if o, err := dialog.Refer(ctx, ua.Transfer{To: uri(busy)}); err != nil || o.Status != 486 {
		t.Errorf("%+v, %v", o, err)
	}
	dialog.Bye(t.Context(), "")
}
