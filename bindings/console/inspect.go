package console

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
)

// Bounds of an inspection.
const (
	maxDepth   = 4
	maxEntries = 100
	maxText    = 4 << 10
)

// Inspect describes a value for a reader, as Node's util.inspect does, on one line but for stacks: nested up to 4
// levels, with up to 100 entries of each object and up to 4 KiB in all. Getters are named, not called; circles
// are marked. On the session's goroutine.
func Inspect(vm *goja.Runtime, v goja.Value) string {
	in := inspector{vm: vm}
	in.value(v, 0)
	return in.result()
}

// inspector writes one value's description.
type inspector struct {
	vm       *goja.Runtime
	out      strings.Builder
	path     []*goja.Object
	describe goja.Callable // Object.getOwnPropertyDescriptor
	object   goja.Value
}

func (in *inspector) result() string {
	text := in.out.String()
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}

func (in *inspector) full() bool { return in.out.Len() > maxText }

func (in *inspector) value(v goja.Value, depth int) {
	if in.full() {
		return
	}
	o, ok := v.(*goja.Object)
	if !ok {
		in.out.WriteString(primitive(v))
		return
	}
	for _, outer := range in.path {
		if outer == o {
			in.out.WriteString("[Circular]")
			return
		}
	}
	in.path = append(in.path, o)
	in.inside(o, depth)
	in.path = in.path[:len(in.path)-1]
}

func primitive(v goja.Value) string {
	switch x := v.(type) {
	case nil:
		return "undefined"
	case *goja.Symbol:
		return "Symbol(" + clip(x.String()) + ")"
	case goja.String:
		return quote(clipUnits(x))
	}
	if f, ok := v.Export().(float64); ok && f == 0 && 1/f < 0 {
		return "-0"
	}
	return v.String()
}

// clipUnits bounds a string before it is converted.
func clipUnits(s goja.String) string {
	if s.Length() > maxText {
		return s.Substring(0, maxText).String() + "…"
	}
	return s.String()
}

func clip(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}

// quote writes a string in the quotes that need the fewest escapes.
func quote(s string) string {
	mark := byte('\'')
	for _, m := range []byte{'\'', '"', '`'} {
		if strings.IndexByte(s, m) < 0 {
			mark = m
			break
		}
	}
	var b strings.Builder
	b.WriteByte(mark)
	for _, r := range s {
		switch {
		case r == rune(mark) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte(mark)
	return b.String()
}

func (in *inspector) inside(o *goja.Object, depth int) {
	kind := webidl.KindOf(o)
	if kind == webidl.ProxyKind {
		in.out.WriteString("[Proxy]")
		return
	}
	if kind == webidl.FunctionKind && webidl.IsProxy(o) {
		in.out.WriteString("[Proxy of a function]")
		return
	}
	switch kind {
	case webidl.FunctionKind:
		in.function(o)
		in.members(o, depth, " {", nil)
	case webidl.ErrorKind:
		in.failure(o)
		in.members(o, depth, " {", map[string]bool{"stack": true, "message": true})
	case webidl.DateKind:
		in.date(o)
	case webidl.RegExpKind:
		in.out.WriteString("/" + clip(in.text(o, "source")) + "/" + clip(in.text(o, "flags")))
	case webidl.BoxKind:
		in.box(o)
	case webidl.BufferKind:
		in.bytes(o)
	case webidl.PromiseKind:
		in.promise(o, depth)
	case webidl.ArrayKind, webidl.ArgumentsKind, webidl.TypedArrayKind:
		in.list(o, kind, depth)
	case webidl.MapKind, webidl.SetKind:
		in.collection(o, kind, depth)
	default:
		if webidl.IsException(o, in.text(o, "name")) {
			in.failure(o)
			return
		}
		in.ordinary(o, depth)
	}
}

// function names a function, and tells a class from the source that the built-in toString shows.
func (in *inspector) function(o *goja.Object) {
	name := clip(in.text(o, "name"))
	if in.isClass(o) {
		if name == "" {
			name = "(anonymous)"
		}
		if parent := o.Prototype(); parent != nil && !webidl.IsProxy(parent) {
			if super := in.text(parent, "name"); super != "" {
				name += " extends " + clip(super)
			}
		}
		in.out.WriteString("[class " + name + "]")
		return
	}
	word := "Function"
	if tag := webidl.TagOf(o); tag == "AsyncFunction" || tag == "GeneratorFunction" {
		word = tag
	}
	if name == "" {
		in.out.WriteString("[" + word + " (anonymous)]")
		return
	}
	in.out.WriteString("[" + word + ": " + name + "]")
}

func (in *inspector) isClass(o *goja.Object) bool {
	source := ""
	_ = in.vm.Try(func() {
		proto := in.vm.GlobalObject().Get("Function").ToObject(in.vm).Get("prototype").ToObject(in.vm)
		if show, ok := goja.AssertFunction(proto.Get("toString")); ok {
			if v, err := show(o); err == nil {
				if s, ok := v.(goja.String); ok && s.Length() > 6 {
					source = s.Substring(0, 6).String()
				}
			}
		}
	})
	return source == "class " || source == "class{"
}

// frameNoise is what goja's call sites hold beyond file, line and column.
var frameNoise = regexp.MustCompile(`\bscripts:|(:\d+:\d+)\(\d+\)`)

// failure writes an Error's stack, or what it says where the stack is missing.
func (in *inspector) failure(o *goja.Object) {
	name, message := in.text(o, "name"), in.text(o, "message")
	head := name
	if message != "" {
		head += ": " + message
	}
	stack := strings.TrimRight(frameNoise.ReplaceAllString(in.text(o, "stack"), "$1"), "\n")
	_, frames, _ := strings.Cut(stack, "\n")
	if strings.HasPrefix(stack, head) { // messages may have several lines
		frames = strings.TrimPrefix(stack[len(head):], "\n")
	}
	var kept []string
	for line := range strings.Lines(frames) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "at ") && !strings.Contains(line, "(native)") {
			kept = append(kept, "\n    "+line)
		}
		if len(kept) == 10 {
			break
		}
	}
	if head == "" {
		head = "Error"
	}
	if len(kept) == 0 {
		head = "[" + head + "]"
	}
	in.out.WriteString(head + strings.Join(kept, ""))
}

