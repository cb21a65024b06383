package call

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// A call of the driver cloud outlives its session: the platform holds the line, and everything the session knows is a
// function of its journal. So a call whose session is not here, because the process was restarted or because memory was
// short, is rebuilt when the platform asks about it.

// recall is a conversation that is being rebuilt.
type recall struct {
	done chan struct{}
	conv *conversation
	err  error
}

// sleeper is a call whose session hibernates.
type sleeper struct {
	key   key // the call's own; the others are further names for it
	names []key
	clock runtime.Clock
	wake  runtime.Timer
}

// config is how the conversation's session is born. Only where the line is elsewhere can it be rebuilt.
func (conv *conversation) config() runtime.SessionConfig {
	c := runtime.SessionConfig{ID: conv.call.ID, Values: map[any]any{conversationKey{}: conv}, Released: conv.release}
	if conv.lasts() {
		c.Durable, c.Hibernate = true, conv.hibernate
	}
	return c
}

// known returns the conversation of a call that has begun, rebuilt if need be, or nil. The error says why a call that
// has begun cannot go on.
func (h *Handler) known(ctx context.Context, app string, ids ...string) (*conversation, error) {
	if conv := h.find(app, ids...); conv != nil {
		return conv, nil
	}
	if h.opts.Recall == nil || h.overFor(app, ids) {
		return nil, nil
	}
	for i, id := range ids {
		if id == "" || slices.Contains(ids[:i], id) { // leg a goes by the call's own id, mostly
			continue
		}
		conv, err := h.recall(ctx, key{app, id})
		if err == nil && conv == nil {
			conv, err = h.recallAlias(ctx, app, id)
		}
		if conv != nil {
			h.find(app, append([]string{conv.call.ID}, ids...)...) // which notes what else it is called
		}
		if err != nil || conv != nil {
			return conv, err
		}
	}
	return nil, nil
}

// overFor reports whether a call known by one of the ids has ended in this process.
func (h *Handler) overFor(app string, ids []string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range ids {
		if k := (key{app, id}); h.ended.has(k) && h.asleep[k] == nil {
			return true
		}
	}
	return false
}

