package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/sdp"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

var (
	// errBadOffer says that a description cannot be read.
	errBadOffer = errors.New("the description of the sound cannot be read")
	// errNotAnswered says that a party has not answered yet.
	errNotAnswered = errors.New("the party has not answered")
)

// leg is one party: its sound, and its dialog once it was answered.
type leg struct {
	id      string
	driver  *Driver
	session *media.Session
	trunk   bool // it is reached through a carrier

	mu      sync.Mutex
	local   sdp.Local
	dialog  *ua.Dialog
	digit   func(byte)
	refer   func(context.Context, *ua.Referral) // see onRefer
	isHeld  bool                                // by the party
	resumed time.Time                           // when sound was expected again
	digits  []byte                              // that wait to be sent by INFO
	ended   bool
	ending  call.Ending
	gone    chan struct{} // closed when the party has hung up or is lost
	left    func()        // see onGone
	leaving chan struct{} // closed when it is known who takes its place; nil while nobody is asked
	release func()        // gives back what the leg counts for, once; nil for callers
}

// close ends the sound.
func (l *leg) close() {
	l.session.Close()
	if l.release != nil {
		l.release()
	}
}

// describe begins our description for a party whose SIP is at addr, host:port, and comes by a transport.
func (d *Driver) describe(addr, transport string) sdp.Local {
	return sdp.Local{Addr: d.hostFor(addr), ID: rand.Uint64() >> 2, Version: 1, Codecs: d.codecs}.WithSecurity(d.opts.SRTP.security(transport))
}

// hostFor is the address that a party at addr, host:port, reaches us at.
func (d *Driver) hostFor(addr string) netip.Addr {
	if d.opts.Advertise != "" {
		host, _ := netip.ParseAddr(d.opts.Advertise)
		return host
	}
	return d.agent.LocalAddr(addr)
}

// newLeg opens a socket for the sound of a party.
func (d *Driver) newLeg(id string, local sdp.Local, side call.Side) (*leg, error) {
	conn, err := d.ports.Open()
	if err != nil {
		return nil, err
	}
	l := &leg{id: id, driver: d, gone: make(chan struct{}), ending: call.Ending{By: side, Cause: call.CauseNormal}}
	l.session = media.NewSession(conn, media.SessionOptions{Strict: d.opts.StrictRTP, OnDigit: l.pressed})
	l.local = local
	l.local.Port = l.session.Port()
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

// informed takes a key that the party tells of by SIP.
func (l *leg) informed(digit byte) {
	if !l.session.KeysElsewhere(digit) {
		l.pressed(digit)
	}
}

// onRefer sets who decides about the party's wish to be transferred, see [ua.Handlers]; without one it is declined.
func (l *leg) onRefer(f func(context.Context, *ua.Referral)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refer = f
}

// onGone has f called, on a goroutine of its own, when the party is gone: at once, when it is. nil ends that.
func (l *leg) onGone(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left = f; l.ended && f != nil {
		go f()
	}
}

func (l *leg) referred(ctx context.Context, r *ua.Referral) {
	l.mu.Lock()
	f := l.refer
	l.mu.Unlock()
	if f == nil {
		r.Reject(603, "Decline")
		return
	}
	f(ctx, r)
}

// readable tells what cannot be read from what cannot be met.
func readable(d *sdp.Description, err error) (*sdp.Description, error) {
	if err != nil && !errors.Is(err, sdp.ErrNoAudio) && !errors.Is(err, sdp.ErrNoCodec) && !errors.Is(err, sdp.ErrSecurity) {
		return nil, fmt.Errorf("%w: %w", errBadOffer, err)
	}
	return d, err
}

// handlers take what the party does in its dialog.
func (l *leg) handlers() ua.Handlers {
	return ua.Handlers{Offer: l.reoffered, Answer: l.answered, Digit: l.informed, Refer: l.referred, Ended: l.hungUp}
}

// reoffered answers an offer within the call: a hold, another codec, another address.
func (l *leg) reoffered(offer []byte) ([]byte, error) {
	local := l.described()
	if len(offer) == 0 {
		return local.Offer(), nil
	}
	d, err := readable(local.Parse(offer))
	if err != nil {
		return nil, err
	}
	l.agree(local, d)
	return local.Answer(d), nil
}

// described returns our next description.
func (l *leg) described() sdp.Local {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.local.Version++
	return l.local
}

// answered takes the answer to our offer.
func (l *leg) answered(answer []byte) error {
	l.mu.Lock()
	local := l.local
	l.mu.Unlock()
	d, err := readable(local.Parse(answer))
	if err == nil {
		l.agree(local, d)
	}
	return err
}

// agree begins what the party's description and ours mean.
func (l *leg) agree(local sdp.Local, d *sdp.Description) {
	f := local.Format(d)
	f.Receive = f.Receive && (local.Direction != sdp.SendOnly && local.Direction != sdp.Inactive)
	l.session.Start(f)
	held := d.Direction == sdp.Inactive || d.Direction == sdp.SendOnly
	l.mu.Lock()
	l.local = l.local.Settled(d)
	changed := held != l.isHeld
	if changed {
		l.isHeld, l.resumed = held, time.Now()
	}
	l.mu.Unlock()
	if changed {
		l.driver.log.Debug("a party holds, or is back", "leg", l.id, "held", held)
	}
}

// hold holds the party, which hears what we play and is not heard any more, or takes it back. A refusal is a
// [ua.Rejected]; then everything stays as it was.
func (l *leg) hold(ctx context.Context, on bool) error {
	direction := sdp.SendRecv
	if on {
		direction = sdp.SendOnly
	}
	return l.reoffer(ctx, func(local *sdp.Local) { local.Direction = direction })
}

// reoffer changes what we describe, and lets the party agree.
func (l *leg) reoffer(ctx context.Context, change func(*sdp.Local)) error {
	l.mu.Lock()
	dialog := l.dialog
	l.mu.Unlock()
	if dialog == nil {
		return errNotAnswered
	}
	var local sdp.Local
	return dialog.Renegotiate(ctx, func() []byte {
		local = l.described()
		change(&local)
		return local.Offer()
	}, func(answer []byte) error {
		d, err := readable(local.Parse(answer))
		if err != nil {
			return err
		}
		l.mu.Lock()
		l.local, l.resumed = local, time.Now()
		l.mu.Unlock()
		l.agree(local, d)
		return nil
	})
}

// held reports whether the party holds us.
func (l *leg) held() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.isHeld
}

