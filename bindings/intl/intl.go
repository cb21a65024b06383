// Package intl gives scripts the ECMA-402 built-ins that goja lacks: Intl, and the locale-aware methods of
// Date, Number and String. A script writes what it would write for Node,
//
//	new Date().toLocaleTimeString('en-GB', { timeZone: 'Asia/Kolkata', hour: '2-digit', minute: '2-digit' })
//	(1234567.5).toLocaleString('en-IN', { style: 'currency', currency: 'INR' })   // ₹12,34,567.50
//
// and gets Node's answer or an exception. Nothing is ignored in silence: a locale, time zone or option outside
// of what the package knows is a RangeError or TypeError that names it and says what would do.
//
// The words and patterns under data/ were read out of Node's own Intl (Unicode CLDR) by gen/generate.mjs, for
// every regional variant of the supported languages; the tests compare with Node's recorded answers.
// Time zones are Go's.
package intl

import (
	"time"

	"github.com/dop251/goja"
)

// DefaultLocale is the locale of formatters that name none.
const DefaultLocale = "en-US"

// Options configure a [Module].
type Options struct {
	// TimeZone is the zone of formatters that name none: an IANA name, "UTC" or an offset such as "+05:30".
	// Empty is "UTC".
	TimeZone string
}

// Module is the Intl module. It holds nothing but its options and is safe for concurrent use.
type Module struct {
	zone *zone
}

// New returns the module. It fails when the time zone does not exist.
func New(o Options) (*Module, error) {
	name := o.TimeZone
	if name == "" {
		name = "UTC"
	}
	z, err := findZone(name)
	if err != nil {
		return nil, err
	}
	return &Module{zone: z}, nil
}

// Build returns the Intl object of a VM. The clock tells formatters the time when they are given none.
func (m *Module) Build(vm *goja.Runtime, now func() time.Time) *goja.Object {
	r := &realm{vm: vm, module: m, now: now}
	return r.build()
}

// realm is one VM's Intl: what its constructors and methods share.
type realm struct {
	vm     *goja.Runtime
	module *Module
	now    func() time.Time
}

type method struct {
	name   string
	length int
	call   func(goja.FunctionCall) goja.Value
}

func (r *realm) build() *goja.Object {
	obj := r.vm.NewObject()
	r.tag(obj, "Intl")
	r.methods(obj, []method{
		{"getCanonicalLocales", 1, r.canonicalLocales},
		{"supportedValuesOf", 1, r.supportedValues},
	})
	r.dateTimeFormat(obj)
	r.numberFormat(obj)
	r.pluralRules(obj)
	r.relativeTimeFormat(obj)
	r.listFormat(obj)
	r.collator(obj)
	for _, name := range []string{"DisplayNames", "DurationFormat", "Locale", "Segmenter"} {
		refuse := r.vm.ToValue(func(goja.FunctionCall) goja.Value {
			panic(r.vm.NewTypeError("Intl.%s is not supported by piopiyd; Intl has Collator, DateTimeFormat, ListFormat, NumberFormat, PluralRules and RelativeTimeFormat", name))
		})
		must(obj.DefineAccessorProperty(name, refuse, nil, goja.FLAG_TRUE, goja.FLAG_FALSE))
	}
	return obj
}

