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
	wait   hesitation
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

// Hesitate lets it wait for a time, or for that time from now on when it waits already: somebody may have begun to
// speak. It fades away within 10 ms, and goes on where it was.
func (p *Playback) Hesitate(d time.Duration) {
	p.player.lock.Lock()
	defer p.player.lock.Unlock()
	if !p.over {
		p.wait.begin(d)
	}
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
	p.over, p.fading = true, !p.wait.silent && (p.at > p.first || p.rounds > 0)
	close(p.done)
}

// readFrame fills dst with what comes next, and reports whether that is anything.
func (p *Playback) readFrame(dst Frame) bool {
	if p.over && !p.fading || p.wait.waits() {
		return false
	}
	if n := p.sound.Rate / framesPerSecond; n != len(dst) {
		var native [maxFrame]int16
		p.fill(native[:n])
		p.rate.convert(dst, native[:n])
	} else {
		p.fill(dst)
	}
	if !p.over && p.at >= len(p.sound.Samples) {
		p.over = true
		close(p.done)
	}
	return true
}

// fill fills a frame of the sound's own rate.
func (p *Playback) fill(dst []int16) {
	if p.fading {
		p.fading = false
		p.wait.left = 1
	}
	clear(dst[p.wait.shape(dst, p.next):])
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
