package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/piopiy/piopiyd/call"
)

// Inbox is the durable call.Inbox. An accepted event or record is in the operating system's hands before Accept
// returns, so that kill -9 of the process cannot lose it. A finished delivery is marked so durably right after the
// handler returns; a kill between the two, a fraction of a millisecond, delivers once more after the restart.
//
// There are two streams: one of what was accepted, which is emptied as deliveries finish and takes nothing more when
// it is full, and one of the keys of finished deliveries, by which duplicates are known for as long as
// call.InboxOptions.Remember. Deliveries run from memory; the streams are read only when the journal is opened.
// Several accepts or marks that come at the same time share a message.
type Inbox struct {
	*call.InboxQueue
	log *inboxLog
}

var _ call.Inbox = (*Inbox)(nil)

// inboxLog implements call.InboxLog.
type inboxLog struct {
	j        *Journal
	stream   jetstream.Stream
	accepted *committer
	done     *committer

	mu       sync.Mutex
	open     map[uint64]int // messages of the accepted stream: how many of its records are not done
	newest   uint64         // the highest sequence known
	finished []uint64       // messages that are done and not purged

	stop  context.CancelFunc
	ended chan struct{}
}

func openInbox(ctx context.Context, j *Journal) (*Inbox, error) {
	accepted, done := "inbox_"+j.opts.Node, "done_"+j.opts.Node
	if err := j.ensure(ctx, jetstream.StreamConfig{
		Name: accepted, Subjects: []string{"inbox." + j.opts.Node},
		MaxBytes: j.opts.InboxMaxBytes, Discard: jetstream.DiscardNew,
	}); err != nil {
		return nil, err
	}
	if err := j.ensure(ctx, jetstream.StreamConfig{
		Name: done, Subjects: []string{"done." + j.opts.Node},
		MaxAge: j.opts.Inbox.Remember, Discard: jetstream.DiscardOld,
	}); err != nil {
		return nil, err
	}
	l := &inboxLog{j: j, open: map[uint64]int{}, ended: make(chan struct{})}
	in := &Inbox{InboxQueue: call.NewInboxQueue(l, j.opts.Inbox), log: l}
	if err := in.restore(ctx, accepted, done); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	var err error
	if l.stream, err = j.js.Stream(ctx, accepted); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if l.accepted, err = newCommitter(j.nc, "inbox."+j.opts.Node, formatAccepted); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if l.done, err = newCommitter(j.nc, "done."+j.opts.Node, formatDone); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	sweeping, stop := context.WithCancel(context.Background())
	l.stop = stop
	go l.sweepUntil(sweeping)
	return in, nil
}

// restore reads back what was done and what waits. What cannot be decoded is reported and left where it is.
func (in *Inbox) restore(ctx context.Context, accepted, done string) error {
	j, l := in.log.j, in.log
	err := j.scan(ctx, done, "", 1, func(m stored) (bool, error) {
		keys, err := decodeDone(m.data)
		j.damaged(done, m.seq, err)
		for _, k := range keys {
			in.RestoreDone(k, m.time)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return j.scan(ctx, accepted, "", 1, func(m stored) (bool, error) {
		all, err := decodeAccepted(m.data)
		j.damaged(accepted, m.seq, err)
		l.newest = m.seq
		for _, a := range all {
			a.Mark = m.seq
			if in.RestorePending(a) {
				l.open[m.seq]++
			}
		}
		switch {
		case err != nil:
			l.open[m.seq]++ // keep it for whoever can read it
		case l.open[m.seq] == 0:
			l.finished = append(l.finished, m.seq)
		}
		return true, nil
	})
}

func (j *Journal) damaged(stream string, seq uint64, err error) {
	if err == nil {
		return
	}
	j.losses = append(j.losses, fmt.Sprintf("%s: message %d: %v", stream, seq, err))
	j.opts.Logger.Error("the journal holds a message that cannot be read", "stream", stream, "message", seq, "error", err)
}

// LogAccepted implements call.InboxLog.
func (l *inboxLog) LogAccepted(a *call.Accepted, done func(error)) {
	l.accepted.write(func(dst []byte) []byte { return appendAccepted(dst, a) }, func(seq uint64, err error) {
		if err != nil {
			done(fmt.Errorf("accept: %w", err))
			return
		}
		a.Mark = seq
		l.mu.Lock()
		l.open[seq]++
		l.newest = max(l.newest, seq)
		l.mu.Unlock()
		done(nil)
	})
}

// LogDone implements call.InboxLog.
func (l *inboxLog) LogDone(a *call.Accepted, done func(error)) {
	l.done.write(func(dst []byte) []byte { return append(dst, a.Key[:]...) }, func(_ uint64, err error) {
		if err == nil {
			l.mu.Lock()
			if l.open[a.Mark]--; l.open[a.Mark] <= 0 {
				delete(l.open, a.Mark)
				l.finished = append(l.finished, a.Mark)
			}
			l.mu.Unlock()
		}
		done(err)
	})
}

// Sweeping removes what is done from the accepted stream: everything below the oldest open message in one go. What
// is done above it, behind a delivery that does not succeed, is removed one by one, which costs more and is left
// until a quarter of the stream's space is taken.
const sweepEvery = 2 * time.Second

func (l *inboxLog) sweepUntil(ctx context.Context) {
	defer close(l.ended)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := l.sweep(ctx); err != nil && ctx.Err() == nil {
			l.j.opts.Logger.Error("journal: sweep finished deliveries", "error", err)
		}
	}
}

func (l *inboxLog) sweep(ctx context.Context) error {
	l.mu.Lock()
	floor := l.newest + 1
	for seq := range l.open {
		floor = min(floor, seq)
	}
	var above, below []uint64
	for _, seq := range l.finished {
		if seq >= floor {
			above = append(above, seq)
		} else {
			below = append(below, seq)
		}
	}
	l.finished = nil
	l.mu.Unlock()

	putBack := func(seqs []uint64) {
		l.mu.Lock()
		l.finished = append(l.finished, seqs...)
		l.mu.Unlock()
	}
	if len(below) > 0 {
		if err := l.stream.Purge(ctx, jetstream.WithPurgeSequence(floor)); err != nil {
			putBack(append(below, above...))
			return err
		}
	}
	if len(above) > 0 {
		info, err := l.stream.Info(ctx)
		if err != nil || info.State.Bytes < uint64(l.j.opts.InboxMaxBytes)/4 {
			putBack(above)
			return err
		}
	}
	for i, seq := range above {
		if err := l.stream.DeleteMsg(ctx, seq); err != nil && !l.isGone(ctx, seq) {
			putBack(above[i:])
			return err
		}
	}
	return nil
}

// isGone reports that a message is deleted already, as after a sweep whose answer was not waited for.
func (l *inboxLog) isGone(ctx context.Context, seq uint64) bool {
	_, err := l.stream.GetMsg(ctx, seq)
	return errors.Is(err, jetstream.ErrMsgNotFound)
}

// close waits for what is being written and clears away what is done.
func (in *Inbox) close(ctx context.Context) error {
	l := in.log
	l.stop()
	<-l.ended
	l.accepted.close()
	l.done.close()
	if err := l.sweep(ctx); err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}
