package fetch

import (
	"fmt"
	"net/http"
	neturl "net/url"
	"slices"
	"strings"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/abort"
	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// request is the state of a Request.
type request struct {
	method   string
	url      *neturl.URL
	headers  *headers
	body     *payload
	redirect string
	signal   goja.Value // null when there is none
	timeout  time.Duration
	// keepalive outlives what began it: a hang-up.
	keepalive bool
	idle      map[string]string // options that have no effect here
}

func (r *request) content() (*payload, *headers) { return r.body, r.headers }
func (r *request) about() string                 { return "of the request" }

func (r *request) redirectMode() outbound.Redirect {
	switch r.redirect {
	case "manual":
		return outbound.Manual
	case "error":
		return outbound.Refuse
	}
	return outbound.Follow
}

// idleOptions are options of the standard that mean something to browsers only: their values, the first being
// the default, are checked and otherwise ignored. No values: any text.
var idleOptions = []struct {
	name   string
	values []string
}{
	{"mode", []string{"cors", "no-cors", "same-origin"}},
	{"credentials", []string{"same-origin", "include", "omit"}},
	{"cache", []string{"default", "no-store", "reload", "no-cache", "force-cache"}},
	{"referrerPolicy", []string{"", "no-referrer", "no-referrer-when-downgrade", "same-origin", "origin", "strict-origin", "origin-when-cross-origin", "strict-origin-when-cross-origin", "unsafe-url"}},
	{"priority", []string{"auto", "high", "low"}},
	{"duplex", []string{"half"}},
	{"referrer", nil},
}

var requestOptions = func() []string {
	names := []string{"method", "headers", "body", "redirect", "signal", "timeout", "keepalive", "integrity", "window"}
	for _, o := range idleOptions {
		names = append(names, o.name)
	}
	return names
}()

// newRequest makes a request of the arguments (input, init) of fetch and of Request's constructor (Fetch
// standard, section 5.4).
func (in *instance) newRequest(where string, call goja.FunctionCall) *request {
	webidl.Need(in.s, call, 1, where)
	options := in.s.Args(where, call).Options(1, requestOptions...)
	r := &request{method: http.MethodGet, redirect: "follow", signal: goja.Null(), idle: map[string]string{}}
	given, isRequest := webidl.StateOf[*request](call.Argument(0))
	if isRequest {
		*r = *given
		r.headers = given.headers.clone()
	} else {
		text := webidl.Text(call.Argument(0))
		u, err := outbound.ParseURL(text)
		if err != nil {
			in.throw("TypeError", where+": "+err.Error())
		}
		r.url, r.headers, r.body = u, &headers{}, &payload{null: true}
	}
	if options.Has("method") {
		r.method = in.method(where, webidl.Text(options.Value("method")))
	}
	in.readOptions(where, r, options)
	if v := options.Value("headers"); v != nil {
		r.headers = &headers{}
		in.fill(where, r.headers, v)
	}
	data, kind := in.extract(where, options.Value("body"))
	switch {
	case data != nil:
		r.body = inMemory(data)
		if _, ok := r.headers.get("content-type"); !ok && kind != "" {
			r.headers.list = append(r.headers.list, header{"content-type", kind})
		}
	case isRequest && !given.body.null && !options.Has("body"):
		r.body = inMemory(given.body.takeAll(in, where))
	}
	if (r.method == http.MethodGet || r.method == http.MethodHead) && !r.body.null {
		in.throw("TypeError", fmt.Sprintf(`%s: a %s request cannot have a body; set method: "POST" or another`, where, r.method))
	}
	in.checkHeaders(where, r)
	return r
}

// method checks a method and writes it the usual way.
func (in *instance) method(where, method string) string {
	if method == "" || strings.ContainsFunc(method, func(c rune) bool { return !isToken(c) }) {
		in.throw("TypeError", fmt.Sprintf("%s: %q is no HTTP method", where, clip(method)))
	}
	switch upper := strings.ToUpper(method); upper {
	case "CONNECT", "TRACE", "TRACK":
		in.throw("TypeError", fmt.Sprintf("%s: the method %s is not allowed", where, upper))
	case "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH":
		return upper // PATCH too, which the standard forgets and every server wants in capitals
	}
	return method
}

func (in *instance) readOptions(where string, r *request, options runtime.Options) {
	if options.Has("redirect") {
		r.redirect = in.choice(where, "redirect", options, []string{"follow", "error", "manual"})
	}
	for _, o := range idleOptions {
		if !options.Has(o.name) {
			continue
		}
		if o.values == nil {
			r.idle[o.name] = webidl.Text(options.Value(o.name))
			continue
		}
		r.idle[o.name] = in.choice(where, o.name, options, o.values)
	}
	if v := options.Value("integrity"); v != nil && webidl.Text(v) != "" {
		in.throw("TypeError", where+`: option "integrity" is not available; compare a digest of the body instead`)
	}
	if v := options.Value("window"); v != nil && !goja.IsNull(v) {
		in.throw("TypeError", where+`: option "window" must be null`)
	}
	if v := options.Value("signal"); v != nil {
		if _, ok := abort.Signal(v); !ok && !goja.IsNull(v) {
			in.throw("TypeError", fmt.Sprintf(`%s: option "signal" must be an AbortSignal, not %s`, where, runtime.Describe(v)))
		}
		r.signal = v
	}
	if v := options.Value("keepalive"); v != nil {
		r.keepalive = v.ToBoolean()
	}
	if options.Has("timeout") {
		if r.timeout = options.Duration("timeout", 0); r.timeout == 0 {
			r.timeout = -1 // none
		}
	}
}

func (in *instance) choice(where, name string, options runtime.Options, values []string) string {
	v := webidl.Text(options.Value(name))
	if !slices.Contains(values, v) {
		in.throw("TypeError", fmt.Sprintf("%s: option %q must be one of %s, not %q", where, name, strings.Join(values, ", "), clip(v)))
	}
	return v
}

// connectionHeaders belong to the connection and not to the script.
var connectionHeaders = []string{"connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade", "expect", "accept-encoding"}

func (in *instance) checkHeaders(where string, r *request) {
	for _, e := range r.headers.list {
		if slices.Contains(connectionHeaders, e.name) {
			in.throw("TypeError", fmt.Sprintf("%s: the header %q is set by the connection and cannot be given", where, e.name))
		}
		if e.name == "content-length" && e.value != fmt.Sprint(len(r.body.data)) {
			in.throw("TypeError", fmt.Sprintf("%s: the header content-length says %s, the body has %d bytes; leave the header out", where, clip(e.value), len(r.body.data)))
		}
	}
}

func (in *instance) requestClass() *goja.Object {
	s := in.s
	attribute := func(name string, get func(r *request) goja.Value) webidl.Member {
		return webidl.Member{Name: name, Get: func(c goja.FunctionCall) goja.Value {
			return get(webidl.Receiver[*request](s, c, "Request."+name))
		}}
	}
	members := append(in.bodyMembers("Request"),
		attribute("method", func(r *request) goja.Value { return in.value(r.method) }),
		attribute("url", func(r *request) goja.Value { return in.value(r.url.String()) }),
		attribute("headers", func(r *request) goja.Value { return in.show(r.headers) }),
		attribute("redirect", func(r *request) goja.Value { return in.value(r.redirect) }),
		attribute("signal", func(r *request) goja.Value {
			return r.signal
		}),
		attribute("keepalive", func(r *request) goja.Value { return in.value(r.keepalive) }),
		webidl.Member{Name: "clone", Call: func(c goja.FunctionCall) goja.Value {
			r := webidl.Receiver[*request](s, c, "Request.clone")
			copied := *r
			copied.headers, copied.body = r.headers.clone(), r.body.clone(in, "Request.clone")
			return in.object("Request", &copied)
		}},
	)
	for _, o := range idleOptions {
		otherwise := ""
		switch {
		case o.name == "priority":
			continue
		case o.name == "referrer":
			otherwise = "about:client"
		default:
			otherwise = o.values[0]
		}
		members = append(members, attribute(o.name, func(r *request) goja.Value {
			if v, ok := r.idle[o.name]; ok {
				return in.value(v)
			}
			return in.value(otherwise)
		}))
	}
	return webidl.Define(s, webidl.Class{
		Name: "Request", Length: 1, Members: members,
		Construct: func(this *goja.Object, call goja.FunctionCall) {
			webidl.Attach(s, this, in.newRequest("Request", call))
		},
	})
}
