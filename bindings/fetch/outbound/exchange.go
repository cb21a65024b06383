package outbound

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// exchange is one request from Do to the end of its body.
type exchange struct {
	client  *Client
	ctx     context.Context
	cancel  context.CancelFunc
	began   time.Time
	timeout time.Duration

	once sync.Once
	mu   sync.Mutex // for seen, once the body is read
	seen Exchange
}

func (x *exchange) count(n int) {
	x.mu.Lock()
	x.seen.Bytes += int64(n)
	x.mu.Unlock()
}

// finish ends the exchange: it releases the timer, frees the connection if it is still held, tells the observer.
func (x *exchange) finish(err error) {
	x.once.Do(func() {
		x.cancel()
		if x.client.options.Observer == nil {
			return
		}
		x.mu.Lock()
		seen := x.seen
		x.mu.Unlock()
		seen.Took = time.Since(x.began)
		if !errors.Is(err, errClosed) {
			seen.Err = err
		}
		x.client.options.Observer(seen)
	})
}

// explain turns an error of net/http into an [*Error], or into the cause of the caller's context.
func (x *exchange) explain(err error, late string) error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	if x.ctx.Err() != nil {
		cause := context.Cause(x.ctx)
		if errors.Is(cause, errTimeout) {
			return &Error{Code: "ETIMEDOUT", Message: fmt.Sprintf("%s within %s", late, x.timeout), Err: context.DeadlineExceeded}
		}
		return cause
	}
	return classify(err, x.client.options.ConnectTimeout)
}
