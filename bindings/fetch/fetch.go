package fetch

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/abort"
	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
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
	scope  runtime.Scope // with whose end it is aborted; nil: with the session's
	ctx    context.Context
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
		ctx, cancel := context.WithCancelCause(in.life(f, r))
		f.ctx, f.cancel = ctx, cancel
		began := false
		defer func() {
			if !began { // too many operations are pending
				cancel(nil)
			}
		}()
		promise := runtime.Operate(in.s, runtime.Operation[arrival]{
			Begin: "fetch_begin", End: "fetch", Asks: asked{r.method, f.url, fingerprint(r.url.String())},
			Safe: r.method == http.MethodGet || r.method == http.MethodHead || r.method == http.MethodOptions, // RFC 9110, section 9.2.1
			Do: func(context.Context) (arrival, error) {
				res, err := in.client.Do(ctx, sent)
				if end := f.end(err); end != nil {
					return arrival{}, end
				}
				return newArrival(res, err), nil
			},
			Note: func(a arrival, err error) any { return in.noted(f, a, err) },
			Value: func(a arrival, err error) (goja.Value, error) {
				if err != nil {
					in.over(f)
					return nil, err
				}
				return in.arrived(f, from, a)
			},
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

// life is the context that a fetch lives in: that of what began it while that lasts, or the session's.
func (in *instance) life(f *flight, r *request) context.Context {
	scope := in.s.Scope()
	if scope == nil || r.keepalive {
		return in.s.Context()
	}
	life := scope.Life()
	if life == nil {
		return in.s.Context()
	}
	f.scope = scope
	return life
}

// end is what the exchange ended with where that was its scope's end: the caller has hung up, say. Else it is nil.
func (f *flight) end(err error) error {
	if err == nil || f == nil || f.scope == nil || f.ctx.Err() == nil || errors.Is(context.Cause(f.ctx), errAborted) {
		return nil
	}
	return f.scope.Err()
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

// asked is the journal's entry for a fetch that begins. Ref tells apart URLs that look the same without the values of
// their queries.
type asked struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Ref    string `json:"ref"`
}

func fingerprint(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}

// arrival is the outcome of a fetch: headers, mostly with the body, or a failure.
type arrival struct {
	Status     int         `json:"status,omitempty"`
	StatusText string      `json:"status_text,omitempty"`
	Header     http.Header `json:"header,omitempty"`
	URL        string      `json:"url,omitempty"`
	Redirected bool        `json:"redirected,omitempty"`
	// Whole says that Body is all of it; else it is still to come.
	Whole   bool     `json:"whole,omitempty"`
	Body    []byte   `json:"body,omitempty"`
	Failure *failure `json:"failure,omitempty"`

	rest *outbound.Body
}

func newArrival(res *outbound.Response, err error) arrival {
	if err != nil {
		return arrival{Failure: failed(err)}
	}
	res.Body.ReadAhead(aheadSize, aheadWait)
	shown := *res.URL
	shown.Fragment, shown.RawFragment = "", ""
	a := arrival{
		Status: res.Status, StatusText: res.StatusText, Header: res.Header, URL: shown.String(), Redirected: res.Redirected, rest: res.Body,
	}
	a.Body, a.Whole = res.Body.Buffered()
	return a
}

// noted is the journal's entry for an arrival.
func (in *instance) noted(f *flight, a arrival, err error) fetched {
	entry := fetched{N: f.n, Method: f.method, URL: f.url, Milli: in.since(f)}
	switch {
	case err != nil:
		entry.Error = word(err)
		return entry
	case f.reason != nil:
		entry.Error = aborted
		return entry
	case a.Failure != nil:
		entry.Error = a.Failure.word()
		return entry
	}
	entry.Status = a.Status
	if a.Redirected {
		if to, err := url.Parse(a.URL); err == nil {
			entry.Redirected = outbound.Redact(to)
		}
	}
	if a.Whole {
		n := int64(len(a.Body))
		entry.Bytes = &n
	}
	return entry
}

// arrived makes the script's view of an arrival.
func (in *instance) arrived(f *flight, from webidl.Origin, a arrival) (goja.Value, error) {
	if a.Failure != nil || f.reason != nil {
		if a.rest != nil {
			_ = a.rest.Close()
		}
		in.over(f)
		return nil, in.rejection(f, from, a.Failure.err())
	}
	headers := headersOf(a.Header)
	headers.immutable = true
	r := &response{
		status: a.Status, statusText: latin1(a.StatusText), url: a.URL, redirected: a.Redirected, kind: "basic", headers: headers,
	}
	switch {
	case nullBody(a.Status) || f.method == http.MethodHead:
		if a.rest != nil {
			_ = a.rest.Close()
		}
		r.body = &payload{null: true}
		in.over(f)
	case a.Whole:
		r.body = &payload{data: a.Body}
		in.over(f)
	case a.rest != nil:
		r.body = &payload{from: a.rest, flight: f}
	default:
		r.body = &payload{from: lost{}, flight: f}
	}
	return in.object("Response", r), nil
}

// lost stands where a body was on its way when the process ended.
type lost struct{}

// Read implements io.Reader.
func (lost) Read([]byte) (int, error) {
	return 0, &outbound.Error{Code: "ECONNRESET", Message: "the daemon was restarted before the body had come"}
}

// Close implements io.Closer.
func (lost) Close() error { return nil }

// read is the journal's entry for a body, or a piece of one, that came after its headers. n counts the bytes so far.
func (in *instance) read(f *flight, n int64, failure *failure, err error) any {
	if f == nil {
		return nil
	}
	entry := fetched{N: f.n, Milli: in.since(f), Bytes: &n}
	switch {
	case err != nil:
		entry.Error = word(err)
	case f.reason != nil:
		entry.Error = aborted
	case failure != nil:
		entry.Error = failure.word()
	}
	return entry
}

// ended lets go of a body's exchange.
func (in *instance) ended(f *flight) {
	if f != nil && !f.told { // else it was made by the script, or a clone has ended it
		in.over(f)
	}
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

// failure is an error of an exchange as the journal keeps it.
type failure struct {
	Code    string `json:"code,omitempty"` // of an outbound.Error; else empty
	Message string `json:"message"`
}

// aborted is the journal's word for what a script's signal ended.
const aborted = "aborted"

// word names in the journal an error that is not the exchange's own: the end of a call, or of the daemon.
func word(err error) string {
	var known *runtime.ScriptError
	if errors.As(err, &known) {
		return known.Name
	}
	return "failed"
}

func failed(err error) *failure {
	var known *outbound.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return &failure{known.Code, known.Message}
	}
	return &failure{Message: err.Error()}
}

func (f *failure) err() error {
	switch {
	case f == nil:
		return nil
	case f.Code != "":
		return &outbound.Error{Code: f.Code, Message: f.Message}
	}
	return errors.New(f.Message)
}

// word names the failure in the journal.
func (f *failure) word() string { return cmp.Or(f.Code, "failed") }

// nullBody reports whether responses of that status have no body (Fetch standard, section 2.2.3).
func nullBody(status int) bool {
	return status == 101 || status == 103 || status == 204 || status == 205 || status == 304
}
