package console

import (
	"reflect"
	"regexp"
	"strconv"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
)

// property is an own property as the inspector sees it.
type property struct {
	value    goja.Value
	shown    bool   // enumerable
	accessor string // "[Getter]", "[Setter]", "[Getter/Setter]", or empty
}

// own reads an own property without calling its getter.
func (in *inspector) own(o *goja.Object, key goja.Value) (property, bool) {
	if in.describe == nil {
		in.object = in.vm.GlobalObject().Get("Object")
		in.describe, _ = goja.AssertFunction(in.object.ToObject(in.vm).Get("getOwnPropertyDescriptor"))
	}
	if in.describe == nil {
		return property{}, false
	}
	v, err := in.describe(in.object, o, key)
	d, ok := v.(*goja.Object)
	if err != nil || !ok {
		return property{}, false
	}
	get, set := d.Get("get"), d.Get("set")
	hasGet, hasSet := get != nil && !goja.IsUndefined(get), set != nil && !goja.IsUndefined(set)
	switch {
	case hasGet && hasSet:
		return property{accessor: "[Getter/Setter]"}, true
	case hasGet:
		return property{accessor: "[Getter]"}, true
	case hasSet:
		return property{accessor: "[Setter]"}, true
	}
	return property{value: d.Get("value"), shown: d.Get("enumerable").ToBoolean()}, true
}

// text reads a property that is a string on the object or its prototypes, without calling script getters: those
// of built-in and Go-made classes are called.
func (in *inspector) text(o *goja.Object, name string) string {
	for at, steps := o, 0; at != nil && steps < 20 && !webidl.IsProxy(at); at, steps = at.Prototype(), steps+1 {
		p, ok := in.own(at, in.vm.ToValue(name))
		if !ok {
			continue
		}
		if p.accessor != "" {
			if webidl.HasState(o) || webidl.KindOf(o) == webidl.RegExpKind {
				var out string
				_ = in.vm.Try(func() { out = stringOf(o.Get(name)) })
				return out
			}
			return ""
		}
		return stringOf(p.value)
	}
	return ""
}

func stringOf(v goja.Value) string {
	if s, ok := v.(goja.String); ok {
		return clipUnits(s)
	}
	return ""
}

