package media

import (
	"slices"
	"sync"
)

// Conversation is the sound of one call: the caller, what is played to the caller and, while they are bridged,
// the callee. A [Pacer] ticks it; while it is in a [Room], that does.
//
// The caller hears the callee, the room, what plays and all sources; the callee hears the caller and the room.
type Conversation struct {
	mu             sync.Mutex
	caller, callee *Session
	player         player
	sources        []Source
	taps           []Tap
	wide           int // sources and taps that ask for wideband
	recorder       *Recorder
	deaf, dumb     bool // the caller hears nothing, is not heard
	dumbCallee     bool
	hold           *Playback // what the parties hear while the caller is held, see Hold
	room           *Room
	silenced       bool    // in the room
	shared, both   bool    // in this tick the room hears the caller, and the callee too
	duck           float32 // how loud the callee is while something plays, 1 is unchanged
	frames         *frames // of the tick under way; in a room, as long as it is there
}

// frames are those of a tick.
type frames struct {
	said    Frame // by the caller
	answer  Frame // by the callee
	other   Frame // by the callee and the room
	heard   Frame // by the caller
	back    Frame // heard by the callee
	extra   Frame
	samples [6 * maxFrame]int16
}

// at makes the frames be of a rate.
func (f *frames) at(rate int) {
	n := rate / framesPerSecond
	if len(f.said) == n {
		return
	}
	for i, p := range []*Frame{&f.said, &f.answer, &f.other, &f.heard, &f.back, &f.extra} {
		*p = f.samples[i*maxFrame : i*maxFrame+n]
	}
}

const (
	// ducked is how loud the callee is while something plays to the caller: 12 dB less.
	ducked = 0.25
	// duckStep is how fast that changes, in a frame.
	duckStep = 0.25
)

// NewConversation returns the conversation of a caller.
func NewConversation(caller *Session) *Conversation {
	c := &Conversation{caller: caller, duck: 1}
	c.player.lock = &c.mu
	return c
}

// Rate returns the rate, in Hz, that the conversation runs at now.
func (c *Conversation) Rate() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.room != nil {
		return len(c.frames.said) * framesPerSecond
	}
	return c.rate()
}

// rate is the rate that those who take part need.
func (c *Conversation) rate() int {
	if c.wide > 0 || c.caller.wide.Load() || c.callee != nil && c.callee.wide.Load() {
		return WideRate
	}
	return Rate
}

// Tick moves the conversation on by one frame.
func (c *Conversation) Tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.room != nil {
		return
	}
	c.frames = framePool.Get().(*frames)
	c.listen(c.rate())
	c.speak(nil)
	framePool.Put(c.frames)
	c.frames = nil
}

// framePool holds the frames of conversations between their ticks: most of a call's time.
var framePool = sync.Pool{New: func() any { return new(frames) }}

// listen takes a frame from each party.
func (c *Conversation) listen(rate int) {
	f := c.frames
	f.at(rate)
	c.caller.ReadFrame(f.said)
	if c.dumb || c.hold != nil {
		clear(f.said)
	}
	clear(f.answer)
	if c.callee != nil {
		c.callee.ReadFrame(f.answer)
	}
	if c.dumbCallee || c.hold != nil {
		clear(f.answer)
	}
}

// speak gives a frame to each party, and to all who listen. room is what the others in the room say, or nil.
func (c *Conversation) speak(room Frame) {
	f := c.frames
	other := f.answer
	if room != nil {
		other = f.other
		copy(other, f.answer)
		Add(other, room)
	}
	copy(f.heard, other)
	bridged := c.callee != nil
	if bridged {
		copy(f.back, f.said)
		if room != nil {
			Add(f.back, room)
		}
	}
	if bridged || room != nil {
		c.lower(f.heard)
	}
	c.player.mix(f.heard, f.back, f.extra)
	for _, s := range c.sources {
		if s.ReadFrame(f.extra) {
			Add(f.heard, f.extra)
		}
	}
	switch {
	case c.hold != nil:
		c.keepWaiting()
	case c.deaf:
		clear(f.heard)
	}
	c.caller.WriteFrame(f.heard)
	if bridged {
		c.callee.WriteFrame(f.back)
	}
	if c.recorder != nil {
		c.recorder.write(f.said, f.heard)
	}
	for _, t := range c.taps {
		t.Tap(f.said, other)
	}
}

// lower makes the callee less loud while something plays to the caller.
func (c *Conversation) lower(f Frame) {
	want := float32(1)
	for _, p := range c.player.playing {
		if p.to&ToCaller != 0 {
			want = ducked
		}
	}
	if c.duck == 1 && want == 1 {
		return
	}
	before := c.duck
	c.duck = min(max(want, before-duckStep), before+duckStep)
	fade(f, before, c.duck)
}

// Play plays a sound to the caller. What still plays is stopped.
func (c *Conversation) Play(s Sound) *Playback { return c.PlayWith(s, PlayOptions{}) }

// Loop plays a sound to the caller again and again, until something else plays or it is stopped.
func (c *Conversation) Loop(s Sound) *Playback { return c.PlayWith(s, PlayOptions{Loop: true}) }

// PlayWith plays a sound. While the caller talks with somebody it mixes in, and the other party is less loud to the
// caller until it is over. A sound whose rate is neither [Rate] nor [WideRate] is resampled first.
func (c *Conversation) PlayWith(s Sound, o PlayOptions) *Playback {
	p := prepare(s, o, c.Rate())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.player.add(p, o.Beside)
	return p
}

// Stop stops everything that plays.
func (c *Conversation) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.player.stop()
}

// Bridge lets the caller and the callee hear each other; nil ends that.
func (c *Conversation) Bridge(callee *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.callee, c.dumbCallee = callee, false
	c.duck = 1
}

// Mute says whether the caller is not heard (in) and hears nothing (out): by and from everybody, recordings and
// streams included.
func (c *Conversation) Mute(in, out bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dumb, c.deaf = in, out
}

// Muted returns what Mute has set.
func (c *Conversation) Muted() (in, out bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dumb, c.deaf
}

// AddSource lets the caller hear s as well, until remove is called.
func (c *Conversation) AddSource(s Source) (remove func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wide := wideband(s)
	c.wide += wide
	c.sources = append(c.sources, s)
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.wide -= wide
		c.sources = slices.DeleteFunc(c.sources, func(o Source) bool { return o == s })
	})
}

// AddTap lets t listen in, until remove is called.
func (c *Conversation) AddTap(t Tap) (remove func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wide := wideband(t)
	c.wide += wide
	c.taps = append(c.taps, t)
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.wide -= wide
		c.taps = slices.DeleteFunc(c.taps, func(o Tap) bool { return o == t })
	})
}

// wideband is 1 for who asks for wideband.
func wideband(v any) int {
	if r, ok := v.(interface{ Rate() int }); ok && r.Rate() > Rate {
		return 1
	}
	return 0
}

// Record begins to record; nil ends that. It returns the recorder it had.
func (c *Conversation) Record(r *Recorder) *Recorder {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.recorder
	c.recorder = r
	return before
}
