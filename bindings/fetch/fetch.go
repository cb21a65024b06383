package fetch

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/abort"
	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/webidl"
)

const (
	// aheadSize is how much of a body is read before the script asks for it.
	aheadSize = 64 << 10
	// aheadWait is how long a response waits for the rest of its body, which mostly comes with the headers.
	aheadWait = 5 * time.Millisecond
)

// flight is one fetch under way, from the call to the end of the body. Its fields belong to the session's
// goroutine.
type flight struct {
	n      int
	method string
	url    string // redacted
	began  time.Time
	cancel context.CancelCauseFunc
	forget func()     // stops watching the signal
	reason goja.Value // what the script's signal was aborted with
	clones int        // bodies beside the first that share the exchange
	told   bool       // the end of the body is in the journal
}

// errAborted is the cause with which a script's signal ends an exchange.
var errAborted = errors.New("the fetch was aborted")

// fetch is the global function (Fetch standard, section 5.6).
func (in *instance) fetch(call goja.FunctionCall) goja.Value {
	return in.promise(func() goja.Value {
		from := webidl.Here(in.s)
		r := in.newRequest("fetch", call)
		signal, watched := abort.Signal(r.signal)
		if watched && signal.Aborted() {
			panic(signal.Reason())
		}
		body := r.body.takeAll(in, "fetch")
		in.flights++
		f := &flight{n: in.flights, method: r.method, url: outbound.Redact(r.url), began: in.s.Now()}
		sent := &outbound.Request{
			Method: r.method, URL: r.url, Header: r.headers.http(), Body: body, Redirect: r.redirectMode(), Timeout: r.timeout,
		}
		if body == nil && (r.method == http.MethodPost || r.method == http.MethodPut) {
			sent.Body = []byte{} // an empty body is announced (Fetch standard, section 4.6, step 8.6)
		}
		if in.s.DryRun() {
			return in.s.Go(nil)
		}
		ctx, cancel := context.WithCancelCause(in.s.Context())
		f.cancel = cancel
		began := false
		defer func() {
			if !began { // too many operations are pending
				cancel(nil)
			}
		}()
		promise := in.s.Go(func(context.Context) func() (goja.Value, error) {
			res, err := in.client.Do(ctx, sent)
			if err == nil {
				res.Body.ReadAhead(aheadSize, aheadWait)
			}
			return func() (goja.Value, error) { return in.arrived(f, from, res, err) }
		})
		began = true
		if watched {
			f.forget = signal.OnAbort(func() {
				f.reason = signal.Reason()
				cancel(errAborted)
			})
		}
		return promise
	})
}

// fetched is the journal's entry for a fetch. It holds neither headers nor bodies, nor values of the query.
type fetched struct {
	N          int    `json:"n"`
	Method     string `json:"method,omitempty"`
	URL        string `json:"url,omitempty"`
	Status     int    `json:"status,omitempty"`
	Milli      int64  `json:"ms"`
	Bytes      *int64 `json:"bytes,omitempty"`
	Redirected string `json:"redirected,omitempty"`
	Error      string `json:"error,omitempty"`
}

// arrived is the outcome of a fetch: headers, or a failure.
func (in *instance) arrived(f *flight, from webidl.Origin, res *outbound.Response, err error) (goja.Value, error) {
	entry := fetched{N: f.n, Method: f.method, URL: f.url, Milli: in.since(f)}
	if err == nil && f.reason != nil {
		_ = res.Body.Close()
		err = errAborted
	}
	if err != nil {
		entry.Error = codeOf(f, err)
		in.s.Record("fetch", entry)
		in.over(f)
		return nil, in.rejection(f, from, err)
	}
	entry.Status = res.Status
	if res.Redirected {
		entry.Redirected = outbound.Redact(res.URL)
	}
	if n, all := res.Body.Seen(); all {
		entry.Bytes = &n
		in.over(f)
	}
	in.s.Record("fetch", entry)
	shown := *res.URL
	shown.Fragment, shown.RawFragment = "", ""
	headers := headersOf(res.Header)
	headers.immutable = true
	r := &response{
		status: res.Status, statusText: latin1(res.StatusText), url: shown.String(), redirected: res.Redirected, kind: "basic",
		headers: headers, body: &payload{from: res.Body, flight: f},
	}
	if nullBody(res.Status) || f.method == http.MethodHead {
		_ = res.Body.Close()
		r.body = &payload{null: true}
		in.over(f)
	}
	return in.object("Response", r), nil
}

// ended notes in the journal how a body that came after its headers has ended.
func (in *instance) ended(f *flight, n int64, err error) {
	if f == nil || f.told { // a body made by the script, or a clone that has told already
		return
	}
	entry := fetched{N: f.n, Milli: in.since(f), Bytes: &n}
	if err != nil {
		entry.Error = codeOf(f, err)
	}
	in.over(f)
	in.s.Record("fetch_body", entry)
}

func (in *instance) over(f *flight) {
	f.told = true
	if f.forget != nil {
		f.forget()
		f.forget = nil
	}
	f.cancel(nil)
}

func (in *instance) since(f *flight) int64 { return in.s.Now().Sub(f.began).Milliseconds() }

// codeOf names a failure for the journal.
func codeOf(f *flight, err error) string {
	var known *outbound.Error
	switch {
	case f.reason != nil:
		return "aborted"
	case errors.As(err, &known):
		return known.Code
	}
	return "failed"
}

// nullBody reports whether responses of that status have no body (Fetch standard, section 2.2.3).
func nullBody(status int) bool {
	return status == 101 || status == 103 || status == 204 || status == 205 || status == 304
}
