package main

import (
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// tuneMemory sets the garbage collector for a server of many small heaps: it runs less often than Go's default,
// and harder before memory runs out. GOGC and GOMEMLIMIT, where they are set, stand.
//
// It returns a ballast to hold on to, which counts as live heap and, since nothing ever touches it, takes no memory: so
// a daemon with few calls, whose heap is small, collects when 240 MiB have been made and not many times a second.
func tuneMemory() (ballast []byte) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
		ballast = make([]byte, 48<<20)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		if available := availableMemory(); available > 0 {
			debug.SetMemoryLimit(available / 10 * 8)
		}
	}
	return ballast
}

// availableMemory returns how many bytes this process may use: the machine's memory or the control group's limit,
// whichever is less. It is 0 where that cannot be known.
func availableMemory() int64 {
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
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		text = nil
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "MemTotal:" {
			if kib, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				least = min(least, kib<<10)
			}
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}
