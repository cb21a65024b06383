package flite

import (
	"context"
	"sync"

	"github.com/tetratelabs/wazero/experimental"
)

// usualMemory is what most texts need, in bytes: the program, and the sound of one part.
const usualMemory = 24 << 20

// memories are those of texts that have been said. The garbage collector takes what is not used for a while.
var memories = sync.Pool{New: func() any {
	b := make([]byte, usualMemory)
	return &b
}}

// memory is a WASM memory that is taken from the pool, so that texts do not leave some 40 MB of garbage each.
type memory struct {
	pooled *[]byte
	data   []byte
	max    uint64
}

// withMemory lets modules that are made with the context take their memory from the pool.
func withMemory(ctx context.Context) context.Context {
	return experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(func(_, limit uint64) experimental.LinearMemory {
		pooled := memories.Get().(*[]byte)
		return &memory{pooled: pooled, data: (*pooled)[:0], max: limit}
	}))
}

// Reallocate implements experimental.LinearMemory.
func (m *memory) Reallocate(size uint64) []byte {
	switch {
	case size > m.max:
		return nil
	case size <= uint64(cap(m.data)):
		m.data = m.data[:size]
	default:
		larger := make([]byte, size)
		copy(larger, m.data)
		m.data = larger
	}
	return m.data
}

// Free implements experimental.LinearMemory. What was said is wiped.
func (m *memory) Free() {
	if m.pooled == nil {
		return
	}
	if cap(m.data) == usualMemory {
		clear(m.data)
	} else {
		clear(*m.pooled)
	}
	memories.Put(m.pooled)
	m.pooled, m.data = nil, nil
}
