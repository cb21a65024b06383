package media

import (
	"slices"
	"sync"
)

// Conversation is the sound of one call: the caller, what is played to the caller and, while they are bridged,
// the callee. A [Pacer] ticks it.
//
// The caller hears the callee, the clip that plays and all sources; the callee hears the caller.
type Conversation struct {
	mu             sync.Mutex
	caller, callee *Session
	playing        *Playback
	tail           Frame // of a clip that was stopped, fading away
	fading         bool
	sources        []Source
	taps           []Tap
	recorder       *Recorder
}

// NewConversation returns the conversation of a caller.
func NewConversation(caller *Session) *Conversation { return &Conversation{caller: caller} }

// Tick moves the conversation on by one frame.
func (c *Conversation) Tick() {
	var said, heard, fromCallee, extra Frame
	c.mu.Lock()
	defer c.mu.Unlock()
	c.caller.ReadFrame(&said)
	if c.callee != nil {
		c.callee.ReadFrame(&fromCallee)
		heard = fromCallee
	}
	if c.fading {
		Add(&heard, &c.tail)
		c.fading = false
	}
	if c.playing != nil && c.playing.readFrame(&extra) {
		Add(&heard, &extra)
	}
	if c.playing != nil && c.playing.over() {
		close(c.playing.done)
		c.playing = nil
	}
	for _, s := range c.sources {
		if s.ReadFrame(&extra) {
			Add(&heard, &extra)
		}
	}
	c.caller.WriteFrame(&heard)
	if c.callee != nil {
		c.callee.WriteFrame(&said)
	}
	if c.recorder != nil {
		c.recorder.write(&said, &heard)
	}
	for _, t := range c.taps {
		t.Tap(&said, &fromCallee)
	}
}

// Play plays a clip to the caller. A clip that still plays is stopped.
func (c *Conversation) Play(clip []int16) *Playback { return c.play(&Playback{clip: clip}) }

// Loop plays a clip to the caller again and again, until something else plays or it is stopped.
func (c *Conversation) Loop(clip []int16) *Playback { return c.play(&Playback{clip: clip, loop: true}) }

func (c *Conversation) play(p *Playback) *Playback {
	p.done = make(chan struct{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop()
	c.playing = p
	return p
}

// Stop stops the clip that plays, if one does.
func (c *Conversation) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop()
}

// stop ends a clip within 10 ms: cut off at once it would click.
func (c *Conversation) stop() {
	if c.playing != nil {
		if c.fading = c.playing.at > 0 && c.playing.readFrame(&c.tail); c.fading {
			fade(c.tail[:FrameSamples/2], 1, 0)
			clear(c.tail[FrameSamples/2:])
		}
		close(c.playing.done)
		c.playing = nil
	}
}

// Bridge lets the caller and the callee hear each other; nil ends that.
func (c *Conversation) Bridge(callee *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.callee = callee
}

// AddSource lets the caller hear s as well, until remove is called.
func (c *Conversation) AddSource(s Source) (remove func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sources = append(c.sources, s)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.sources = slices.DeleteFunc(c.sources, func(o Source) bool { return o == s })
	}
}

// AddTap lets t listen in, until remove is called.
func (c *Conversation) AddTap(t Tap) (remove func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taps = append(c.taps, t)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.taps = slices.DeleteFunc(c.taps, func(o Tap) bool { return o == t })
	}
}

// Record begins to record; nil ends that. It returns the recorder it had.
func (c *Conversation) Record(r *Recorder) *Recorder {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.recorder
	c.recorder = r
	return before
}

// Playback is a clip that plays.
type Playback struct {
	clip []int16
	at   int
	loop bool
	done chan struct{}
}

// Done is closed when the clip has played to its end or was stopped.
func (p *Playback) Done() <-chan struct{} { return p.done }

func (p *Playback) over() bool { return p.at >= len(p.clip) }

func (p *Playback) readFrame(dst *Frame) bool {
	if p.over() {
		return false
	}
	n := copy(dst[:], p.clip[p.at:])
	clear(dst[n:])
	p.at += n
	if p.loop && p.over() {
		p.at = 0
	}
	return true
}
