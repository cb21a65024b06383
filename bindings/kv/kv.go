// Package kv gives scripts a key-value store that all calls of an app share.
//
//	import { kv } from 'piopiy/kv'           // or the global kv
//
//	await kv.set('customer:' + call.from, { name, plan }, { ttl: '1h' })
//	const customer = await kv.get('customer:' + call.from)          // undefined when there is none
//	const tries = await kv.increment('tries:' + call.from, 1, { ttl: '10m' })
//	if (await kv.compareAndSet('agent:7', 'free', 'busy')) …        // only one of two calls gets true
//	await kv.update('agents', (list = []) => [...list, call.from])  // read, change, write; again if disturbed
//
// Values are what JSON can hold. Two calls that write at the same moment are kept apart by compareAndSet and update
// rather than by revisions: comparing with the value a script has seen says what it means, needs no second word in
// the script's vocabulary, and still holds when minutes pass between reading and writing.
package kv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// Limits of keys, values and lists.
const (
	maxKey      = 512
	maxValue    = 64 << 10
	maxList     = 1000
	defaultList = 100
	maxTries    = 50 // of update and compareAndSet, when others keep writing
)

// Module provides the global kv and the import piopiy/kv. It is safe for concurrent use.
type Module struct{ store Store }

// New returns the module.
func New(store Store) *Module { return &Module{store} }

// Name implements [runtime.Module].
func (*Module) Name() string { return "kv" }

// Provides implements [runtime.Module].
func (*Module) Provides() runtime.Provides {
	return runtime.Provides{Globals: []string{"kv"}, Imports: []string{"piopiy/kv"}, Exports: map[string][]string{"piopiy/kv": {"default", "kv"}}}
}

// Instantiate implements [runtime.Module].
func (m *Module) Instantiate(s *runtime.Session) (runtime.Instance, error) {
	return &instance{s: s, store: m.store}, nil
}

type instance struct {
	s     *runtime.Session
	store Store
	kv    *goja.Object
}

// Global implements [runtime.Instance].
func (in *instance) Global(string) goja.Value { return in.object() }

// Export implements [runtime.Exporter].
func (in *instance) Export(_, _ string) goja.Value { return in.object() }

