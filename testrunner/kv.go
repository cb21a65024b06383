package testrunner

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/kv"
	"github.com/piopiy/piopiyd/runtime"
)

// kvStub has operations on a key of kv fail, or on those that fit.
type kvStub struct {
	target
	on    []string // which operations; none: all
	left  int      // how many there are still to be
	err   error
	noted func(op, key string)
}

// kvOperations are what a script can do with kv.
var kvOperations = []string{"get", "set", "delete", "has", "increment", "compareAndSet", "update", "list", "entries"}

// stubKv registers a stub of kv.
func (b *bench) stubKv(a runtime.Args) goja.Value {
	vm := b.session.VM()
	s := &kvStub{target: b.target(a.Value(0))}
	if s.url == "" && s.pattern == nil {
		a.Throw("the key must be a string or a RegExp, not %s", runtime.Describe(a.Value(0)))
	}
	o := a.Options(1, "error", "times", "on")
	s.err, s.left = errors.New(o.String("error", "it is out of reach")), o.Int("times", 1<<30, 1, 1<<30)
	switch on := o.Value("on").(type) {
	case nil:
	case goja.String:
		s.on = []string{on.String()}
	default:
		if err := vm.ExportTo(on, &s.on); err != nil {
			a.Fail(err)
		}
	}
	for _, op := range s.on {
		if !slices.Contains(kvOperations, op) {
			a.Throw(`option "on" must be of %s, not %.40q`, strings.Join(kvOperations, ", "), op)
		}
	}
	failed := vm.NewArray()
	s.noted = func(op, key string) {
		entry := vm.NewObject()
		_ = entry.Set("op", op)
		_ = entry.Set("key", key)
		_ = failed.Set(failed.Get("length").String(), entry)
	}
	if b.world != nil {
		b.world.faults = append(b.world.faults, s)
		b.world.faulty.Store(true)
	}
	stub := vm.NewObject()
	_ = stub.Set("failed", failed)
	return stub
}

// fault is what the newest stub that fits has an operation fail with; nil where there is none. The caller is at work.
func (w *world) fault(ctx context.Context, key string) (fault error) {
	if !w.faulty.Load() {
		return nil
	}
	op := kv.Operation(ctx)
	w.ask(func() {
		for _, s := range slices.Backward(w.faults) {
			if s.left == 0 || len(s.on) > 0 && !slices.Contains(s.on, op) {
				continue
			}
			fits := s.url == key
			if s.pattern != nil {
				var err error
				if fits, err = s.pattern(key); err != nil {
					fault = err
					return
				}
			}
			if fits {
				s.left--
				s.noted(op, key)
				fault = s.err
				return
			}
		}
	})
	return fault
}

// stubbedStore is the store of the apps of a test, which fails where a stub says so.
type stubbedStore struct {
	kv.Store
	world *world
}

// Get implements kv.Store.
func (s stubbedStore) Get(ctx context.Context, app, key string) (value []byte, revision uint64, err error) {
	if err := s.world.fault(ctx, key); err != nil {
		return nil, 0, err
	}
	return s.Store.Get(ctx, app, key)
}

// Set implements kv.Store.
func (s stubbedStore) Set(ctx context.Context, app, key string, value []byte, ttl time.Duration) (revision uint64, err error) {
	if err := s.world.fault(ctx, key); err != nil {
		return 0, err
	}
	return s.Store.Set(ctx, app, key, value, ttl)
}

// CompareAndSet implements kv.Store.
func (s stubbedStore) CompareAndSet(ctx context.Context, app, key string, value []byte, revision uint64, ttl time.Duration) (uint64, error) {
	if err := s.world.fault(ctx, key); err != nil {
		return 0, err
	}
	return s.Store.CompareAndSet(ctx, app, key, value, revision, ttl)
}

// Delete implements kv.Store.
func (s stubbedStore) Delete(ctx context.Context, app, key string) (existed bool, err error) {
	if err := s.world.fault(ctx, key); err != nil {
		return false, err
	}
	return s.Store.Delete(ctx, app, key)
}

// Increment implements kv.Store.
func (s stubbedStore) Increment(ctx context.Context, app, key string, delta float64) (sum float64, err error) {
	if err := s.world.fault(ctx, key); err != nil {
		return 0, err
	}
	return s.Store.Increment(ctx, app, key, delta)
}

// List implements kv.Store. Its key is the prefix.
func (s stubbedStore) List(ctx context.Context, app, prefix, after string, limit int) (keys []string, err error) {
	if err := s.world.fault(ctx, prefix); err != nil {
		return nil, err
	}
	return s.Store.List(ctx, app, prefix, after, limit)
}