// class adds a constructor to Intl. make reads the arguments; what it returns is the state of the new object.
func (r *realm) class(intl *goja.Object, name string, needsNew bool, make func(locales, options goja.Value) (any, error), methods []method) *goja.Object {
	var ctor, proto *goja.Object
	ctor = r.vm.ToValue(func(call goja.ConstructorCall) *goja.Object {
		// goja hands over an object made for new; anything else is what the constructor was called on.
		obj := call.This
		if !inherits(obj, proto) || obj.GetSymbol(stateKey) != nil {
			if needsNew {
				panic(r.vm.NewTypeError("Intl.%s must be called with new", name))
			}
			obj = r.vm.NewObject()
			must(obj.SetPrototype(proto))
		}
		state, err := make(call.Argument(0), call.Argument(1))
		check(r.vm, err)
		must(obj.DefineDataPropertySymbol(stateKey, r.vm.ToValue(&held{state}), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE))
		return obj
	}).(*goja.Object)
	must(ctor.DefineDataProperty("name", r.vm.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE))
	must(ctor.DefineDataProperty("length", r.vm.ToValue(0), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE))
	proto = ctor.Get("prototype").(*goja.Object)
	r.tag(proto, "Intl."+name)
	r.methods(proto, methods)
	r.methods(ctor, []method{{"supportedLocalesOf", 1, r.supportedLocales}})
	must(intl.DefineDataProperty(name, ctor, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE))
	return proto
}

func (r *realm) methods(obj *goja.Object, methods []method) {
	for _, m := range methods {
		f := r.vm.ToValue(m.call).(*goja.Object)
		must(f.DefineDataProperty("name", r.vm.ToValue(m.name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE))
		must(f.DefineDataProperty("length", r.vm.ToValue(m.length), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE))
		must(obj.DefineDataProperty(m.name, f, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE))
	}
}

func (r *realm) tag(obj *goja.Object, name string) {
	must(obj.DefineDataPropertySymbol(goja.SymToStringTag, r.vm.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE))
}

// boundGetter adds a getter that answers with a function bound to its object, as Intl's format and compare are.
func (r *realm) boundGetter(proto *goja.Object, name string, length int, bind func(this *goja.Object) func(goja.FunctionCall) goja.Value) {
	key := goja.NewSymbol(name)
	get := r.vm.ToValue(func(call goja.FunctionCall) goja.Value {
		this, ok := call.This.(*goja.Object)
		if !ok {
			panic(r.vm.NewTypeError("%s was read from something that is no formatter", name))
		}
		if bound := this.GetSymbol(key); bound != nil {
			return bound
		}
		f := r.vm.ToValue(bind(this)).(*goja.Object)
		must(f.DefineDataProperty("name", r.vm.ToValue(""), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE))
		must(f.DefineDataProperty("length", r.vm.ToValue(length), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE))
		must(this.DefineDataPropertySymbol(key, f, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE))
		return f
	})
	must(proto.DefineAccessorProperty(name, get, nil, goja.FLAG_TRUE, goja.FLAG_FALSE))
}

func inherits(obj, proto *goja.Object) bool {
	for p := obj.Prototype(); p != nil; p = p.Prototype() {
		if p == proto {
			return true
		}
	}
	return false
}

// stateKey is where an Intl object keeps its Go state.
var stateKey = goja.NewSymbol("intl")

type held struct{ value any }

// stateOf returns the state of the receiver of a method, or throws a TypeError.
func stateOf[T any](r *realm, this goja.Value, class, method string) T {
	if obj, ok := this.(*goja.Object); ok {
		if kept := obj.GetSymbol(stateKey); kept != nil {
			if s, ok := kept.Export().(*held); ok {
				if value, ok := s.value.(T); ok {
					return value
				}
			}
		}
	}
	panic(r.vm.NewTypeError("Intl.%s.prototype.%s was called on something that is no Intl.%s", class, method, class))
}

// object makes an ordinary object from name, value pairs, leaving undefined values out.
func (r *realm) object(pairs ...any) *goja.Object {
	obj := r.vm.NewObject()
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != nil && pairs[i+1] != "" {
			must(obj.Set(pairs[i].(string), pairs[i+1]))
		}
	}
	return obj
}

// part is one element of a formatToParts answer.
type part struct{ kind, value string }

func (r *realm) parts(parts []part) goja.Value {
	out := make([]any, 0, len(parts))
	for _, p := range parts {
		obj := r.vm.NewObject()
		must(obj.Set("type", p.kind))
		must(obj.Set("value", p.value))
		out = append(out, obj)
	}
	return r.vm.NewArray(out...)
}

// must panics on errors of property definitions on objects that the package has just made.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
