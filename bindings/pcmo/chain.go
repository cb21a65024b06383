package pcmo

import (
	"errors"
	"reflect"
	"strings"

	"github.com/dop251/goja"

	call "github.com/piopiy/piopiyd/pcmo"
	"github.com/piopiy/piopiyd/runtime"
)

// chain is what pcmo() returns: a builder of classic documents. It holds the document itself, in Go; JavaScript
// objects are made only if a script asks for the plain array.
type chain struct {
	in      *instance
	doc     call.Document
	pending []pending
}

// pending is a function that stands where the document needs a URL.
type pending struct {
	action int // index into the document
	fn     goja.Callable
	object *goja.Object
}

var chainType = reflect.TypeFor[*chain]()

// standIn is where a function's URL will be; it passes the rules and never leaves this package.
const standIn = "https://continuation.invalid/"

func (in *instance) newChain(fc goja.FunctionCall) goja.Value {
	if len(fc.Arguments) > 0 && !goja.IsUndefined(fc.Arguments[0]) {
		in.s.Args("pcmo()", fc).Throw("takes no arguments; add actions with its methods, as in pcmo().speak('Hello')")
	}
	return in.vm.NewDynamicObject(&chain{in: in, doc: make(call.Document, 0, 6)})
}

// Get implements goja.DynamicObject, as do the four methods below.
func (c *chain) Get(name string) goja.Value {
	if v, ok := c.in.chainMethods[name]; ok {
		return v
	}
	m, ok := chainMethods[name]
	if !ok {
		return nil
	}
	in := c.in
	v := in.native(name, func(fc goja.FunctionCall) goja.Value {
		o, ok := fc.This.(*goja.Object)
		args := in.s.Args("pcmo()."+name, fc)
		if !ok || o.ExportType() != chainType {
			args.Throw("must be called on what pcmo() returned")
		}
		c := o.Export().(*chain)
		if m.build == nil {
			return c.plain()
		}
		c.add(args, m.build(c, args), m.names)
		return fc.This
	})
	if in.chainMethods == nil {
		in.chainMethods = make(map[string]goja.Value, len(chainMethods))
	}
	in.chainMethods[name] = v
	return v
}

func (*chain) Has(name string) bool        { _, ok := chainMethods[name]; return ok }
func (*chain) Keys() []string              { return nil }
func (*chain) Set(string, goja.Value) bool { return false }
func (*chain) Delete(string) bool          { return false }

// chainMethod is one method of a chain.
type chainMethod struct {
	// build makes the action; nil means the method that gives the plain array.
	build func(c *chain, a runtime.Args) call.Action
	// names says what the author calls the fields that the rules of PCMO speak of.
	names map[string]string
}

var chainMethods map[string]chainMethod

func init() {
	dial := map[string]string{"connect": "to", "from": "from", "duration": "duration", "timeout": "timeout", "loop": "tries", "ring_type": "strategy", "call_type": "media"}
	collect := map[string]string{"file_name": "file", "file_url": "file", "action_url": "target", "max_digit": "maxDigits", "max_retry": "retries"}
	chainMethods = map[string]chainMethod{
		"play":         {buildPlay, map[string]string{"file_name": "file", "file_url": "file"}},
		"speak":        {buildSpeak, nil},
		"param":        {buildParam, nil},
		"record":       {func(*chain, runtime.Args) call.Action { return &call.Record{} }, nil},
		"hangup":       {buildHangup, nil},
		"bridge":       {buildBridge, dial},
		"connect":      {buildConnect, dial},
		"input":        {buildInput, collect},
		"playGetInput": {buildPlayGetInput, collect},
		"stream":       {buildStream, map[string]string{"ws_url": "url", "listen_mode": "listen", "voice_quality": "rate"}},
		"toJSON":       {},
		"PCMO":         {},
	}
}

// add appends an action once it keeps the rules, so that what is wrong is reported at the author's line.
func (c *chain) add(a runtime.Args, action call.Action, names map[string]string) {
	one := [1]call.Action{action}
	if err := call.Document(one[:]).Validate(); err != nil {
		c.pending = trim(c.pending, len(c.doc))
		a.Throw("%s", inWords(err, names))
	}
	c.doc = append(c.doc, action)
}

// trim drops what was noted for an action that did not come to be.
func trim(list []pending, actions int) []pending {
	if n := len(list); n > 0 && list[n-1].action >= actions {
		return list[:n-1]
	}
	return list
}

// inWords is the first problem of an action, told with the author's names for things.
func inWords(err error, names map[string]string) string {
	var list call.Errors
	if !errors.As(err, &list) || len(list) == 0 {
		return err.Error()
	}
	path := strings.TrimPrefix(strings.TrimPrefix(list[0].Path, "$[0]"), ".")
	field := path[:end(path, ".[")]
	if own, ok := names[field]; ok {
		path = own + path[len(field):]
	}
	if list[0].Value != "" {
		path += " " + list[0].Value
	}
	return path + " " + list[0].Rule
}

// await notes a function as what the next action's URL leads to.
func (c *chain) await(fn goja.Callable, o *goja.Object) string {
	c.pending = append(c.pending, pending{len(c.doc), fn, o})
	return standIn
}

// result gives the document with URLs in the place of functions. The chain itself stays as it is, so that a script
// may return it again.
func (c *chain) result(cont Continuations) (Result, error) {
	doc := c.doc
	if len(c.pending) > 0 {
		doc = append(call.Document(nil), doc...)
	}
	for _, p := range c.pending {
		url, err := c.in.register(cont, p, "action_url")
		if err != nil {
			return Result{}, err
		}
		switch a := doc[p.action].(type) {
		case *call.Input:
			copied := *a
			copied.ActionURL = url
			doc[p.action] = &copied
		case *call.PlayGetInput:
			copied := *a
			copied.ActionURL = url
			doc[p.action] = &copied
		}
	}
	if doc == nil {
		doc = call.Document{}
	}
	return Result{Document: doc, JSON: doc.AppendJSON(make([]byte, 0, 64+128*len(doc)))}, nil
}

// register asks for the URL of a function.
func (in *instance) register(cont Continuations, p pending, field string) (url string, err error) {
	where := "$[" + itoa(p.action) + "]." + field
	if cont == nil {
		return "", refuse("%s: is a function, and nothing can bring digits back to it here; write the URL of a web server", where)
	}
	if ex := in.vm.Try(func() { url = cont.Register(p.fn, label(p.object, where)) }); ex != nil {
		return "", ex
	}
	return url, nil
}

// plain returns the document as an ordinary array, with the functions where they were given.
func (c *chain) plain() goja.Value {
	list := c.in.s.Guard().ParseJSON(string(c.doc.AppendJSON(nil)))
	for _, p := range c.pending {
		set(c.in.get(list, itoa(p.action)).(*goja.Object), "action_url", p.object)
	}
	return list
}
