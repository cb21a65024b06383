package testrunner

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/runtime"
)

// stub answers fetches of one URL, or of those that fit.
type stub struct {
	target
	answer goja.Callable
}

// target is what a stub is for: a URL, or those that a RegExp fits.
type target struct {
	url     string
	pattern func(url string) (bool, error) // in place of url
}

// fits reports whether the stub is for a URL. One without a query is for every query.
func (t *target) fits(address string) (bool, error) {
	if t.pattern != nil {
		return t.pattern(address)
	}
	path, _, _ := strings.Cut(address, "?")
	return t.url == address || strings.TrimSuffix(t.url, "/") == strings.TrimSuffix(path, "/"), nil
}

// target reads what a stub is for.
func (b *bench) target(v goja.Value) (t target) {
	switch v := v.(type) {
	case goja.String:
		t.url = v.String()
	case *goja.Object:
		test, _ := goja.AssertFunction(v.Get("test"))
		t.pattern = func(url string) (bool, error) {
			_ = v.Set("lastIndex", 0)
			fits, err := test(v, b.session.VM().ToValue(url))
			return err == nil && fits.ToBoolean(), err
		}
	}
	return t
}

// asked is a request, and answered its reply, on the way between the session of an app and that of the test.
type asked struct {
	url, method, body string
	headers           [][]string
	timeout           time.Duration
	at                runtime.Position // where in the app it was asked for, where that is known
}

type answered struct {
	status  int
	body    string
	headers [][]string
	delay   time.Duration
	failed  string
}

// stubbedFetch is the module fetch with a test in place of the network.
type stubbedFetch struct {
	runtime.Module
	world *world
}

// Instantiate implements runtime.Module.
func (f stubbedFetch) Instantiate(s *runtime.Session) (runtime.Instance, error) {
	inner, err := f.Module.Instantiate(s)
	return stubbedInstance{inner, s, f.world}, err
}

type stubbedInstance struct {
	runtime.Instance
	s     *runtime.Session
	world *world
}

// glue makes requests and responses with the session's own classes, so that both are what a script gets from a network.
var glue = goja.MustCompile("piopiy:fetch", `(function (ask, here) {
  return function fetch(input, init) {
    let request
    try { request = new Request(input, init) } catch (error) { return Promise.reject(error) }
    return exchange(request, init && init.timeout, here())
  }
  async function exchange(request, timeout, at) {
    const signal = request.signal
    signal?.throwIfAborted()
    const body = await request.text()
    let reply = ask(request.url, request.method, [...request.headers], body, timeout, at, request.keepalive)
    if (signal) reply = Promise.race([reply, new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))])
    reply = await reply
    if (reply.late) throw new DOMException(reply.late, 'TimeoutError')
    const empty = [101, 103, 204, 205, 304].includes(reply.status)
    const response = new Response(empty ? null : reply.body, { status: reply.status, headers: reply.headers })
    Object.defineProperty(response, 'url', { value: request.url })
    return response
  }
})`, true)

// Global implements runtime.Instance.
func (in stubbedInstance) Global(name string) goja.Value {
	if name != "fetch" {
		return in.Instance.Global(name)
	}
	vm := in.s.VM()
	program, err := vm.RunProgram(glue)
	if err != nil {
		panic(err)
	}
	make, _ := goja.AssertFunction(program)
	fetch, err := make(goja.Undefined(),
		vm.ToValue(func(c goja.FunctionCall) goja.Value { return in.ask(in.s.Args("fetch", c)) }),
		vm.ToValue(func(goja.FunctionCall) goja.Value { return vm.ToValue(here(in.s)) }))
	if err != nil {
		panic(err)
	}
	return fetch
}

// defaultTimeout is how long a fetch waits where the script does not say it.
const defaultTimeout = 10 * time.Second

