package runtime

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	memoryTick = 5 * time.Millisecond
	// suspectAfter is how long a turn must have run before the watchdog takes it for the cause of a full heap.
	suspectAfter = 20 * time.Millisecond
	// reliefEvery is how often sessions are laid to sleep while the heap is full.
	reliefEvery = 100 * time.Millisecond
	// growthLimit is how much the heap may grow while one turn runs that long.
	growthLimit = 512 << 20
)

// pressure is true while the heap is above half its limit; only then does each turn measure what it allocates.
var pressure atomic.Bool

func heapBytes() int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

// pressureHeap returns the heap's size under pressure, else 0.
func (rt *Runtime) pressureHeap() int64 {
	if !pressure.Load() {
		return 0
	}
	return heapBytes()
}

// watchMemory keeps the heap below its limit. goja has no memory limit of its own, so: stop a turn that makes memory fast;
// lay resting sessions to sleep that can be; stop the turn that is making memory; when none is, end resting sessions, those
// that grew most first; meanwhile take no new ones.
func (rt *Runtime) watchMemory() {
	limit := rt.cfg.MemoryLimit
	if limit <= 0 {
		limit = memoryAllowance() * 6 / 10
	}
	tick := time.NewTicker(memoryTick)
	defer tick.Stop()
	var collected, relieved time.Time
	var seen growth
	for {
		select {
		case <-rt.closed:
			return
		case <-tick.C:
		}
		heap := heapBytes()
		pressure.Store(heap > limit/2)
		if s := rt.grower(heap, min(growthLimit, limit/4), &seen); s != nil {
			s.interrupt(&Fault{Kind: FaultMemory, Message: fmt.Sprintf("the script was stopped because memory grew by %d MiB while one turn of it ran", min(growthLimit, limit/4)>>20)})
			continue
		}
		if heap <= limit {
			rt.shedding.Store(false)
			if heap > limit*9/10 && time.Since(collected) >= time.Second {
				collected = rt.relieve(limit * 8 / 10)
			}
			continue
		}
		if time.Since(relieved) > reliefEvery && rt.hibernate() > 0 {
			rt.shedding.Store(true)
			runtime.GC()
			relieved = time.Now()
			continue
		}
		if time.Since(relieved) < reliefEvery {
			continue // they may still be on their way to bed
		}
		if s := rt.suspect(); s != nil {
			s.interrupt(&Fault{Kind: FaultMemory, Message: fmt.Sprintf("the script was stopped because memory ran short (limit %d MiB)", limit>>20)})
			continue
		}
		if time.Since(collected) < time.Second {
			continue
		}
		// What the limit counts includes garbage: look again without it before anybody is sent away.
		runtime.GC()
		collected = time.Now()
		if heapBytes() <= limit || rt.strays.Load() > 0 {
			continue // or a turn that was given up fills it, and nobody else should pay
		}
		rt.shedding.Store(true)
		rt.shed()
		collected = time.Time{}
	}
}

// relieve makes room before the limit is reached, where that costs nobody his session.
func (rt *Runtime) relieve(enough int64) time.Time {
	runtime.GC()
	if heapBytes() > enough {
		rt.hibernate()
	}
	return time.Now()
}

// growth is what the heap was when a long turn was first seen.
type growth struct {
	session *Session
	began   int64
	heap    int64
}

// grower returns the session whose turn has been running for a while and saw the heap grow beyond a limit.
func (rt *Runtime) grower(heap, limit int64, seen *growth) *Session {
	s := rt.suspect()
	if s == nil {
		*seen = growth{}
		return nil
	}
	if began := s.turnBegan.Load(); s != seen.session || began != seen.began {
		*seen = growth{s, began, heap}
		return nil
	}
	if heap-seen.heap <= limit {
		return nil
	}
	*seen = growth{}
	return s
}

// suspect returns the session whose running turn most likely fills the heap: the longest running one.
func (rt *Runtime) suspect() *Session {
	var suspect *Session
	oldest := time.Now().Add(-suspectAfter).UnixNano()
	rt.turns.Range(func(key, _ any) bool {
		s := key.(*Session)
		if began := s.turnBegan.Load(); began != 0 && began < oldest {
			suspect, oldest = s, began
		}
		return true
	})
	return suspect
}

// shed ends the resting session that grew most, the oldest among equals.
func (rt *Runtime) shed() {
	var largest *Session
	for _, s := range rt.Sessions() {
		if largest == nil || s.grown.Load() > largest.grown.Load() ||
			s.grown.Load() == largest.grown.Load() && s.born.Before(largest.born) {
			largest = s
		}
	}
	if largest != nil {
		largest.Fail(&Fault{Kind: FaultMemory, Message: "the session was ended because memory ran short"})
	}
}

// memoryAllowance returns what this process may use, in bytes: Go's own limit, the container's or the machine's,
// whichever is least.
func memoryAllowance() int64 {
	limit := debug.SetMemoryLimit(-1)
	if available := AvailableMemory(); available > 0 {
		limit = min(limit, available)
	}
	if limit == math.MaxInt64 {
		limit = 2 << 30
	}
	return limit
}

// AvailableMemory returns how many bytes this process may use: the machine's memory or the control group's limit,
// whichever is less. It is 0 where that cannot be known.
func AvailableMemory() int64 {
	least := int64(math.MaxInt64)
	for _, name := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 {
			least = min(least, n)
		}
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "MemTotal:" {
				if kib, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
					least = min(least, kib<<10)
				}
			}
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}
