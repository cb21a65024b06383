package sip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/piopiy/piopiyd/call"
)

const (
	// handshakeTime is how long a server may take to open a WebSocket.
	handshakeTime = 10 * time.Second
	// maxSocketFrame bounds one message: some minutes of sound in base64.
	maxSocketFrame = 16 << 20
	pingEvery      = 10 * time.Second
	pongWithin     = 25 * time.Second
)

// connect opens a WebSocket to somebody's server.
func (d *Driver) connect(ctx context.Context, url string) (socket, error) {
	if d.opts.Dial == nil {
		return nil, fmt.Errorf("the stream cannot be opened: %w", errNoWeb)
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	dialer := websocket.Dialer{NetDialContext: d.opts.Dial, HandshakeTimeout: handshakeTime, ReadBufferSize: 4096, WriteBufferSize: 4096}
	conn, res, err := dialer.DialContext(ctx, url, nil)
	if res != nil {
		defer func() { _ = res.Body.Close() }()
	}
	if err != nil {
		if res != nil {
			return nil, fmt.Errorf("the stream cannot be opened: the server answers %s", res.Status)
		}
		return nil, fmt.Errorf("the stream cannot be opened: %w", err)
	}
	w := &webSocket{conn: conn, stop: make(chan struct{})}
	conn.SetReadLimit(maxSocketFrame)
	_ = conn.SetReadDeadline(time.Now().Add(pongWithin))
	conn.SetPongHandler(func(string) error { return conn.SetReadDeadline(time.Now().Add(pongWithin)) })
	d.work.Go(w.ping)
	return w, nil
}

// webSocket is a socket over the network. One goroutine reads, one writes.
type webSocket struct {
	conn  *websocket.Conn
	write sync.Mutex
	once  sync.Once
	stop  chan struct{}
}

// ping notices a server that is gone.
func (w *webSocket) ping() {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-tick.C:
			_ = w.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(stuck))
		}
	}
}

func (w *webSocket) Read() (text bool, data []byte, err error) {
	kind, data, err := w.conn.ReadMessage()
	if err != nil {
		var end *websocket.CloseError
		if errors.As(err, &end) {
			return false, nil, &closed{end.Code, end.Text}
		}
		return false, nil, err
	}
	_ = w.conn.SetReadDeadline(time.Now().Add(pongWithin))
	return kind == websocket.TextMessage, data, nil
}

func (w *webSocket) Write(text bool, data []byte) error {
	kind := websocket.BinaryMessage
	if text {
		kind = websocket.TextMessage
	}
	w.write.Lock()
	defer w.write.Unlock()
	_ = w.conn.SetWriteDeadline(time.Now().Add(stuck))
	return w.conn.WriteMessage(kind, data)
}

func (w *webSocket) Close(code int, reason string) {
	w.once.Do(func() {
		close(w.stop)
		if code == websocket.CloseAbnormalClosure || code == websocket.CloseNoStatusReceived {
			code = websocket.CloseNormalClosure // must not be sent
		}
		if len(reason) > 120 {
			reason = reason[:120]
		}
		_ = w.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second))
		_ = w.conn.Close()
	})
}

// callback opens a stream to the app's own stream callback, in this process.
func (l *line) callback(ctx context.Context) socket {
	p := &pipe{toApp: make(chan frame, streamQueue), toCall: make(chan frame, streamQueue), done: make(chan struct{})}
	l.work.Go(func() {
		err := l.handler.Stream(ctx, l.call, appEnd{p})
		switch {
		case err == nil:
			p.Close(1000, "")
		case ctx.Err() != nil:
			p.Close(1000, "the call ended")
		default:
			p.Close(1011, err.Error())
		}
	})
	return p
}

// frame is one message.
type frame struct {
	text bool
	data []byte
}

// pipe is a socket to the app's stream callback.
type pipe struct {
	toApp, toCall chan frame

	once sync.Once
	done chan struct{}
	end  closed
}

func (p *pipe) Read() (text bool, data []byte, err error) {
	select {
	case f := <-p.toCall:
		return f.text, f.data, nil
	default:
	}
	select {
	case f := <-p.toCall:
		return f.text, f.data, nil
	case <-p.done:
		return false, nil, &p.end
	}
}

func (p *pipe) Write(text bool, data []byte) error {
	timer := time.NewTimer(stuck)
	defer timer.Stop()
	select {
	case p.toApp <- frame{text, bytes.Clone(data)}:
		return nil
	case <-p.done:
		return &p.end
	case <-timer.C:
		return errors.New("the stream callback reads nothing")
	}
}

func (p *pipe) Close(code int, reason string) {
	p.once.Do(func() {
		p.end = closed{code, reason}
		close(p.done)
	})
}

// appEnd is the pipe as the app sees it.
type appEnd struct{ *pipe }

var _ call.Stream = appEnd{}

// Read implements call.Stream.
func (a appEnd) Read(ctx context.Context) (text bool, data []byte, err error) {
	select {
	case f := <-a.toApp:
		return f.text, f.data, nil
	case <-a.done:
		return false, nil, io.EOF
	case <-ctx.Done():
		return false, nil, context.Cause(ctx)
	}
}

// Write implements call.Stream.
func (a appEnd) Write(ctx context.Context, text bool, data []byte) error {
	select {
	case a.toCall <- frame{text, bytes.Clone(data)}:
		return nil
	case <-a.done:
		return errors.New("the stream is closed")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close implements call.Stream.
func (a appEnd) Close(code int, reason string) error {
	a.pipe.Close(code, reason)
	return nil
}
