package pcmo

import (
	"github.com/dop251/goja"
)

// native is a function of a session's VM.
type native = func(goja.FunctionCall) goja.Value

// native returns a function object with a name.
func (in *instance) native(name string, f native) *goja.Object {
	v := in.vm.ToValue(f).(*goja.Object)
	_ = v.DefineDataProperty("name", in.vm.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	return v
}

// sized gives a function the number of its parameters.
func (in *instance) sized(f *goja.Object, length int) *goja.Object {
	if length > 0 {
		_ = f.DefineDataProperty("length", in.vm.ToValue(length), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
	return f
}

// method is one method of a class.
type method struct {
	name   string
	length int
	call   func(in *instance, call goja.FunctionCall) goja.Value
}

// constructors are the programs that make the constructors of classes, by name: a native function cannot tell new X()
// from X(). They have no file name, so that an error in a constructor is at the author's line.
var constructors = func() map[string]*goja.Program {
	m := map[string]*goja.Program{}
	for name, c := range map[string]struct{ params, body string }{
		"Piopiy":          {"token, secret", "init(this, token, secret)"},
		"PiopiyAction":    {"", "this.action = []"},
		"StreamAction":    {"", "this.action = []"},
		"PipelineBuilder": {"actions = []", "this.actions = [...actions]"},
		"AiAgent":         {"auth", "this.auth = auth"},
		"Voice":           {"auth", "this.auth = auth"},
		"Pcmo":            {"auth", "this.auth = auth"},
		"Flow":            {"auth", "this.auth = auth"},
	} {
		m[name] = goja.MustCompile("", `(function (prototype, init) {
function `+name+`(`+c.params+`) {
  if (new.target === undefined) throw new TypeError("Class constructor `+name+` cannot be invoked without 'new'");
  `+c.body+`;
}
`+name+`.prototype = prototype;
return `+name+`; })`, true)
	}
	return m
}()

// newClass returns a class: a constructor that insists on new, and a prototype whose methods are made when they are
// first looked up. It can be extended like any class.
func (in *instance) newClass(name string, list []method, init ...goja.Value) *goja.Object {
	made := make(map[string]goja.Value, 1+len(list))
	proto := in.vm.NewDynamicObject(&prototype{in: in, list: list, made: made})
	class := in.run(constructors[name], append([]goja.Value{proto}, init...)...)
	made["constructor"] = class
	return class
}

// run runs a program that is a function and gives what that returns.
func (in *instance) run(program *goja.Program, args ...goja.Value) *goja.Object {
	f, err := in.vm.RunProgram(program)
	if err != nil {
		panic(err)
	}
	call, _ := goja.AssertFunction(f)
	v, err := call(goja.Undefined(), args...)
	if err != nil {
		panic(err)
	}
	return v.(*goja.Object)
}

// prototype is a class's prototype object.
type prototype struct {
	in    *instance
	list  []method
	made  map[string]goja.Value
	added []string // what a script put there, in order
}

func (p *prototype) Get(name string) goja.Value {
	if v, ok := p.made[name]; ok {
		return v
	}
	for i := range p.list {
		if m := &p.list[i]; m.name == name {
			in := p.in
			f := in.sized(in.native(name, func(call goja.FunctionCall) goja.Value { return m.call(in, call) }), m.length)
			p.made[name] = f
			return f
		}
	}
	return nil
}

func (p *prototype) Has(name string) bool {
	if _, ok := p.made[name]; ok {
		return true
	}
	for i := range p.list {
		if p.list[i].name == name {
			return true
		}
	}
	return false
}

func (p *prototype) Keys() []string {
	keys := make([]string, 0, 1+len(p.list)+len(p.added))
	keys = append(keys, "constructor")
	for i := range p.list {
		keys = append(keys, p.list[i].name)
	}
	return append(keys, p.added...)
}

func (p *prototype) Set(name string, v goja.Value) bool {
	if !p.Has(name) {
		p.added = append(p.added, name)
	}
	p.made[name] = v
	return true
}

func (p *prototype) Delete(name string) bool { return !p.Has(name) }

// throw throws the plain Error that the SDK throws.
func (in *instance) throw(message string) {
	panic(in.s.NewError("Error", message))
}

// set is an assignment to a property of an object that cannot refuse it.
func set(o *goja.Object, name string, v goja.Value) { _ = o.Set(name, orUndefined(v)) }

// get reads a property of any value, as JavaScript does; undefined where there is none.
func (in *instance) get(v goja.Value, name string) goja.Value {
	o, ok := v.(*goja.Object)
	if !ok {
		if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
			panic(in.s.NewError("TypeError", "Cannot read properties of "+text(v)+" (reading '"+name+"')"))
		}
		o = v.ToObject(in.vm)
	}
	return orUndefined(o.Get(name))
}

// assign is this[name] = v in strict code.
func (in *instance) assign(this goja.Value, name string, v goja.Value) {
	o, ok := this.(*goja.Object)
	if !ok {
		panic(in.s.NewError("TypeError", "Cannot set properties of "+text(this)+" (setting '"+name+"')"))
	}
	if err := o.Set(name, v); err != nil {
		panic(err)
	}
}

// invoke is this[name](...args).
func (in *instance) invoke(this goja.Value, name string, args ...goja.Value) goja.Value {
	f, ok := goja.AssertFunction(in.get(this, name))
	if !ok {
		panic(in.s.NewError("TypeError", name+" is not a function"))
	}
	v, err := f(this, args...)
	if err != nil {
		panic(err)
	}
	return v
}

func text(v goja.Value) string {
	if v == nil {
		return "undefined"
	}
	return v.String()
}

// truthy is JavaScript's own notion.
func truthy(v goja.Value) bool { return v != nil && v.ToBoolean() }

// absent reports undefined and null.
func absent(v goja.Value) bool { return v == nil || goja.IsUndefined(v) || goja.IsNull(v) }
