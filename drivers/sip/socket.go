package sip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// socket is one end of a media WebSocket. One goroutine reads, until it gets an error, and one writes and closes.
type socket interface {
	// Read returns the next frame. When a side has closed the socket the error is a *closed.
	Read() (text bool, data []byte, err error)
	// Write sends a frame. Its error is errStuck when that takes too long.
	Write(text bool, data []byte) error
	// Close says goodbye and lets Read end soon.
	Close(code int, reason string)
	// Hurry lets the Write under way, and Read, end soon. It may be called from any goroutine.
	Hurry()
}

// closed is the error of a socket that was closed (RFC 6455 section 7.4).
type closed struct {
	code   int
	reason string
}

func (e *closed) Error() string { return fmt.Sprintf("closed with %d %s", e.code, e.reason) }

const (
	// maxHandshake bounds the server's reply, in octets.
	maxHandshake = 64 << 10
	// maxSocketFrame bounds one message: some minutes of sound in base64.
	maxSocketFrame = 16 << 20
	// sendBuffer bounds, in octets, what the system keeps for a server that takes nothing: a second or two of sound.
	// More would reach it when it is long over.
	sendBuffer = 32 << 10
	// farewell is how long the goodbye may take.
	farewell = time.Second
	// maxCloseReason is what fits into a close frame (RFC 6455 section 5.5), in octets.
	maxCloseReason = 123
)

var errStuck = errors.New("the server took nothing")

// isStuck is errStuck, and for how long that went on.
func isStuck(after time.Duration) error { return fmt.Errorf("%w for %v", errStuck, after) }

// connect opens a WebSocket to somebody's server. A wss server's certificate must be one that the system trusts.
func (d *Driver) connect(ctx context.Context, url string) (socket, error) {
	if d.opts.Dial == nil {
		return nil, fmt.Errorf("the stream cannot be opened: %w", errNoWeb)
	}
	wait := d.opts.waits
	opening, cancel := context.WithTimeout(ctx, wait.handshake)
	defer cancel()
	var raw *meteredConn
	undo := func() bool { return true }
	dialer := websocket.Dialer{
		HandshakeTimeout: wait.handshake, ReadBufferSize: 4096, WriteBufferSize: 2048,
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := d.opts.Dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			if c, ok := conn.(interface{ SetWriteBuffer(int) error }); ok {
				_ = c.SetWriteBuffer(sendBuffer)
			}
			raw = &meteredConn{Conn: conn}
			raw.left.Store(maxHandshake)
			// The library looks at the context no more while it waits for the reply.
			undo = context.AfterFunc(opening, func() { _ = conn.Close() })
			return raw, nil
		},
	}
	conn, res, err := dialer.DialContext(opening, url, nil)
	if res != nil {
		defer func() { _ = res.Body.Close() }()
	}
	intime := undo()
	switch {
	case err == nil && intime:
	case err == nil:
		_ = conn.Close()
		return nil, fmt.Errorf("the stream cannot be opened: %w", context.Cause(opening))
	case errors.Is(err, websocket.ErrBadHandshake) && res != nil:
		return nil, fmt.Errorf("the stream cannot be opened: the server answers %s", res.Status)
	case errors.Is(context.Cause(opening), context.DeadlineExceeded) || isTimeout(err):
		return nil, fmt.Errorf("the stream cannot be opened: the server has not answered within %v", wait.handshake)
	default:
		return nil, fmt.Errorf("the stream cannot be opened: %w", err)
	}
	raw.left.Store(unmetered)
	w := &webSocket{conn: conn, wait: wait, stop: make(chan struct{})}
	conn.SetReadLimit(maxSocketFrame)
	w.alive()
	conn.SetPongHandler(func(string) error { w.alive(); return nil })
	d.work.Go(w.ping)
	return w, nil
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// meteredConn is a connection that yields so much and no more, until it is unmetered.
type meteredConn struct {
	net.Conn
	left atomic.Int64
}

const unmetered = -1