// maybeAsked reports whether a call that seems new may have begun before.
func (h *Handler) maybeAsked(c *call.Call) bool {
	if time.Since(h.born) < h.opts.RecallAnswers {
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	k := key{c.App, c.ID}
	return h.asleep[k] != nil || h.recalled[k] != nil
}

const (
	// recallTimeout bounds how long a rebuilding may take; whoever asked may have gone.
	recallTimeout = 10 * time.Second
	// recallAgain is how long a sleeper that could not be woken sleeps on.
	recallAgain = 5 * time.Second
)

// errNotNow is why a call was not rebuilt where that may go right the next time: the journal could not be read, say. Such
// a call is not lost.
var errNotNow = errors.New("the call cannot be rebuilt now")

func notNow(err error) error { return fmt.Errorf("%w: %w", errNotNow, err) }

// recall rebuilds a conversation: once, however many ask.
func (h *Handler) recall(ctx context.Context, k key) (*conversation, error) {
	h.mu.Lock()
	sleeping := h.asleep[k]
	if sleeping != nil {
		k = sleeping.key
	}
	if conv, ok := h.calls[k]; ok {
		h.mu.Unlock()
		return conv, nil
	}
	r, underway := h.recalled[k]
	if !underway {
		r = &recall{done: make(chan struct{})}
		h.recalled[k] = r
	}
	h.mu.Unlock()
	if underway {
		select {
		case <-r.done:
			return r.conv, r.err
		case <-ctx.Done():
			return nil, notNow(context.Cause(ctx))
		}
	}
	building, cancel := context.WithTimeout(context.WithoutCancel(ctx), recallTimeout)
	r.conv, r.err = h.rebuild(building, k)
	cancel()
	h.mu.Lock()
	delete(h.recalled, k)
	later := errors.Is(r.err, errNotNow)
	switch s := h.asleep[k]; {
	case s == nil:
	case later && !errors.Is(r.err, runtime.ErrClosed):
		h.wakeIn(s, recallAgain)
	default:
		s.wake.Stop()
		for _, name := range s.names {
			delete(h.asleep, name)
			if r.conv != nil && name != k {
				h.calls[name] = r.conv
				r.conv.names = append(r.conv.names, name)
			}
		}
	}
	switch {
	case r.conv != nil:
		h.calls[k] = r.conv
	case r.err != nil && !later:
		h.ended.add(k) // what is still reported of it begins anew
	}
	h.mu.Unlock()
	close(r.done)
	if r.err != nil && !errors.Is(r.err, runtime.ErrClosed) {
		h.log.Error("a call could not be rebuilt from its journal", "app", k.app, "call", k.id, "error", r.err)
	}
	return r.conv, r.err
}

// rebuild returns nil when there is nothing to rebuild.
func (h *Handler) rebuild(ctx context.Context, k key) (*conversation, error) {
	app, ok := h.rt.App(k.app)
	if !ok {
		return nil, nil
	}
	entries, err := h.opts.Recall(ctx, k.app, k.id)
	switch {
	case errors.Is(err, runtime.ErrNoRecording):
		return nil, err
	case err != nil:
		return nil, notNow(err)
	}
	rec := unfinished(entries, k.app)
	if rec == nil {
		return nil, nil
	}
	c, err := firstCall(rec)
	if err != nil || c == nil {
		return nil, err
	}
	version, err := app.Version(ctx, rec.Version)
	if c.Driver != hostedDriver {
		return h.aftermath(c, version, err)
	}
	if err != nil {
		err = fmt.Errorf("version %.12s, which the call began with: %w", rec.Version, err)
		if !errors.Is(err, runtime.ErrNoVersion) {
			err = notNow(err)
		}
		return nil, err
	}
	conv := &conversation{handler: h, call: c, names: []key{k}, again: true}
	cfg := conv.config()
	cfg.Version = version
	began := time.Now()
	if conv.session, err = app.Rebuild(cfg, rec); err != nil {
		if errors.Is(err, runtime.ErrBusy) || errors.Is(err, runtime.ErrClosed) {
			err = notNow(err)
		}
		return nil, err
	}
	if err := conv.session.Resume(ctx, &player{conv: conv}); err != nil {
		if ctx.Err() != nil {
			err = notNow(err)
		}
		return nil, err
	}
	conv.again = false
	h.log.Info("a call goes on from its journal", "app", k.app, "call", k.id, "steps", len(rec.Entries), "took", time.Since(began).Round(time.Microsecond).String())
	return conv, nil
}

// aftermath begins a conversation for what is still reported of a call that ended with its process: on the version that the
// call ran, as long as that can be had; without is why it cannot.
func (h *Handler) aftermath(c *call.Call, version *runtime.Version, without error) (*conversation, error) {
	if without != nil && !errors.Is(without, runtime.ErrNoVersion) {
		return nil, notNow(without)
	}
	conv, err := h.begin(c, version, false)
	if errors.Is(err, runtime.ErrBusy) || errors.Is(err, runtime.ErrClosed) {
		err = notNow(err)
	}
	return conv, err
}

// unfinished returns what an app's script recorded of a call that goes on, or nil.
func unfinished(entries []runtime.Entry, app string) *runtime.Recording {
	rec, err := runtime.NewRecording(entries)
	if err != nil || rec.App != app || rec.Ended() {
		return nil
	}
	return rec
}

// hibernate implements the session's [runtime.SessionConfig].Hibernate.
func (conv *conversation) hibernate(wake time.Time) bool {
	h := conv.handler
	h.mu.Lock()
	defer h.mu.Unlock()
	if conv.busy.Load() > 0 || conv.grace != nil || conv.late || h.calls[conv.names[0]] != conv {
		return false
	}
	s := &sleeper{key: conv.names[0], names: conv.names, clock: conv.session.Clock()}
	for _, name := range conv.names {
		delete(h.calls, name)
		h.asleep[name] = s
	}
	if last := conv.session.Born().Add(conv.session.Limits().Lifetime); wake.IsZero() || wake.After(last) {
		wake = last // to end
	}
	h.wakeIn(s, wake.Sub(s.clock.Now()))
	conv.slept.Store(true)
	return true
}

// wakeIn has a sleeper rebuilt after d, unless somebody asks about it earlier. It needs h.mu.
func (h *Handler) wakeIn(s *sleeper, d time.Duration) {
	if s.wake != nil {
		s.wake.Stop()
	}
	s.wake = s.clock.AfterFunc(d, func() {
		_, _ = h.recall(context.Background(), s.key) // what goes wrong is logged
	})
}

// fellAsleep reports whether a callback failed only because the session had just been laid to sleep.
func fellAsleep(conv *conversation, err error) bool {
	var fault *runtime.Fault
	return err != nil && conv.slept.Load() && errors.As(err, &fault) && fault.Kind == runtime.FaultClosed
}

// player plays the inputs of a call's journal to its conversation.
type player struct {
	conv *conversation
	// unheard says that nobody waited any more for what answer returned: the call was over.
	unheard bool
}

var _ runtime.Player = (*player)(nil)

// Plays implements runtime.Player.
func (p *player) Plays(kind string) bool {
	switch kind {
	case "answer", "input", "event", "cdr":
		return true
	}
	return false
}

// Play implements runtime.Player.
func (p *player) Play(ctx context.Context, e runtime.Entry) (err error) {
	ctx = context.WithoutCancel(ctx) // a callback of long ago ends with its session
	conv := p.conv
	switch e.Kind {
	case "event":
		ev := &call.Event{}
		if err := json.Unmarshal(e.Outcome, ev); err != nil {
			return notKept(e)
		}
		ev.Raw = e.Data
		defer conv.tells("event", e.Data)(&err)
		return conv.event(ctx, ev)
	case "cdr":
		r := &call.CDR{}
		if err := json.Unmarshal(e.Outcome, r); err != nil {
			return notKept(e)
		}
		r.Raw = e.Data
		defer conv.tells("cdr", e.Data)(&err)
		return conv.cdr(ctx, r)
	}
	c, err := callIn(e, conv.call.App)
	if err != nil {
		return err
	}
	if e.Kind == "answer" {
		if p.unheard {
			over, cancel := context.WithCancel(ctx)
			cancel()
			_, _ = conv.answer(over, c) // goes on without anybody who waits
			return nil
		}
		_, err = conv.answer(ctx, c)
	} else {
		var in inputEntry
		if err := json.Unmarshal(e.Data, &in); err != nil {
			return notKept(e)
		}
		_, err = conv.input(ctx, c, call.Input{Token: conv.tokenOf(in.N), Digits: in.Digits, Speech: in.Speech})
	}
	if err != nil && !isEnd(err) && !isClosed(err) {
		conv.fail(err)
	}
	return nil
}

func isClosed(err error) bool {
	var fault *runtime.Fault
	return errors.As(err, &fault) && fault.Kind == runtime.FaultClosed
}

// tokenOf returns the token of the n-th continuation, or "". While the session is run again and rests only.
func (conv *conversation) tokenOf(n int) string {
	for token, next := range conv.continuations {
		if next.n == n {
			return token
		}
	}
	return ""
}

// firstCall returns the call as the first of a recording's webhooks brought it; nil when there is none.
func firstCall(rec *runtime.Recording) (*call.Call, error) {
	for _, e := range rec.Entries {
		if e.Kind == "answer" || e.Kind == "input" {
			return callIn(e, rec.App)
		}
	}
	return nil, nil
}

// callIn returns the call as a webhook brought it.
func callIn(e runtime.Entry, app string) (*call.Call, error) {
	var b broughtEntry
	if err := json.Unmarshal(e.Outcome, &b); err != nil {
		return nil, notKept(e)
	}
	c := &call.Call{
		ID: b.ID, RequestID: b.RequestID, App: app, Driver: b.Driver, Direction: b.Direction, From: b.From, To: b.To,
		Time: b.Time, ExtraParams: b.ExtraParams, StreamURL: b.StreamURL,
	}
	if i := strings.LastIndex(b.InputURL, noToken); i >= 0 {
		before, after := b.InputURL[:i], b.InputURL[i+len(noToken):]
		c.InputURL = func(token string) string { return before + token + after }
	}
	return c, nil
}

func notKept(e runtime.Entry) error {
	return &runtime.Difference{Recorded: &e, Reason: "the journal does not say what came in: it was written by an older version"}
}