var identifier = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z_0-9]*$`)

func (in *inspector) nested(v goja.Value, depth int) {
	if o, ok := v.(*goja.Object); ok && depth >= maxDepth {
		switch webidl.KindOf(o) {
		case webidl.ArrayKind:
			in.out.WriteString("[Array]")
			return
		case webidl.OrdinaryKind, webidl.MapKind, webidl.SetKind, webidl.TypedArrayKind:
			in.out.WriteString("[" + in.class(o, "Object") + "]")
			return
		}
	}
	in.value(v, depth+1)
}

// class returns the name of the class that an object is an instance of.
func (in *inspector) class(o *goja.Object, otherwise string) string {
	for at, steps := o.Prototype(), 0; at != nil && steps < 20 && !webidl.IsProxy(at); at, steps = at.Prototype(), steps+1 {
		p, ok := in.own(at, in.vm.ToValue("constructor"))
		if !ok {
			continue
		}
		if ctor, ok := p.value.(*goja.Object); ok && !webidl.IsProxy(ctor) {
			if name := in.text(ctor, "name"); name != "" {
				return clip(name)
			}
		}
		return otherwise
	}
	if o.Prototype() == nil {
		return "[" + otherwise + ": null prototype]"
	}
	return otherwise
}

// pairs writes own enumerable properties, "key: value", after what was already written in the same braces.
func (in *inspector) pairs(o *goja.Object, keys []string, depth, written int) int {
	for i, key := range keys {
		if in.full() {
			return written
		}
		if i == maxEntries {
			in.out.WriteString(", ... " + strconv.Itoa(len(keys)-i) + " more")
			return written
		}
		p, ok := in.own(o, in.vm.ToValue(key))
		if !ok {
			continue
		}
		if written > 0 {
			in.out.WriteString(", ")
		}
		written++
		if name := clip(key); identifier.MatchString(name) {
			in.out.WriteString(name)
		} else {
			in.out.WriteString(quote(name))
		}
		in.out.WriteString(": ")
		if p.accessor != "" {
			in.out.WriteString(p.accessor)
			continue
		}
		if _, ok := p.value.(goja.String); ok && secret.MatchString(key) {
			in.out.WriteString("'********'")
			continue
		}
		in.nested(p.value, depth)
	}
	return written
}

// secret matches the names of properties whose text is masked: a log is no place for what opens doors.
var secret = regexp.MustCompile(`(?i)^(auth|authorization|.*(password|secret|token|api_?key))$`)

// members writes the extra properties of a function or error, if there are any.
func (in *inspector) members(o *goja.Object, depth int, open string, without map[string]bool) {
	var keys []string
	for _, key := range o.Keys() {
		if !without[key] {
			keys = append(keys, key)
		}
	}
	cause, hasCause := in.own(o, in.vm.ToValue("cause"))
	hasCause = hasCause && without != nil && cause.value != nil
	if len(keys) == 0 && !hasCause {
		return
	}
	if depth >= maxDepth {
		in.out.WriteString(" {…}")
		return
	}
	in.out.WriteString(open + " ")
	n := in.pairs(o, keys, depth, 0)
	if hasCause {
		if n > 0 {
			in.out.WriteString(", ")
		}
		in.out.WriteString("[cause]: ")
		in.nested(cause.value, depth)
	}
	in.out.WriteString(" }")
}

func (in *inspector) ordinary(o *goja.Object, depth int) {
	name := in.class(o, "Object")
	tag := ""
	if name != "Object" || webidl.HasState(o) {
		tag = webidl.TagOf(o)
	}
	if webidl.HasState(o) && name == "URL" {
		in.out.WriteString("URL { href: " + quote(in.text(o, "href")) + " }")
		return
	}
	if name == "Object" {
		name = ""
	}
	if tag != "" && tag != name {
		name += " [" + clip(tag) + "]"
	}
	if name != "" {
		in.out.WriteString(name + " ")
	}
	keys := o.Keys()
	symbols := in.symbols(o)
	if len(keys)+len(symbols) == 0 {
		in.out.WriteString("{}")
		return
	}
	in.out.WriteString("{ ")
	written := in.pairs(o, keys, depth, 0)
	for _, symbol := range symbols {
		if written > 0 {
			in.out.WriteString(", ")
		}
		written++
		p, _ := in.own(o, symbol)
		in.out.WriteString("[" + primitive(symbol) + "]: ")
		in.nested(p.value, depth)
	}
	in.out.WriteString(" }")
}

// symbols returns an object's enumerable symbol keys that hold values.
func (in *inspector) symbols(o *goja.Object) (list []*goja.Symbol) {
	for _, symbol := range o.Symbols() {
		if p, ok := in.own(o, symbol); ok && p.shown && len(list) < maxEntries {
			list = append(list, symbol)
		}
	}
	return list
}

func (in *inspector) list(o *goja.Object, kind webidl.Kind, depth int) {
	length := 0
	var typed reflect.Value
	switch kind {
	case webidl.TypedArrayKind:
		typed = reflect.ValueOf(o.Export())
		length = typed.Len()
		in.out.WriteString(in.class(o, "TypedArray") + "(" + strconv.Itoa(length) + ") ")
	case webidl.ArgumentsKind:
		in.out.WriteString("[Arguments] ")
		length = len(o.Keys())
	default:
		p, _ := in.own(o, in.vm.ToValue("length"))
		if p.value != nil {
			length = int(p.value.ToInteger())
		}
		if name := in.class(o, "Array"); name != "Array" {
			in.out.WriteString(name + "(" + strconv.Itoa(length) + ") ")
		}
	}
	if length == 0 {
		in.out.WriteString("[]")
		return
	}
	in.out.WriteString("[ ")
	written, holes := false, 0
	comma := func() {
		if written {
			in.out.WriteString(", ")
		}
		written = true
	}
	empty := func() { // a run of holes
		if holes > 0 {
			comma()
			in.out.WriteString("<" + strconv.Itoa(holes) + " empty item" + map[bool]string{true: "s"}[holes > 1] + ">")
		}
		holes = 0
	}
	for i := range min(length, maxEntries) {
		if in.full() {
			return
		}
		if kind == webidl.TypedArrayKind {
			comma()
			in.out.WriteString(primitive(in.vm.ToValue(typed.Index(i).Interface())))
			continue
		}
		p, ok := in.own(o, in.vm.ToValue(i))
		switch {
		case !ok:
			holes++
			continue
		case p.accessor != "":
			empty()
			comma()
			in.out.WriteString(p.accessor)
		default:
			empty()
			comma()
			in.nested(p.value, depth)
		}
	}
	empty()
	if length > maxEntries {
		in.out.WriteString(", ... " + strconv.Itoa(length-maxEntries) + " more items")
	}
	in.out.WriteString(" ]")
}

func (in *inspector) collection(o *goja.Object, kind webidl.Kind, depth int) {
	builtin := "Map"
	if kind == webidl.SetKind {
		builtin = "Set"
	}
	name := in.class(o, builtin)
	var pairs [][2]goja.Value
	total := 0
	_ = in.vm.Try(func() { // the built-in methods, not the object's own
		proto := in.vm.GlobalObject().Get(builtin).ToObject(in.vm).Get("prototype").ToObject(in.vm)
		if d, err := in.describe(in.object, proto, in.vm.ToValue("size")); err == nil {
			if size, ok := goja.AssertFunction(d.ToObject(in.vm).Get("get")); ok {
				if n, err := size(o); err == nil {
					total = int(n.ToInteger())
				}
			}
		}
		if each, ok := goja.AssertFunction(proto.Get("forEach")); ok {
			_, _ = each(o, in.vm.ToValue(func(c goja.FunctionCall) goja.Value {
				if len(pairs) == maxEntries {
					panic(goja.Undefined()) // ends the walk
				}
				pairs = append(pairs, [2]goja.Value{c.Argument(1), c.Argument(0)})
				return goja.Undefined()
			}))
		}
	})
	in.out.WriteString(name + "(" + strconv.Itoa(total) + ") {")
	for i, p := range pairs {
		if in.full() {
			return
		}
		if i > 0 {
			in.out.WriteByte(',')
		}
		in.out.WriteByte(' ')
		if kind == webidl.MapKind {
			in.nested(p[0], depth)
			in.out.WriteString(" => ")
		}
		in.nested(p[1], depth)
	}
	if total > maxEntries {
		in.out.WriteString(", ... " + strconv.Itoa(total-maxEntries) + " more items")
	}
	if total > 0 {
		in.out.WriteByte(' ')
	}
	in.out.WriteByte('}')
}
