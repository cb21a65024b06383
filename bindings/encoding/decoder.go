package encoding

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// decoder is the state of a TextDecoder.
type decoder struct {
	encoding  string
	fatal     bool
	ignoreBOM bool
	pending   []byte // the beginning of a character whose end has not come yet
	streaming bool
	bomSeen   bool
}

// labels maps labels to names (Encoding Standard, section 4.2).
var labels = func() map[string]string {
	all := map[string]string{}
	for name, list := range map[string]string{
		"utf-8":        "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8",
		"utf-16le":     "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le",
		"utf-16be":     "unicodefffe utf-16be",
		"windows-1252": "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252",
	} {
		for label := range strings.FieldsSeq(list) {
			all[label] = name
		}
	}
	return all
}()

// windows1252 holds what 0x80 to 0x9F stand for.
var windows1252 = []rune("\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178")

func (m *instance) decoderClass() goja.Value {
	vm := m.s.VM()
	attribute := func(name string, get func(*decoder) any) webidl.Member {
		return webidl.Member{Name: name, Get: func(c goja.FunctionCall) goja.Value {
			return vm.ToValue(get(webidl.Receiver[*decoder](m.s, c, "TextDecoder."+name)))
		}}
	}
	return webidl.Define(m.s, webidl.Class{
		Name: "TextDecoder",
		Construct: func(this *goja.Object, c goja.FunctionCall) {
			args := m.s.Args("TextDecoder", c)
			d := &decoder{encoding: "utf-8"}
			if args.Has(0) {
				label := webidl.Text(args.Value(0))
				name, known := labels[strings.ToLower(strings.Trim(label, " \t\n\f\r"))]
				if !known {
					e := m.s.NewError("RangeError", `TextDecoder: the encoding `+runtime.Describe(vm.ToValue(label))+` is not supported; there are utf-8, utf-16le, utf-16be and windows-1252 (latin1)`)
					_ = e.(*goja.Object).Set("code", "ERR_ENCODING_NOT_SUPPORTED")
					panic(e)
				}
				d.encoding = name
			}
			o := args.Options(1, "fatal", "ignoreBOM")
			d.fatal, d.ignoreBOM = truthy(o, "fatal"), truthy(o, "ignoreBOM")
			webidl.Attach(m.s, this, d)
		},
		Members: []webidl.Member{
			attribute("encoding", func(d *decoder) any { return d.encoding }),
			attribute("fatal", func(d *decoder) any { return d.fatal }),
			attribute("ignoreBOM", func(d *decoder) any { return d.ignoreBOM }),
			{Name: "decode", Call: func(c goja.FunctionCall) goja.Value {
				d := webidl.Receiver[*decoder](m.s, c, "TextDecoder.decode")
				args := m.s.Args("TextDecoder.decode", c)
				var data []byte
				if args.Has(0) {
					var ok bool
					if data, ok = webidl.Bytes(args.Value(0)); !ok {
						args.Throw("the input must be an ArrayBuffer or a view of one, not %s", runtime.Describe(args.Value(0)))
					}
				}
				if limit := m.s.Limits().StringLength; len(data) > limit {
					panic(m.s.NewError("RangeError", fmt.Sprintf("TextDecoder.decode: %d bytes are too many for a string; the limit is %d", len(data), limit)))
				}
				text, ok := d.decode(data, truthy(args.Options(1, "stream"), "stream"))
				if !ok {
					e := m.s.NewError("TypeError", "The encoded data was not valid for encoding "+d.encoding)
					_ = e.(*goja.Object).Set("code", "ERR_ENCODING_INVALID_ENCODED_DATA")
					panic(e)
				}
				return vm.ToValue(text)
			}},
		},
	})
}

func truthy(o runtime.Options, name string) bool {
	v := o.Value(name)
	return v != nil && v.ToBoolean()
}

// decode decodes the next bytes; stream tells that more will come. It reports false for data that a fatal
// decoder refuses.
func (d *decoder) decode(data []byte, stream bool) (string, bool) {
	if !d.streaming {
		d.pending, d.bomSeen = nil, false
	}
	d.streaming = stream
	if len(d.pending) > 0 {
		data = append(append([]byte(nil), d.pending...), data...)
		d.pending = nil
	}
	var out, rest []byte
	ok := true
	switch d.encoding {
	case "utf-8":
		out, rest, ok = appendUTF8(make([]byte, 0, len(data)+8), data, !stream, d.fatal)
	case "windows-1252":
		for _, b := range data {
			r := rune(b)
			if b >= 0x80 && b <= 0x9F {
				r = windows1252[b-0x80]
			}
			out = utf8.AppendRune(out, r)
		}
	default:
		out, rest, ok = d.utf16(data, !stream)
	}
	if !ok {
		d.streaming = false
		return "", false
	}
	d.pending = append([]byte(nil), rest...)
	if !d.bomSeen && len(out) > 0 {
		d.bomSeen = true
		if !d.ignoreBOM && d.encoding != "windows-1252" {
			out = []byte(strings.TrimPrefix(string(out), "\uFEFF"))
		}
	}
	return string(out), true
}

// utf16 decodes units of two bytes; half a pair at the end waits for its other half.
func (d *decoder) utf16(data []byte, last bool) (out, rest []byte, ok bool) {
	unit := func(i int) rune {
		if d.encoding == "utf-16be" {
			return rune(data[i])<<8 | rune(data[i+1])
		}
		return rune(data[i+1])<<8 | rune(data[i])
	}
	i := 0
	for ; i+1 < len(data); i += 2 {
		r := unit(i)
		if utf16.IsSurrogate(r) {
			if r < 0xDC00 && i+3 >= len(data) && !last {
				return out, data[i:], true
			}
			pair := utf8.RuneError
			if i+3 < len(data) {
				pair = utf16.DecodeRune(r, unit(i+2))
			}
			if pair == utf8.RuneError {
				if d.fatal {
					return nil, nil, false
				}
				if r < 0xDC00 && i+3 == len(data) { // the odd byte belongs to the broken pair
					return append(out, "\uFFFD"...), nil, true
				}
				r = utf8.RuneError
			} else {
				r = pair
				i += 2
			}
		}
		out = utf8.AppendRune(out, r)
	}
	if i < len(data) {
		if !last {
			return out, data[i:], true
		}
		if d.fatal {
			return nil, nil, false
		}
		out = append(out, "\uFFFD"...)
	}
	return out, nil, true
}
