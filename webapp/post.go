package webapp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"time"
)

// errTimeout is the cause with which a request's own time limit ends its context.
var errTimeout = errors.New("time is up")

// answer is what a web server said.
type answer struct {
	status int
	body   []byte
}

func (a answer) statusText() string {
	text := http.StatusText(a.status)
	if text == "" {
		return fmt.Sprint(a.status)
	}
	return fmt.Sprintf("%d %s", a.status, text)
}

// question posts what must be answered at once. Nobody is asked twice who may have acted on the first time, with
// one exception: a server that refuses the connection or fails with 5xx, as while it restarts, gets a second chance.
func (h *Handler) question(ctx context.Context, target string, body []byte) (answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, h.opts.Timeout, errTimeout)
	defer cancel()
	got, err := h.post(ctx, target, body)
	if err == nil && got.status < 500 || err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
		return got, err
	}
	pause := time.NewTimer(h.opts.RetryPause)
	defer pause.Stop()
	select {
	case <-pause.C:
		return h.post(ctx, target, body)
	case <-ctx.Done():
		return got, err
	}
}

// post sends one request and reads its answer. The error is an [*Error].
func (h *Handler) post(ctx context.Context, target string, body []byte) (answer, error) {
	u, err := parseURL(target)
	if err != nil {
		return answer{}, &Error{Reason: err.Error(), Err: err}
	}
	user := u.User
	u.User = nil
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return answer{}, &Error{Reason: "cannot be asked: it is no usable address", Err: err}
	}
	if user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "piopiyd")
	if len(h.opts.Secret) > 0 {
		req.Header.Set(SignatureHeader, Sign(h.opts.Secret, h.opts.Clock.Now(), body))
	}
	res, err := h.opts.Client.Do(req)
	if err != nil {
		return answer{}, h.unreached(ctx, err, "gave no answer")
	}
	defer func() {
		_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection can be used again
		_ = res.Body.Close()
	}()
	got := answer{status: res.StatusCode}
	got.body, err = io.ReadAll(io.LimitReader(res.Body, h.opts.MaxReply+1))
	if err != nil {
		e := h.unreached(ctx, err, "did not finish its answer")
		e.Status, e.Reply = got.status, excerpt(got.body)
		return answer{}, e
	}
	if int64(len(got.body)) > h.opts.MaxReply {
		return answer{}, got.fail("answered with more than %d bytes", h.opts.MaxReply)
	}
	return got, nil
}

// unreached explains why a request came to nothing; what says how far it came.
func (h *Handler) unreached(ctx context.Context, err error, what string) *Error {
	switch {
	case errors.Is(context.Cause(ctx), errTimeout):
		return &Error{Reason: fmt.Sprintf("%s within %s", what, h.opts.Timeout), Err: context.DeadlineExceeded}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &Error{Reason: what + ": nothing listens there; is the web server running?", Err: err}
	}
	return &Error{Reason: what + ": " + plainError(err), Err: err}
}
