package pcmo

import (
	"reflect"

	"github.com/dop251/goja"

	call "github.com/piopiy/piopiyd/pcmo"
	"github.com/piopiy/piopiyd/runtime"
)

// pipe is what pipeline() returns: a builder of documents of the v3 dialect, made like [chain].
type pipe struct {
	in      *instance
	doc     call.Pipeline
	pending []pending
}

var pipeType = reflect.TypeFor[*pipe]()

func (in *instance) newPipe(fc goja.FunctionCall) goja.Value {
	if len(fc.Arguments) > 0 && !goja.IsUndefined(fc.Arguments[0]) {
		in.s.Args("pipeline()", fc).Throw("takes no arguments; add actions with its methods, as in pipeline().play('welcome.wav')")
	}
	return in.vm.NewDynamicObject(&pipe{in: in})
}

// Get implements goja.DynamicObject, as do the four methods below.
func (p *pipe) Get(name string) goja.Value {
	if v, ok := p.in.pipeMethods[name]; ok {
		return v
	}
	m, ok := pipeMethods[name]
	if !ok {
		return nil
	}
	in := p.in
	v := in.native(name, func(fc goja.FunctionCall) goja.Value {
		o, ok := fc.This.(*goja.Object)
		args := in.s.Args("pipeline()."+name, fc)
		if !ok || o.ExportType() != pipeType {
			args.Throw("must be called on what pipeline() returned")
		}
		p := o.Export().(*pipe)
		if m.build == nil {
			return p.plain()
		}
		p.add(args, m.build(p, args), m.names)
		return fc.This
	})
	if in.pipeMethods == nil {
		in.pipeMethods = make(map[string]goja.Value, len(pipeMethods))
	}
	in.pipeMethods[name] = v
	return v
}

func (*pipe) Has(name string) bool        { _, ok := pipeMethods[name]; return ok }
func (*pipe) Keys() []string              { return nil }
func (*pipe) Set(string, goja.Value) bool { return false }
func (*pipe) Delete(string) bool          { return false }

type pipeMethod struct {
	build func(p *pipe, a runtime.Args) call.Action
	names map[string]string
}

var pipeMethods map[string]pipeMethod

func init() {
	collect := map[string]string{"prompt": "prompt", "input": "option collect", "on_result": "target", "dtmf": "digits", "retries": "retries"}
	pipeMethods = map[string]pipeMethod{
		"connect":      {pipeConnect, map[string]string{"params": "options", "endpoints": "to"}},
		"play":         {pipePlay, map[string]string{"file_name": "file"}},
		"param":        {pipeParam, nil},
		"record":       {pipeRecord, nil},
		"hangup":       {func(*pipe, runtime.Args) call.Action { return &call.PipelineHangup{} }, nil},
		"input":        {pipeInput, collect},
		"playGetInput": {pipePlayGetInput, collect},
		"toJSON":       {},
		"PCMO":         {},
		"build":        {},
	}
}

func (p *pipe) add(a runtime.Args, action call.Action, names map[string]string) {
	one := [1]call.Action{action}
	if err := call.Pipeline(one[:]).Validate(); err != nil {
		p.pending = trim(p.pending, len(p.doc))
		a.Throw("%s", inWords(err, names))
	}
	p.doc = append(p.doc, action)
}

func (p *pipe) await(fn goja.Callable, o *goja.Object) string {
	p.pending = append(p.pending, pending{len(p.doc), fn, o})
	return standIn
}

func (p *pipe) result(cont Continuations) (Result, error) {
	if len(p.doc) == 0 {
		return Result{}, refuse("$: is a pipeline without actions; v3 wants at least one")
	}
	doc := p.doc
	if len(p.pending) > 0 {
		doc = append(call.Pipeline(nil), doc...)
	}
	for _, f := range p.pending {
		url, err := p.in.register(cont, f, "on_result")
		if err != nil {
			return Result{}, err
		}
		result := call.OnResult{Type: call.ResultURL, URL: url}
		switch a := doc[f.action].(type) {
		case *call.PipelineInput:
			copied := *a
			copied.OnResult = result
			doc[f.action] = &copied
		case *call.PipelinePlayGetInput:
			copied := *a
			copied.OnResult = result
			doc[f.action] = &copied
		}
	}
	return Result{Pipeline: doc, JSON: doc.AppendJSON(make([]byte, 0, 64+192*len(doc)))}, nil
}

func (p *pipe) plain() goja.Value {
	list := p.in.s.Guard().ParseJSON(string(p.doc.AppendJSON(nil)))
	for _, f := range p.pending {
		set(p.in.get(list, itoa(f.action)).(*goja.Object), "on_result", f.object)
	}
	return list
}
