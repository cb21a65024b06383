package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Player begins what inputs of a journal tell of.
type Player interface {
	// Plays reports whether entries of that kind are inputs that Play knows.
	Plays(kind string) bool
	// Play does to the session what the entry's input did: it calls a callback, and returns when that has settled, or
	// has been found to do nothing. It runs on a goroutine of its own.
	Play(ctx context.Context, e Entry) error
}

// Rebuild returns a session at the beginning of a recording, on cfg.Version or the app's current version. Nothing runs
// until Resume or Compare is called; one of them must be.
func (a *App) Rebuild(cfg SessionConfig, r *Recording) (*Session, error) {
	clock := cfg.Clock
	if clock == nil {
		clock = a.rt.cfg.Clock
	}
	p := &replay{
		recorded: r.Entries, operations: map[uint64]*operation{}, came: make(chan struct{}, 1), done: make(chan struct{}, len(r.Entries)),
		clock: &replayClock{real: clock, now: r.Entries[0].Time},
	}
	cfg.Clock, cfg.seed, cfg.replay = p.clock, r.seed, p
	s, err := a.NewSession(cfg)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.running = true
	s.mu.Unlock()
	p.s = s
	return s, nil
}

// Resume runs the session through its recording and lets it live on from there. What was under way when the recording
// ended is told of as an InterruptedError: it may have happened. An error means that the session has been closed; a
// [*Difference] among them, that the replay did not do what was recorded.
func (s *Session) Resume(ctx context.Context, play Player) error {
	p := s.replay
	err := p.run(ctx, play)
	s.rt.cfg.Observer.Rebuilt(s.app, err)
	if err != nil {
		p.close("it could not be rebuilt")
		return err
	}
	p.goLive()
	return nil
}

// Compare runs the session through its recording, and ends it. shown says which entries count, and as what; the replay
// has to bring the same in the same order. The error is a [*Difference] when it does not.
func (s *Session) Compare(ctx context.Context, play Player, shown func(Entry) (text string, ok bool)) error {
	p := s.replay
	p.shown = shown
	err := p.run(ctx, play)
	if err == nil {
		if e := p.expected(); e != nil {
			err = p.located(&Difference{Recorded: e})
		}
	}
	p.close("replayed")
	return err
}

// Unrepeatable says that what follows in the session cannot be run again, because what comes in is not in its journal: a
// replay stops here. On the session's goroutine.
func (s *Session) Unrepeatable(why string) {
	if s.replay != nil {
		s.replay.fail(&Difference{Reason: why})
		return
	}
	s.unrepeatable = true
}

// replay drives a session that is run again. All but came and done belongs to the goroutine that drives.
type replay struct {
	s        *Session
	clock    *replayClock
	recorded []Entry
	shown    func(Entry) (string, bool) // nil: everything counts, and has to come in the recorded order
	at       int                        // the next entry that counts
	input    int                        // where only some count: the next one to look at for inputs
	beyond   bool                       // the session does what is not in its journal any more
	failed   *Difference

	operations map[uint64]*operation // under way, by their numbers in the recording
	asked      map[uint64]bool       // numbers that have been given to operations, where only some entries count
	seen       map[uint64]bool       // numbers whose beginning has been passed, as above
	ended      map[uint64]json.RawMessage

	playing int           // inputs that have not settled
	came    chan struct{} // one of them has queued its callback
	done    chan struct{} // one of them has settled
}

func (p *replay) fail(d *Difference) {
	if p.failed == nil {
		p.failed = p.located(d)
	}
}

// located says where the replay has come to.
func (p *replay) located(d *Difference) *Difference {
	if i, more := p.next(); d.Recorded != nil {
		d.Step = d.Recorded.Seq
	} else if more {
		d.Step = p.recorded[i].Seq
	}
	return d
}

