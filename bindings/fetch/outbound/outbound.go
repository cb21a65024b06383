// Package outbound is an HTTP client for addresses that somebody else chose: a script, a configuration, a web
// page that redirects. It reaches the public internet and refuses everything nearer, unless it was allowed.
//
//	client, err := outbound.NewClient(outbound.Options{Allow: []string{"crm.internal", "10.1.0.0/16"}})
//	res, err := client.Do(ctx, &outbound.Request{Method: "GET", URL: u})
//	defer res.Body.Close()
//
// The address is judged when the connection is made, after name resolution, for every hop: neither a DNS name, nor
// a redirect, nor an unusual way to write an address gets around it. Proxies of the environment are not used.
// Bodies are bounded after decompression, and everything is bounded in time. One Client serves all users of a
// process and pools their connections.
package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options configure a [Client]. The zero value of a field means its default.
type Options struct {
	// Allow lists what may be reached although it is not public: host names ("crm.internal", "*.internal"),
	// addresses ("127.0.0.1", "::1") and CIDRs ("10.1.0.0/16"). Names and addresses may end in a port
	// ("localhost:9000"), which then is the only one allowed.
	Allow []string
	// Timeout bounds a whole exchange, redirects and body included (default 10 s); [Request.Timeout] replaces it.
	Timeout time.Duration
	// ConnectTimeout bounds name resolution and connecting, for each hop (default 3 s).
	ConnectTimeout time.Duration
	// HeaderTimeout bounds the wait from the sent request to the response's headers; 0 leaves it to Timeout.
	HeaderTimeout time.Duration
	// MaxBody bounds a response's body after decompression, in bytes (default 5 MiB).
	MaxBody int64
	// MaxConnsPerHost bounds connections to one host (default 256); further requests wait.
	MaxConnsPerHost int
	// UserAgent is sent where the request has no User-Agent of its own (default "piopiyd").
	UserAgent string
	// Resolver finds the addresses of names (default: the machine's).
	Resolver *net.Resolver
	// TLS is the base of every TLS connection's configuration: roots, versions.
	TLS *tls.Config
	// Observer is told of every exchange when it is over. It is called from many goroutines and must return at
	// once.
	Observer func(Exchange)
}

// Exchange is what an [Options.Observer] learns of a request and its answer.
type Exchange struct {
	Method string
	// Host is the host of the URL first asked for, with its port where that is not the default.
	Host string
	// Status is the response's status, 0 when none came.
	Status int
	// Bytes is how much of the body was read, after decompression.
	Bytes int64
	// Redirects is how many redirects were followed.
	Redirects int
	// Took is the time from the call of Do to the end of the body.
	Took time.Duration
	// Err is why the exchange failed, or nil. A body closed before its end is no failure.
	Err error
}

// Redirect says what a request does with a redirect.
type Redirect int

// The ways to treat a redirect.
const (
	Follow Redirect = iota // go there, at most 20 times
	Manual                 // return the redirect itself
	Refuse                 // fail with code EREDIRECT
)

// maxRedirects is the Fetch standard's limit (section 4.4, HTTP-redirect fetch).
const maxRedirects = 20

// Request is one request. Do does not change it.
type Request struct {
	// Method is sent as it is; empty means GET.
	Method string
	// URL is absolute, http or https, without user information: see [ParseURL].
	URL *url.URL
	// Header is sent beside Host, Content-Length, Accept-Encoding and User-Agent. A "Host" in it replaces the
	// URL's towards the server.
	Header http.Header
	// Body is the body; nil means none. It must not change before Do returns.
	Body []byte
	// Redirect says what to do with redirects.
	Redirect Redirect
	// Timeout replaces the client's; negative means none.
	Timeout time.Duration
}

// Response is the answer to a [Request].
type Response struct {
	// Status is the status code, StatusText the server's phrase for it (empty in HTTP/2).
	Status     int
	StatusText string
	Header     http.Header
	// URL is where the response came from, after redirects.
	URL *url.URL
	// Redirected reports whether redirects were followed.
	Redirected bool
	// Body is the decompressed body, never nil. Reading ends with an [*Error] when it grows beyond the limit
	// (ETOOBIG), takes too long (ETIMEDOUT) or breaks off. It must be closed, or the context of Do must end.
	Body *Body
}

// Client makes requests. It is safe for concurrent use.
type Client struct {
	options   Options
	allow     allowList
	dialer    net.Dialer
	transport *http.Transport
}

