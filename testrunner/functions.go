package testrunner

import (
	"fmt"
	"strings"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

// run calls an exported function of an app, as `piopiyd run` does.
func (b *bench) run(a runtime.Args) goja.Value {
	b.mustRun(a)
	app, name := b.app, a.String(0, "the function")
	if other, function, ok := strings.Cut(name, "/"); ok {
		app, name = other, function
	}
	if app == "" {
		a.Throw("name the app, as in run('desk/remind'): this file stands beside none")
	}
	vm := b.session.VM()
	rest := []any{}
	for i := 1; a.Has(i); i++ {
		rest = append(rest, a.Value(i))
	}
	args, err := vm.NewArray(rest...).MarshalJSON()
	if err != nil {
		a.Fail(err)
	}
	failure, w := b.failure(), b.world
	_ = failure.Set("name", "Error")
	promise, settle := b.session.Promise()
	done := b.session.Work()
	b.runs++
	id := fmt.Sprintf("run-%d", b.runs)
	w.calls.Go(func() {
		text, session, err := w.run(app, id, name, args)
		settle(func() (goja.Value, error) {
			switch {
			case err != nil:
				return nil, thrownWith(failure, detail(err))
			case text == "":
				return goja.Undefined(), nil
			}
			return b.session.Guard().ParseJSON(text), nil
		})
		done()
		if session != nil {
			session.Close("run")
			<-session.Done()
		}
	})
	return promise
}

// run calls a function in a session of its own and returns its result as JSON, or "" for undefined. The caller is at
// work.
func (w *world) run(name, id, function string, args []byte) (result string, s *runtime.Session, err error) {
	if _, _, err = w.load(w.ctx, name); err != nil {
		return "", nil, err
	}
	app, ok := w.apps.App(name)
	if !ok {
		return "", nil, fmt.Errorf("the app %q is a web server, which exports no functions", name)
	}
	if v := app.Current(); !v.HasExport(function) {
		return "", nil, fmt.Errorf("the app %q exports no function %q; there are: %s", name, function, strings.Join(v.Exports(), ", "))
	}
	if s, err = app.NewSession(runtime.SessionConfig{ID: id}); err != nil {
		return "", nil, err
	}
	var text string
	err = s.Call(w.ctx, function, func(vm *goja.Runtime) []goja.Value {
		list := s.Guard().ParseJSON(string(args)).ToObject(vm)
		values := make([]goja.Value, list.Get("length").ToInteger())
		for i := range values {
			values[i] = list.Get(fmt.Sprint(i))
		}
		return values
	}, func(vm *goja.Runtime, v goja.Value) error {
		switch {
		case goja.IsUndefined(v):
			return nil
		case goja.IsNull(v):
			text = "null"
			return nil
		}
		data, err := v.ToObject(vm).MarshalJSON()
		text = string(data)
		return err
	})
	if err != nil {
		return "", s, err
	}
	return text, s, nil
}