func (in *inspector) date(o *goja.Object) {
	t, ok := o.Export().(time.Time)
	if !ok || t.IsZero() {
		in.out.WriteString("Invalid Date")
		return
	}
	in.out.WriteString(t.UTC().Format("2006-01-02T15:04:05.000Z"))
}

// box describes a Number, String, Boolean or Symbol object.
func (in *inspector) box(o *goja.Object) {
	class := o.ClassName()
	if class == "Object" {
		class = "Symbol"
	}
	inner := "?"
	_ = in.vm.Try(func() { // the built-in valueOf, not the object's own
		proto := in.vm.GlobalObject().Get(class).ToObject(in.vm).Get("prototype").ToObject(in.vm)
		if valueOf, ok := goja.AssertFunction(proto.Get("valueOf")); ok {
			if v, err := valueOf(o); err == nil {
				inner = primitive(v)
			}
		}
	})
	in.out.WriteString("[" + class + ": " + inner + "]")
}

func (in *inspector) bytes(o *goja.Object) {
	data, _ := webidl.Bytes(o)
	shown := data[:min(len(data), 50)]
	fmt.Fprintf(&in.out, "ArrayBuffer { [Uint8Contents]: <% x", shown)
	if len(data) > len(shown) {
		fmt.Fprintf(&in.out, " ... %d more bytes", len(data)-len(shown))
	}
	in.out.WriteString(">, byteLength: " + strconv.Itoa(len(data)) + " }")
}

func (in *inspector) promise(o *goja.Object, depth int) {
	p, ok := o.Export().(*goja.Promise)
	if !ok {
		in.out.WriteString("Promise {}")
		return
	}
	in.out.WriteString("Promise { ")
	switch p.State() {
	case goja.PromiseStatePending:
		in.out.WriteString("<pending>")
	case goja.PromiseStateRejected:
		in.out.WriteString("<rejected> ")
		in.nested(p.Result(), depth)
	default:
		in.nested(p.Result(), depth)
	}
	in.out.WriteString(" }")
}
