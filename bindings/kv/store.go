package kv

import (
	"context"
	"errors"
	"time"
)

// Store keeps the values that all calls of an app share. Keys are 1 to 512 bytes of UTF-8; values are JSON of
// up to 64 KiB. All methods are safe for concurrent use; namespaces (apps) never see each other.
type Store interface {
	// Get returns the value and its revision, or ErrNotFound.
	Get(ctx context.Context, app, key string) (value []byte, revision uint64, err error)
	// Set stores a value; ttl 0 keeps it until it is deleted. It returns the new revision.
	Set(ctx context.Context, app, key string, value []byte, ttl time.Duration) (revision uint64, err error)
	// CompareAndSet stores a value only when the key still has the given revision (0: when the key is absent);
	// otherwise ErrConflict.
	CompareAndSet(ctx context.Context, app, key string, value []byte, revision uint64, ttl time.Duration) (uint64, error)
	// Delete removes a key; removing an absent key is no error. It reports whether the key was there.
	Delete(ctx context.Context, app, key string) (existed bool, err error)
	// Increment adds delta to a key that holds a number (absent counts as 0) and returns the sum. A remaining
	// time to live is kept. ErrNotNumber when the value is something else.
	Increment(ctx context.Context, app, key string, delta float64) (sum float64, err error)
	// List returns up to limit keys with the prefix, sorted, beginning after the key `after`.
	List(ctx context.Context, app, prefix, after string, limit int) (keys []string, err error)
}

// Operation returns which operation of a script a Store works for, such as "update"; "" where it is no script's.
func Operation(ctx context.Context) string {
	op, _ := ctx.Value(operationKey{}).(string)
	return op
}

// operationKey finds the operation among a context's values.
type operationKey struct{}

// doing is ctx for an operation of a script.
func doing(ctx context.Context, op string) context.Context {
	return context.WithValue(ctx, operationKey{}, op)
}

// Errors of a Store.
var (
	ErrNotFound  = errors.New("no such key")
	ErrConflict  = errors.New("the key was changed meanwhile")
	ErrNotNumber = errors.New("the key does not hold a number")
)
