package fetch

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// headers is a header list (Fetch standard, section 2.2.2): lower-case names, values as JavaScript sees them,
// one character for each byte.
type headers struct {
	list      []header
	immutable bool
	object    *goja.Object // the Headers object that shows the list, once there is one
}

type header struct{ name, value string }

// headersOf reads a response's headers.
func headersOf(h http.Header) *headers {
	list := &headers{list: make([]header, 0, len(h))}
	for name, values := range h {
		name = strings.ToLower(name)
		for _, v := range values {
			list.list = append(list.list, header{name, latin1(v)})
		}
	}
	return list
}

// http returns the list as net/http has it.
func (h *headers) http() http.Header {
	out := make(http.Header, len(h.list)+2)
	for _, e := range h.list {
		out.Add(e.name, bytesOf(e.value))
	}
	if out["Accept"] == nil {
		out["Accept"] = []string{"*/*"}
	}
	return out
}

// latin1 shows bytes as characters; bytesOf is the way back.
func latin1(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			runes := make([]rune, len(s))
			for i := range len(s) {
				runes[i] = rune(s[i])
			}
			return string(runes)
		}
	}
	return s
}

func bytesOf(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

func (h *headers) get(name string) (string, bool) {
	var values []string
	for _, e := range h.list {
		if e.name == name {
			values = append(values, e.value)
		}
	}
	return strings.Join(values, ", "), values != nil
}

func (h *headers) delete(name string) {
	h.list = slices.DeleteFunc(h.list, func(e header) bool { return e.name == name })
}

// set replaces the first value and drops the others.
func (h *headers) set(name, value string) {
	for i, e := range h.list {
		if e.name == name {
			h.list[i].value = value
			rest := slices.DeleteFunc(h.list[i+1:], func(e header) bool { return e.name == name })
			h.list = h.list[:i+1+len(rest)]
			return
		}
	}
	h.list = append(h.list, header{name, value})
}

// sorted returns what iteration shows: names in order, values of one name joined, but for set-cookie.
func (h *headers) sorted() []header {
	list := slices.Clone(h.list)
	slices.SortStableFunc(list, func(a, b header) int { return strings.Compare(a.name, b.name) })
	out := list[:0]
	for _, e := range list {
		if n := len(out); n > 0 && out[n-1].name == e.name && e.name != "set-cookie" {
			out[n-1].value += ", " + e.value
			continue
		}
		out = append(out, e)
	}
	return out
}

func (h *headers) clone() *headers { return &headers{list: slices.Clone(h.list)} }

// headerName checks a name and returns it in lower case.
func (in *instance) headerName(where string, v goja.Value) string {
	name := v.ToString().String()
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isToken(r) }) {
		in.throw("TypeError", fmt.Sprintf("%s: %q is no header name", where, clip(name)))
	}
	return strings.ToLower(name)
}

