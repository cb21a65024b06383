package realtimetest

import "time"

// ear tells where speech begins and ends by its energy: it begins with the first piece of 10 ms that is loud, and ends
// with enough silence. That is quicker than what real servers do, so that what is measured is the way, not the ear.
type ear struct {
	silence  time.Duration
	rest     []int16
	heard    time.Duration // so far
	quiet    time.Duration
	speaking bool
}

type change int

const (
	began change = iota
	ended
)

const (
	piece = 10 * time.Millisecond
	// loud is the mean amplitude of speech.
	loud = 400
)

func newEar(silence time.Duration) ear { return ear{silence: silence} }

// at is how much was heard.
func (e *ear) at() time.Duration { return e.heard }

// hear takes sound and returns what changed in it.
func (e *ear) hear(samples []int16) (changes []change) {
	const n = rate / 100
	e.rest = append(e.rest, samples...)
	for ; len(e.rest) >= n; e.rest = e.rest[n:] {
		e.heard += piece
		switch isLoud := level(e.rest[:n]) > loud; {
		case isLoud && !e.speaking:
			e.speaking = true
			changes = append(changes, began)
			fallthrough
		case isLoud:
			e.quiet = 0
		case e.speaking:
			if e.quiet += piece; e.quiet >= e.silence {
				e.speaking, e.quiet = false, 0
				changes = append(changes, ended)
			}
		}
	}
	return changes
}

func level(samples []int16) int {
	sum := 0
	for _, v := range samples {
		if v < 0 {
			v = -v
		}
		sum += int(v)
	}
	return sum / len(samples)
}
