package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
	"github.com/piopiy/piopiyd/pcmo"
)

var (
	_ call.Controls        = (*line)(nil)
	_ call.RecordingLister = (*line)(nil)
)

var (
	errNoPartner = errors.New("leg b: the call is not connected to anybody")
	errBadLeg    = errors.New(`no such leg: "a", "b" and "" for both are`)
)

// parties returns the legs that are meant: "a", "b" or "" for all there are.
func (l *line) parties(to call.Leg) ([]*leg, error) {
	if !l.hasAnswered() {
		return nil, errNotAnswered
	}
	l.mu.Lock()
	a, b := l.leg, l.partner
	l.mu.Unlock()
	switch to {
	case call.LegA:
		return []*leg{a}, nil
	case call.LegB:
		if b == nil {
			return nil, errNoPartner
		}
		return []*leg{b}, nil
	case "":
		if b == nil {
			return []*leg{a}, nil
		}
		return []*leg{a, b}, nil
	}
	return nil, errBadLeg
}

// audience is who hears what is announced to a leg.
func audience(to call.Leg) media.Audience {
	switch to {
	case call.LegA:
		return media.ToCaller
	case call.LegB:
		return media.ToCallee
	}
	return media.ToBoth
}

// Announce implements call.Controls.
func (l *line) Announce(ctx context.Context, p call.Prompt, to call.Leg) error {
	if _, err := l.parties(to); err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	sound, err := l.clip(ctx, p)
	if err != nil || sound.Empty() {
		return err
	}
	return hear(ctx, l.play(sound, media.PlayOptions{To: audience(to)}))
}

// Silence implements call.Controls.
func (l *line) Silence() {
	if l.hasAnswered() {
		l.talk.Stop()
	}
}

// keys are what can be sent.
const keys = "0123456789*#ABCD"

// SendDigits implements call.Controls: by telephone events (RFC 4733), or by INFO to a phone that has none.
func (l *line) SendDigits(_ context.Context, digits string, to call.Leg) error {
	digits = strings.ToUpper(digits)
	switch i := strings.IndexFunc(digits, func(r rune) bool { return !strings.ContainsRune(keys, r) }); {
	case digits == "":
		return errors.New("digits: there are none")
	case len(digits) > maxWaiting:
		return fmt.Errorf("digits: %d, at most %d can be sent at once", len(digits), maxWaiting)
	case i >= 0:
		return fmt.Errorf("digits: character %d is none of 0-9, *, # and A-D", i+1)
	}
	parties, err := l.parties(to)
	if err != nil {
		return fmt.Errorf("digits: %w", err)
	}
	for _, g := range parties {
		g.sendDigits(digits)
	}
	return nil
}

// Mute implements call.Controls.
func (l *line) Mute(_ context.Context, party call.Leg, muted bool) error {
	if _, err := l.parties(party); err != nil {
		return fmt.Errorf("mute: %w", err)
	}
	if party != call.LegB {
		l.talk.Mute(muted, false)
	}
	if party != call.LegA {
		l.talk.MuteCallee(muted)
	}
	return nil
}

// Hold implements call.Controls: both parties hear the music, or silence, and not each other. A phone that does not
// take a hold by re-INVITE only hears it.
func (l *line) Hold(ctx context.Context, held bool, music call.Prompt) error {
	if !l.hasAnswered() {
		return fmt.Errorf("hold: %w", errNotAnswered)
	}
	var sound media.Sound
	if held {
		var err error
		if sound, err = l.clip(ctx, music); err != nil {
			return fmt.Errorf("hold: %w", err)
		}
	}
	select {
	case l.holding <- struct{}{}:
		defer func() { <-l.holding }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	g := l.first()
	if held {
		l.talk.Hold(sound)
	}
	if g.holding() != held {
		err := g.hold(ctx, held)
		var refused *ua.Rejected
		if errors.As(err, &refused) && held {
			l.driver.log.Info("a phone does not take a hold", "call", l.call.ID, "status", refused.Status)
			err = nil
		}
		if err != nil {
			if held {
				l.talk.Resume()
			}
			return fmt.Errorf("hold: %w", err)
		}
	}
	if !held {
		l.talk.Resume()
	}
	return nil
}

// Refer implements call.Controls. Whom the app may not call, it may have nobody else call either.
func (l *line) Refer(ctx context.Context, to call.Target) error {
	if !l.hasAnswered() {
		return fmt.Errorf("refer: %w", errNotAnswered)
	}
	if err := l.driver.mayCall(l.call.App, to.Target); err != nil {
		return fmt.Errorf("refer: %w", err)
	}
	g := l.first()
	g.mu.Lock()
	dialog := g.dialog
	g.mu.Unlock()
	outcome, err := dialog.Refer(ctx, ua.Transfer{To: l.referTo(g, dialog, to.Target)})
	switch {
	case errors.Is(err, ua.ErrEnded) && outcome.Status > 0 && outcome.Status < 300:
		return nil // it took the wish and has left
	case err != nil:
		return fmt.Errorf("refer: %w", err)
	case outcome.Status >= 300:
		return fmt.Errorf("refer: the call was not taken: %d %s", outcome.Status, outcome.Phrase)
	}
	return nil
}

// referTo is the URI of a target as leg a's phone can call it: users and numbers are at the host that this phone
// calls us at, or at its trunk.
func (l *line) referTo(g *leg, dialog *ua.Dialog, t pcmo.Target) string {
	user := strings.TrimPrefix(t.User, "sip:")
	if t.Type == pcmo.TargetPSTN {
		user = "+" + t.Number.Digits()
	}
	if strings.Contains(user, "@") {
		return "sip:" + user
	}
	host := hostOf(dialog.Remote())
	if !g.trunk {
		host = net.JoinHostPort(l.driver.hostFor(host).String(), strconv.Itoa(l.driver.Port()))
	}
	return "sip:" + user + "@" + host
}
