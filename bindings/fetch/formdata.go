package fetch

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"slices"
	"strings"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/encoding"
	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// formData is the state of a FormData (XMLHttpRequest standard, section 5).
type formData struct{ list []field }

// field is one entry: text, or a file.
type field struct {
	name, text string
	file       *blob // nil for text
	object     goja.Value
}

// maxFields bounds the fields that are read out of a body.
const maxFields = 10_000

func (in *instance) fieldValue(f *field) goja.Value {
	if f.file == nil {
		return in.value(f.text)
	}
	if f.object == nil {
		f.object = in.asObject(f.file)
	}
	return f.object
}

// entry makes a field of the arguments (name, value, filename) of append and set.
func (in *instance) entry(where string, c goja.FunctionCall) field {
	webidl.Need(in.s, c, 2, where)
	f := field{name: webidl.Text(c.Argument(0))}
	b, ok := webidl.StateOf[*blob](c.Argument(1))
	if !ok {
		if len(c.Arguments) > 2 {
			in.throw("TypeError", fmt.Sprintf("%s: with a file name the value must be a Blob, not %s", where, runtime.Describe(c.Argument(1))))
		}
		f.text = webidl.Text(c.Argument(1))
		return f
	}
	f.file = b
	name := "blob"
	if b.file != nil {
		name, f.object = b.file.name, c.Argument(1)
	}
	if !goja.IsUndefined(c.Argument(2)) {
		name = webidl.Text(c.Argument(2))
	}
	if b.file == nil || b.file.name != name {
		f.file = &blob{data: b.data, kind: b.kind, file: &fileInfo{name: name, modified: float64(in.s.Now().UnixMilli())}}
		f.object = nil
	}
	return f
}

// lineEnds is how text goes into multipart bodies (HTML standard, section 4.10.21.8).
var lineEnds = strings.NewReplacer("\r\n", "\r\n", "\r", "\r\n", "\n", "\r\n")

// quotes escapes names in multipart headers.
var quotes = strings.NewReplacer("\n", "%0A", "\r", "%0D", `"`, "%22")

// encode writes the form as multipart/form-data. The boundary comes from the session's source of chance.
func (f *formData) encode(in *instance) (data []byte, kind string) {
	var chance [16]byte
	in.s.Random(chance[:])
	boundary := "----formdata-" + hex.EncodeToString(chance[:])
	var b bytes.Buffer
	for _, e := range f.list {
		fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=\"%s\"", boundary, quotes.Replace(lineEnds.Replace(e.name)))
		if e.file == nil {
			b.WriteString("\r\n\r\n" + lineEnds.Replace(e.text) + "\r\n")
			continue
		}
		kind := e.file.kind
		if kind == "" {
			kind = "application/octet-stream"
		}
		fmt.Fprintf(&b, "; filename=\"%s\"\r\nContent-Type: %s\r\n\r\n", quotes.Replace(e.file.file.name), kind)
		b.Write(e.file.data)
		b.WriteString("\r\n")
		if limit := in.s.Limits().BufferSize; b.Len() > limit {
			in.throw("RangeError", fmt.Sprintf("FormData: the form has more than %d bytes", limit))
		}
	}
	fmt.Fprintf(&b, "--%s--\r\n", boundary)
	return b.Bytes(), "multipart/form-data; boundary=" + boundary
}

// parseForm reads a body as the form that its Content-Type says it is.
func (in *instance) parseForm(where, kind string, data []byte) *formData {
	media, params, err := mime.ParseMediaType(kind)
	f := &formData{}
	bad := func(why string) { in.throw("TypeError", where+": the body cannot be read as a form: "+why) }
	switch {
	case err == nil && media == "application/x-www-form-urlencoded":
		for part := range strings.SplitSeq(string(data), "&") {
			if part == "" {
				continue
			}
			name, value, _ := strings.Cut(part, "=")
			f.list = append(f.list, field{name: unescape(name), text: unescape(value)})
			if len(f.list) > maxFields {
				bad("it has too many fields")
			}
		}
	case err == nil && media == "multipart/form-data" && params["boundary"] != "":
		r := multipart.NewReader(bytes.NewReader(data), params["boundary"])
		for {
			part, err := r.NextRawPart()
			if err == io.EOF {
				return f
			}
			if err != nil {
				bad("it is damaged")
			}
			content, err := io.ReadAll(part)
			if err != nil || part.FormName() == "" || len(f.list) >= maxFields {
				bad("it is damaged")
			}
			e := field{name: part.FormName()}
			if _, p, err := mime.ParseMediaType(part.Header.Get("Content-Disposition")); err == nil && p["filename"] != "" {
				kind := part.Header.Get("Content-Type")
				if kind == "" {
					kind = "text/plain"
				}
				e.file = &blob{data: content, kind: blobKind(kind), file: &fileInfo{name: p["filename"], modified: float64(in.s.Now().UnixMilli())}}
			} else {
				e.text = encoding.DecodeUTF8(content)
			}
			f.list = append(f.list, e)
		}
	default:
		bad(fmt.Sprintf("its content-type is %q, not multipart/form-data or application/x-www-form-urlencoded", clip(kind)))
	}
	return f
}

