package guard

import (
	"fmt"
	"reflect"
	"unsafe"

	"github.com/dop251/goja"
	"github.com/dop251/goja/unistring"
)

// This file is the only one that knows what goja looks like inside. It finds the fields it needs by name,
// checks their types, and keeps their offsets.

type (
	native    = func(goja.FunctionCall) goja.Value
	construct = func(args []goja.Value, newTarget *goja.Object) *goja.Object
	factory   = func(*goja.Runtime) goja.Value
)

// seam holds offsets and type words; the zero value is useless, see findSeam.
var seam struct {
	self              uintptr // goja.Object.self
	function          word    // *nativeFuncObject as an object implementation
	call, construct   uintptr // its fields
	bound             word    // *boundFuncObject, which begins with one
	array             word    // *arrayObject
	elements          uintptr // its dense values
	length, count     uintptr // its length and the number of elements that are no holes
	plain             word    // *baseObject
	values, names     uintptr // its properties and their order
	reflected         word    // *objectGoReflect
	typed             word    // *typedArrayObject
	property          word    // *valueProperty as a Value
	propertyValue     uintptr
	intKind, boolKind word
}

// errSeam is why guards cannot be installed, nil when they can.
var errSeam error

// word identifies a dynamic type behind an interface.
type word = unsafe.Pointer

// iface is an interface value in memory.
type iface struct {
	word word
	data unsafe.Pointer
}

func valueWords(v goja.Value) *iface { return (*iface)(unsafe.Pointer(&v)) }

// implementation returns what stands behind an object.
func implementation(o *goja.Object) *iface {
	return (*iface)(unsafe.Add(unsafe.Pointer(o), seam.self))
}

// at returns the field at an offset of a structure.
func at[T any](p unsafe.Pointer, offset uintptr) *T { return (*T)(unsafe.Add(p, offset)) }

// findSeam fills seam from specimens of each type.
func findSeam(vm *goja.Runtime) (err error) {
	field := func(t reflect.Type, name string, want reflect.Type) uintptr {
		f, ok := t.FieldByName(name)
		switch {
		case err != nil:
		case !ok:
			err = fmt.Errorf("%s has no field %s", t, name)
		case want != nil && f.Type != want:
			err = fmt.Errorf("%s.%s is a %s, not a %s", t, name, f.Type, want)
		case len(f.Index) > 1 && throughPointer(t, f.Index):
			err = fmt.Errorf("%s.%s lies behind a pointer", t, name)
		}
		return f.Offset + embeddedOffset(t, f.Index)
	}
	seam.self = field(reflect.TypeFor[goja.Object](), "self", nil)
	if err != nil {
		return err
	}
	specimen := func(o *goja.Object) (reflect.Type, word) {
		return selfOf(o).Elem().Type(), implementation(o).word
	}
	var t reflect.Type
	t, seam.function = specimen(vm.Get("isNaN").ToObject(vm))
	seam.call = field(t, "f", reflect.TypeFor[native]())
	seam.construct = field(t, "construct", reflect.TypeFor[construct]())

	bind, _ := goja.AssertFunction(vm.Get("isNaN").ToObject(vm).Get("bind"))
	bound, e := bind(vm.Get("isNaN"))
	if e != nil {
		return e
	}
	t, seam.bound = specimen(bound.ToObject(vm))
	if field(t, "f", reflect.TypeFor[native]()) != seam.call && err == nil {
		err = fmt.Errorf("%s does not begin with a function", t)
	}

	t, seam.array = specimen(vm.NewArray())
	seam.elements = field(t, "values", reflect.TypeFor[[]goja.Value]())
	seam.length = field(t, "length", reflect.TypeFor[uint32]())
	seam.count = field(t, "objCount", reflect.TypeFor[int]())

	t, seam.plain = specimen(vm.NewObject())
	seam.values = field(t, "values", reflect.TypeFor[map[unistring.String]goja.Value]())
	seam.names = field(t, "propNames", reflect.TypeFor[[]unistring.String]())

	typed, e := vm.New(vm.Get("Int8Array"))
	if e != nil {
		return e
	}
	_, seam.typed = specimen(typed)
	_, seam.reflected = specimen(vm.ToValue(struct{}{}).ToObject(vm))
	seam.intKind = valueWords(vm.ToValue(1)).word
	seam.boolKind = valueWords(vm.ToValue(true)).word
	return err
}

// embeddedOffset is the offset of the embedded structures that a promoted field lies in.
func embeddedOffset(t reflect.Type, index []int) (offset uintptr) {
	for _, i := range index[:max(0, len(index)-1)] {
		f := t.Field(i)
		offset += f.Offset
		t = f.Type
	}
	return offset
}

func throughPointer(t reflect.Type, index []int) bool {
	for _, i := range index[:len(index)-1] {
		if t = t.Field(i).Type; t.Kind() == reflect.Pointer {
			return true
		}
	}
	return false
}

// selfOf returns the pointer to what stands behind an object.
func selfOf(o *goja.Object) reflect.Value {
	return reflect.ValueOf(o).Elem().FieldByName("self").Elem()
}

