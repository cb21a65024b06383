package runtime

import "time"

// Limits bound what one session may use. The zero value of a field means its default. A breach ends that
// session alone, with a [Fault] that names the limit.
type Limits struct {
	// Turn is the longest one turn of the event loop may run (default 1 s).
	Turn time.Duration
	// Grace is how long an interrupted turn may take to come back before the session is abandoned (default 50 ms).
	Grace time.Duration
	// Callback is the longest a callback may take from call to settled promise, waiting included (default 10 s).
	Callback time.Duration
	// Lifetime is the longest a session may live (default 3 h; the platform ends a call after 2 h at the latest).
	Lifetime time.Duration
	// Timers is the number of pending timers (default 1,000).
	Timers int
	// Pending is the number of operations under way outside the VM: fetches, sockets (default 100).
	Pending int
	// Stack is the depth of JavaScript calls (default 1,000).
	Stack int
	// StringLength is the longest string a built-in may make, in UTF-16 units (default 16 Mi).
	StringLength int
	// ArrayLength is the longest array a built-in may walk or make, in elements (default 4 Mi).
	ArrayLength int
	// BufferSize is the largest ArrayBuffer, in bytes (default 32 MiB).
	BufferSize int
	// JournalSize is how much one session may journal, in bytes (default 4 MiB).
	JournalSize int
}

// DefaultLimits returns the limits that hold where nothing else is configured.
func DefaultLimits() Limits {
	return Limits{
		Turn:         time.Second,
		Grace:        50 * time.Millisecond,
		Callback:     10 * time.Second,
		Lifetime:     3 * time.Hour,
		Timers:       1000,
		Pending:      100,
		Stack:        1000,
		StringLength: 16 << 20,
		ArrayLength:  4 << 20,
		BufferSize:   32 << 20,
		JournalSize:  4 << 20,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	fill(&l.Turn, d.Turn)
	fill(&l.Grace, d.Grace)
	fill(&l.Callback, d.Callback)
	fill(&l.Lifetime, d.Lifetime)
	fill(&l.Timers, d.Timers)
	fill(&l.Pending, d.Pending)
	fill(&l.Stack, d.Stack)
	fill(&l.StringLength, d.StringLength)
	fill(&l.ArrayLength, d.ArrayLength)
	fill(&l.BufferSize, d.BufferSize)
	fill(&l.JournalSize, d.JournalSize)
	return l
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