// met takes an entry that the session writes and reports whether it is in the journal already.
func (p *replay) met(e Entry) bool {
	if p.at == 0 { // the session is born, perhaps on another version
		p.at++
		return true
	}
	if p.shown != nil {
		p.compare(e)
		return true
	}
	if p.at == len(p.recorded) {
		p.beyond = true
		return false
	}
	want := &p.recorded[p.at]
	told := want.Op != 0 && len(want.Outcome) > 0 // its data comes from outside
	if want.Kind != e.Kind || want.Op != e.Op || !told && !bytes.Equal(want.Data, e.Data) {
		p.fail(&Difference{Recorded: want, Replayed: &e})
	}
	p.at++
	return true
}

func (p *replay) compare(e Entry) {
	text, counts := p.shown(e)
	if !counts || p.failed != nil {
		return
	}
	want := p.expected()
	if want == nil {
		p.fail(&Difference{Replayed: &e})
		return
	}
	if wanted, _ := p.shown(*want); wanted != text {
		p.fail(&Difference{Recorded: want, Replayed: &e})
	}
	p.at++
}

// expected returns the next recorded entry that counts.
func (p *replay) expected() *Entry {
	for ; p.at < len(p.recorded); p.at++ {
		if _, counts := p.shown(p.recorded[p.at]); counts {
			return &p.recorded[p.at]
		}
	}
	return nil
}

// posted says that a callback has been queued. It needs the session's mu.
func (p *replay) posted() {
	select {
	case p.came <- struct{}{}:
	default:
	}
}

// began takes an operation of the session's.
func (p *replay) began(op *operation) {
	if p.shown == nil {
		op.fresh = p.beyond
		p.operations[op.id] = op
		return
	}
	for _, e := range p.recorded {
		if e.Op == 0 || e.Kind != op.kind || p.asked[e.Op] || !bytes.Equal(e.Data, op.asks) {
			continue
		}
		p.asked[e.Op] = true
		if kept, over := p.ended[e.Op]; over {
			p.s.Next(func() error {
				p.finish(op, kept)
				return nil
			})
			return
		}
		p.operations[e.Op] = op
		return
	}
	p.fail(&Difference{Reason: fmt.Sprintf("the script asks for what the recorded call did not: %s", op)})
}

// finish settles an operation with what was kept of its outcome.
func (p *replay) finish(op *operation, kept json.RawMessage) {
	if len(kept) == 0 {
		p.fail(&Difference{Reason: fmt.Sprintf("the outcome of %s was too large to be kept", op)})
	} else if err := op.end(kept); err != nil {
		p.fail(&Difference{Reason: fmt.Sprintf("the outcome of %s cannot be read: %v", op, err)})
	}
}

// run goes through the recording.
func (p *replay) run(ctx context.Context, play Player) error {
	p.asked, p.seen, p.ended = map[uint64]bool{}, map[uint64]bool{}, map[uint64]json.RawMessage{}
	for fed := -1; ; {
		p.drain()
		if err := p.trouble(ctx); err != nil {
			return err
		}
		i, more := p.next()
		if !more {
			return nil
		}
		e := p.recorded[i]
		before := p.at
		p.clock.set(e.Time)
		p.drain() // the timers that were due
		if p.shown == nil && p.at != before {
			continue
		}
		if err := p.trouble(ctx); err != nil {
			return err
		}
		if i == fed && p.shown == nil { // it came in once more, and the session took no note of it
			return p.located(&Difference{Recorded: &e})
		}
		fed = i
		if err := p.feed(ctx, play, e); err != nil {
			return err
		}
		p.input = i + 1
	}
}

// next returns which entry the replay has to look at.
func (p *replay) next() (i int, more bool) {
	i = p.at
	if p.shown != nil {
		i = p.input
	}
	return i, i < len(p.recorded)
}

