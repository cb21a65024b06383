package kv

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

// update(key, change, { ttl }) reads a value, hands it to the function change (undefined when there is none) and
// stores what that returns, unless somebody has written meanwhile: then it begins again with the new value.
// Returning undefined leaves the key as it is. The function may be async. The promise is for the stored value.
func (in *instance) update(a args) goja.Value {
	key, change, ttl := a.key(), a.Function(1, "change"), a.ttl(2)
	u := &update{args: a, key: key, change: change, e: &entry{Op: a.op, Key: key}, store: func(ctx context.Context, data []byte, revision uint64) error {
		_, err := in.store.CompareAndSet(ctx, in.s.App(), key, data, revision, ttl)
		return err
	}}
	u.e.lasting(ttl)
	p, resolve, reject := in.s.VM().NewPromise()
	u.resolve, u.reject = resolve, reject
	u.read()
	return in.s.VM().ToValue(p)
}

// update is one kv.update under way: read, change, store, and from the beginning after a conflict. Each step
// ends with the next one being begun, on the session's goroutine.
type update struct {
	args
	key             string
	change          goja.Callable
	store           func(ctx context.Context, data []byte, revision uint64) error
	resolve, reject func(any) error
	e               *entry
	tries           int
}

// state is what a step brought.
type state struct {
	Data     json.RawMessage `json:"data,omitempty"`
	Revision uint64          `json:"revision,omitempty"`
	Conflict bool            `json:"conflict,omitempty"`
}

// stepEntry is what the journal keeps of a step.
type stepEntry struct {
	Op   string `json:"op"`
	Key  string `json:"key"`
	Step string `json:"step"`
}

// step runs an operation of the store and then what follows it.
func (u *update) step(name string, work func(ctx context.Context) (state, error), next func(state) error) {
	thrown := u.in.s.VM().Try(func() {
		runtime.Operate(u.in.s, runtime.Operation[state]{
			Begin: "kv_begin", End: "kv_end", Asks: stepEntry{u.op, u.key, name}, Safe: name == "read",
			Do: func(ctx context.Context) (state, error) {
				now, err := work(doing(ctx, u.op))
				if err != nil {
					return state{}, u.explain(u.key, err)
				}
				return now, nil
			},
			Value: func(now state, err error) (goja.Value, error) {
				if err == nil {
					err = next(now)
				}
				if err != nil {
					u.fail(err)
				}
				return goja.Undefined(), nil
			},
		})
	})
	if thrown != nil { // too many operations are pending
		u.fail(thrown)
	}
}

func (u *update) fail(err error) {
	err = u.explain(u.key, err)
	var thrown *goja.Exception
	if !errors.As(err, &thrown) {
		u.e.Error = err.Error()
	} else {
		u.e.Error = "the function threw"
	}
	u.in.s.Record("kv", u.e)
	_ = u.reject(u.in.s.ErrorValue(err))
}

func (u *update) read() {
	if u.tries++; u.tries > maxTries {
		u.fail(ErrConflict)
		return
	}
	u.step("read", func(ctx context.Context) (state, error) {
		data, revision, err := u.in.store.Get(ctx, u.in.s.App(), u.key)
		if errors.Is(err, ErrNotFound) {
			return state{}, nil
		}
		return state{Data: data, Revision: revision}, err
	}, func(now state) error { return u.ask(now.Data, now.Revision) })
}

// ask hands the value to the script's function and waits for its answer.
func (u *update) ask(data []byte, revision uint64) error {
	now := goja.Undefined()
	if data != nil {
		v, err := u.in.value(data)
		if err != nil {
			return err
		}
		now = v
	}
	v, err := u.change(goja.Undefined(), now)
	if err != nil {
		return err
	}
	o, ok := v.(*goja.Object)
	if !ok {
		return u.write(v, data, revision)
	}
	then, ok := goja.AssertFunction(o.Get("then"))
	if !ok {
		return u.write(v, data, revision)
	}
	vm := u.in.s.VM()
	_, err = then(o, vm.ToValue(func(c goja.FunctionCall) goja.Value {
		if err := u.write(c.Argument(0), data, revision); err != nil {
			u.fail(err)
		}
		return goja.Undefined()
	}), vm.ToValue(func(c goja.FunctionCall) goja.Value {
		u.e.Error = "the function threw"
		u.in.s.Record("kv", u.e)
		_ = u.reject(c.Argument(0))
		return goja.Undefined()
	}))
	return err
}

func (u *update) write(v goja.Value, data []byte, revision uint64) error {
	if goja.IsUndefined(v) {
		done := false
		u.e.Done = &done
		u.in.s.Record("kv", u.e)
		if data == nil {
			return u.resolve(goja.Undefined())
		}
		now, err := u.in.value(data)
		if err != nil {
			return err
		}
		return u.resolve(now)
	}
	var next []byte
	if thrown := u.in.s.VM().Try(func() { next = u.json(v) }); thrown != nil {
		return thrown
	}
	u.step("write", func(ctx context.Context) (state, error) {
		err := u.store(ctx, next, revision)
		if errors.Is(err, ErrConflict) {
			return state{Conflict: true}, nil
		}
		return state{}, err
	}, func(now state) error {
		if now.Conflict {
			u.read()
			return nil
		}
		done := true
		u.e.Done, u.e.Size = &done, len(next)
		u.in.s.Record("kv", u.e)
		stored, err := u.in.value(next)
		if err != nil {
			return err
		}
		return u.resolve(stored)
	})
	return nil
}