// NewClient returns a client. It fails when an entry of Allow cannot be understood.
func NewClient(o Options) (*Client, error) {
	allow, err := parseAllow(o.Allow)
	if err != nil {
		return nil, err
	}
	fill(&o.Timeout, 10*time.Second)
	fill(&o.ConnectTimeout, 3*time.Second)
	fill(&o.MaxBody, 5<<20)
	fill(&o.MaxConnsPerHost, 256)
	fill(&o.UserAgent, "piopiyd")
	c := &Client{options: o, allow: allow}
	c.dialer = net.Dialer{Timeout: o.ConnectTimeout, Resolver: o.Resolver, ControlContext: c.control}
	c.transport = &http.Transport{
		DialContext:            c.DialContext,
		TLSClientConfig:        o.TLS.Clone(),
		TLSHandshakeTimeout:    o.ConnectTimeout,
		ResponseHeaderTimeout:  o.HeaderTimeout,
		DisableCompression:     true, // done in Body, where decompressed bytes are counted
		MaxIdleConns:           512,
		MaxIdleConnsPerHost:    32,
		MaxConnsPerHost:        o.MaxConnsPerHost,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		ForceAttemptHTTP2:      true,
	}
	return c, nil
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Close closes the connections that are not in use.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// UserAgent returns what requests call themselves.
func (c *Client) UserAgent() string { return c.options.UserAgent }

// TLS returns the configuration for a TLS connection to a host, for protocols other than plain HTTP requests.
func (c *Client) TLS(host string) *tls.Config {
	config := c.options.TLS.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	if config.ServerName == "" {
		config.ServerName = host
	}
	return config
}

// Explain finds code and words for an error of a connection that [Client.DialContext] made, or failed to make.
func (c *Client) Explain(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	return classify(err, c.options.ConnectTimeout)
}

// MaxBody returns the limit for bodies, in bytes.
func (c *Client) MaxBody() int64 { return c.options.MaxBody }

// errTimeout is the cause with which an exchange's own time limit ends its context.
var errTimeout = errors.New("time is up")

// Do sends a request and returns the response as soon as its headers are there. Its errors are [*Error], or the
// cause of ctx's end. What the response's body still does ends with ctx.
func (c *Client) Do(ctx context.Context, r *Request) (*Response, error) {
	timeout := r.Timeout
	if timeout == 0 {
		timeout = c.options.Timeout
	}
	x := &exchange{client: c, began: time.Now(), timeout: timeout}
	x.seen = Exchange{Method: methodOf(r.Method)}
	if timeout > 0 {
		x.ctx, x.cancel = context.WithTimeoutCause(ctx, timeout, errTimeout)
	} else {
		x.ctx, x.cancel = context.WithCancel(ctx)
	}
	res, err := x.run(r)
	if err != nil {
		err = x.explain(err, "no response came from "+hostOf(r.URL))
		x.finish(err)
		return nil, err
	}
	// Whoever forgets the body is seen off by ctx; the observer hears of it then.
	context.AfterFunc(x.ctx, func() { x.finish(context.Cause(x.ctx)) })
	return res, nil
}

func methodOf(m string) string {
	if m == "" {
		return http.MethodGet
	}
	return m
}

func hostOf(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.Host
}

// run follows the request through its redirects.
func (x *exchange) run(r *Request) (*Response, error) {
	hop := hop{method: methodOf(r.Method), url: r.URL, header: headerFor(r), body: r.Body}
	if err := checkURL(r.URL); err != nil {
		return nil, err
	}
	x.seen.Host = r.URL.Host
	for {
		res, err := x.client.transport.RoundTrip(x.request(&hop))
		if err != nil {
			return nil, err
		}
		location := res.Header.Get("Location")
		if !isRedirect(res.StatusCode) || location == "" || r.Redirect == Manual {
			x.seen.Status = res.StatusCode
			return x.response(&hop, res), nil
		}
		_, _ = io.CopyN(io.Discard, res.Body, 2<<10) // so that the connection can be used again
		_ = res.Body.Close()
		if r.Redirect == Refuse {
			return nil, &Error{Code: "EREDIRECT", Message: fmt.Sprintf("%s answered with a redirect (%d), which the request does not accept", hop.url.Host, res.StatusCode)}
		}
		if x.seen.Redirects++; x.seen.Redirects > maxRedirects {
			return nil, &Error{Code: "EREDIRECT", Message: fmt.Sprintf("there were more than %d redirects, the last from %s", maxRedirects, hop.url.Host)}
		}
		if err := hop.follow(res.StatusCode, location); err != nil {
			return nil, err
		}
	}
}

// headerFor copies the request's headers and adds what every request has.
func headerFor(r *Request) http.Header {
	h := r.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	if _, ok := h["Accept-Encoding"]; !ok {
		h["Accept-Encoding"] = []string{"gzip, deflate"}
	}
	return h
}

func (x *exchange) request(h *hop) *http.Request {
	req := &http.Request{
		Method: h.method, URL: h.url, Header: h.header, Host: h.url.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if host := h.header.Get("Host"); host != "" {
		req.Host = host
	}
	if _, ok := h.header["User-Agent"]; !ok {
		req.Header["User-Agent"] = []string{x.client.options.UserAgent}
	}
	if h.body != nil {
		req.ContentLength = int64(len(h.body))
		req.Body = newBodyReader(h.body)
		req.GetBody = func() (io.ReadCloser, error) { return newBodyReader(h.body), nil }
	}
	return req.WithContext(x.ctx)
}

func newBodyReader(b []byte) io.ReadCloser {
	if len(b) == 0 {
		return http.NoBody
	}
	return io.NopCloser(bytes.NewReader(b))
}

func (x *exchange) response(h *hop, res *http.Response) *Response {
	text := res.Status
	if _, phrase, ok := strings.Cut(text, " "); ok {
		text = phrase
	} else {
		text = ""
	}
	r := &Response{
		Status: res.StatusCode, StatusText: text, Header: res.Header, URL: h.url, Redirected: x.seen.Redirects > 0,
	}
	r.Body = newBody(x, h.method, res)
	return r
}
