package fetch

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/encoding"
	"github.com/piopiy/piopiyd/bindings/url"
	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// hasBody is a Request or a Response.
type hasBody interface {
	content() (*payload, *headers)
	// about describes the object for an error message, without its content.
	about() string
}

// bodyMembers are what Request and Response have in common (Fetch standard, section 5.3, Body).
func (in *instance) bodyMembers(class string) []webidl.Member {
	s := in.s
	read := func(name string, convert func(b hasBody, where string, data []byte, fresh bool) goja.Value) webidl.Member {
		where := class + "." + name
		return webidl.Member{Name: name, Call: func(c goja.FunctionCall) goja.Value {
			return in.promise(func() goja.Value {
				b := webidl.Receiver[hasBody](s, c, where)
				p, _ := b.content()
				return in.consume(p, where, func(data []byte, fresh bool) goja.Value { return convert(b, where, data, fresh) })
			})
		}}
	}
	return []webidl.Member{
		read("text", func(_ hasBody, where string, data []byte, _ bool) goja.Value { return in.text(where, data) }),
		read("json", func(b hasBody, where string, data []byte, _ bool) goja.Value { return in.json(b, where, data) }),
		read("arrayBuffer", func(_ hasBody, where string, data []byte, fresh bool) goja.Value {
			return webidl.ArrayBuffer(s, in.own(where, data, fresh))
		}),
		read("bytes", func(_ hasBody, where string, data []byte, fresh bool) goja.Value {
			return webidl.Uint8Array(s, in.own(where, data, fresh))
		}),
		read("blob", func(b hasBody, _ string, data []byte, fresh bool) goja.Value {
			_, h := b.content()
			kind, _ := h.get("content-type")
			return in.object("Blob", &blob{data: data, kind: strings.ToLower(kind)})
		}),
		read("formData", func(b hasBody, where string, data []byte, _ bool) goja.Value {
			_, h := b.content()
			kind, _ := h.get("content-type")
			return in.object("FormData", in.parseForm(where, kind, data))
		}),
		{Name: "bodyUsed", Get: func(c goja.FunctionCall) goja.Value {
			p, _ := webidl.Receiver[hasBody](s, c, class+".bodyUsed").content()
			return in.value(p.used && !p.null)
		}},
		{Name: "body", Get: func(c goja.FunctionCall) goja.Value {
			p, _ := webidl.Receiver[hasBody](s, c, class+".body").content()
			if p.null {
				return goja.Null()
			}
			if p.object == nil {
				p.object = in.object("ReadableStream", p)
			}
			return p.object
		}},
	}
}

// own returns bytes that a script may change.
func (in *instance) own(where string, data []byte, fresh bool) []byte {
	if limit := in.s.Limits().BufferSize; len(data) > limit {
		in.throw("RangeError", fmt.Sprintf("%s: the body has %d bytes; the limit for buffers is %d", where, len(data), limit))
	}
	if fresh {
		return data[:len(data):len(data)]
	}
	return bytes.Clone(data)
}

// text decodes UTF-8 without a byte order mark.
func (in *instance) text(where string, data []byte) goja.Value {
	if limit := in.s.Limits().StringLength; len(data) > limit {
		in.throw("RangeError", fmt.Sprintf("%s: the body has %d bytes; the limit for strings is %d", where, len(data), limit))
	}
	return in.value(encoding.DecodeUTF8(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
}

func (in *instance) json(b hasBody, where string, data []byte) goja.Value {
	var v goja.Value
	thrown := in.s.VM().Try(func() {
		v = in.s.Guard().ParseJSON(encoding.DecodeUTF8(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	})
	if thrown == nil {
		return v
	}
	// The body itself stays out of the message, which reaches the log.
	class, why := "SyntaxError", ""
	if o, ok := thrown.Value().(*goja.Object); ok {
		class, why = o.Get("name").String(), strings.TrimPrefix(o.Get("message").String(), "JSON.parse: ")
	}
	if class == "SyntaxError" {
		if len(bytes.TrimSpace(data)) == 0 {
			why = "it is empty"
		}
		why = fmt.Sprintf("the body %s is not JSON: %s", b.about(), why)
	}
	in.throw(class, where+": "+why)
	return nil
}

// extract reads a BodyInit (Fetch standard, section 5.2): its bytes, nil when there is no body, and the
// Content-Type it implies.
func (in *instance) extract(where string, v goja.Value) (data []byte, kind string) {
	if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
		return nil, ""
	}
	o, ok := v.(*goja.Object)
	if !ok {
		return []byte(webidl.Text(v)), "text/plain;charset=UTF-8"
	}
	if query, ok := url.Query(o); ok {
		return []byte(query), "application/x-www-form-urlencoded;charset=UTF-8"
	}
	if f, ok := webidl.StateOf[*formData](o); ok {
		return f.encode(in)
	}
	if b, ok := webidl.StateOf[*blob](o); ok {
		return b.data[:len(b.data):len(b.data)], b.kind
	}
	if raw, ok := webidl.Bytes(o); ok {
		return append([]byte{}, raw...), ""
	}
	if _, ok := webidl.StateOf[*payload](o); ok {
		in.throw("TypeError", where+": a stream cannot be sent as a body; read it first, for instance with await response.bytes()")
	}
	switch webidl.KindOf(o) {
	case webidl.BoxKind:
		return []byte(webidl.Text(v)), "text/plain;charset=UTF-8"
	case webidl.PromiseKind:
		in.throw("TypeError", where+": the body is a Promise; await it first")
	}
	in.throw("TypeError", fmt.Sprintf("%s: the body is %s; send JSON with body: JSON.stringify(…), a form with URLSearchParams or FormData", where, runtime.Describe(v)))
	return nil, ""
}
