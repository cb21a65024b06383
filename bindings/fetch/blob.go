package fetch

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// blob is the state of a Blob or File: bytes that never change.
type blob struct {
	data []byte
	kind string
	file *fileInfo // nil for a Blob
}

type fileInfo struct {
	name     string
	modified float64 // milliseconds since 1970
}

// blobKind is a blob's type: lower case, or nothing when it holds other than printable ASCII (File API, section
// 3.1).
func blobKind(text string) string {
	if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
		return ""
	}
	return strings.ToLower(text)
}

// parts joins a sequence of strings, buffers and blobs.
func (in *instance) parts(where string, v goja.Value) []byte {
	data := []byte{}
	if goja.IsUndefined(v) {
		return data
	}
	o, ok := v.(*goja.Object)
	if !ok || o.GetSymbol(goja.SymIterator) == nil {
		in.throw("TypeError", fmt.Sprintf("%s: parts must be an array, not %s", where, runtime.Describe(v)))
	}
	limit := in.s.Limits().BufferSize
	in.s.VM().ForOf(o, func(part goja.Value) bool {
		if b, ok := webidl.StateOf[*blob](part); ok {
			data = append(data, b.data...)
		} else if raw, ok := webidl.Bytes(part); ok {
			data = append(data, raw...)
		} else {
			data = append(data, webidl.Text(part)...)
		}
		if len(data) > limit {
			in.throw("RangeError", fmt.Sprintf("%s: the parts have more than %d bytes", where, limit))
		}
		return true
	})
	return data
}

func (in *instance) blobClass() *goja.Object {
	s := in.s
	method := func(name string, f func(b *blob, c goja.FunctionCall) goja.Value) webidl.Member {
		return webidl.Member{Name: name, Call: func(c goja.FunctionCall) goja.Value {
			return f(webidl.Receiver[*blob](s, c, "Blob."+name), c)
		}}
	}
	read := func(name string, convert func(b *blob) goja.Value) webidl.Member {
		return webidl.Member{Name: name, Call: func(c goja.FunctionCall) goja.Value {
			return in.promise(func() goja.Value { return convert(webidl.Receiver[*blob](s, c, "Blob."+name)) })
		}}
	}
	attribute := func(name string, get func(b *blob) any) webidl.Member {
		return webidl.Member{Name: name, Get: func(c goja.FunctionCall) goja.Value {
			return in.value(get(webidl.Receiver[*blob](s, c, "Blob."+name)))
		}}
	}
	return webidl.Define(s, webidl.Class{
		Name: "Blob",
		Construct: func(this *goja.Object, call goja.FunctionCall) {
			options := s.Args("Blob", call).Options(1, "type", "endings")
			b := &blob{data: in.parts("Blob", call.Argument(0))}
			if v := options.Value("type"); v != nil {
				b.kind = blobKind(webidl.Text(v))
			}
			webidl.Attach(s, this, b)
		},
		Members: []webidl.Member{
			attribute("size", func(b *blob) any { return len(b.data) }),
			attribute("type", func(b *blob) any { return b.kind }),
			read("text", func(b *blob) goja.Value { return in.text("Blob.text", b.data) }),
			read("arrayBuffer", func(b *blob) goja.Value {
				return webidl.ArrayBuffer(s, in.own("Blob.arrayBuffer", b.data, false))
			}),
			read("bytes", func(b *blob) goja.Value { return webidl.Uint8Array(s, in.own("Blob.bytes", b.data, false)) }),
			method("stream", func(b *blob, _ goja.FunctionCall) goja.Value {
				return in.object("ReadableStream", inMemory(bytes.Clone(b.data)))
			}),
			method("slice", func(b *blob, c goja.FunctionCall) goja.Value {
				at := func(i int, otherwise int64) int64 {
					n, size := otherwise, int64(len(b.data))
					if v := c.Argument(i); !goja.IsUndefined(v) {
						n = v.ToInteger()
					}
					if n < 0 {
						return max(size+n, 0)
					}
					return min(n, size)
				}
				begin, end := at(0, 0), at(1, int64(len(b.data)))
				cut := &blob{data: b.data[begin:max(begin, end)]}
				if v := c.Argument(2); !goja.IsUndefined(v) {
					cut.kind = blobKind(webidl.Text(v))
				}
				return in.object("Blob", cut)
			}),
		},
	})
}

func (in *instance) fileClass() *goja.Object {
	s := in.s
	attribute := func(name string, get func(f *fileInfo) any) webidl.Member {
		return webidl.Member{Name: name, Get: func(c goja.FunctionCall) goja.Value {
			b := webidl.Receiver[*blob](s, c, "File."+name)
			if b.file == nil {
				return goja.Undefined()
			}
			return in.value(get(b.file))
		}}
	}
	return webidl.Define(s, webidl.Class{
		Name: "File", Length: 2, Parent: in.class("Blob"),
		Construct: func(this *goja.Object, call goja.FunctionCall) {
			webidl.Need(s, call, 2, "File")
			options := s.Args("File", call).Options(2, "type", "endings", "lastModified")
			b := &blob{data: in.parts("File", call.Argument(0)), file: &fileInfo{name: webidl.Text(call.Argument(1))}}
			if v := options.Value("type"); v != nil {
				b.kind = blobKind(webidl.Text(v))
			}
			b.file.modified = options.Number("lastModified", float64(s.Now().UnixMilli()))
			webidl.Attach(s, this, b)
		},
		Members: []webidl.Member{
			attribute("name", func(f *fileInfo) any { return f.name }),
			attribute("lastModified", func(f *fileInfo) any { return f.modified }),
		},
	})
}

// asObject returns the Blob or File object of a blob.
func (in *instance) asObject(b *blob) goja.Value {
	if b.file != nil {
		return in.object("File", b)
	}
	return in.object("Blob", b)
}
