package kv

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

// get(key, fallback?) returns the value, or the fallback (undefined) when there is none.
func (in *instance) get(a args) goja.Value {
	key, fallback := a.key(), a.Value(1)
	return runtime.Operate(in.s, runtime.Operation[json.RawMessage]{
		Begin: "kv_begin", End: "kv", Asks: entry{Op: a.op, Key: key}, Safe: true,
		Do: func(ctx context.Context) (json.RawMessage, error) {
			data, _, err := in.store.Get(doing(ctx, a.op), in.s.App(), key)
			switch {
			case errors.Is(err, ErrNotFound):
				return nil, nil
			case err != nil:
				return nil, a.explain(key, err)
			}
			return data, nil
		},
		Note: func(data json.RawMessage, err error) any {
			found := data != nil && err == nil
			e := entry{Op: a.op, Key: key, Found: &found, Size: len(data)}
			if err != nil {
				e.Error = err.Error()
			}
			return e
		},
		Value: func(data json.RawMessage, err error) (goja.Value, error) {
			switch {
			case err != nil:
				return nil, err
			case data == nil:
				return fallback, nil
			}
			return in.value(data)
		},
	})
}

// has(key) reports whether a key is there.
func (in *instance) has(a args) goja.Value {
	key := a.key()
	e := &entry{Key: key}
	return a.run(e, func(ctx context.Context) (func() (goja.Value, error), error) {
		_, _, err := in.store.Get(ctx, in.s.App(), key)
		found := err == nil
		e.Found = &found
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		return a.plain(found)
	})
}

// set(key, value, { ttl }) stores a value.
func (in *instance) set(a args) goja.Value {
	key, data, ttl := a.key(), a.json(a.Value(1)), a.ttl(2)
	e := &entry{Key: key, Size: len(data)}
	e.lasting(ttl)
	return a.run(e, func(ctx context.Context) (func() (goja.Value, error), error) {
		if _, err := in.store.Set(ctx, in.s.App(), key, data, ttl); err != nil {
			return nil, err
		}
		return a.plain(goja.Undefined())
	})
}

// delete(key) removes a key and tells whether it was there.
func (in *instance) delete(a args) goja.Value {
	key := a.key()
	e := &entry{Key: key}
	return a.run(e, func(ctx context.Context) (func() (goja.Value, error), error) {
		existed, err := in.store.Delete(ctx, in.s.App(), key)
		if err != nil {
			return nil, err
		}
		e.Found = &existed
		return a.plain(existed)
	})
}

// increment(key, by = 1, { ttl }) adds to a number and returns the sum. The ttl holds from the first increment on:
// a counter of a time window.
func (in *instance) increment(a args) goja.Value {
	key, by := a.key(), 1.0
	if a.Has(1) {
		by = a.Number(1, "the number to add")
	}
	ttl := a.ttl(2)
	e := &entry{Key: key}
	e.lasting(ttl)
	return a.run(e, func(ctx context.Context) (func() (goja.Value, error), error) {
		app := in.s.App()
		if ttl == 0 {
			sum, err := in.store.Increment(ctx, app, key, by)
			if err != nil {
				return nil, err
			}
			return a.plain(sum)
		}
		// A key that is there keeps what is left of its time; only the one who makes it sets the time. The last
		// look guards against a key that ends between the two.
		first, err := json.Marshal(by)
		if err != nil {
			return nil, err
		}
		if _, err := in.store.CompareAndSet(ctx, app, key, first, 0, ttl); err == nil {
			return a.plain(by)
		} else if !errors.Is(err, ErrConflict) {
			return nil, err
		}
		sum, err := in.store.Increment(ctx, app, key, by)
		if err != nil {
			return nil, err
		}
		if sum == by {
			data, revision, err := in.store.Get(ctx, app, key)
			if err == nil {
				_, err = in.store.CompareAndSet(ctx, app, key, data, revision, ttl)
			}
			if err != nil && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrNotFound) {
				return nil, err
			}
		}
		return a.plain(sum)
	})
}

// compareAndSet(key, expected, value, { ttl }) stores the value if the key holds what is expected, undefined
// standing for no key, and tells whether it did.
func (in *instance) compareAndSet(a args) goja.Value {
	key := a.key()
	var expected []byte
	if a.Has(1) {
		expected = a.json(a.Value(1))
	}
	data, ttl := a.json(a.Value(2)), a.ttl(3)
	e := &entry{Key: key, Size: len(data)}
	e.lasting(ttl)
	return a.run(e, func(ctx context.Context) (func() (goja.Value, error), error) {
		for range maxTries {
			now, revision, err := in.store.Get(ctx, in.s.App(), key)
			if errors.Is(err, ErrNotFound) {
				now, revision, err = nil, 0, nil
			}
			if err != nil {
				return nil, err
			}
			done := (expected == nil) == (now == nil) && (now == nil || same(expected, now))
			if done {
				_, err = in.store.CompareAndSet(ctx, in.s.App(), key, data, revision, ttl)
				if errors.Is(err, ErrConflict) {
					continue // it may have been written with the same value
				}
				if err != nil {
					return nil, err
				}
			}
			e.Done = &done
			return a.plain(done)
		}
		return nil, ErrConflict
	})
}

// list({ prefix, after, limit }) returns keys in order; give the last one as after to go on.
func (in *instance) list(a args) goja.Value {
	prefix, after, limit := a.listOptions()
	e := &entry{Key: prefix}
	return a.run(e, func(ctx context.Context) (func() (goja.Value, error), error) {
		keys, err := in.store.List(ctx, in.s.App(), prefix, after, limit)
		if err != nil {
			return nil, err
		}
		n := len(keys)
		e.Keys = &n
		return func() (goja.Value, error) {
			list := make([]any, n)
			for i, k := range keys {
				list[i] = k
			}
			return in.s.VM().NewArray(list...), nil
		}, nil
	})
}

// entries({ prefix, after, limit }) is list with the values: [key, value] pairs, as Object.fromEntries and new
// Map take them.
func (in *instance) entries(a args) goja.Value {
	prefix, after, limit := a.listOptions()
	e := &entry{Key: prefix}
	return a.run(e, func(ctx context.Context) (func() (goja.Value, error), error) {
		keys, err := in.store.List(ctx, in.s.App(), prefix, after, limit)
		if err != nil {
			return nil, err
		}
		values := make([][]byte, len(keys))
		for i, key := range keys {
			values[i], _, err = in.store.Get(ctx, in.s.App(), key)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return nil, err
			}
			e.Size += len(values[i])
		}
		n := len(keys)
		e.Keys = &n
		return func() (goja.Value, error) {
			vm := in.s.VM()
			var list []any
			for i, key := range keys {
				if values[i] == nil { // gone since the keys were listed
					continue
				}
				v, err := in.value(values[i])
				if err != nil {
					return nil, err
				}
				list = append(list, vm.NewArray(key, v))
			}
			return vm.NewArray(list...), nil
		}, nil
	})
}

func (a args) listOptions() (prefix, after string, limit int) {
	o := a.Options(0, "prefix", "after", "limit")
	return o.String("prefix", ""), o.String("after", ""), o.Int("limit", defaultList, 1, maxList)
}
