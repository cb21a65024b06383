package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
)

const (
	// maxUnread bounds what waits for the script, in messages and in octets; then the connection is not read.
	maxUnread      = 256
	maxUnreadBytes = 1 << 20
	// maxUnsent bounds what waits for the server, in octets.
	maxUnsent = 4 << 20
	// farewell is how long the goodbye of a session that ends may take.
	farewell = time.Second
)

// message is one message of either side.
type message struct {
	text bool
	data []byte
}

// ending is how a connection ended.
type ending struct {
	code   int
	reason string
	clean  bool
	err    error // an *outbound.Error where it was not clean
}

// wire is a socket's connection, and what waits on either side of it. The goroutines that move messages own the
// connection; the session looks at what waits.
type wire struct {
	options Options
	limit   int64  // of a message, in octets
	notify  func() // tells the session that there is something to take
	conn    *websocket.Conn
	far     *Conn // in place of conn

	room chan struct{} // holds one when there is room for a message
	wake chan struct{} // holds one when there is something to send

	mu       sync.Mutex
	in       []message
	inSize   int
	notified bool
	kept     bool      // what nobody takes is kept, else the oldest gives way
	deaf     bool      // nothing is taken any more
	behind   []message // of a far end: what there is no room for yet
	over     func()    // what follows them
	out      []message
	outSize  int
	goodbye  []byte // the close frame, when one is to be sent
	hurried  bool   // reading ends at a time that is set
	received tally
	sent     tally
	dropped  int
}

// tally counts messages.
type tally struct{ messages, octets int }

func (t *tally) add(m message) { t.messages, t.octets = t.messages+1, t.octets+len(m.data) }

func newWire(o Options, limit int64, notify func()) *wire {
	return &wire{options: o, limit: limit, notify: notify, room: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
}

// run moves messages until the connection ends. It returns when nothing of it is left.
func (w *wire) run(ctx context.Context) ending {
	conn := w.conn
	conn.SetReadLimit(w.limit)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	undo := context.AfterFunc(ctx, func() { _ = conn.NetConn().SetDeadline(time.Now().Add(farewell)) })
	conn.SetPongHandler(func(string) error { w.alive(); return nil })
	over := make(chan struct{})
	written := make(chan error, 1)
	go func() { written <- w.write(ctx, over) }()
	end := w.read(ctx)
	close(over)
	err := <-written
	undo()
	_ = conn.Close()
	if err != nil && !end.clean {
		end.err = err // why it was given up
	}
	return end
}

// alive gives the server time until the next sign of life.
func (w *wire) alive() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.hurried {
		_ = w.conn.SetReadDeadline(time.Now().Add(2*w.options.Ping + w.options.Ping/4))
	}
}

// hurry lets reading end after a time.
func (w *wire) hurry(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hurried = true
	_ = w.conn.SetReadDeadline(time.Now().Add(d))
}

func (w *wire) read(ctx context.Context) ending {
	for {
		w.alive()
		kind, data, err := w.conn.ReadMessage()
		if err != nil {
			return w.ended(err)
		}
		m := message{kind == websocket.TextMessage, data}
		if m.text && !utf8.Valid(data) {
			_ = w.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseInvalidFramePayloadData, ""), time.Now().Add(farewell))
			return broken("EPROTO", "the server sent text that is not UTF-8")
		}
		if !w.accept(ctx, m) {
			return broken("EABORTED", "the session ended")
		}
	}
}

// accept keeps a message for the script, once there is room for it.
func (w *wire) accept(ctx context.Context, m message) bool {
	w.mu.Lock()
	w.received.add(m)
	for !w.deaf && len(w.in) > 0 && (len(w.in) >= maxUnread || w.inSize+len(m.data) > maxUnreadBytes) {
		if !w.kept {
			w.inSize -= len(w.in[0].data)
			w.in = w.in[1:]
			w.dropped++
			continue
		}
		w.mu.Unlock()
		select {
		case <-w.room:
		case <-ctx.Done():
			return false
		}
		w.mu.Lock()
	}
	tell := false
	if !w.deaf {
		w.in = append(w.in, m)
		w.inSize += len(m.data)
		tell = w.kept && !w.notified
		w.notified = w.notified || tell
	}
	w.mu.Unlock()
	if tell {
		w.notify()
	}
	return true
}

// take returns the oldest message, and whether there are more: then the session is to look again.
func (w *wire) take() (m message, ok, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.in) == 0 {
		return m, false, false
	}
	m = w.in[0]
	w.in[0] = message{}
	w.in = w.in[1:]
	w.inSize -= len(m.data)
	w.makeRoom()
	w.notified = len(w.in) > 0
	return m, true, w.notified
}

// push takes a message of a far end, which never waits.
func (w *wire) push(m message) {
	w.mu.Lock()
	w.received.add(m)
	before := len(w.in)
	if !w.deaf {
		w.behind = append(w.behind, m)
		w.admit()
	}
	tell := w.kept && !w.notified && len(w.in) > before
	w.notified = w.notified || tell
	w.mu.Unlock()
	if tell {
		w.notify()
	}
}

// last has something done once all that was pushed has come in.
func (w *wire) last(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = f
	w.admit()
}

// admit lets in what waits behind, as far as there is room, as accept does. It needs mu.
func (w *wire) admit() {
	for len(w.behind) > 0 {
		m := w.behind[0]
		if full := len(w.in) > 0 && (len(w.in) >= maxUnread || w.inSize+len(m.data) > maxUnreadBytes); full && w.kept {
			return
		} else if full {
			w.inSize -= len(w.in[0].data)
			w.in = w.in[1:]
			w.dropped++
			continue
		}
		w.behind = w.behind[1:]
		w.in = append(w.in, m)
		w.inSize += len(m.data)
	}
	if w.over != nil {
		w.over()
		w.over = nil
	}
}

