package sip

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// phone is one phone to be called: by the first way and, when that fails, by the next.
type phone []way

// way is a way to a phone.
type way struct {
	ua.Outgoing
	trunk *trunk // nil for phones of our own and hosts
}

// trunk is a Trunk and how it fares.
type trunk struct {
	Trunk
	mu   sync.Mutex
	down time.Time // when it failed last
}

// rest is how long a trunk that has failed is asked last.
const rest = 30 * time.Second

// errSilent says that a trunk does not even say that it tries.
var errSilent = errors.New("the trunk does not answer")

func (t *trunk) failed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.down = time.Now()
}

func (t *trunk) worked() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.down = time.Time{}
}

func (t *trunk) rests(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return now.Sub(t.down) < rest
}

// isTrunksFault tells a trunk that does not work from a party that cannot be had.
func isTrunksFault(err error) bool {
	var no *ua.Rejected
	if errors.As(err, &no) {
		return no.Status >= 500 && no.Status < 600 || no.Status == 408
	}
	return true
}

// isRefusedSound tells a party that does not want the sound that is offered.
func isRefusedSound(err error) bool {
	var no *ua.Rejected
	return errors.As(err, &no) && (no.Status == 488 || no.Status == 606 || no.Status == 415)
}

// reach calls a phone by one way, at one place after the other. more says that another way is left.
func (l *line) reach(ctx context.Context, id string, side call.Side, w way, more bool, progress func(g *leg, body []byte)) (*leg, error) {
	places, err := l.driver.places(ctx, w, more)
	if err != nil {
		return nil, err
	}
	for i, place := range places {
		w.To = place
		var g *leg
		if g, err = l.try(ctx, id, side, w, more || i < len(places)-1, progress); err == nil {
			return g, nil
		}
		if ctx.Err() != nil || !isTrunksFault(err) {
			break
		}
		if len(places) > 1 {
			l.driver.agent.Avoid(place)
			l.driver.log.Warn("a SIP server does not take a call", "server", place, "call", l.call.ID, "leg", id, "error", err)
		}
	}
	return nil, err
}

// places returns where a phone can be called by a way. When another is left, name servers may take only so long.
func (d *Driver) places(ctx context.Context, w way, more bool) ([]string, error) {
	if w.To != "" {
		return []string{w.To}, nil
	}
	if more {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.opts.waits.silence)
		defer cancel()
	}
	return d.agent.Locate(ctx, hostOf(w.URI), transportOf(w.URI))
}

// try calls a phone at the place that w.To is. When another is left it waits only briefly for a sign of life. progress
// is told of provisional responses, with their description.
func (l *line) try(ctx context.Context, id string, side call.Side, w way, more bool, progress func(g *leg, body []byte)) (*leg, error) {
	g, err := l.driver.newLeg(id, l.driver.describe(w.To, transportOf(w.URI)), side)
	if err != nil {
		return nil, err
	}
	type result struct {
		dialog *ua.Dialog
		answer []byte
		err    error
	}
	attempt, give := context.WithCancelCause(ctx)
	defer give(context.Canceled)
	alive, done := make(chan struct{}), make(chan result, 1)
	g.trunk = w.trunk != nil
	o := w.Outgoing
	o.Handlers = g.handlers()
	o.Alive = sync.OnceFunc(func() { close(alive) })
	o.Progress = func(_ int, body []byte) {
		if attempt.Err() == nil {
			progress(g, body)
		}
	}
	invite := func() {
		var r result
		for _, local := range g.local.Offers() {
			g.mu.Lock()
			g.local = local
			g.mu.Unlock()
			o.Offer = local.Offer()
			if r.dialog, r.answer, r.err = l.driver.agent.Invite(attempt, o); !isRefusedSound(r.err) {
				break
			}
		}
		done <- r
	}
	var res result
	if !more {
		invite()
		res = <-done
	} else {
		l.driver.work.Go(invite)
		timer := time.NewTimer(l.driver.opts.waits.silence)
		defer timer.Stop()
		select {
		case res = <-done:
		case <-alive:
			res = <-done
		case <-timer.C:
			give(errSilent) // an answer that comes yet is hung up
			l.driver.work.Go(func() {
				<-done
				g.session.Close()
			})
			return nil, errSilent
		}
	}
	if res.err == nil {
		g.mu.Lock()
		g.dialog = res.dialog
		g.mu.Unlock()
		if res.err = g.answered(res.answer); res.err != nil {
			bye, cancel := context.WithTimeout(context.Background(), goodbye)
			defer cancel()
			res.dialog.Bye(bye, codeOf(causeIncompatible).reason())
		}
	}
	if res.err != nil {
		g.session.Close()
		return nil, res.err
	}
	if w.trunk != nil {
		w.trunk.worked()
	}
	return g, nil
}
