package websocket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/gorilla/websocket"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
)

// maxHandshake bounds the server's reply, in octets.
const maxHandshake = 64 << 10

// dial opens a connection. Its error is an [*outbound.Error].
func (m *Module) dial(ctx context.Context, t *target) (*websocket.Conn, error) {
	late, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	var meter *meteredConn
	d := websocket.Dialer{
		ReadBufferSize: 4096, WriteBufferSize: 4096, Subprotocols: t.protocols, TLSClientConfig: m.client.TLS(t.url.Hostname()),
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := m.client.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			meter = &meteredConn{Conn: conn}
			meter.left.Store(maxHandshake)
			// The library looks at the context no more while it waits for the reply.
			context.AfterFunc(ctx, func() {
				if meter.left.Load() != unmetered {
					_ = conn.Close()
				}
			})
			return meter, nil
		},
	}
	conn, res, err := d.DialContext(late, shown(t.url.String()), t.header)
	if res != nil {
		defer func() { _ = res.Body.Close() }()
	}
	if err == nil {
		meter.left.Store(unmetered)
		if err = accepted(t, res); err == nil {
			return conn, nil
		}
		_ = conn.Close()
		return nil, err
	}
	switch {
	case ctx.Err() != nil:
		return nil, aborted(err)
	case late.Err() != nil, meter != nil && isTimeout(err):
		return nil, tooLate(t)
	case errors.Is(err, websocket.ErrBadHandshake) && res != nil:
		return nil, refused(t, res)
	case errors.Is(err, errReplyTooLong):
		return nil, &outbound.Error{Code: "EPROTO", Message: errReplyTooLong.Error(), Err: err}
	}
	return nil, m.client.Explain(err)
}

// accepted looks at what the library does not: a server may choose nothing that was not offered (RFC 6455 section 4.1).
func accepted(t *target, res *http.Response) error {
	if len(res.Header.Values("Sec-Websocket-Extensions")) > 0 {
		return &outbound.Error{Code: "EPROTO", Message: "the server insists on an extension that was not offered"}
	}
	if p := res.Header.Values("Sec-Websocket-Protocol"); len(p) > 1 || len(p) == 1 && !slices.Contains(t.protocols, p[0]) {
		return &outbound.Error{Code: "EPROTO", Message: "the server chose a protocol that was not offered; name it in the option \"protocols\""}
	}
	return nil
}

// refused explains a reply that opens no WebSocket.
func refused(t *target, res *http.Response) error {
	e := &outbound.Error{Code: "EHANDSHAKE", Message: fmt.Sprintf("the server answered %s instead of opening a WebSocket", status(res))}
	switch res.StatusCode {
	case http.StatusSwitchingProtocols:
		e.Code, e.Message = "EPROTO", "the server's handshake is not that of a WebSocket"
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		e.Code = "EREDIRECT"
		e.Message = fmt.Sprintf("the server redirects (%d), which a WebSocket does not follow", res.StatusCode)
		if to, err := t.url.Parse(res.Header.Get("Location")); err == nil && to.Host != "" {
			e.Message += "; connect to what " + to.Scheme + "://" + to.Host + " stands for instead"
		}
	case http.StatusUnauthorized, http.StatusForbidden:
		e.Message += `; does the option "headers" hold what it asks for?`
	case http.StatusOK, http.StatusNotFound, http.StatusUpgradeRequired, http.StatusBadRequest:
		e.Message += "; is the path right?"
	}
	return e
}

func status(res *http.Response) string {
	if text := http.StatusText(res.StatusCode); text != "" {
		return fmt.Sprintf("%d %s", res.StatusCode, text)
	}
	return fmt.Sprint(res.StatusCode)
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

var errReplyTooLong = fmt.Errorf("the server's reply has more than %d KiB", maxHandshake>>10)

// meteredConn is a connection that yields so much and no more, until it is unmetered.
type meteredConn struct {
	net.Conn
	left atomic.Int64
}

const unmetered = -1

// Read implements net.Conn.
func (c *meteredConn) Read(p []byte) (int, error) {
	left := c.left.Load()
	switch left {
	case unmetered:
		return c.Conn.Read(p)
	case 0:
		return 0, errReplyTooLong
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), left)])
	c.left.CompareAndSwap(left, left-int64(n))
	return n, err
}