func (c *meteredConn) Read(p []byte) (int, error) {
	left := c.left.Load()
	if left == unmetered {
		return c.Conn.Read(p)
	}
	if left == 0 {
		return 0, fmt.Errorf("the server's reply has more than %d octets", maxHandshake)
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), left)])
	c.left.Add(int64(-n))
	return n, err
}

// webSocket is a socket over the network.
type webSocket struct {
	conn *websocket.Conn
	wait waits
	once sync.Once
	stop chan struct{} // closed when reading has ended

	mu      sync.Mutex
	closing bool // Read ends soon
}

// alive gives the server time until the next sign of life.
func (w *webSocket) alive() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closing {
		_ = w.conn.SetReadDeadline(time.Now().Add(w.wait.pong))
	}
}

// ping notices a server that is gone.
func (w *webSocket) ping() {
	tick := time.NewTicker(w.wait.ping)
	defer tick.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-tick.C:
			_ = w.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(farewell))
		}
	}
}

func (w *webSocket) Read() (text bool, data []byte, err error) {
	kind, data, err := w.conn.ReadMessage()
	if err == nil {
		w.alive()
		return kind == websocket.TextMessage, data, nil
	}
	w.once.Do(func() { close(w.stop) })
	_ = w.conn.Close()
	return false, nil, w.ended(err)
}

// ended says how a socket ended that Read gets nothing more from.
func (w *webSocket) ended(err error) *closed {
	w.mu.Lock()
	closing := w.closing
	w.mu.Unlock()
	var end *websocket.CloseError
	var broken net.Error
	switch {
	case errors.As(err, &end) && end.Code == websocket.CloseAbnormalClosure, errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return &closed{websocket.CloseAbnormalClosure, "the connection broke off"}
	case errors.As(err, &end):
		return &closed{end.Code, end.Text}
	case errors.Is(err, websocket.ErrReadLimit):
		return &closed{websocket.CloseMessageTooBig, fmt.Sprintf("the server sent a message of more than %d MiB", maxSocketFrame>>20)}
	case isTimeout(err) && !closing:
		return &closed{websocket.CloseInternalServerErr, fmt.Sprintf("the server has shown no sign of life for %v", w.wait.pong)}
	case errors.As(err, &broken):
		return &closed{websocket.CloseAbnormalClosure, "the connection broke off"}
	}
	return &closed{websocket.CloseProtocolError, "the server does not keep to RFC 6455: " + err.Error()}
}

func (w *webSocket) Write(text bool, data []byte) error {
	kind := websocket.BinaryMessage
	if text {
		kind = websocket.TextMessage
	}
	_ = w.conn.SetWriteDeadline(time.Now().Add(w.wait.stuck))
	err := w.conn.WriteMessage(kind, data)
	if isTimeout(err) {
		return isStuck(w.wait.stuck)
	}
	return err
}

func (w *webSocket) Hurry() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closing = true
	_ = w.conn.NetConn().SetDeadline(time.Now().Add(farewell))
}

// Close sends the close frame; whoever reads closes the connection when the server has sent its own. Closing it at
// once would lose ours, where something of the server's is not read yet.
func (w *webSocket) Close(code int, reason string) {
	err := w.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(sendable(code), fitting(reason)), time.Now().Add(farewell))
	w.Hurry()
	if err != nil {
		_ = w.conn.Close()
	}
}

// sendable is a code that may stand in a close frame (RFC 6455 section 7.4).
func sendable(code int) int {
	switch {
	case code < 1000, code >= 5000, code == websocket.CloseNoStatusReceived, code == websocket.CloseAbnormalClosure, code == websocket.CloseTLSHandshake:
		return websocket.CloseNormalClosure
	}
	return code
}

func fitting(reason string) string {
	if len(reason) > maxCloseReason {
		reason = reason[:maxCloseReason]
		for len(reason) > 0 && !utf8.ValidString(reason) {
			reason = reason[:len(reason)-1]
		}
	}
	return reason
}