// table is goja's list of a prototype's members, shared by all runtimes.
type table struct {
	strings reflect.Value // map[unistring.String]templatePropFactory
	symbols reflect.Value // map[*Symbol]templatePropFactory
}

// tableOf finds the table that an object's members come from.
func tableOf(o *goja.Object) (table, error) {
	self := selfOf(o).Elem()
	tmpl := self.FieldByName("tmpl")
	if !tmpl.IsValid() {
		return table{}, fmt.Errorf("%s has no field tmpl", self.Type())
	}
	get := func(name string) reflect.Value {
		f, ok := tmpl.Type().Elem().FieldByName(name)
		if !ok || f.Type.Kind() != reflect.Map || !f.Type.Elem().ConvertibleTo(reflect.TypeFor[factory]()) {
			return reflect.Value{}
		}
		return reflect.NewAt(f.Type, unsafe.Add(tmpl.UnsafePointer(), f.Offset)).Elem()
	}
	t := table{get("props"), get("symProps")}
	if !t.strings.IsValid() || !t.symbols.IsValid() {
		return t, fmt.Errorf("%s has changed", tmpl.Type().Elem())
	}
	return t, nil
}

// edit replaces the maker of one member, which key names by a string or a symbol.
func (t table) edit(key any, with func(original factory) factory) error {
	m, k := t.strings, reflect.Value{}
	switch key := key.(type) {
	case string:
		k = reflect.ValueOf(unistring.NewFromString(key))
	case *goja.Symbol:
		m, k = t.symbols, reflect.ValueOf(key)
	}
	entry := m.MapIndex(k)
	if !entry.IsValid() {
		return fmt.Errorf("no built-in member %v", key)
	}
	original := entry.Convert(reflect.TypeFor[factory]()).Interface().(factory)
	m.SetMapIndex(k, reflect.ValueOf(with(original)).Convert(m.Type().Elem()))
	return nil
}

// findProperty learns the shape of a property from what a member's maker returns.
func findProperty(v goja.Value) error {
	t := reflect.TypeOf(v).Elem()
	f, ok := t.FieldByName("value")
	if !ok || f.Type != reflect.TypeFor[goja.Value]() {
		return fmt.Errorf("%s has no value", t)
	}
	seam.property, seam.propertyValue = valueWords(v).word, f.Offset
	return nil
}

// memberObject returns the object that a member's maker made.
func memberObject(v goja.Value) *goja.Object {
	if w := valueWords(v); w.word == seam.property {
		v = *at[goja.Value](w.data, seam.propertyValue)
	}
	o, _ := v.(*goja.Object)
	return o
}

// wrapCall puts a guard inside a built-in function.
func wrapCall(v goja.Value, with func(native) native) {
	o, ok := v.(*goja.Object)
	if !ok {
		return
	}
	if w := implementation(o).word; w != seam.function && w != seam.bound {
		return
	}
	f := at[native](implementation(o).data, seam.call)
	*f = with(*f)
}

// wrapConstruct puts a guard inside a built-in constructor, on the path that `new` takes.
func wrapConstruct(v goja.Value, with func(construct) construct) {
	o, ok := v.(*goja.Object)
	if !ok || implementation(o).word != seam.function {
		return
	}
	f := at[construct](implementation(o).data, seam.construct)
	*f = with(*f)
}

// dense returns the elements of an ordinary array, holes being nil, without copying.
func dense(o *goja.Object) ([]goja.Value, bool) {
	i := implementation(o)
	if i.word != seam.array {
		return nil, false
	}
	return *at[[]goja.Value](i.data, seam.elements), true
}

// denseLength returns the length of an ordinary array.
func denseLength(o *goja.Object) (int, bool) {
	i := implementation(o)
	if i.word != seam.array {
		return 0, false
	}
	return int(*at[uint32](i.data, seam.length)), true
}

// newArray makes an array which owns the elements.
func newArray(vm *goja.Runtime, elements []goja.Value) *goja.Object {
	o := vm.NewArray()
	data := implementation(o).data
	*at[[]goja.Value](data, seam.elements) = elements
	*at[uint32](data, seam.length) = uint32(len(elements))
	*at[int](data, seam.count) = len(elements)
	return o
}

// properties returns the properties of an ordinary object, and their names in order of creation.
func properties(o *goja.Object) (map[unistring.String]goja.Value, *[]unistring.String, bool) {
	i := implementation(o)
	if i.word != seam.plain {
		return nil, nil, false
	}
	return *at[map[unistring.String]goja.Value](i.data, seam.values), at[[]unistring.String](i.data, seam.names), true
}

// isTyped reports whether an object is a typed array, whose length is goja's own.
func isTyped(o *goja.Object) bool { return implementation(o).word == seam.typed }

// isReflected reports whether an object is a Go value in disguise.
func isReflected(o *goja.Object) bool { return implementation(o).word == seam.reflected }

func isInt(v goja.Value) bool  { return valueWords(v).word == seam.intKind }
func isBool(v goja.Value) bool { return valueWords(v).word == seam.boolKind }
