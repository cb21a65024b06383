package testrunner

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

// run calls an exported function of an app, as `piopiyd run` does.
func (b *bench) run(a runtime.Args) goja.Value {
	b.mustRun(a)
	app, name := b.app, a.String(0, "the function")
	if other, function, ok := strings.Cut(name, "/"); ok {
		app, name = other, function
	}
	if app == "" {
		a.Throw("name the app, as in run('desk/remind'): this file stands beside none")
	}
	vm := b.session.VM()
	rest := []any{}
	for i := 1; a.Has(i); i++ {
		rest = append(rest, a.Value(i))
	}
	args, err := vm.NewArray(rest...).MarshalJSON()
	if err != nil {
		a.Fail(err)
	}
	failure, w := b.failure(), b.world
	_ = failure.Set("name", "Error")
	promise, settle := b.session.Promise()
	done := b.session.Work()
	b.runs++
	id := fmt.Sprintf("run-%d", b.runs)
	w.calls.Go(func() {
		text, session, err := w.run(app, id, name, args)
		settle(func() (goja.Value, error) {
			switch {
			case err != nil:
				return nil, thrownWith(failure, detail(err))
			case text == "":
				return goja.Undefined(), nil
			}
			return b.session.Guard().ParseJSON(text), nil
		})
		done()
		if session != nil {
			session.Close("run")
			<-session.Done()
		}
	})
	return promise
}

// run calls a function in a session of its own and returns its result as JSON, or "" for undefined. The caller is at
// work.
func (w *world) run(name, id, function string, args []byte) (result string, s *runtime.Session, err error) {
	if _, _, err = w.load(w.ctx, name); err != nil {
		return "", nil, err
	}
	app, ok := w.apps.App(name)
	if !ok {
		return "", nil, fmt.Errorf("the app %q is a web server, which exports no functions", name)
	}
	if v := app.Current(); !v.HasExport(function) {
		return "", nil, fmt.Errorf("the app %q exports no function %q; there are: %s", name, function, strings.Join(v.Exports(), ", "))
	}
	if s, err = app.NewSession(runtime.SessionConfig{ID: id}); err != nil {
		return "", nil, err
	}
	err = s.Call(w.ctx, function, func(vm *goja.Runtime) []goja.Value {
		list := s.Guard().ParseJSON(string(args)).ToObject(vm)
		values := make([]goja.Value, list.Get("length").ToInteger())
		for i := range values {
			values[i] = list.Get(fmt.Sprint(i))
		}
		return values
	}, func(vm *goja.Runtime, v goja.Value) error {
		switch {
		case goja.IsUndefined(v):
			return nil
		case goja.IsNull(v):
			result = "null"
			return nil
		}
		text, err := v.ToObject(vm).MarshalJSON()
		result = string(text)
		return err
	})
	return result, s, err
}

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

// later does something once time has passed, and returns what prevents it.
func (b *bench) later(a runtime.Args) goja.Value {
	d, f := a.Duration(0, "it"), a.Function(1, "what is done")
	cancel := b.session.AfterFunc(d, func() error {
		_, err := f(goja.Undefined())
		return err
	})
	return b.session.VM().ToValue(func(goja.FunctionCall) goja.Value { cancel(); return goja.Undefined() })
}

// atEnd has something done when the test and its calls are over.
func (b *bench) atEnd(a runtime.Args) goja.Value {
	f := a.Function(0, "what is done")
	b.atLast = append(b.atLast, func() { _, _ = f(goja.Undefined()) })
	return goja.Undefined()
}
