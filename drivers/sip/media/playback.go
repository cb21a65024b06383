package media

import "time"

// Audience is who hears what plays.
type Audience uint8

// Audiences. In a room, the callee is everybody else.
const (
	ToCaller Audience = 1 << iota
	ToCallee
	ToBoth = ToCaller | ToCallee
)

// PlayOptions say how a sound plays.
type PlayOptions struct {
	// Loop plays it again and again.
	Loop bool
	// Start is where it begins; a loop goes back to the sound's own beginning.
	Start time.Duration
	// Beside plays it beside what plays already, not instead of it.
	Beside bool
	// To is who hears it (default: the caller).
	To Audience
}

// Playback is a sound that plays.
type Playback struct {
	player *player
	sound  Sound
	at     int // samples
	first  int // where it began
	rounds int // how often it has begun anew
	loop   bool
	to     Audience
	done   chan struct{}
	over   bool
	fading bool // stopped: one more frame
	rate   converter
}

// Done is closed when the sound has played to its end or was stopped.
func (p *Playback) Done() <-chan struct{} { return p.done }

// Stop stops it.
func (p *Playback) Stop() {
	p.player.lock.Lock()
	defer p.player.lock.Unlock()
	p.stop()
}

// Played returns how much was heard.
func (p *Playback) Played() time.Duration {
	p.player.lock.Lock()
	defer p.player.lock.Unlock()
	return durationAt(p.rounds*len(p.sound.Samples)+p.at-p.first, p.sound.Rate)
}

// stop ends a sound within 10 ms: cut off at once it would click.
func (p *Playback) stop() {
	if p.over {
		return
	}
	p.over, p.fading = true, p.at > p.first || p.rounds > 0
	close(p.done)
}

// readFrame fills dst with what comes next, and reports whether that is anything.
func (p *Playback) readFrame(dst Frame) bool {
	if p.over && !p.fading {
		return false
	}
	if n := p.sound.Rate / framesPerSecond; n != len(dst) {
		var native [maxFrame]int16
		p.next(native[:n])
		p.rate.convert(dst, native[:n])
	} else {
		p.next(dst)
	}
	if p.fading {
		p.fading = false
		fade(dst[:len(dst)/2], 1, 0)
		clear(dst[len(dst)/2:])
		return true
	}
	if p.at >= len(p.sound.Samples) {
		p.over = true
		close(p.done)
	}
	return true
}

// next takes samples, at the sound's own rate.
func (p *Playback) next(dst []int16) {
	n := copy(dst, p.sound.Samples[p.at:])
	p.at += n
	for p.loop && p.at >= len(p.sound.Samples) {
		p.at = 0
		p.rounds++
		more := copy(dst[n:], p.sound.Samples)
		p.at += more
		if n += more; n == len(dst) {
			break
		}
	}
	clear(dst[n:])
}