// feed gives the session what an entry says came in.
func (p *replay) feed(ctx context.Context, play Player, e Entry) error {
	op := p.operations[e.Op]
	switch {
	case e.Kind == "gap" || e.Kind == "journal_full":
		return p.located(&Difference{Recorded: &e, Reason: "entries are missing"})
	case e.Op != 0 && op != nil && op.kind != e.Kind:
		delete(p.operations, e.Op)
		p.finish(op, e.Outcome)
	case play.Plays(e.Kind):
		p.playing++
		failed := make(chan error, 1)
		p.clock.Begin() // whoever calls a session is at work, but while he waits
		go func() {     // ends with its callback, which ends with the session
			defer p.clock.End()
			if err := play.Play(ctx, e); err != nil {
				failed <- err
			}
			p.done <- struct{}{}
		}()
		select {
		case <-p.came:
		case <-p.done:
			p.playing--
		}
		select {
		case err := <-failed:
			return err
		default:
		}
	case p.shown == nil && p.timesOut(e):
	case p.shown == nil:
		return p.located(&Difference{Recorded: &e})
	case e.Op != 0 && !p.seen[e.Op]:
		p.seen[e.Op] = true
	case e.Op != 0:
		p.ended[e.Op] = e.Outcome // of what has not been asked for, or not yet
	}
	return nil
}

// timesOut ends the callback that an entry says was too slow: time does not run out in a replay by itself, since whoever
// was slow then may not be now. It reports whether there is one, and which one is certain.
func (p *replay) timesOut(e Entry) bool {
	fault := &Fault{}
	if e.Kind != "fault" || json.Unmarshal(e.Data, fault) != nil || fault.Kind != FaultTimeout || fault.fatal() {
		return false
	}
	s := p.s
	var slow []*callback
	s.mu.Lock()
	for cb := range s.waiting {
		if !cb.isDone && !cb.long && strings.HasPrefix(fault.Message, cb.tooSlow()) {
			slow = append(slow, cb)
		}
	}
	s.mu.Unlock()
	return len(slow) == 1 && s.Post(func() error { return slow[0].fail(fault) })
}

// drain runs the session until it rests, and lets what has settled be seen by whoever called.
func (p *replay) drain() {
	s := p.s
	for {
		for s.step() {
		}
		s.mu.Lock()
		s.running = true // so that nobody else runs it
		waiting, over := 0, s.ended
		for cb := range s.waiting {
			if !cb.left {
				waiting++
			}
		}
		s.mu.Unlock()
		if p.playing <= waiting && !over || p.playing == 0 {
			break
		}
		select {
		case <-p.done: // the session says what went wrong
			p.playing--
		case <-p.came:
		}
	}
	select {
	case <-p.came:
	default:
	}
}

func (p *replay) trouble(ctx context.Context) error {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	switch {
	case p.failed != nil:
		return p.failed
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case p.s.ended && p.shown == nil:
		return p.located(&Difference{Reason: "the session ended"})
	}
	return nil
}

// close ends the session. Nothing of it gets into the journal.
func (p *replay) close(reason string) {
	p.s.Close(reason)
	p.s.step()
	for ; p.playing > 0; p.playing-- {
		<-p.done
	}
}

// goLive lets the session live on.
func (p *replay) goLive() {
	s := p.s
	s.mu.Lock()
	s.replay = nil
	var late []*callback
	for cb := range s.waiting {
		if !cb.long && !cb.isDone {
			late = append(late, cb)
		}
	}
	s.mu.Unlock()
	p.clock.goLive()
	for _, cb := range late {
		cb.limit()
	}
	var under []*operation
	for _, op := range p.operations {
		under = append(under, op)
	}
	slices.SortFunc(under, func(a, b *operation) int { return int(a.id) - int(b.id) })
	for _, op := range under {
		if op.fresh || op.safe {
			op.begin()
		} else {
			_ = op.end(interrupted) // that it can be decoded is known
		}
	}
	s.flush()
	s.begin()
	s.beginWork()
	s.rt.workers.run(s)
}
