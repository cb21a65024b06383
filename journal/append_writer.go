package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/piopiy/piopiyd/runtime"
)

// appendWriter is the goroutine that publishes what Append queued.
type appendWriter struct {
	*appender
	acks  chan *nats.Msg
	sub   *nats.Subscription
	reply string // prefix of the checkpoints' reply subjects

	sent        uint64 // messages published
	acked       uint64 // of those, known to be stored or lost
	checkpoint  uint64 // sent, at the last checkpoint
	streamSeq   uint64 // the stream's sequence at the last acknowledgement
	knowsStream bool
	waiting     []flushWait
	deadline    *time.Timer // for the oldest unanswered checkpoint
	tick        *time.Timer // for the next checkpoint when little happens
	ticking     bool
}

type flushWait struct {
	upTo uint64
	done chan error
}

const quietCheckpoint = 200 * time.Millisecond

func (w *appendWriter) run() {
	defer close(w.ended)
	defer func() { _ = w.sub.Unsubscribe() }() // fails only when the connection is closed, which does the same
	w.deadline = time.NewTimer(time.Hour)
	w.tick = time.NewTimer(time.Hour)
	defer w.deadline.Stop()
	defer w.tick.Stop()
	w.deadline.Stop()
	w.tick.Stop()

	stop := w.stop
	for {
		queue := w.queue
		if w.sent-w.acked >= appendWindow {
			queue = nil // the server has to catch up first
		}
		if stop == nil && len(w.queue) == 0 {
			if w.checkpoint < w.sent {
				w.barrier()
			}
			if w.acked == w.sent {
				return
			}
		}
		select {
		case t := <-queue:
			w.publish(t)
			if w.lagging.Load() && len(w.queue) < cap(w.queue)/2 {
				w.caughtUp()
			}
		case m := <-w.acks:
			w.acknowledged(m)
		case done := <-w.flushes:
			w.flushAll(done)
		case <-w.tick.C:
			w.ticking = false
			if w.lagging.Load() {
				w.caughtUp()
			}
			if w.checkpoint < w.sent {
				w.barrier()
			}
		case <-w.deadline.C:
			w.overdue()
		case <-stop:
			stop = nil // and empty the queue
			if w.lagging.Load() {
				w.caughtUp()
			}
		case <-w.abort:
			w.settle(errors.New("journal: closed"))
			return
		}
	}
}

// publish sends one turn.
func (w *appendWriter) publish(t turn) {
	w.send(t.subject, *t.data)
	if cap(*t.data) <= 64<<10 {
		turnBuffers.Put(t.data)
	}
}

func (w *appendWriter) send(subject string, data []byte) {
	var err error
	if w.sent+1-w.checkpoint >= checkpointEvery {
		err = w.nc.PublishRequest(subject, w.replyFor(w.sent+1), data)
		w.awaitAck()
	} else {
		err = w.nc.Publish(subject, data)
	}
	if err != nil {
		w.lost(1, err)
		return
	}
	w.sent++
	w.unacked.Store(int64(w.sent - w.acked))
	if !w.ticking {
		w.ticking = true
		w.tick.Reset(quietCheckpoint)
	}
}

// replyFor makes the reply subject that says how much was sent when its message was.
func (w *appendWriter) replyFor(sent uint64) string {
	w.checkpoint = sent
	return w.reply + strconv.FormatUint(sent, 10)
}

func (w *appendWriter) awaitAck() { w.deadline.Reset(ackTimeout) }

// barrier is a checkpoint without an entry: a message that the server must refuse, because it expects a last
// sequence that cannot be. The refusal comes after everything before it was stored.
func (w *appendWriter) barrier() {
	m := nats.NewMsg("call.=.=")
	m.Reply = w.replyFor(w.sent)
	m.Header.Set("Nats-Expected-Last-Sequence", strconv.FormatUint(1<<62, 10))
	if err := w.nc.PublishMsg(m); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		w.log.Error("journal: checkpoint", "error", err)
	}
	w.awaitAck()
}

func (w *appendWriter) acknowledged(m *nats.Msg) {
	upTo, err := strconv.ParseUint(m.Subject[len(w.reply):], 10, 64)
	if err != nil || upTo > w.sent || upTo < w.acked {
		return // late: counted when it was overdue
	}
	var ack struct {
		Seq   uint64 `json:"seq"`
		Error *struct {
			ErrCode     int    `json:"err_code"`
			Description string `json:"description"`
		} `json:"error"`
	}
	if len(m.Data) == 0 { // "503 no responders"
		w.lost(upTo-w.acked, errors.New("no stream takes the entries"))
	} else if err := json.Unmarshal(m.Data, &ack); err != nil {
		w.lost(upTo-w.acked, err)
	} else {
		const wrongLastSequence = 10071
		switch {
		case ack.Error == nil:
		case ack.Error.ErrCode == wrongLastSequence: // a barrier's answer, as wanted
			if _, err := fmt.Sscanf(ack.Error.Description, "wrong last sequence: %d", &ack.Seq); err != nil {
				ack.Seq = 0
			}
		default:
			w.lost(1, errors.New(ack.Error.Description))
		}
		w.compare(upTo-w.acked, ack.Seq)
	}
	w.acked = upTo
	w.unacked.Store(int64(w.sent - w.acked))
	if w.acked == w.checkpoint {
		w.deadline.Stop()
	}
	w.settle(nil)
}

// compare counts what a server under pressure left out. With other writers on the stream it can only miss some.
func (w *appendWriter) compare(sent, seq uint64) {
	if seq == 0 {
		return
	}
	if w.knowsStream && seq >= w.streamSeq && seq-w.streamSeq < sent {
		w.lost(sent-(seq-w.streamSeq), errors.New("the server left them out"))
	}
	w.streamSeq, w.knowsStream = seq, true
}

func (w *appendWriter) lost(turns uint64, err error) {
	w.dropped.Add(turns)
	w.log.Error("journal: entries were not stored", "turns", turns, "error", err)
}

// overdue gives up on a checkpoint that the server did not answer, as after a lost connection.
func (w *appendWriter) overdue() {
	w.log.Error("journal: the server has not acknowledged entries in time", "turns", w.sent-w.acked)
	w.settle(errors.New("journal: the server does not acknowledge entries"))
	w.acked = w.sent
	w.knowsStream = false
	w.unacked.Store(0)
	w.barrier()
}

// caughtUp ends the lagging state and writes down up to which number entries are missing.
func (w *appendWriter) caughtUp() {
	gaps := w.takeGaps()
	for subject, g := range gaps {
		w.send(subject, appendEntries(nil, []runtime.Entry{gapEntry(g.last, g.missing, g.time, g.version)}))
	}
	w.log.Warn("the journal has caught up", "calls_with_gaps", len(gaps), "dropped_since_start", w.dropped.Load())
}

// flushAll publishes what is queued and lets done know when it is stored.
func (w *appendWriter) flushAll(done chan error) {
	for range len(w.queue) {
		select {
		case t := <-w.queue:
			w.publish(t)
		default:
		}
	}
	if w.lagging.Load() {
		w.caughtUp()
	}
	if w.acked == w.sent {
		done <- nil
		return
	}
	w.waiting = append(w.waiting, flushWait{w.sent, done})
	if w.checkpoint < w.sent {
		w.barrier()
	}
}

// settle answers the flushes that are through.
func (w *appendWriter) settle(err error) {
	rest := w.waiting[:0]
	for _, f := range w.waiting {
		if err == nil && f.upTo > w.acked {
			rest = append(rest, f)
			continue
		}
		f.done <- err
	}
	w.waiting = rest
}