// ask lets the test answer.
func (in stubbedInstance) ask(a runtime.Args) goja.Value {
	vm := in.s.VM()
	q := asked{url: a.String(0, "the URL"), method: a.String(1, "the method"), body: a.String(3, "the body"), timeout: defaultTimeout}
	if err := vm.ExportTo(a.Value(2), &q.headers); err != nil {
		a.Fail(err)
	}
	q.at, _ = a.Value(5).Export().(runtime.Position)
	if a.Has(4) {
		q.timeout = a.Duration(4, "the timeout")
	}
	in.s.Record("fetch", map[string]any{"method": q.method, "url": redacted(q.url)})
	life, scope := in.s.Context(), in.s.Scope()
	if keepalive := a.Value(6).ToBoolean(); scope != nil && !keepalive && scope.Life() != nil {
		life = scope.Life()
	} else {
		scope = nil
	}
	return in.s.Go(func(context.Context) func() (goja.Value, error) {
		reply, late, err := in.world.answerInTime(life, q)
		if err != nil && scope != nil && life.Err() != nil && scope.Err() != nil {
			err = scope.Err() // the caller has hung up
		}
		return func() (goja.Value, error) {
			switch {
			case err != nil:
				return nil, err
			case late:
				return vm.ToValue(map[string]any{"late": fmt.Sprintf("the fetch took longer than %s", q.timeout)}), nil
			case reply.failed != "":
				return nil, &runtime.ScriptError{Name: "TypeError", Message: "fetch failed: " + reply.failed}
			}
			return vm.ToValue(map[string]any{"status": reply.status, "headers": reply.headers, "body": reply.body}), nil
		}
	})
}

func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return outbound.Redact(u)
}

// errLate says that a stub has not answered in time.
var errLate = errors.New("late")

// answerInTime asks the newest stub that fits and lets the time pass that its answer takes; late when that is more than
// the request has. The caller is at work.
func (w *world) answerInTime(ctx context.Context, q asked) (reply answered, late bool, err error) {
	began := w.clock.Now()
	patient, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer w.clock.AfterFunc(q.timeout, func() { cancel(errLate) }).Stop()
	if reply, err = w.answer(patient, q); errors.Is(err, errLate) {
		return reply, true, nil
	} else if err != nil {
		return reply, false, err
	}
	left := q.timeout - w.clock.Now().Sub(began)
	return reply, reply.delay > left, w.clock.Sleep(ctx, min(reply.delay, left))
}

// answer asks the newest stub that fits. The caller is at work.
func (w *world) answer(ctx context.Context, q asked) (reply answered, err error) {
	if err := w.clock.Sleep(ctx, 0); err != nil { // so that the test has done what it does in this moment
		return reply, err
	}
	found := true
	err = w.test.RunLong(ctx, "the stub of "+redacted(q.url), func() (goja.Value, error) {
		for i := len(w.stubs) - 1; i >= 0; i-- {
			fits, err := w.stubs[i].fits(q.url)
			if err != nil {
				return nil, err
			}
			if fits {
				return w.stubs[i].answer(goja.Undefined(), request(w.test, q))
			}
		}
		found = false
		return goja.Undefined(), nil
	}, func(vm *goja.Runtime, v goja.Value) error {
		if !found {
			return nil
		}
		return read(w.test, v, &reply)
	})
	switch {
	case err != nil && ctx.Err() == nil:
		w.fail("the stub of %s %s failed: %s", q.method, redacted(q.url), detail(err))
		return answered{failed: "its stub failed"}, nil
	case err != nil:
		return reply, context.Cause(ctx)
	case !found:
		w.fail("%sthe app fetched %s %s, which has no stub: add stubFetch('%s', …)", before(q.at), q.method, redacted(q.url), redacted(q.url))
		return answered{failed: "the test has no stub for " + redacted(q.url)}, nil
	}
	return reply, nil
}

// request is what a stub's function gets.
func request(s *runtime.Session, q asked) goja.Value {
	vm := s.VM()
	headers := vm.NewObject()
	for _, h := range q.headers {
		_ = headers.Set(h[0], h[1])
	}
	o := vm.NewObject()
	for _, field := range []struct {
		name  string
		value any
	}{{"url", q.url}, {"method", q.method}, {"headers", headers}, {"body", q.body}} {
		_ = o.Set(field.name, field.value)
	}
	return o
}

// read understands what the module's wrapper made of a stub's reply.
func read(s *runtime.Session, v goja.Value, into *answered) error {
	var err error
	thrown := s.VM().Try(func() {
		a := s.Args("stubFetch", goja.FunctionCall{Arguments: []goja.Value{v}})
		o := a.Options(0, "status", "headers", "body", "delay", "error")
		*into = answered{status: o.Int("status", 200, 200, 599), body: o.String("body", ""), delay: o.Duration("delay", 0), failed: o.String("error", "")}
		if headers := o.Value("headers"); headers != nil {
			err = s.VM().ExportTo(headers, &into.headers)
		}
	})
	if thrown != nil {
		return thrown
	}
	return err
}
