package main

import (
	"os"
	"runtime/debug"

	"github.com/piopiy/piopiyd/runtime"
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
		if available := runtime.AvailableMemory(); available > 0 {
			debug.SetMemoryLimit(available / 10 * 8)
		}
	}
	return ballast
}
