package webidl

import (
	"reflect"

	"github.com/dop251/goja"
)

// Kind is what an object is inside, whatever its prototype says.
type Kind int

// The kinds of objects.
const (
	OrdinaryKind Kind = iota
	ArrayKind
	FunctionKind
	ErrorKind
	DateKind
	RegExpKind
	MapKind
	SetKind
	PromiseKind
	ProxyKind
	BufferKind
	TypedArrayKind
	DataViewKind
	BoxKind // a Number, String, Boolean or Symbol object
	ArgumentsKind
)

var (
	mapType     = reflect.TypeFor[[][2]any]()
	setType     = reflect.TypeFor[[]any]()
	bufferType  = reflect.TypeFor[goja.ArrayBuffer]()
	promiseType = reflect.TypeFor[*goja.Promise]()
)

// KindOf tells what an object is. It runs no script code, but for a Symbol.toStringTag getter.
func KindOf(o *goja.Object) Kind {
	switch o.ClassName() {
	case "Array":
		return ArrayKind
	case "Function", "":
		return FunctionKind
	case "Error":
		return ErrorKind
	case "Date":
		return DateKind
	case "RegExp":
		return RegExpKind
	case "Number", "String", "Boolean":
		return BoxKind
	case "Arguments":
		return ArgumentsKind
	}
	t := o.ExportType()
	switch {
	case t == nil:
		return OrdinaryKind
	case t == proxyType:
		if p, ok := o.Export().(goja.Proxy); ok && p.Target() != nil {
			if _, callable := goja.AssertFunction(p.Target()); callable {
				return FunctionKind
			}
		}
		return ProxyKind
	case t == bufferType:
		return BufferKind
	case t == promiseType:
		return PromiseKind
	case t == mapType:
		return MapKind
	case t == setType:
		return SetKind
	case t.Kind() == reflect.Slice:
		return TypedArrayKind
	case t.Kind() == reflect.String:
		return BoxKind
	}
	if proto := o.Prototype(); proto != nil && proto.Prototype() != nil && TagOf(o) == "DataView" {
		return DataViewKind
	}
	return OrdinaryKind
}

// TagOf returns an object's Symbol.toStringTag, or nothing.
func TagOf(o *goja.Object) string {
	if tag, ok := o.GetSymbol(goja.SymToStringTag).(goja.String); ok {
		return tag.String()
	}
	return ""
}
