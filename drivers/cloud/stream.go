package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"github.com/piopiy/piopiyd/call"
)

const (
	// maxFrame bounds one WebSocket message from the platform; a frame of audio is 640 bytes.
	maxFrame = 1 << 20
	// firstFrameWait is how long the platform may take to say which call a socket belongs to.
	firstFrameWait = 5 * time.Second
	writeWait      = 10 * time.Second
	pingInterval   = 30 * time.Second
	pongWait       = 2*pingInterval + 5*time.Second
)

var upgrader = websocket.Upgrader{
	ReadBufferSize: 4096, WriteBufferSize: 4096,
	// The platform is no browser: it sends no Origin. A browser that does is refused by the default check.
	Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
		fail(w, status, "not_a_websocket", reason.Error(), "")
	},
}

// Stream serves the media WebSocket, the platform being the client (protocol page, section 4). Which call it
// belongs to is told by ?call= in addresses we made, else by the first text frame: a bare id, or JSON metadata.
func (h *Hooks) Stream(w http.ResponseWriter, r *http.Request, app string) {
	select {
	case h.streams <- struct{}{}:
		defer func() { <-h.streams }()
	default:
		fail(w, http.StatusServiceUnavailable, "unavailable", "too many streams are open", "")
		return
	}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	s := newSocket(conn)
	if !h.adopt(s) {
		_ = s.Close(websocket.CloseServiceRestart, "shutting down")
		return
	}
	defer h.dismiss(s)
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	c := &call.Call{App: app, Driver: Name, Direction: call.Inbound, ID: r.URL.Query().Get("call"), Time: h.opts.Now()}
	if c.ID == "" || len(c.ID) > maxIDLength {
		h.introduce(ctx, s, c)
	}
	h.address(c, r)
	err = h.opts.Handler.Stream(ctx, c, s)
	switch {
	case err == nil:
		_ = s.Close(websocket.CloseNormalClosure, "")
	case errors.Is(err, call.ErrNoApp), errors.Is(err, call.ErrNoCallback):
		_ = s.Close(websocket.ClosePolicyViolation, err.Error())
	default:
		h.opts.Logger.Warn("a stream ended with an error", "app", app, "call", c.ID, "error", err)
		_ = s.Close(websocket.CloseInternalServerErr, "the stream callback failed")
	}
}

// introduce learns the call's id from the first frame, and leaves the frame to be read again.
func (h *Hooks) introduce(ctx context.Context, s *socket, c *call.Call) {
	ctx, cancel := context.WithTimeout(ctx, firstFrameWait)
	defer cancel()
	c.ID = uuid.NewString()
	isText, data, err := s.Read(ctx)
	if err != nil {
		return
	}
	s.unread = &frame{isText, data}
	if !isText {
		return
	}
	if _, err := uuid.Parse(string(data)); err == nil {
		c.ID = string(data)
		return
	}
	var meta struct {
		Call         text            `json:"call"`
		CallID       text            `json:"call_id"`
		CMIUUID      text            `json:"cmiuuid"`
		CMUUID       text            `json:"cmuuid"`
		Conversation text            `json:"conversation_uuid"`
		From         text            `json:"from"`
		To           text            `json:"to"`
		ExtraParams  json.RawMessage `json:"extra_params"`
	}
	if json.Unmarshal(data, &meta) != nil {
		return
	}
	c.From, c.To = string(meta.From), string(meta.To)
	var extra text
	if len(meta.ExtraParams) > 0 && extra.UnmarshalJSON(meta.ExtraParams) == nil {
		c.ExtraParams = string(extra)
	}
	for _, id := range []text{meta.Call, meta.CallID, meta.CMIUUID, meta.CMUUID, meta.Conversation} {
		if id != "" && len(id) <= maxIDLength {
			c.ID = string(id)
			return
		}
	}
}

func (h *Hooks) adopt(s *socket) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return false
	}
	h.open[s] = struct{}{}
	h.active.Add(1)
	return true
}

func (h *Hooks) dismiss(s *socket) {
	h.mu.Lock()
	delete(h.open, s)
	h.mu.Unlock()
	h.active.Done()
}

// Streams returns how many media WebSockets are open.
func (h *Hooks) Streams() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.open)
}

// Close ends all media WebSockets and waits until their callbacks have returned.
func (h *Hooks) Close() {
	h.mu.Lock()
	h.closing = true
	for s := range h.open {
		_ = s.Close(websocket.CloseServiceRestart, "shutting down")
	}
	h.mu.Unlock()
	h.active.Wait()
}

// frame is one WebSocket message.
type frame struct {
	text bool
	data []byte
}

// socket is a call.Stream on a WebSocket. One goroutine may read while others write.
type socket struct {
	conn   *websocket.Conn
	unread *frame

	write  sync.Mutex
	closed sync.Once
	stop   chan struct{}
}

func newSocket(conn *websocket.Conn) *socket {
	s := &socket{conn: conn, stop: make(chan struct{})}
	conn.SetReadLimit(maxFrame)
	_ = conn.SetReadDeadline(time.Now().Add(pongWait))
	conn.SetPongHandler(func(string) error { return conn.SetReadDeadline(time.Now().Add(pongWait)) })
	go s.ping()
	return s
}

// ping keeps the connection alive and notices a peer that is gone. It ends with the socket.
func (s *socket) ping() {
	tick := time.NewTicker(pingInterval)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			if s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWait)) != nil {
				return
			}
		}
	}
}

// Read implements call.Stream.
func (s *socket) Read(ctx context.Context) (text bool, data []byte, err error) {
	if f := s.unread; f != nil {
		s.unread = nil
		return f.text, f.data, nil
	}
	undo := context.AfterFunc(ctx, func() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer undo()
	kind, data, err := s.conn.ReadMessage()
	if err != nil {
		if ctx.Err() != nil {
			return false, nil, context.Cause(ctx)
		}
		var closed *websocket.CloseError
		if errors.As(err, &closed) || errors.Is(err, net.ErrClosed) {
			return false, nil, io.EOF
		}
		return false, nil, err
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(pongWait))
	return kind == websocket.TextMessage, data, nil
}

// Write implements call.Stream.
func (s *socket) Write(ctx context.Context, text bool, data []byte) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	kind := websocket.BinaryMessage
	if text {
		kind = websocket.TextMessage
	}
	s.write.Lock()
	defer s.write.Unlock()
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeWait))
	return s.conn.WriteMessage(kind, data)
}

// Close implements call.Stream.
func (s *socket) Close(code int, reason string) error {
	var err error
	s.closed.Do(func() {
		close(s.stop)
		if len(reason) > 120 {
			reason = reason[:120]
		}
		_ = s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second))
		err = s.conn.Close()
	})
	return err
}
