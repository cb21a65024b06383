package guard

import (
	"reflect"

	"github.com/dop251/goja/ast"
)

// HasRegexp reports whether a program holds a regular expression literal, for hosts to know whether to call
// [Guard.Regexps]. Ask once per program, not once per runtime: it walks the whole tree.
func HasRegexp(program *ast.Program) bool {
	if program == nil {
		return false
	}
	return contains(reflect.ValueOf(program.Body), reflect.TypeFor[ast.RegExpLiteral](), 0)
}

// contains looks for a node of a type below v.
func contains(v reflect.Value, node reflect.Type, depth int) bool {
	if depth > 100_000 {
		return true
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		return !v.IsNil() && contains(v.Elem(), node, depth+1)
	case reflect.Slice:
		for i := range v.Len() {
			if contains(v.Index(i), node, depth+1) {
				return true
			}
		}
	case reflect.Struct:
		if v.Type() == node {
			return true
		}
		if v.Type().PkgPath() != node.PkgPath() {
			return false // positions and source files
		}
		for i := range v.NumField() {
			// DeclarationList repeats what stands in the body.
			if f := v.Type().Field(i); f.IsExported() && f.Name != "DeclarationList" && contains(v.Field(i), node, depth+1) {
				return true
			}
		}
	}
	return false
}
