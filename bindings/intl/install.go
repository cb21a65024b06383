package intl

import (
	"fmt"
	"time"

	"github.com/dop251/goja"
	"golang.org/x/text/cases"
	xlanguage "golang.org/x/text/language"
)

// Repair replaces the methods of a newborn VM that ignore locales and time zones: toLocaleString,
// toLocaleDateString and toLocaleTimeString of Date, toLocaleString of Number, localeCompare, toLocaleLowerCase
// and toLocaleUpperCase of String. Arrays follow, as they ask their elements. It loads no locale: that waits for
// the first call of a method.
func (m *Module) Repair(vm *goja.Runtime) error {
	var shared *goja.Object
	for _, r := range []repair{
		{"Date", "toLocaleString", 0, m.toLocaleString},
		{"Number", "toLocaleString", 0, nil},
		{"Date", "toLocaleDateString", 0, m.toLocaleDateString},
		{"Date", "toLocaleTimeString", 0, m.toLocaleTimeString},
		{"String", "localeCompare", 1, localeCompare},
		{"String", "toLocaleLowerCase", 0, toLocaleLowerCase},
		{"String", "toLocaleUpperCase", 0, toLocaleUpperCase},
	} {
		proto, err := prototype(vm, r.class)
		if err != nil {
			return err
		}
		f := shared
		if r.call != nil {
			f = vm.ToValue(r.call).(*goja.Object)
			must(f.DefineDataProperty("name", vm.ToValue(r.name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE))
			if r.length != 0 {
				must(f.DefineDataProperty("length", vm.ToValue(r.length), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE))
			}
			shared = f
		}
		// Set keeps the attributes that the standard gives a method.
		if err := proto.Set(r.name, f); err != nil {
			return err
		}
	}
	return nil
}

// repair is a method to replace. Without a call of its own it gets the function of the repair before it.
type repair struct {
	class, name string
	length      int
	call        func(goja.FunctionCall, *goja.Runtime) goja.Value
}

func prototype(vm *goja.Runtime, class string) (*goja.Object, error) {
	if ctor, ok := vm.Get(class).(*goja.Object); ok {
		if proto, ok := ctor.Get("prototype").(*goja.Object); ok {
			return proto, nil
		}
	}
	return nil, fmt.Errorf("intl: the VM has no %s", class)
}

// toLocaleString is both Date's and Number's: a VM is born with one function less.
func (m *Module) toLocaleString(call goja.FunctionCall, vm *goja.Runtime) goja.Value {
	if obj, ok := call.This.(*goja.Object); ok && obj.ClassName() == "Date" {
		return m.writeDate(vm, call, "toLocaleString", needAny, needAny)
	}
	return writeNumber(vm, call)
}

func (m *Module) toLocaleDateString(call goja.FunctionCall, vm *goja.Runtime) goja.Value {
	return m.writeDate(vm, call, "toLocaleDateString", needDate, needDate)
}

func (m *Module) toLocaleTimeString(call goja.FunctionCall, vm *goja.Runtime) goja.Value {
	return m.writeDate(vm, call, "toLocaleTimeString", needTime, needTime)
}

func (m *Module) writeDate(vm *goja.Runtime, call goja.FunctionCall, method string, required, defaults need) goja.Value {
	obj, ok := call.This.(*goja.Object)
	if !ok || obj.ClassName() != "Date" {
		panic(vm.NewTypeError("Date.prototype.%s was called on something that is no Date", method))
	}
	t, valid := obj.Export().(time.Time)
	if !valid {
		return vm.ToValue("Invalid Date")
	}
	l, err := localeOf(vm, call.Argument(0))
	check(vm, err)
	o, err := readDateOptions(vm, l, call.Argument(1), required, defaults, m.zone)
	check(vm, err)
	s, err := findDateFormatter(l, o).format(t, nil)
	check(vm, err)
	return vm.ToValue(s)
}

func writeNumber(vm *goja.Runtime, call goja.FunctionCall) goja.Value {
	this := call.This
	if obj, ok := this.(*goja.Object); ok && obj.ClassName() == "Number" {
		this = obj.ToNumber()
	}
	if !goja.IsNumber(this) {
		panic(vm.NewTypeError("toLocaleString was called on something that is no Date and no Number"))
	}
	l, err := localeOf(vm, call.Argument(0))
	check(vm, err)
	o, err := readNumberOptions(vm, l, call.Argument(1))
	check(vm, err)
	return vm.ToValue(findNumberFormatter(l, o).format(decimalOf(this.ToFloat()), nil))
}

func localeCompare(call goja.FunctionCall, vm *goja.Runtime) goja.Value {
	this := receiver(vm, call, "localeCompare")
	c, err := readCollator(vm, call.Argument(1), call.Argument(2))
	check(vm, err)
	return vm.ToValue(c.compare(this, call.Argument(0).String()))
}

func toLocaleLowerCase(call goja.FunctionCall, vm *goja.Runtime) goja.Value {
	return changeCase(vm, call, "toLocaleLowerCase", "toLowerCase", cases.Lower)
}

func toLocaleUpperCase(call goja.FunctionCall, vm *goja.Runtime) goja.Value {
	return changeCase(vm, call, "toLocaleUpperCase", "toUpperCase", cases.Upper)
}

// changeCase asks the plain method except where the language has rules of its own: Azeri, Lithuanian, Turkish.
func changeCase(vm *goja.Runtime, call goja.FunctionCall, method, plain string, caser func(xlanguage.Tag, ...cases.Option) cases.Caser) goja.Value {
	this := receiver(vm, call, method)
	tags, err := requested(vm, call.Argument(0))
	check(vm, err)
	if len(tags) > 0 {
		switch tags[0].language {
		case "az", "lt", "tr":
			return vm.ToValue(caser(xlanguage.Make(tags[0].language)).String(this))
		}
	}
	s := vm.ToValue(this).ToObject(vm)
	if f, ok := goja.AssertFunction(s.Get(plain)); ok {
		v, err := f(s)
		if err != nil {
			panic(err)
		}
		return v
	}
	return vm.ToValue(caser(xlanguage.Und).String(this))
}

func receiver(vm *goja.Runtime, call goja.FunctionCall, method string) string {
	if goja.IsUndefined(call.This) || goja.IsNull(call.This) {
		panic(vm.NewTypeError("String.prototype.%s was called on %s", method, call.This))
	}
	return call.This.String()
}
