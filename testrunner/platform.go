package testrunner

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/piopiy/piopiyd/call"
)

var _ call.Originator = (*world)(nil)

// Originate implements call.Originator for the apps of a test, and for the simulated platform. The caller is at work.
func (w *world) Originate(ctx context.Context, o call.Order) (*call.Call, error) {
	if w.originator == nil {
		return nil, errors.New("no app was called yet")
	}
	w.mu.Lock()
	o.App = cmp.Or(o.App, w.bench.app, w.latest)
	w.mu.Unlock()
	if app, ok := w.hookOf(o.AnswerURL); ok && !w.isStubbed(o.AnswerURL) {
		o.App, o.AnswerURL = cmp.Or(app, o.App), ""
	}
	return w.originator.Originate(ctx, o)
}

// hookOf returns the app that an answer hook of piopiyd's leads to, wherever it is served: "" for the one that is tested,
// which may go by another name there.
func (w *world) hookOf(address string) (app string, ok bool) {
	u, err := url.Parse(address)
	if err != nil {
		return "", false
	}
	if app, ok = strings.CutPrefix(u.Path, "/hooks/"); ok {
		app, ok = strings.CutSuffix(app, "/answer")
	}
	if _, known := w.found.apps[app]; !known {
		app = ""
	}
	return app, ok
}

// onPlatform lets the simulated platform answer a request of the SDK's classes. The caller is at work.
func (w *world) onPlatform(r *http.Request) (*http.Response, error) {
	served := r.Clone(r.Context())
	served.RemoteAddr = "127.0.0.1:1"
	said := &reply{header: http.Header{}, status: http.StatusOK}
	w.platform.ServeHTTP(said, served)
	return &http.Response{
		Status: http.StatusText(said.status), StatusCode: said.status, Header: said.header, Body: io.NopCloser(&said.body), Request: r,
	}, nil
}

// reply is an http.ResponseWriter that keeps what is written.
type reply struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (r *reply) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *reply) WriteHeader(status int) { r.status = status }

// Write implements http.ResponseWriter.
func (r *reply) Write(p []byte) (int, error) { return r.body.Write(p) }
