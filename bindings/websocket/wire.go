package websocket

import (
	"context"
	"fmt"
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

// counts returns what went either way, and what was dropped.
func (w *wire) counts() (received, sent tally, dropped int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.received, w.sent, w.dropped
}
