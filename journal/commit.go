package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/piopiy/piopiyd/call"
)

// committer writes records durably in groups: while one message is on its way to the server, what comes meanwhile
// collects in the next. So a lone record is written at once, and many share the cost of a message.
type committer struct {
	nc      *nats.Conn
	subject string
	format  byte
	limit   int // of a message's size
	sub     *nats.Subscription
	reply   string

	mu     sync.Mutex
	next   batch
	flying *batch // nil when nothing is on its way
	round  uint64
	timer  *time.Timer
	closed bool
	quiet  sync.Cond // when nothing flies; on mu
}

// batch is one message and who waits for it.
type batch struct {
	data  []byte
	done  []func(seq uint64, err error)
	spill []batch // what did not fit into the message
}

var (
	errNoAck  = errors.New("the journal did not acknowledge the write in time")
	errClosed = errors.New("the journal is closed")
)

func newCommitter(nc *nats.Conn, subject string, format byte) (*committer, error) {
	c := &committer{nc: nc, subject: subject, format: format, limit: int(nc.MaxPayload()) - 1024}
	c.quiet.L = &c.mu
	inbox := nats.NewInbox()
	c.reply = inbox + "."
	var err error
	c.sub, err = nc.Subscribe(inbox+".*", c.acknowledged)
	return c, err
}

// write adds what encode appends to a message. done is called once, from another goroutine or this one, with the
// stream's sequence of that message.
func (c *committer) write(encode func(dst []byte) []byte, done func(seq uint64, err error)) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		done(0, errClosed)
		return
	}
	b := &c.next
	if n := len(b.spill); n > 0 {
		b = &b.spill[n-1]
	}
	if len(b.data) == 0 {
		b.data = append(b.data, c.format)
	}
	before := len(b.data)
	b.data = encode(b.data)
	if size := len(b.data) - before; len(b.data) > c.limit {
		b.data = b.data[:before]
		if size+1 > c.limit {
			c.mu.Unlock()
			done(0, fmt.Errorf("the record is %d bytes, at most %d are possible", size, c.limit-1))
			return
		}
		c.next.spill = append(c.next.spill, batch{})
		b = &c.next.spill[len(c.next.spill)-1]
		b.data = encode(append(b.data, c.format))
	}
	b.done = append(b.done, done)
	if c.flying != nil {
		c.mu.Unlock()
		return
	}
	c.launch()
}

// launch sends the next batch. It needs c.mu, and gives it back.
func (c *committer) launch() {
	for {
		b := c.next
		c.next = batch{}
		if len(b.done) == 0 && len(b.spill) > 0 {
			b, c.next.spill = b.spill[0], b.spill[1:]
		} else {
			c.next.spill, b.spill = b.spill, nil
		}
		if len(b.done) == 0 {
			c.flying = nil
			c.quiet.Broadcast()
			c.mu.Unlock()
			return
		}
		c.flying = &b
		c.round++
		round := c.round
		c.timer = time.AfterFunc(ackTimeout, func() { c.land(round, 0, errNoAck) })
		err := c.nc.PublishRequest(c.subject, c.reply+strconv.FormatUint(round, 10), b.data)
		if err == nil {
			c.mu.Unlock()
			return
		}
		c.timer.Stop()
		c.flying = nil
		c.mu.Unlock()
		b.settle(0, err)
		c.mu.Lock()
	}
}

func (b *batch) settle(seq uint64, err error) {
	for _, done := range b.done {
		done(seq, err)
	}
}

// land ends a round.
func (c *committer) land(round, seq uint64, err error) {
	c.mu.Lock()
	if c.flying == nil || c.round != round {
		c.mu.Unlock()
		return // a late acknowledgement
	}
	b := c.flying
	c.timer.Stop()
	c.launch()
	b.settle(seq, err)
}

func (c *committer) acknowledged(m *nats.Msg) {
	round, err := strconv.ParseUint(m.Subject[len(c.reply):], 10, 64)
	if err != nil {
		return
	}
	seq, err := parseAck(m)
	c.land(round, seq, err)
}

func parseAck(m *nats.Msg) (seq uint64, err error) {
	if len(m.Data) == 0 {
		return 0, fmt.Errorf("the journal is not available: status %s", m.Header.Get("Status"))
	}
	var ack struct {
		Seq   uint64 `json:"seq"`
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &ack); err != nil {
		return 0, fmt.Errorf("the journal's acknowledgement: %w", err)
	}
	if ack.Error != nil {
		if strings.Contains(ack.Error.Description, "maximum bytes exceeded") {
			return 0, call.ErrInboxFull
		}
		return 0, fmt.Errorf("the journal refused the write: %s", ack.Error.Description)
	}
	return ack.Seq, nil
}

// close takes nothing more and waits for what is on its way, which ends by itself within ackTimeout a message.
func (c *committer) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for c.flying != nil {
		c.quiet.Wait()
	}
	_ = c.sub.Unsubscribe() // fails only on a closed connection
}
