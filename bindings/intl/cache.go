package intl

import "sync"

// cache keeps immutable values process-wide. It holds at most limit of them and forgets some when it is full, so
// that scripts which make up options cannot grow it.
type cache[K comparable, V any] struct {
	mu     sync.RWMutex
	limit  int
	values map[K]V
}

func newCache[K comparable, V any](limit int) *cache[K, V] {
	return &cache[K, V]{limit: limit, values: make(map[K]V)}
}

func (c *cache[K, V]) get(key K, make func() (V, error)) (V, error) {
	c.mu.RLock()
	v, ok := c.values[key]
	c.mu.RUnlock()
	if ok {
		return v, nil
	}
	v, err := make()
	if err != nil {
		return v, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for old := range c.values {
		if len(c.values) < c.limit {
			break
		}
		delete(c.values, old)
	}
	c.values[key] = v
	return v, nil
}
