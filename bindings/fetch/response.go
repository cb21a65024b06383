package fetch

import (
	"fmt"
	"math"
	"strings"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/webidl"
)

// response is the state of a Response.
type response struct {
	status     int
	statusText string
	url        string
	redirected bool
	kind       string // the attribute type
	headers    *headers
	body       *payload
}

func (r *response) content() (*payload, *headers) { return r.body, r.headers }

func (r *response) about() string {
	kind, ok := r.headers.get("content-type")
	if !ok {
		kind = "no content-type"
	}
	return fmt.Sprintf("of the response (status %d, %s)", r.status, clip(kind))
}

func (in *instance) responseClass() *goja.Object {
	s := in.s
	attribute := func(name string, get func(r *response) goja.Value) webidl.Member {
		return webidl.Member{Name: name, Get: func(c goja.FunctionCall) goja.Value {
			return get(webidl.Receiver[*response](s, c, "Response."+name))
		}}
	}
	members := append(in.bodyMembers("Response"),
		attribute("ok", func(r *response) goja.Value { return in.value(r.status >= 200 && r.status <= 299) }),
		attribute("status", func(r *response) goja.Value { return in.value(r.status) }),
		attribute("statusText", func(r *response) goja.Value { return in.value(r.statusText) }),
		attribute("headers", func(r *response) goja.Value { return in.show(r.headers) }),
		attribute("url", func(r *response) goja.Value { return in.value(r.url) }),
		attribute("redirected", func(r *response) goja.Value { return in.value(r.redirected) }),
		attribute("type", func(r *response) goja.Value { return in.value(r.kind) }),
		webidl.Member{Name: "clone", Call: func(c goja.FunctionCall) goja.Value {
			r := webidl.Receiver[*response](s, c, "Response.clone")
			copied := *r
			copied.headers, copied.body = r.headers.clone(), r.body.clone(in, "Response.clone")
			copied.headers.immutable = r.headers.immutable
			return in.object("Response", &copied)
		}},
	)
	return webidl.Define(s, webidl.Class{
		Name: "Response", Members: members,
		Construct: func(this *goja.Object, call goja.FunctionCall) {
			data, kind := in.extract("Response", call.Argument(0))
			webidl.Attach(s, this, in.newResponse("Response", call, data, kind))
		},
		Statics: []webidl.Member{
			{Name: "error", Call: func(goja.FunctionCall) goja.Value {
				return in.object("Response", &response{kind: "error", headers: &headers{immutable: true}, body: &payload{null: true}})
			}},
			{Name: "json", Length: 1, Call: func(c goja.FunctionCall) goja.Value {
				webidl.Need(s, c, 1, "Response.json")
				return in.object("Response", in.newResponse("Response.json", c, in.stringify("Response.json", c.Argument(0)), "application/json"))
			}},
			{Name: "redirect", Length: 1, Call: func(c goja.FunctionCall) goja.Value {
				webidl.Need(s, c, 1, "Response.redirect")
				u, err := outbound.ParseURL(webidl.Text(c.Argument(0)))
				if err != nil {
					in.throw("TypeError", "Response.redirect: "+err.Error())
				}
				status := 302
				if !goja.IsUndefined(c.Argument(1)) {
					status = int(c.Argument(1).ToInteger())
				}
				switch status {
				case 301, 302, 303, 307, 308:
				default:
					in.throw("RangeError", fmt.Sprintf("Response.redirect: %d is no redirect status; it must be 301, 302, 303, 307 or 308", status))
				}
				h := &headers{list: []header{{"location", u.String()}}, immutable: true}
				return in.object("Response", &response{status: status, kind: "default", headers: h, body: &payload{null: true}})
			}},
		},
	})
}

// newResponse makes a response of a body and the argument init (Fetch standard, section 5.5).
func (in *instance) newResponse(where string, call goja.FunctionCall, data []byte, kind string) *response {
	options := in.s.Args(where, call).Options(1, "status", "statusText", "headers")
	r := &response{status: 200, kind: "default", headers: &headers{}, body: inMemory(data)}
	if v := options.Value("status"); v != nil {
		n := v.ToNumber().ToFloat()
		if math.IsNaN(n) || n < 200 || n >= 600 {
			in.throw("RangeError", fmt.Sprintf("%s: the status %s is not between 200 and 599", where, clip(v.String())))
		}
		r.status = int(n)
	}
	if v := options.Value("statusText"); v != nil {
		r.statusText = webidl.Text(v)
		if strings.ContainsFunc(r.statusText, func(c rune) bool { return c > 0xff || c < ' ' && c != '\t' || c == 0x7f }) {
			in.throw("TypeError", where+": the statusText holds a character that cannot stand there")
		}
	}
	in.fill(where, r.headers, options.Value("headers"))
	if data != nil {
		if nullBody(r.status) {
			in.throw("TypeError", fmt.Sprintf("%s: a response with status %d cannot have a body", where, r.status))
		}
		if _, ok := r.headers.get("content-type"); !ok && kind != "" {
			r.headers.list = append(r.headers.list, header{"content-type", kind})
		}
	}
	return r
}

// stringify is JSON.stringify into bytes.
func (in *instance) stringify(where string, v goja.Value) []byte {
	vm := in.s.VM()
	o := vm.GlobalObject().Get("JSON").ToObject(vm)
	f, _ := goja.AssertFunction(o.Get("stringify"))
	text, err := f(o, v)
	if err != nil {
		panic(err)
	}
	if goja.IsUndefined(text) {
		in.throw("TypeError", where+": the value cannot be written as JSON")
	}
	return []byte(text.String())
}
