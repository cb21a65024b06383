package websocket

import (
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/gorilla/websocket"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
)

// ending is how a connection ended.
type ending struct {
	code   int
	reason string
	clean  bool
	err    error // an *outbound.Error where it was not clean
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