// isToken reports whether a character may stand in a token (RFC 9110, section 5.6.2).
func isToken(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r < 0x80 && strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

// headerValue checks a value and trims it. The error does not show it: it may be a secret.
func (in *instance) headerValue(where, name string, v goja.Value) string {
	value := strings.Trim(v.ToString().String(), "\t\n\r ")
	for i, r := range []rune(value) {
		switch {
		case r > 0xff:
			in.throw("TypeError", fmt.Sprintf("%s: the value of the header %q holds a character (U+%04X, at %d) that headers cannot carry; encode it, for instance with encodeURIComponent", where, name, r, i))
		case r == 0 || r == '\r' || r == '\n':
			in.throw("TypeError", fmt.Sprintf("%s: the value of the header %q holds a line break or NUL", where, name))
		}
	}
	return value
}

// fill adds what a HeadersInit holds: Headers, pairs, or an object.
func (in *instance) fill(where string, h *headers, init goja.Value) {
	add := func(name, value goja.Value) {
		n := in.headerName(where, name)
		h.list = append(h.list, header{n, in.headerValue(where, n, value)})
	}
	if init == nil || goja.IsUndefined(init) {
		return
	}
	if other, ok := webidl.StateOf[*headers](init); ok {
		h.list = append(h.list, other.list...)
		return
	}
	o, ok := init.(*goja.Object)
	if !ok {
		in.throw("TypeError", fmt.Sprintf("%s: headers must be an object, pairs or Headers, not %s", where, runtime.Describe(init)))
	}
	if iterator := o.GetSymbol(goja.SymIterator); iterator == nil || goja.IsUndefined(iterator) {
		for _, key := range o.Keys() {
			add(in.value(key), o.Get(key))
		}
		return
	}
	vm := in.s.VM()
	vm.ForOf(o, func(pair goja.Value) bool {
		var both []goja.Value
		if p, ok := pair.(*goja.Object); ok {
			vm.ForOf(p, func(v goja.Value) bool {
				both = append(both, v)
				return len(both) < 3
			})
		}
		if len(both) != 2 {
			in.throw("TypeError", where+": headers given as a list must be pairs of name and value")
		}
		add(both[0], both[1])
		return true
	})
}

// show returns the Headers object of a list.
func (in *instance) show(h *headers) goja.Value {
	if h.object == nil {
		h.object = in.object("Headers", h)
	}
	return h.object
}

func (in *instance) headersClass() *goja.Object {
	s := in.s
	method := func(name string, length int, f func(h *headers, where string, c goja.FunctionCall) goja.Value) webidl.Member {
		where := "Headers." + name
		return webidl.Member{Name: name, Length: length, Call: func(c goja.FunctionCall) goja.Value {
			h := webidl.Receiver[*headers](s, c, where)
			webidl.Need(s, c, length, where)
			return f(h, where, c)
		}}
	}
	change := func(name string, length int, f func(h *headers, name, value string)) webidl.Member {
		return method(name, length, func(h *headers, where string, c goja.FunctionCall) goja.Value {
			n, v := in.headerName(where, c.Argument(0)), ""
			if length > 1 {
				v = in.headerValue(where, n, c.Argument(1))
			}
			if h.immutable {
				in.throw("TypeError", where+": the headers of a fetched response cannot be changed; copy them with new Headers(response.headers)")
			}
			f(h, n, v)
			return goja.Undefined()
		})
	}
	members := []webidl.Member{
		change("append", 2, func(h *headers, n, v string) { h.list = append(h.list, header{n, v}) }),
		change("delete", 1, func(h *headers, n, _ string) { h.delete(n) }),
		change("set", 2, (*headers).set),
		method("get", 1, func(h *headers, where string, c goja.FunctionCall) goja.Value {
			if v, ok := h.get(in.headerName(where, c.Argument(0))); ok {
				return in.value(v)
			}
			return goja.Null()
		}),
		method("has", 1, func(h *headers, where string, c goja.FunctionCall) goja.Value {
			_, ok := h.get(in.headerName(where, c.Argument(0)))
			return in.value(ok)
		}),
		method("getSetCookie", 0, func(h *headers, _ string, _ goja.FunctionCall) goja.Value {
			var cookies []any
			for _, e := range h.list {
				if e.name == "set-cookie" {
					cookies = append(cookies, e.value)
				}
			}
			return s.VM().NewArray(cookies...)
		}),
	}
	ctor := webidl.Define(s, webidl.Class{
		Name: "Headers",
		Construct: func(this *goja.Object, c goja.FunctionCall) {
			h := &headers{object: this}
			in.fill("Headers", h, c.Argument(0))
			webidl.Attach(s, this, h)
		},
		Members: members,
	})
	in.iterable(ctor, "Headers", func(c goja.FunctionCall, where string) []pair {
		var pairs []pair
		for _, e := range webidl.Receiver[*headers](s, c, where).sorted() {
			pairs = append(pairs, pair{e.name, in.value(e.value)})
		}
		return pairs
	})
	return ctor
}

// clip shortens a script's text for an error message.
func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
