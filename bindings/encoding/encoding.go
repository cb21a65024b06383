// Package encoding gives scripts TextEncoder, TextDecoder, atob and btoa (Encoding Standard; HTML, section 8.3).
//
// TextDecoder knows UTF-8, UTF-16LE, UTF-16BE and windows-1252, which is also what latin1 and ascii mean on the
// web. Any other label is a RangeError.
package encoding

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// Module provides the globals TextEncoder, TextDecoder, atob and btoa.
type Module struct{}

// New returns the module.
func New() *Module { return &Module{} }

// Name implements runtime.Module.
func (*Module) Name() string { return "encoding" }

// Provides implements runtime.Module.
func (*Module) Provides() runtime.Provides {
	return runtime.Provides{Globals: []string{"TextEncoder", "TextDecoder", "atob", "btoa"}}
}

// Instantiate implements runtime.Module.
func (*Module) Instantiate(s *runtime.Session) (runtime.Instance, error) { return &instance{s}, nil }

type instance struct{ s *runtime.Session }

// Import implements runtime.Instance.
func (*instance) Import(string) goja.Value { return goja.Undefined() }

// Global implements runtime.Instance.
func (m *instance) Global(name string) goja.Value {
	switch name {
	case "TextEncoder":
		return m.encoderClass()
	case "TextDecoder":
		return m.decoderClass()
	case "atob":
		return webidl.Function(m.s.VM(), name, 1, m.atob)
	}
	return webidl.Function(m.s.VM(), name, 1, m.btoa)
}

// encoder is the state of a TextEncoder: none.
type encoder struct{}

func (m *instance) encoderClass() goja.Value {
	vm := m.s.VM()
	return webidl.Define(m.s, webidl.Class{
		Name:      "TextEncoder",
		Construct: func(this *goja.Object, _ goja.FunctionCall) { webidl.Attach(m.s, this, &encoder{}) },
		Members: []webidl.Member{
			{Name: "encoding", Get: func(c goja.FunctionCall) goja.Value {
				webidl.Receiver[*encoder](m.s, c, "TextEncoder.encoding")
				return vm.ToValue("utf-8")
			}},
			{Name: "encode", Call: func(c goja.FunctionCall) goja.Value {
				webidl.Receiver[*encoder](m.s, c, "TextEncoder.encode")
				if v := c.Argument(0); !goja.IsUndefined(v) {
					return webidl.Uint8Array(m.s, m.bounded("TextEncoder.encode", webidl.Text(v)))
				}
				return webidl.Uint8Array(m.s, nil)
			}},
			{Name: "encodeInto", Length: 2, Call: m.encodeInto},
		},
	})
}

// bounded returns the bytes of a text that is to become a buffer.
func (m *instance) bounded(function, text string) []byte {
	if limit := m.s.Limits().BufferSize; len(text) > limit {
		panic(m.s.NewError("RangeError", fmt.Sprintf("%s: the text has %d bytes; the limit is %d", function, len(text), limit)))
	}
	return []byte(text)
}

// encodeInto writes whole characters only.
func (m *instance) encodeInto(c goja.FunctionCall) goja.Value {
	webidl.Receiver[*encoder](m.s, c, "TextEncoder.encodeInto")
	webidl.Need(m.s, c, 2, "TextEncoder.encodeInto")
	text := webidl.Text(c.Argument(0))
	o, ok := c.Argument(1).(*goja.Object)
	var target []byte
	if ok && webidl.KindOf(o) == webidl.TypedArrayKind {
		if ok = o.ExportType() == reflect.TypeFor[[]byte](); ok {
			target, _ = webidl.Bytes(o)
		}
	} else {
		ok = false
	}
	if !ok {
		m.s.Args("TextEncoder.encodeInto", c).Throw("the destination must be a Uint8Array, not %s", runtime.Describe(c.Argument(1)))
	}
	read, written := 0, 0
	for _, r := range text {
		n := utf8.RuneLen(r)
		if written+n > len(target) {
			break
		}
		utf8.EncodeRune(target[written:], r)
		written += n
		if read++; r > 0xFFFF {
			read++
		}
	}
	vm := m.s.VM()
	result := vm.NewObject()
	webidl.AddFields(vm, result, webidl.Field{Name: "read", Value: read}, webidl.Field{Name: "written", Value: written})
	return result
}

// atob decodes forgiving base64 (Infra Standard, section 7) to text of one character for each byte.
func (m *instance) atob(c goja.FunctionCall) goja.Value {
	webidl.Need(m.s, c, 1, "atob")
	var b strings.Builder
	for _, r := range webidl.Text(c.Argument(0)) {
		switch r {
		case ' ', '\t', '\n', '\f', '\r':
			continue
		}
		b.WriteRune(r)
	}
	text := b.String()
	if len(text)%4 == 0 {
		if strings.HasSuffix(text, "==") {
			text = text[:len(text)-2]
		} else {
			text = strings.TrimSuffix(text, "=")
		}
	}
	data, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		panic(webidl.NewException(m.s, "InvalidCharacterError", "atob: the text is not base64"))
	}
	units := make([]uint16, len(data))
	for i, x := range data {
		units[i] = uint16(x)
	}
	return goja.StringFromUTF16(units)
}

// btoa encodes text whose characters are bytes.
func (m *instance) btoa(c goja.FunctionCall) goja.Value {
	webidl.Need(m.s, c, 1, "btoa")
	s := webidl.String(c.Argument(0))
	if s.Length() > m.s.Limits().StringLength/4*3 {
		panic(m.s.NewError("RangeError", "btoa: the text is too long"))
	}
	data := make([]byte, s.Length())
	for i := range data {
		u := s.CharAt(i)
		if u > 0xFF {
			panic(webidl.NewException(m.s, "InvalidCharacterError", "btoa: the text has characters beyond U+00FF; encode it with TextEncoder first"))
		}
		data[i] = byte(u)
	}
	return m.s.VM().ToValue(base64.StdEncoding.EncodeToString(data))
}
