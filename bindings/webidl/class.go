// Package webidl gives Go-written modules what the Web IDL standard gives browsers: classes whose instances hold
// Go state, the DOMException class, and the conversions between JavaScript values and Go ones.
//
//	ctor := webidl.Define(s, webidl.Class{
//		Name: "Counter",
//		Construct: func(this *goja.Object, _ goja.FunctionCall) { webidl.Attach(s, this, &counter{}) },
//		Members: []webidl.Member{
//			{Name: "next", Call: func(c goja.FunctionCall) goja.Value {
//				n := webidl.Receiver[*counter](s, c, "Counter.next")
//				...
//
// Classes made here behave as those of a browser: they need `new`, scripts can extend them, and a method called
// on a foreign object throws a TypeError.
package webidl

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

// Class describes a JavaScript class.
type Class struct {
	// Name is the class's name, which instances also carry as Symbol.toStringTag.
	Name string
	// Length is the number of arguments the constructor needs.
	Length int
	// Parent is the constructor of the class that this one extends, or nil. Its constructor is not called.
	Parent *goja.Object
	// Construct fills a new object, usually by attaching state. Nil makes `new` throw "Illegal constructor".
	Construct func(this *goja.Object, c goja.FunctionCall)
	// Members are found on instances, Statics on the class itself.
	Members, Statics []Member
}

// Member is a method (Call is set), an attribute (Get is set, and Set unless it is read-only), or a constant.
type Member struct {
	Name     string
	Length   int
	Call     func(goja.FunctionCall) goja.Value
	Get, Set func(goja.FunctionCall) goja.Value
	Constant any
}

// makeClass makes a class of a name whose constructor hands over to Go. A class written in JavaScript is what
// refuses to be called without new; a native constructor cannot tell. The program's name is one
// that is left out of stacks.
var makeClass = goja.MustCompile("(native)", `(name, init) => ({ [name]: class { constructor(...args) { init(this, ...args) } } })[name]`, true)

type makerKey struct{}

// Define makes a class in a session and returns its constructor. On the session's goroutine.
func Define(s *runtime.Session, c Class) *goja.Object {
	vm := s.VM()
	maker, ok := s.Value(makerKey{}).(goja.Callable)
	if !ok {
		v, err := vm.RunProgram(makeClass)
		if err != nil {
			panic(err)
		}
		maker, _ = goja.AssertFunction(v)
		s.SetValue(makerKey{}, maker)
	}
	init := func(call goja.FunctionCall) goja.Value {
		this, ok := call.Argument(0).(*goja.Object)
		if !ok || c.Construct == nil {
			panic(s.NewError("TypeError", "Illegal constructor: "+c.Name+" objects cannot be made with new"))
		}
		c.Construct(this, goja.FunctionCall{This: this, Arguments: call.Arguments[1:]})
		return goja.Undefined()
	}
	v, err := maker(goja.Undefined(), vm.ToValue(c.Name), vm.ToValue(init))
	if err != nil {
		panic(err)
	}
	ctor := v.(*goja.Object)
	proto := ctor.Get("prototype").(*goja.Object)
	if c.Length > 0 {
		must(ctor.DefineDataProperty("length", vm.ToValue(c.Length), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE))
	}
	if c.Parent != nil {
		must(ctor.SetPrototype(c.Parent))
		must(proto.SetPrototype(c.Parent.Get("prototype").(*goja.Object)))
	}
	Tag(vm, proto, c.Name)
	AddMembers(vm, proto, c.Members...)
	AddMembers(vm, ctor, c.Statics...)
	return ctor
}

// New makes an instance of a class without calling its constructor.
func New(s *runtime.Session, ctor *goja.Object, state any) *goja.Object {
	o := s.VM().CreateObject(ctor.Get("prototype").(*goja.Object))
	Attach(s, o, state)
	return o
}

// AddMembers puts members on an object, with the property attributes that Web IDL gives them.
func AddMembers(vm *goja.Runtime, o *goja.Object, members ...Member) {
	for _, m := range members {
		switch {
		case m.Call != nil:
			must(o.DefineDataProperty(m.Name, Function(vm, m.Name, m.Length, m.Call), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE))
		case m.Get != nil:
			get := Function(vm, "get "+m.Name, 0, m.Get)
			var set goja.Value
			if m.Set != nil {
				set = Function(vm, "set "+m.Name, 1, m.Set)
			}
			must(o.DefineAccessorProperty(m.Name, get, set, goja.FLAG_TRUE, goja.FLAG_TRUE))
		default:
			must(o.DefineDataProperty(m.Name, vm.ToValue(m.Constant), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_TRUE))
		}
	}
}

// Function makes a JavaScript function with a name and a length.
func Function(vm *goja.Runtime, name string, length int, call func(goja.FunctionCall) goja.Value) *goja.Object {
	f := vm.ToValue(call).(*goja.Object)
	must(f.DefineDataProperty("name", vm.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE))
	if length > 0 {
		must(f.DefineDataProperty("length", vm.ToValue(length), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE))
	}
	return f
}

// Tag gives an object the name that Object.prototype.toString shows.
func Tag(vm *goja.Runtime, o *goja.Object, name string) {
	must(o.DefineDataPropertySymbol(goja.SymToStringTag, vm.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE))
}

// must is for definitions on objects that were just made: they cannot fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
