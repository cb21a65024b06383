package runtime

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
)

// Coverage notes which lines of scripts have run, for all Runtimes that it is given to. It costs a call into Go for every
// statement: it is for tests. Apps with frozen VMs are not covered.
type Coverage struct {
	mu      sync.Mutex
	numbers map[place]int
	ran     []bool
}

// place is a line on which a statement begins.
type place struct {
	file string
	line int
}

// LineCoverage is what became of a file's lines on which statements begin.
type LineCoverage struct {
	// File is the path below the scripts root.
	File string
	// Ran and Missed are line numbers, sorted.
	Ran, Missed []int
}

// Files returns what has run, by file. Packages and the standard library are left out.
func (c *Coverage) Files() []LineCoverage {
	c.mu.Lock()
	defer c.mu.Unlock()
	files := map[string]*LineCoverage{}
	for p, n := range c.numbers {
		f := files[p.file]
		if f == nil {
			f = &LineCoverage{File: p.file}
			files[p.file] = f
		}
		if c.ran[n] {
			f.Ran = append(f.Ran, p.line)
		} else {
			f.Missed = append(f.Missed, p.line)
		}
	}
	var list []LineCoverage
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name]
		slices.Sort(f.Ran)
		slices.Sort(f.Missed)
		list = append(list, *f)
	}
	return list
}

// counter is the global function that instrumented programs call.
const counter = "__piopiydRan"

// attach gives a VM the function.
func (c *Coverage) attach(vm *goja.Runtime) error {
	return vm.GlobalObject().DefineDataProperty(counter, vm.ToValue(func(call goja.FunctionCall) goja.Value {
		n := int(call.Argument(0).ToInteger())
		c.mu.Lock()
		defer c.mu.Unlock()
		if n >= 0 && n < len(c.ran) {
			c.ran[n] = true
		}
		return goja.Undefined()
	}), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
}

// number returns the number of a line, or false for lines that are nobody's.
func (c *Coverage) number(p file.Position) (int, bool) {
	name := cleanName(p.Filename)
	if name == "" || strings.HasSuffix(name, ".bundle.js") || strings.Contains(name, ":") || strings.Contains("/"+name, "/node_modules/") {
		return 0, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at := place{name, p.Line}
	n, ok := c.numbers[at]
	if !ok {
		if c.numbers == nil {
			c.numbers = map[place]int{}
		}
		n = len(c.ran)
		c.numbers[at] = n
		c.ran = append(c.ran, false)
	}
	return n, true
}

// instrument puts a call before every statement of a program, but for those of its top level, which is the wrapper that
// the bundle stands in. Positions stay what they were.
func (c *Coverage) instrument(program *ast.Program) {
	w := instrumenter{c, program.File, map[any]bool{}}
	for _, s := range program.Body {
		w.walk(reflect.ValueOf(s))
	}
}

type instrumenter struct {
	coverage *Coverage
	file     *file.File
	seen     map[any]bool
}

var (
	statementType  = reflect.TypeFor[ast.Statement]()
	statementsType = reflect.TypeFor[[]ast.Statement]()
)

// walk looks for statements wherever the parser may put them.
func (w *instrumenter) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			w.walk(v.Elem())
		}
	case reflect.Pointer:
		if v.IsNil() || v.Type() == reflect.TypeFor[*file.File]() || w.seen[v.Interface()] {
			return
		}
		w.seen[v.Interface()] = true
		w.walk(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			w.walk(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Field(i)
			if !field.CanInterface() {
				continue
			}
			w.walk(field)
			if !field.CanSet() {
				continue
			}
			switch field.Type() {
			case statementsType:
				field.Set(reflect.ValueOf(w.counted(field.Interface().([]ast.Statement))))
			case statementType:
				if s, ok := field.Interface().(ast.Statement); ok && v.Type() != reflect.TypeFor[ast.LabelledStatement]() {
					field.Set(reflect.ValueOf(w.body(s)))
				}
			}
		}
	}
}

// counted puts calls between statements. Directives stay first.
func (w *instrumenter) counted(list []ast.Statement) []ast.Statement {
	var out []ast.Statement
	first := true
	for _, s := range list {
		directive := false
		if e, ok := s.(*ast.ExpressionStatement); ok && first {
			_, directive = e.Expression.(*ast.StringLiteral)
		}
		if first = first && directive; !directive {
			if call := w.call(s); call != nil {
				out = append(out, call)
			}
		}
		out = append(out, s)
	}
	return out
}

// body makes a block of a statement that stands alone after if, else, for or while.
func (w *instrumenter) body(s ast.Statement) ast.Statement {
	if _, ok := s.(*ast.BlockStatement); ok {
		return s
	}
	call := w.call(s)
	if call == nil {
		return s
	}
	return &ast.BlockStatement{LeftBrace: beginning(s), List: []ast.Statement{call, s}, RightBrace: beginning(s)}
}

// call is the call that counts a statement, or nil for one that does nothing when its turn comes.
func (w *instrumenter) call(s ast.Statement) ast.Statement {
	switch s.(type) {
	case *ast.FunctionDeclaration, *ast.EmptyStatement, *ast.BlockStatement, *ast.BadStatement:
		return nil
	}
	at := beginning(s)
	if at == 0 {
		return nil
	}
	n, ok := w.coverage.number(w.file.Position(int(at) - w.file.Base()))
	if !ok {
		return nil
	}
	return &ast.ExpressionStatement{Expression: &ast.CallExpression{
		Callee: &ast.Identifier{Name: counter, Idx: at}, LeftParenthesis: at, RightParenthesis: at,
		ArgumentList: []ast.Expression{&ast.NumberLiteral{Idx: at, Value: int64(n)}},
	}}
}

// beginning is where a statement begins; the parser does not note it of all.
func beginning(s ast.Statement) file.Idx {
	at := s.Idx0()
	if at > 0 {
		return at
	}
	switch s := s.(type) {
	case *ast.IfStatement:
		return s.Test.Idx0()
	case *ast.WhileStatement:
		return s.Test.Idx0()
	case *ast.DoWhileStatement:
		return s.Test.Idx0()
	}
	return at
}
