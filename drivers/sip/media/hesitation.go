package media

import "time"

// hesitation lets sound wait for a time: it fades away within half a frame, and comes back where it was.
type hesitation struct {
	left   int  // frames to wait
	silent bool // it has faded away
	back   bool // it fades in
}

// begin lets it wait for a time, or for that time from now on when it waits already.
func (h *hesitation) begin(d time.Duration) { h.left = max(h.left, int(d/FrameTime)) }

// waits reports whether there is nothing to be heard for one more frame.
func (h *hesitation) waits() bool {
	if !h.silent {
		return false
	}
	if h.left--; h.left > 0 {
		return true
	}
	h.silent, h.back = false, true
	return false
}

// shape fills a frame with next, or half of it where the sound fades away, and returns how many samples it has filled.
func (h *hesitation) shape(dst []int16, next func([]int16)) int {
	half := dst[:len(dst)/2]
	if h.left > 0 {
		h.silent, h.back = true, false
		next(half)
		fade(half, 1, 0)
		return len(half)
	}
	next(dst)
	if h.back {
		h.back = false
		fade(half, 0, 1)
	}
	return len(dst)
}
