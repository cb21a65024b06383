package media

import (
	"sync"
	"time"
)

// Queue is sound that waits to be heard: a bounded [Source] that somebody else fills.
type Queue struct {
	mu      sync.Mutex
	rate    int
	samples []int16
	head    int
	limit   int
	paused  bool
	wait    hesitation
	played  uint64
	convert converter
}

// NewQueue returns a queue of sound at a rate, [Rate] or [WideRate], that holds at most limit samples.
func NewQueue(rate, limit int) *Queue { return &Queue{rate: rate, limit: limit} }

// Rate returns the rate of what is written.
func (q *Queue) Rate() int { return q.rate }

// Write appends samples and returns how many did not fit.
func (q *Queue) Write(samples []int16) (dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head > 0 && q.head >= len(q.samples)/2 {
		q.samples = q.samples[:copy(q.samples, q.samples[q.head:])]
		q.head = 0
	}
	room := max(q.limit-(len(q.samples)-q.head), 0)
	n := min(room, len(samples))
	q.samples = append(q.samples, samples[:n]...)
	return len(samples) - n
}

// Clear throws away what waits and returns how many samples that was.
func (q *Queue) Clear() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.samples) - q.head
	q.samples, q.head, q.wait = nil, 0, hesitation{}
	return n
}

// Hesitate lets what waits to be heard wait longer, see [Playback.Hesitate].
func (q *Queue) Hesitate(d time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.head < len(q.samples) {
		q.wait.begin(d)
	}
}

// Pause stops or resumes the queue; while it is paused it can be filled.
func (q *Queue) Pause(paused bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.paused = paused
}

// Len returns how many samples wait.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.samples) - q.head
}

// Played returns how many samples have been heard.
func (q *Queue) Played() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.played
}

// ReadFrame takes the next frame; the last one is filled up with silence.
func (q *Queue) ReadFrame(dst Frame) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.paused || q.head == len(q.samples) || q.wait.waits() {
		return false
	}
	if n := q.rate / framesPerSecond; n != len(dst) {
		var native [maxFrame]int16
		q.take(native[:n])
		q.convert.convert(dst, native[:n])
		return true
	}
	q.take(dst)
	return true
}

func (q *Queue) take(dst []int16) {
	played := q.wait.shape(dst, func(dst []int16) {
		n := copy(dst, q.samples[q.head:])
		clear(dst[n:])
		q.head += n
		q.played += uint64(n)
	})
	clear(dst[played:])
}