// unescape decodes one name or value of an urlencoded form; broken escapes stand for themselves.
func unescape(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			out = append(out, ' ')
		case s[i] == '%' && i+2 < len(s):
			if b, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				out = append(out, b[0])
				i += 2
				continue
			}
			out = append(out, '%')
		default:
			out = append(out, s[i])
		}
	}
	return encoding.DecodeUTF8(out)
}

func (in *instance) formDataClass() *goja.Object {
	s := in.s
	method := func(name string, length int, f func(f *formData, c goja.FunctionCall) goja.Value) webidl.Member {
		return webidl.Member{Name: name, Length: length, Call: func(c goja.FunctionCall) goja.Value {
			form := webidl.Receiver[*formData](s, c, "FormData."+name)
			webidl.Need(s, c, length, "FormData."+name)
			return f(form, c)
		}}
	}
	ctor := webidl.Define(s, webidl.Class{
		Name: "FormData",
		Construct: func(this *goja.Object, call goja.FunctionCall) {
			if !goja.IsUndefined(call.Argument(0)) {
				in.throw("TypeError", "FormData: a form element cannot be given here; append the fields one by one")
			}
			webidl.Attach(s, this, &formData{})
		},
		Members: []webidl.Member{
			method("append", 2, func(f *formData, c goja.FunctionCall) goja.Value {
				f.list = append(f.list, in.entry("FormData.append", c))
				return goja.Undefined()
			}),
			method("set", 2, func(f *formData, c goja.FunctionCall) goja.Value {
				e := in.entry("FormData.set", c)
				same := func(o field) bool { return o.name == e.name }
				if at := slices.IndexFunc(f.list, same); at >= 0 {
					rest := slices.DeleteFunc(slices.Clone(f.list[at+1:]), same)
					f.list = append(append(f.list[:at:at], e), rest...)
				} else {
					f.list = append(f.list, e)
				}
				return goja.Undefined()
			}),
			method("delete", 1, func(f *formData, c goja.FunctionCall) goja.Value {
				name := webidl.Text(c.Argument(0))
				f.list = slices.DeleteFunc(f.list, func(e field) bool { return e.name == name })
				return goja.Undefined()
			}),
			method("get", 1, func(f *formData, c goja.FunctionCall) goja.Value {
				if all := in.fields(f, webidl.Text(c.Argument(0))); len(all) > 0 {
					return all[0].(goja.Value)
				}
				return goja.Null()
			}),
			method("getAll", 1, func(f *formData, c goja.FunctionCall) goja.Value {
				return s.VM().NewArray(in.fields(f, webidl.Text(c.Argument(0)))...)
			}),
			method("has", 1, func(f *formData, c goja.FunctionCall) goja.Value {
				return in.value(len(in.fields(f, webidl.Text(c.Argument(0)))) > 0)
			}),
		},
	})
	in.iterable(ctor, "FormData", func(c goja.FunctionCall, where string) []pair {
		f := webidl.Receiver[*formData](s, c, where)
		var pairs []pair
		for i := range f.list {
			pairs = append(pairs, pair{f.list[i].name, in.fieldValue(&f.list[i])})
		}
		return pairs
	})
	return ctor
}

// fields returns the values of a name.
func (in *instance) fields(f *formData, name string) []any {
	var all []any
	for i := range f.list {
		if f.list[i].name == name {
			all = append(all, in.fieldValue(&f.list[i]))
		}
	}
	return all
}
