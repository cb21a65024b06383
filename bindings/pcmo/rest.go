package pcmo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"syscall"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

// maxReply bounds what is read of a REST reply.
const maxReply = 1 << 20

var promiseType = reflect.TypeFor[*goja.Promise]()

// async is the body of an async function: what it throws rejects the promise.
func (in *instance) async(body func() goja.Value) goja.Value {
	var v goja.Value
	ex := in.vm.Try(func() { v = body() })
	if ex == nil {
		if o, ok := v.(*goja.Object); ok {
			if o.ExportType() == promiseType {
				return v
			}
		}
	}
	promise, resolve, reject := in.vm.NewPromise()
	if ex != nil {
		_ = reject(ex.Value())
	} else {
		_ = resolve(v)
	}
	return in.vm.ToValue(promise)
}

// post sends a payload as JSON and returns a promise of the reply's data. The journal learns method, path and status.
func (in *instance) post(address, token string, payload goja.Value) goja.Value {
	w := writer{vm: in.vm, out: make([]byte, 0, 512), function: noFunction}
	if _, err := w.write(payload); err != nil {
		panic(in.thrown(err))
	}
	body := w.out
	target, err := url.Parse(address)
	if err != nil {
		in.throw("the address to call is not a URL")
	}
	asks := restEntry{Method: http.MethodPost, Path: target.Path}
	return runtime.Operate(in.s, runtime.Operation[reply]{
		Begin: "rest_begin", End: "rest", Asks: asks,
		Do: func(ctx context.Context) (reply, error) {
			got, err := send(ctx, in.options.Client, address, token, body)
			if err != nil {
				return got, &runtime.ScriptError{Name: "Error", Message: err.Error(), Code: errorCode(err), Err: err}
			}
			return got, nil
		},
		Note: func(got reply, err error) any {
			e := asks
			e.Status = got.Status
			var failed *runtime.ScriptError
			if errors.As(err, &failed) {
				e.Error = failed.Message
			}
			return e
		},
		Value: func(got reply, err error) (goja.Value, error) {
			var failed *runtime.ScriptError
			switch {
			case errors.As(err, &failed):
				return nil, in.failure(failed.Message, failed.Code, got)
			case got.Status < 200 || got.Status > 299:
				code := "ERR_BAD_REQUEST"
				if got.Status >= 500 {
					code = "ERR_BAD_RESPONSE"
				}
				return nil, in.failure(fmt.Sprintf("Request failed with status code %d", got.Status), code, got)
			}
			return in.data(got.Body), nil
		},
	})
}

// restEntry is what the journal keeps of a REST call.
type restEntry struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Status int    `json:"status,omitempty"`
	Error  string `json:"error,omitempty"`
}

// reply is what came of a REST call.
type reply struct {
	Status int         `json:"status"`
	Text   string      `json:"text,omitempty"`
	Header http.Header `json:"header,omitempty"`
	Body   []byte      `json:"body,omitempty"`
}

func send(ctx context.Context, client Doer, address, token string, body []byte) (reply, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return reply{}, plain(err)
	}
	request.Header.Set("Accept", "application/json, text/plain, */*")
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "piopiyd")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		return reply{}, plain(err)
	}
	defer response.Body.Close()
	r := reply{Status: response.StatusCode, Text: http.StatusText(response.StatusCode), Header: http.Header{}}
	for _, name := range []string{"Content-Type", "Retry-After"} { // what a script sees of them
		if v := response.Header.Get(name); v != "" {
			r.Header.Set(name, v)
		}
	}
	if r.Body, err = io.ReadAll(io.LimitReader(response.Body, maxReply+1)); err != nil {
		return r, plain(err)
	}
	if len(r.Body) > maxReply {
		return r, fmt.Errorf("the reply is longer than %d KiB", maxReply>>10)
	}
	return r, nil
}

// plain takes the address off an error of net/http: a query may hold secrets.
func plain(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// errorCode is the word that Node programs look at.
func errorCode(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "ENOTFOUND"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "ECONNREFUSED"
	case errors.Is(err, syscall.ECONNRESET):
		return "ECONNRESET"
	case errors.Is(err, context.Canceled):
		return "ERR_CANCELED"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "ECONNABORTED"
	}
	return "ERR_NETWORK"
}

// data is a reply's body: what it says if it is JSON, else its text.
func (in *instance) data(body []byte) goja.Value {
	if len(body) > 0 && json.Valid(body) {
		return in.s.Guard().ParseJSON(string(body))
	}
	return in.vm.ToValue(string(body))
}

// failure is the error that the SDK's HTTP client rejects with, less the request, which holds the credentials.
func (in *instance) failure(message, code string, r reply) error {
	e := in.s.NewError("Error", message).(*goja.Object)
	_ = e.DefineDataProperty("name", in.vm.ToValue("AxiosError"), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	set(e, "isAxiosError", in.vm.ToValue(true))
	set(e, "code", in.vm.ToValue(code))
	if r.Status != 0 {
		set(e, "status", in.vm.ToValue(r.Status))
		headers := in.vm.NewObject()
		if kind := r.Header.Get("Content-Type"); kind != "" {
			set(headers, "content-type", in.vm.ToValue(kind))
		}
		if after := r.Header.Get("Retry-After"); after != "" {
			set(headers, "retry-after", in.vm.ToValue(after))
		}
		response := in.vm.NewObject()
		set(response, "status", in.vm.ToValue(r.Status))
		set(response, "statusText", in.vm.ToValue(r.Text))
		set(response, "headers", headers)
		set(response, "data", in.data(r.Body))
		set(e, "response", response)
	}
	return in.vm.Try(func() { panic(e) })
}

// noFunction refuses functions where a document sent by REST needs a URL; elsewhere they are left out.
func noFunction(w *writer, _ goja.Callable, _ *goja.Object) bool {
	switch w.path[len(w.path)-1].name {
	case "action_url", "on_result":
		w.fail("is a function; a document that is sent by REST needs the URL of a web server")
	}
	return false
}
