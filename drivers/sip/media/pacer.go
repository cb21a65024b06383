package media

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Ticker is ticked by a [Pacer]. Tick must not wait.
type Ticker interface {
	Tick()
}

// Pacer ticks many tickers every 20 ms. They are spread over slots of 1 ms, so that their packets do not leave in
// bursts, and over as many goroutines as there are processors; a goroutine only lives while it has something to
// tick. Deadlines are absolute: a late tick is followed by one in time.
//
// The zero Pacer is ready to use.
type Pacer struct {
	once   sync.Once
	shards []*shard
	late   atomic.Uint64
}

const (
	slotTime  = time.Millisecond
	slotCount = int(FrameTime / slotTime)
	// maxLag is how far a pacer may be behind before it gives up the ticks it has missed.
	maxLag = 100 * time.Millisecond
)

// Add begins to tick t and returns what ends it: when that has returned, no tick is under way. It must not be
// called from a tick of t.
func (p *Pacer) Add(t Ticker) (remove func()) {
	p.once.Do(func() {
		for range runtime.GOMAXPROCS(0) {
			p.shards = append(p.shards, &shard{pacer: p})
		}
	})
	emptiest := p.shards[0]
	for _, s := range p.shards {
		n := s.count.Load()
		if n > 0 && n < fullEnough { // another goroutine is not worth its wake-ups yet
			return s.add(t)
		}
		if n < emptiest.count.Load() {
			emptiest = s
		}
	}
	return emptiest.add(t)
}

// fullEnough is how many tickers a goroutine has before another one takes some.
const fullEnough = 150

// slotStep is how far apart the slots in use are: few tickers need few wake-ups.
func slotStep(tickers int64) int {
	switch {
	case tickers < 24:
		return 5
	case tickers < 100:
		return 2
	}
	return 1
}

// Late returns how often ticks were given up because the machine was too slow.
func (p *Pacer) Late() uint64 { return p.late.Load() }

// Active returns how many tickers there are.
func (p *Pacer) Active() int {
	n := 0
	for _, s := range p.shards {
		n += int(s.count.Load())
	}
	return n
}

type shard struct {
	pacer *Pacer
	count atomic.Int64

	mu      sync.Mutex
	slots   [slotCount][]*paced // replaced, never changed
	running bool
}

type paced struct {
	ticker Ticker
	mu     sync.Mutex
	gone   bool
}

func (s *shard) add(t Ticker) (remove func()) {
	e := &paced{ticker: t}
	s.mu.Lock()
	defer s.mu.Unlock()
	slot, step := 0, slotStep(s.count.Load())
	for i := 0; i < slotCount; i += step {
		if len(s.slots[i]) < len(s.slots[slot]) {
			slot = i
		}
	}
	s.slots[slot] = append(slices.Clone(s.slots[slot]), e)
	s.count.Add(1)
	if !s.running {
		s.running = true
		go s.run()
	}
	return func() {
		e.mu.Lock()
		gone := e.gone
		e.gone = true
		e.mu.Unlock()
		if gone {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.slots[slot] = slices.DeleteFunc(slices.Clone(s.slots[slot]), func(o *paced) bool { return o == e })
		s.count.Add(-1)
	}
}

// run ticks until nothing is left to tick.
func (s *shard) run() {
	next, slot := time.Now(), 0
	for {
		s.mu.Lock()
		due := s.slots[slot]
		ahead := 1 // slots to the next one that is not empty
		for ahead < slotCount && len(s.slots[(slot+ahead)%slotCount]) == 0 {
			ahead++
		}
		if s.count.Load() == 0 {
			s.running = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		for _, e := range due {
			e.mu.Lock()
			if !e.gone {
				e.ticker.Tick()
			}
			e.mu.Unlock()
		}
		slot = (slot + ahead) % slotCount
		next = next.Add(time.Duration(ahead) * slotTime)
		switch wait := time.Until(next); {
		case wait > 0:
			time.Sleep(wait)
		case wait < -maxLag:
			next = time.Now()
			s.pacer.late.Add(1)
		}
	}
}