// holding reports whether we hold the party.
func (l *leg) holding() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.local.Direction == sdp.SendOnly || l.local.Direction == sdp.Inactive
}

// silent is how long the party has sent nothing although sound is expected of it. Who holds may be silent.
func (l *leg) silent(now time.Time) time.Duration {
	s := l.session.Stats()
	if !s.Receiving || l.held() {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	since := s.Heard
	if l.resumed.After(since) {
		since = l.resumed
	}
	return max(0, now.Sub(since))
}

const (
	// infoLength is the length that keys have in an INFO, and infoWait how long one may take.
	infoLength = 160 * time.Millisecond
	infoWait   = 5 * time.Second
	// maxWaiting bounds the keys that wait to be sent.
	maxWaiting = 128
)

// sendDigits sends keys to the party: as telephone events, or by INFO where none were agreed on.
func (l *leg) sendDigits(digits string) {
	if l.session.SendDigits(digits) {
		return
	}
	dialog := l.queueDigits(digits)
	if dialog == nil || !l.driver.countIn() {
		return
	}
	go func() {
		defer l.driver.work.Done()
		l.inform(dialog)
	}()
}

// queueDigits lets keys wait to be sent by INFO. It returns the dialog when nobody sends them yet.
func (l *leg) queueDigits(digits string) *ua.Dialog {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dialog == nil {
		return nil
	}
	begin := len(l.digits) == 0
	l.digits = append(l.digits, digits[:min(len(digits), maxWaiting-len(l.digits))]...)
	if !begin || len(l.digits) == 0 {
		return nil
	}
	return l.dialog
}

// inform sends the keys that wait by INFO, one after the other.
func (l *leg) inform(dialog *ua.Dialog) {
	for {
		l.mu.Lock()
		if len(l.digits) == 0 {
			l.mu.Unlock()
			return
		}
		digit := l.digits[0]
		l.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), infoWait)
		err := dialog.SendDigit(ctx, digit, infoLength)
		cancel()
		l.mu.Lock()
		if err != nil {
			l.driver.log.Debug("keys could not be sent by INFO", "leg", l.id, "error", err)
			l.digits = nil
			l.mu.Unlock()
			return
		}
		l.digits = l.digits[1:]
		l.mu.Unlock()
	}
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
	if l.left != nil {
		go l.left()
	}
}

func (l *leg) how() call.Ending {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ending
}