// deafen takes nothing more.
func (w *wire) deafen() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deaf, w.in, w.inSize, w.behind = true, nil, 0, nil
}

// makeRoom wakes the reader. It needs mu.
func (w *wire) makeRoom() {
	w.admit()
	select {
	case w.room <- struct{}{}:
	default:
	}
}

// noticed says that the session is about to look; it returns whether something waits.
func (w *wire) noticed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notified = false
	return len(w.in) > 0
}

// keep says whether messages are kept for somebody who takes them at his pace.
func (w *wire) keep(kept bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept = kept
	w.makeRoom()
}

// unsent returns how many octets wait for the server.
func (w *wire) unsent() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.outSize
}

// put queues a message for the server; it reports false when too much waits.
func (w *wire) put(m message) bool {
	w.mu.Lock()
	if w.far != nil {
		w.sent.add(m)
		w.mu.Unlock()
		w.far.peer.Message(m.text, m.data) // which may answer at once
		return true
	}
	defer w.mu.Unlock()
	if w.outSize+len(m.data) > maxUnsent {
		return false
	}
	w.out = append(w.out, m)
	w.outSize += len(m.data)
	w.rouse()
	return true
}

// bye has the connection closed once all is sent, and nothing more is taken from it.
func (w *wire) bye(frame []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.goodbye = frame
	w.deaf, w.in, w.inSize = true, nil, 0
	w.makeRoom()
	w.rouse()
}

// rouse wakes the writer. It needs mu.
func (w *wire) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// next returns what is to be sent next: a message, or the close frame.
func (w *wire) next() (m message, ok bool, goodbye []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.out) > 0 {
		m = w.out[0]
		w.out[0] = message{}
		w.out = w.out[1:]
		return m, true, nil
	}
	return m, false, w.goodbye
}

// write sends what the script sends, in order, and asks from time to time whether the server is there. When the session
// ends, what waits is sent as long as that takes no more than a moment.
func (w *wire) write(ctx context.Context, over <-chan struct{}) error {
	ping := time.NewTicker(w.options.Ping)
	defer ping.Stop()
	last := time.Time{} // when writing must have ended
	for {
		m, ok, goodbye := w.next()
		switch {
		case ok:
			deadline := time.Now().Add(w.options.Stuck)
			if !last.IsZero() {
				deadline = last
			}
			if err := w.send(m, deadline); err != nil {
				w.hurry(0)
				return err
			}
			if last.IsZero() && ctx.Err() != nil {
				last = time.Now().Add(farewell)
			}
			continue
		case goodbye != nil:
			w.hurry(w.options.Closing)
			return w.close(goodbye)
		case ctx.Err() != nil:
			w.hurry(0)
			return w.close(websocket.FormatCloseMessage(websocket.CloseGoingAway, ""))
		}
		select {
		case <-w.wake:
		case <-ping.C:
			_ = w.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(farewell))
		case <-ctx.Done():
		case <-over:
			return nil
		}
	}
}

func (w *wire) close(frame []byte) error {
	_ = w.conn.WriteControl(websocket.CloseMessage, frame, time.Now().Add(farewell))
	return nil // whoever reads finds out how it ended
}

func (w *wire) send(m message, deadline time.Time) error {
	kind := websocket.BinaryMessage
	if m.text {
		kind = websocket.TextMessage
	}
	_ = w.conn.SetWriteDeadline(deadline)
	err := w.conn.WriteMessage(kind, m.data)
	w.mu.Lock()
	w.outSize -= len(m.data)
	if err == nil {
		w.sent.add(m)
	}
	w.mu.Unlock()
	if isTimeout(err) {
		return &outbound.Error{Code: "ETIMEDOUT", Message: fmt.Sprintf("the server took nothing for %v", w.options.Stuck), Err: err}
	}
	return err
}

// ended says how a connection ended that nothing more comes from.
func (w *wire) ended(err error) ending {
	w.mu.Lock()
	hurried := w.hurried
	w.mu.Unlock()
	var end *websocket.CloseError
	var network net.Error
	switch {
	case errors.As(err, &end) && end.Code != websocket.CloseAbnormalClosure:
		return ending{code: end.Code, reason: end.Text, clean: true}
	case hurried:
		return broken("EABORTED", fmt.Sprintf("the server did not answer the closing within %v", w.options.Closing))
	case errors.Is(err, websocket.ErrReadLimit):
		return tooBig(w.limit)
	case isTimeout(err):
		return broken("ETIMEDOUT", fmt.Sprintf("the server has shown no sign of life for %v", 2*w.options.Ping+w.options.Ping/4))
	case end != nil, errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return broken("ECONNRESET", brokeOff)
	}
	return broken("EPROTO", "the server does not keep to the protocol (RFC 6455)")
}

func broken(code, message string) ending {
	return ending{code: websocket.CloseAbnormalClosure, err: &outbound.Error{Code: code, Message: message}}
}

const brokeOff = "the connection broke off without a goodbye"

func tooBig(limit int64) ending {
	return broken("ETOOBIG", fmt.Sprintf("the server sent a message larger than the limit of %d bytes (fetch.max_body in the configuration)", limit))
}

// counts returns what went either way, and what was dropped.
func (w *wire) counts() (received, sent tally, dropped int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.received, w.sent, w.dropped
}