// Import implements [runtime.Instance].
func (in *instance) Import(string) goja.Value {
	exports := in.s.VM().NewObject()
	_ = exports.Set("kv", in.object())
	_ = exports.Set("default", in.object())
	_ = exports.DefineDataProperty("__esModule", in.s.VM().ToValue(true), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	return exports
}

func (in *instance) object() *goja.Object {
	if in.kv != nil {
		return in.kv
	}
	vm := in.s.VM()
	in.kv = vm.NewObject()
	webidl.Tag(vm, in.kv, "kv")
	for _, m := range []struct {
		name   string
		length int
		call   func(a args) goja.Value
	}{
		{"get", 1, in.get},
		{"set", 2, in.set},
		{"delete", 1, in.delete},
		{"has", 1, in.has},
		{"increment", 1, in.increment},
		{"compareAndSet", 3, in.compareAndSet},
		{"update", 2, in.update},
		{"list", 0, in.list},
		{"entries", 0, in.entries},
	} {
		webidl.AddMembers(vm, in.kv, webidl.Member{Name: m.name, Length: m.length, Call: func(c goja.FunctionCall) goja.Value {
			return in.promise(func() goja.Value { return m.call(args{in.s.Args("kv."+m.name, c), in, m.name}) })
		}})
	}
	return in.kv
}

// promise runs a function whose exceptions become rejections.
func (in *instance) promise(f func() goja.Value) goja.Value {
	var v goja.Value
	thrown := in.s.VM().Try(func() { v = f() })
	if thrown == nil {
		return v
	}
	p, _, reject := in.s.VM().NewPromise()
	_ = reject(thrown.Value())
	return in.s.VM().ToValue(p)
}

// args reads the arguments of one call.
type args struct {
	runtime.Args
	in *instance
	op string
}

// key returns argument 0. The length is that of the UTF-8 text.
func (a args) key() string {
	key := a.String(0, "the key")
	switch {
	case key == "":
		a.Throw("the key is empty")
	case len(key) > maxKey:
		a.Throw("the key has %d bytes; the limit is %d", len(key), maxKey)
	case strings.ContainsRune(key, '\uFFFD'):
		a.Throw("the key holds a broken character")
	}
	return key
}

// json writes a value as JSON. What JSON would lose without a word is refused.
func (a args) json(v goja.Value) []byte {
	switch {
	case v == nil || goja.IsUndefined(v):
		a.Throw("the value is undefined; use kv.delete to remove a key, or null")
	case goja.IsNaN(v) || goja.IsInfinity(v):
		a.Throw("the value is %s, which JSON cannot hold", v)
	}
	if o, ok := v.(*goja.Object); ok {
		switch webidl.KindOf(o) {
		case webidl.PromiseKind:
			a.Throw("the value is a Promise; await it first")
		case webidl.FunctionKind:
			a.Throw("the value is a function, which cannot be stored")
		case webidl.MapKind, webidl.SetKind:
			a.Throw("the value is a Map or Set, which JSON cannot hold; store Object.fromEntries(map) or [...set]")
		case webidl.BufferKind, webidl.TypedArrayKind, webidl.DataViewKind:
			a.Throw("the value is binary, which JSON cannot hold; encode it, for instance as base64")
		}
	}
	vm := a.in.s.VM()
	object := vm.GlobalObject().Get("JSON").ToObject(vm)
	stringify, _ := goja.AssertFunction(object.Get("stringify"))
	text, err := stringify(object, v)
	if err != nil {
		panic(err)
	}
	if goja.IsUndefined(text) {
		a.Throw("the value cannot be written as JSON")
	}
	value := []byte(text.String())
	if len(value) > maxValue {
		a.Throw("the value has %d bytes as JSON; the limit is %d", len(value), maxValue)
	}
	return value
}

// ttl reads the only option of the writing operations; 0 means for ever.
func (a args) ttl(i int) time.Duration {
	options := a.Options(i, "ttl")
	d := options.Duration("ttl", 0)
	if options.Has("ttl") && d <= 0 {
		a.Throw(`option "ttl" must be longer than 0`)
	}
	return d
}

// value makes a script's value of stored JSON.
func (in *instance) value(data []byte) (v goja.Value, err error) {
	if thrown := in.s.VM().Try(func() { v = in.s.Guard().ParseJSON(string(data)) }); thrown != nil {
		return nil, thrown
	}
	return v, nil
}

// entry is what the journal keeps of an operation: never values, which may be anybody's data.
type entry struct {
	Op    string `json:"op"`
	Key   string `json:"key,omitempty"`
	Found *bool  `json:"found,omitempty"`
	Done  *bool  `json:"done,omitempty"`
	Size  int    `json:"size,omitempty"`
	Keys  *int   `json:"keys,omitempty"`
	TTL   string `json:"ttl,omitempty"`
	Error string `json:"error,omitempty"`
}

func (e *entry) lasting(ttl time.Duration) {
	if ttl > 0 {
		e.TTL = ttl.String()
	}
}

// run does an operation on the store outside the VM and journals it. work fills the entry; convert makes the
// script's value on the session's goroutine.
func (a args) run(e *entry, work func(ctx context.Context) (convert func() (goja.Value, error), err error)) goja.Value {
	e.Op = a.op
	return runtime.Operate(a.in.s, runtime.Operation[func() (goja.Value, error)]{
		Begin: "kv_begin", End: "kv", Asks: *e, Plain: true, Safe: a.op == "has" || a.op == "list" || a.op == "entries",
		Do: func(ctx context.Context) (func() (goja.Value, error), error) { return work(doing(ctx, a.op)) }, Note: e.noted,
		Value: func(convert func() (goja.Value, error), err error) (goja.Value, error) {
			if err != nil {
				return nil, a.explain(e.Key, err)
			}
			return convert()
		},
	})
}

// noted is the entry at the end of the operation.
func (e *entry) noted(_ func() (goja.Value, error), err error) any {
	if err != nil {
		e.Error = err.Error()
	}
	return e
}

// explain turns an error of a store into one that scripts understand.
func (a args) explain(key string, err error) error {
	se := &runtime.ScriptError{Name: "Error", Code: "ESTORE", Err: err}
	switch {
	case errors.As(err, &se):
		return err
	case errors.Is(err, ErrNotNumber):
		se.Name, se.Code = "TypeError", "ENOTNUMBER"
		se.Message = fmt.Sprintf("kv.%s: %q does not hold a number", a.op, key)
	case errors.Is(err, ErrConflict):
		se.Name, se.Code = "ConflictError", "ECONFLICT"
		se.Message = fmt.Sprintf("kv.%s: %q was changed by others %d times in a row", a.op, key, maxTries)
	default:
		se.Message = fmt.Sprintf("kv.%s: the store failed: %v", a.op, err)
	}
	return se
}

// plain is the outcome of operations whose result needs no VM to be made.
func (a args) plain(v any) (func() (goja.Value, error), error) {
	return func() (goja.Value, error) { return a.in.s.VM().ToValue(v), nil }, nil
}

// same reports whether two JSON texts say the same: member order and number spelling do not matter.
func same(a, b []byte) bool {
	if string(a) == string(b) {
		return true
	}
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	return equal(x, y)
}

func equal(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, v := range x {
			if w, ok := y[k]; !ok || !equal(v, w) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !equal(x[i], y[i]) {
				return false
			}
		}
		return true
	}
	return a == b
}
