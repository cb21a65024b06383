package kv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// MemoryStore is a Store in memory: the default for embedders, and for tests. The values go with the process.
type MemoryStore struct {
	// Now tells the time that values end by; nil is the machine's. It is not changed while the store is used.
	Now func() time.Time

	mu       sync.Mutex
	apps     map[string]map[string]memoryValue
	revision uint64
	sweepAt  uint64 // the revision at which ended values are looked for
}

type memoryValue struct {
	value    []byte
	revision uint64
	expires  time.Time // zero: never
}

const sweepEvery = 4096 // writes

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{apps: map[string]map[string]memoryValue{}, sweepAt: sweepEvery}
}

var _ Store = (*MemoryStore)(nil)

func checkKey(ctx context.Context, key string) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case key == "":
		return errors.New("kv: the key is empty")
	case len(key) > 512:
		return fmt.Errorf("kv: the key is %d bytes, at most 512 are possible", len(key))
	case !utf8.ValidString(key):
		return errors.New("kv: the key is not valid UTF-8")
	}
	return nil
}

func checkWrite(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := checkKey(ctx, key); err != nil {
		return err
	}
	switch {
	case len(value) > 64<<10:
		return fmt.Errorf("kv: the value is %d bytes, at most %d are possible", len(value), 64<<10)
	case !json.Valid(value):
		return errors.New("kv: the value is not JSON")
	case ttl < 0:
		return fmt.Errorf("kv: the time to live is negative: %s", ttl)
	}
	return nil
}

// get needs s.mu.
func (s *MemoryStore) get(app, key string) (memoryValue, bool) {
	v, there := s.apps[app][key]
	if there && !v.expires.IsZero() && !s.now().Before(v.expires) {
		delete(s.apps[app], key)
		return memoryValue{}, false
	}
	return v, there
}

// set needs s.mu.
func (s *MemoryStore) set(app, key string, value []byte, expires time.Time) uint64 {
	if s.apps[app] == nil {
		s.apps[app] = map[string]memoryValue{}
	}
	s.revision++
	s.apps[app][key] = memoryValue{value: slices.Clone(value), revision: s.revision, expires: expires}
	if s.revision >= s.sweepAt {
		s.sweepAt = s.revision + sweepEvery
		s.sweep()
	}
	return s.revision
}

// sweep drops values that ended and that nobody asked for again. It needs s.mu.
func (s *MemoryStore) sweep() {
	now := s.now()
	for app, values := range s.apps {
		for key, v := range values {
			if !v.expires.IsZero() && !now.Before(v.expires) {
				delete(values, key)
			}
		}
		if len(values) == 0 {
			delete(s.apps, app)
		}
	}
}

func (s *MemoryStore) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *MemoryStore) expiry(ttl time.Duration) time.Time {
	if ttl == 0 {
		return time.Time{}
	}
	return s.now().Add(ttl)
}

// Get implements Store.
func (s *MemoryStore) Get(ctx context.Context, app, key string) (value []byte, revision uint64, err error) {
	if err := checkKey(ctx, key); err != nil {
		return nil, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, there := s.get(app, key)
	if !there {
		return nil, 0, ErrNotFound
	}
	return slices.Clone(v.value), v.revision, nil
}

// Set implements Store.
func (s *MemoryStore) Set(ctx context.Context, app, key string, value []byte, ttl time.Duration) (revision uint64, err error) {
	if err := checkWrite(ctx, key, value, ttl); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set(app, key, value, s.expiry(ttl)), nil
}

// CompareAndSet implements Store.
func (s *MemoryStore) CompareAndSet(ctx context.Context, app, key string, value []byte, revision uint64, ttl time.Duration) (uint64, error) {
	if err := checkWrite(ctx, key, value, ttl); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, there := s.get(app, key); there && v.revision != revision || !there && revision != 0 {
		return 0, ErrConflict
	}
	return s.set(app, key, value, s.expiry(ttl)), nil
}

// Delete implements Store.
func (s *MemoryStore) Delete(ctx context.Context, app, key string) (existed bool, err error) {
	if err := checkKey(ctx, key); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, existed = s.get(app, key)
	delete(s.apps[app], key)
	return existed, nil
}

// Increment implements Store.
func (s *MemoryStore) Increment(ctx context.Context, app, key string, delta float64) (sum float64, err error) {
	if err := checkKey(ctx, key); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, there := s.get(app, key)
	if there {
		if err := json.Unmarshal(v.value, &sum); err != nil || string(v.value) == "null" {
			return 0, ErrNotNumber
		}
	}
	sum += delta
	if math.IsInf(sum, 0) || math.IsNaN(sum) {
		return 0, fmt.Errorf("kv: increment by %v: the sum is not a finite number", delta)
	}
	value, err := json.Marshal(sum)
	if err != nil {
		return 0, fmt.Errorf("kv: %w", err)
	}
	s.set(app, key, value, v.expires)
	return sum, nil
}

// List implements Store.
func (s *MemoryStore) List(ctx context.Context, app, prefix, after string, limit int) (keys []string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.apps[app] {
		if !strings.HasPrefix(key, prefix) || key <= after {
			continue
		}
		if _, there := s.get(app, key); there {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	if limit > 0 && len(keys) > limit {
		keys = keys[:limit]
	}
	return keys, nil
}
