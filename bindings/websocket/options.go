package websocket

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// target is what a socket connects to.
type target struct {
	url       *url.URL // http or https
	protocols []string
	header    http.Header
	timeout   time.Duration
}

// maxProtocols and maxHeaders bound what a script may send in a handshake.
const (
	maxProtocols   = 32
	maxHeaders     = 100
	maxHeaderBytes = 64 << 10
)

// parse reads the arguments of the constructor: url, and protocols or options.
func (in *instance) parse(c goja.FunctionCall) *target {
	webidl.Need(in.s, c, 1, "WebSocket")
	t := &target{url: in.parseURL(webidl.Text(c.Argument(0))), header: http.Header{}, timeout: in.m.options.Handshake}
	a := in.s.Args("WebSocket", c)
	switch v := c.Argument(1); {
	case goja.IsUndefined(v):
	case isList(v) || !isObject(v):
		t.protocols = in.parseProtocols(a, v)
	default:
		o := a.Options(1, "protocols", "headers", "timeout")
		if list := o.Value("protocols"); list != nil {
			t.protocols = in.parseProtocols(a, list)
		}
		if headers := o.Value("headers"); headers != nil {
			in.parseHeaders(a, headers, t.header)
		}
		if t.timeout = o.Duration("timeout", t.timeout); t.timeout <= 0 {
			a.Throw(`option "timeout" must be more than 0`)
		}
	}
	if t.header.Get("User-Agent") == "" {
		t.header.Set("User-Agent", in.m.client.UserAgent())
	}
	return t
}

func isObject(v goja.Value) bool { _, ok := v.(*goja.Object); return ok }

func isList(v goja.Value) bool {
	o, ok := v.(*goja.Object)
	return ok && webidl.KindOf(o) == webidl.ArrayKind
}

// parseURL reads a URL as the standard has it (section 3.1, steps 3 to 9): ws, wss, http and https will do.
func (in *instance) parseURL(text string) *url.URL {
	text = strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	scheme, rest, _ := strings.Cut(text, ":")
	switch strings.ToLower(scheme) {
	case "ws":
		text = "http:" + rest
	case "wss":
		text = "https:" + rest
	case "http", "https":
	default:
		in.syntaxError("the URL must begin with ws:// or wss://, such as wss://example.com/path")
	}
	u, err := outbound.ParseURL(text)
	if err != nil {
		in.syntaxError(err.Error())
	}
	if u.Fragment != "" || strings.HasSuffix(text, "#") {
		in.syntaxError("the URL has a fragment (#…), which no server would see; leave it out")
	}
	return u
}

func (in *instance) syntaxError(message string) {
	panic(webidl.NewException(in.s, "SyntaxError", "WebSocket: "+message))
}

// parseProtocols reads a protocol or a list of them.
func (in *instance) parseProtocols(a runtime.Args, v goja.Value) (list []string) {
	if !isObject(v) {
		list = []string{webidl.Text(v)}
	} else {
		in.s.VM().ForOf(v, func(item goja.Value) bool {
			list = append(list, webidl.Text(item))
			return len(list) <= maxProtocols
		})
	}
	if len(list) > maxProtocols {
		a.Throw("more than %d protocols", maxProtocols)
	}
	for i, p := range list {
		switch {
		case !isToken(p):
			in.syntaxError("a protocol is a word such as \"chat.v1\", without spaces, commas or quotes")
		case slices.ContainsFunc(list[:i], func(other string) bool { return strings.EqualFold(other, p) }):
			in.syntaxError("a protocol is named twice")
		}
	}
	return list
}

// parseHeaders reads headers: an object of names and values, pairs, or Headers.
func (in *instance) parseHeaders(a runtime.Args, v goja.Value, header http.Header) {
	o, ok := v.(*goja.Object)
	if !ok {
		a.Throw(`option "headers" must be an object of names and values, not %s`, runtime.Describe(v))
	}
	size, count := 0, 0
	add := func(name, value string) {
		in.checkHeader(a, name, value)
		if size, count = size+len(name)+len(value), count+1; count > maxHeaders || size > maxHeaderBytes {
			a.Throw("more than %d headers, or more than %d bytes of them", maxHeaders, maxHeaderBytes)
		}
		header.Add(name, value)
	}
	if iterator := o.GetSymbol(goja.SymIterator); iterator != nil && !goja.IsUndefined(iterator) {
		in.s.VM().ForOf(o, func(item goja.Value) bool {
			pair, ok := item.(*goja.Object)
			if !ok {
				a.Throw(`option "headers" must hold pairs of a name and a value, not %s`, runtime.Describe(item))
			}
			name, value := pair.Get("0"), pair.Get("1")
			if name == nil || value == nil {
				a.Throw(`option "headers" must hold pairs of a name and a value`)
			}
			add(webidl.Text(name), webidl.Text(value))
			return true
		})
		return
	}
	for _, name := range o.Keys() {
		add(name, webidl.Text(o.Get(name)))
	}
}

// checkHeader refuses what is no header, and those that the handshake itself is made of.
func (in *instance) checkHeader(a runtime.Args, name, value string) {
	if !isToken(name) {
		a.Throw("a header's name is a word such as \"Authorization\"; one of those given is not")
	}
	switch key := http.CanonicalHeaderKey(name); {
	case key == "Sec-Websocket-Protocol":
		a.Throw(`the header %s is made from the option "protocols"`, key)
	case key == "Connection", key == "Upgrade", key == "Content-Length", key == "Transfer-Encoding", strings.HasPrefix(key, "Sec-Websocket-"):
		a.Throw("the header %s belongs to the handshake and cannot be set", key)
	}
	for _, r := range value {
		if r < ' ' && r != '\t' || r >= 0x7F {
			a.Throw("the value of the header %s holds a character that headers cannot have", http.CanonicalHeaderKey(name))
		}
	}
}

// isToken reports whether a text is a token (RFC 9110 section 5.6.2).
func isToken(text string) bool {
	if text == "" || len(text) > 256 {
		return false
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7F || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return true
}

// shown is a socket's URL as scripts see it: that of a request with another scheme.
func shown(url string) string { return "ws" + strings.TrimPrefix(url, "http") }
