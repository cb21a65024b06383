package sip

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/sdp"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// errBadOffer says that a description cannot be read.
var errBadOffer = errors.New("the description of the sound cannot be read")

// leg is one party: its sound, and its dialog once it was answered.
type leg struct {
	id      string
	session *media.Session

	mu     sync.Mutex
	local  sdp.Local
	dialog *ua.Dialog
	digit  func(byte)
	ended  bool
	ending call.Ending
	gone   chan struct{} // closed when the party has hung up or is lost
}

// newLeg opens a socket for the sound of a party whose SIP is at addr, host:port.
func (d *Driver) newLeg(id, addr string, side call.Side) (*leg, error) {
	conn, err := d.ports.Open()
	if err != nil {
		return nil, err
	}
	l := &leg{id: id, gone: make(chan struct{}), ending: call.Ending{By: side, Cause: call.CauseNormal}}
	l.session = media.NewSession(conn, media.SessionOptions{Strict: d.opts.StrictRTP, OnDigit: l.pressed})
	host := ua.LocalAddr(addr)
	if d.opts.Advertise != "" {
		host, _ = netip.ParseAddr(d.opts.Advertise)
	}
	l.local = sdp.Local{Addr: host, Port: l.session.Port(), ID: rand.Uint64() >> 2, Version: 1}
	return l, nil
}

// onDigit sets who is told of keys.
func (l *leg) onDigit(f func(byte)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.digit = f
}

func (l *leg) pressed(digit byte) {
	l.mu.Lock()
	f := l.digit
	l.mu.Unlock()
	if f != nil {
		f(digit)
	}
}

func parse(body []byte) (*sdp.Description, error) {
	d, err := sdp.Parse(body)
	if err != nil && !errors.Is(err, sdp.ErrNoAudio) && !errors.Is(err, sdp.ErrNoCodec) {
		return nil, fmt.Errorf("%w: %w", errBadOffer, err)
	}
	return d, err
}

// handlers take what the party does in its dialog.
func (l *leg) handlers() ua.Handlers {
	return ua.Handlers{Offer: l.reoffered, Answer: l.answered, Digit: l.pressed, Ended: l.hungUp}
}

// reoffered answers an offer within the call: a hold, another codec, another address.
func (l *leg) reoffered(offer []byte) ([]byte, error) {
	l.mu.Lock()
	l.local.Version++
	local := l.local
	l.mu.Unlock()
	if len(offer) == 0 {
		return local.Offer(), nil
	}
	d, err := parse(offer)
	if err != nil {
		return nil, err
	}
	l.session.Start(d.Format())
	return local.Answer(d), nil
}

// answered takes the answer to our offer.
func (l *leg) answered(answer []byte) error {
	d, err := parse(answer)
	if err != nil {
		return err
	}
	l.session.Start(d.Format())
	return nil
}

// hungUp notes that the party is gone.
func (l *leg) hungUp(e ua.End) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	if cause := causeOfReason(e.Reason); cause != "" {
		l.ending.Cause = cause
	}
	if e.Err != nil {
		l.ending = call.Ending{By: call.SidePlatform, Cause: causeNoReply, Err: e.Err}
	}
	close(l.gone)
}

func (l *leg) how() call.Ending {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ending
}
