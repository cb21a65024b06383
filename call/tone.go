package call

import (
	"strconv"
	"strings"
	"time"
)

// parseTone reads "tone:FREQUENCY/MILLISECONDS".
func parseTone(file string) (frequency float64, length time.Duration, ok bool) {
	text, ok := strings.CutPrefix(file, "tone:")
	if !ok {
		return 0, 0, false
	}
	hz, ms, _ := strings.Cut(text, "/")
	frequency, err := strconv.ParseFloat(hz, 64)
	if err != nil || frequency < 50 || frequency > 3800 {
		return 0, 0, false
	}
	n, err := strconv.Atoi(ms)
	if err != nil || n < 10 || n > 10_000 {
		return 0, 0, false
	}
	return frequency, time.Duration(n) * time.Millisecond, true
}
