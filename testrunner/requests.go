package testrunner

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// doer makes requests that no fetch makes: the stubs of fetch answer them. Where there is none the test fails, or the
// error is ErrNoStub.
type doer struct {
	world *world
	fails bool
}

// Do implements Doer. The caller is at work.
func (d doer) Do(r *http.Request) (*http.Response, error) {
	w := d.world
	if (!d.fails || w.platform != nil) && !w.isStubbed(r.URL.String()) {
		if !d.fails {
			return nil, ErrNoStub
		}
		return w.onPlatform(r)
	}
	q := asked{url: r.URL.String(), method: r.Method, timeout: defaultTimeout}
	for name, values := range r.Header {
		q.headers = append(q.headers, []string{strings.ToLower(name), strings.Join(values, ", ")})
	}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		q.body = string(body)
	}
	reply, late, err := w.answerInTime(r.Context(), q)
	switch {
	case err != nil:
		return nil, err
	case late:
		return nil, context.DeadlineExceeded
	case reply.failed != "":
		return nil, networkError(reply.failed)
	}
	header := http.Header{}
	for _, h := range reply.headers {
		header.Add(h[0], h[1])
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", reply.status, http.StatusText(reply.status)), StatusCode: reply.status, Header: header,
		Body: io.NopCloser(bytes.NewReader([]byte(reply.body))), Request: r,
	}, nil
}

// isStubbed reports whether there is a stub for a URL. The caller is at work.
func (w *world) isStubbed(address string) (is bool) {
	w.ask(func() {
		for _, s := range w.stubs {
			if fits, err := s.fits(address); fits && err == nil {
				is = true
			}
		}
	})
	return is
}
