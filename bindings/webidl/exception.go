package webidl

import (
	"strings"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

// exceptionCodes are the legacy codes of DOMException names (Web IDL, section 2.8.1).
var exceptionCodes = []struct {
	constant, name string
	code           int
}{
	{"INDEX_SIZE_ERR", "IndexSizeError", 1}, {"DOMSTRING_SIZE_ERR", "", 2}, {"HIERARCHY_REQUEST_ERR", "HierarchyRequestError", 3},
	{"WRONG_DOCUMENT_ERR", "WrongDocumentError", 4}, {"INVALID_CHARACTER_ERR", "InvalidCharacterError", 5}, {"NO_DATA_ALLOWED_ERR", "", 6},
	{"NO_MODIFICATION_ALLOWED_ERR", "NoModificationAllowedError", 7}, {"NOT_FOUND_ERR", "NotFoundError", 8}, {"NOT_SUPPORTED_ERR", "NotSupportedError", 9},
	{"INUSE_ATTRIBUTE_ERR", "InUseAttributeError", 10}, {"INVALID_STATE_ERR", "InvalidStateError", 11}, {"SYNTAX_ERR", "SyntaxError", 12},
	{"INVALID_MODIFICATION_ERR", "InvalidModificationError", 13}, {"NAMESPACE_ERR", "NamespaceError", 14}, {"INVALID_ACCESS_ERR", "InvalidAccessError", 15},
	{"VALIDATION_ERR", "", 16}, {"TYPE_MISMATCH_ERR", "TypeMismatchError", 17}, {"SECURITY_ERR", "SecurityError", 18}, {"NETWORK_ERR", "NetworkError", 19},
	{"ABORT_ERR", "AbortError", 20}, {"URL_MISMATCH_ERR", "URLMismatchError", 21}, {"QUOTA_EXCEEDED_ERR", "QuotaExceededError", 22},
	{"TIMEOUT_ERR", "TimeoutError", 23}, {"INVALID_NODE_TYPE_ERR", "InvalidNodeTypeError", 24}, {"DATA_CLONE_ERR", "DataCloneError", 25},
}

// exception is the state of a DOMException.
type exception struct{ name, message string }

func (e *exception) code() int {
	for _, c := range exceptionCodes {
		if c.name == e.name {
			return c.code
		}
	}
	return 0
}

type exceptionKey struct{}

// DOMException returns the session's DOMException constructor (Web IDL, section 3.14), made at first use.
func DOMException(s *runtime.Session) *goja.Object {
	if ctor, ok := s.Value(exceptionKey{}).(*goja.Object); ok {
		return ctor
	}
	vm := s.VM()
	attribute := func(name string, get func(*exception) any) Member {
		return Member{Name: name, Get: func(c goja.FunctionCall) goja.Value {
			return vm.ToValue(get(Receiver[*exception](s, c, "DOMException."+name)))
		}}
	}
	var constants []Member
	for _, c := range exceptionCodes {
		constants = append(constants, Member{Name: c.constant, Constant: c.code})
	}
	ctor := Define(s, Class{
		Name: "DOMException",
		Construct: func(this *goja.Object, c goja.FunctionCall) {
			args := s.Args("DOMException", c)
			e := &exception{name: "Error"}
			if args.Has(0) {
				e.message = Text(args.Value(0))
			}
			if o, ok := args.Value(1).(*goja.Object); ok {
				options := args.Options(1, "name", "cause")
				if v := options.Value("name"); v != nil {
					e.name = Text(v)
				}
				if cause := o.Get("cause"); cause != nil {
					must(this.DefineDataProperty("cause", cause, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE))
				}
			} else if args.Has(1) {
				e.name = Text(args.Value(1))
			}
			e.attach(s, this)
		},
		Members: append([]Member{
			attribute("name", func(e *exception) any { return e.name }),
			attribute("message", func(e *exception) any { return e.message }),
			attribute("code", func(e *exception) any { return e.code() }),
		}, constants...),
		Statics: constants,
	})
	errorProto := vm.GlobalObject().Get("Error").ToObject(vm).Get("prototype").(*goja.Object)
	must(ctor.Get("prototype").(*goja.Object).SetPrototype(errorProto))
	s.SetValue(exceptionKey{}, ctor)
	return ctor
}

// attach gives an object its state and, as an Error has one, a stack.
func (e *exception) attach(s *runtime.Session, o *goja.Object) {
	Attach(s, o, e)
	stack := ""
	if err, ok := s.NewError("Error", "").(*goja.Object); ok {
		if v := err.Get("stack"); v != nil {
			_, stack, _ = strings.Cut(v.String(), "\n")
		}
	}
	must(o.DefineDataProperty("stack", s.VM().ToValue(e.name+": "+e.message+"\n"+stack), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE))
}

// NewException returns a DOMException such as "AbortError", to throw or to reject with. On the session's
// goroutine.
func NewException(s *runtime.Session, name, message string) *goja.Object {
	e := &exception{name, message}
	o := s.VM().CreateObject(DOMException(s).Get("prototype").(*goja.Object))
	e.attach(s, o)
	return o
}

// IsException reports whether a value is a DOMException of that name.
func IsException(v goja.Value, name string) bool {
	e, ok := StateOf[*exception](v)
	return ok && e.name == name
}
