package media

import (
	"slices"
	"sync"
)

// player is what plays in a conversation or a room.
type player struct {
	lock    sync.Locker // of the conversation or room
	playing []*Playback
}

// prepare makes a sound playable within ticks: slow, so without the lock.
func prepare(s Sound, o PlayOptions, rate int) *Playback {
	if s.Rate != Rate && s.Rate != WideRate {
		s = s.At(rate)
	}
	if s.Rate <= 0 {
		s.Rate = Rate
	}
	if o.To == 0 {
		o.To = ToCaller
	}
	p := &Playback{sound: s, loop: o.Loop, to: o.To, done: make(chan struct{})}
	p.first = len(s.Samples) - len(s.from(o.Start).Samples)
	p.at = p.first
	if len(s.Samples) == 0 || p.at == len(s.Samples) && !o.Loop {
		p.over = true
		close(p.done)
	}
	return p
}

// add lets a sound play. The caller holds the lock.
func (l *player) add(p *Playback, beside bool) {
	if !beside {
		l.stop()
	}
	p.player = l
	if !p.over {
		l.playing = append(l.playing, p)
	}
}

// stop stops everything that plays.
func (l *player) stop() {
	for _, p := range l.playing {
		p.stop()
	}
}

// mix adds what plays to what the caller hears and to what the callee hears; extra is room for a frame. It reports
// who hears something.
func (l *player) mix(caller, callee, extra Frame) (heard Audience) {
	if len(l.playing) == 0 {
		return 0
	}
	for _, p := range l.playing {
		if !p.readFrame(extra) {
			continue
		}
		heard |= p.to
		if p.to&ToCaller != 0 {
			Add(caller, extra)
		}
		if p.to&ToCallee != 0 {
			Add(callee, extra)
		}
	}
	l.playing = slices.DeleteFunc(l.playing, func(p *Playback) bool { return p.over && !p.fading })
	return heard
}
