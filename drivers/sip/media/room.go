package media

import (
	"errors"
	"slices"
	"sync"
)

// Room is a conference: everybody in it hears everybody else. Its members are conversations, so each keeps its own
// prompts, streams, recorder and callee. A [Pacer] ticks it, and it ticks its members.
//
// The zero Room is not usable: see [NewRoom].
type Room struct {
	mu       sync.Mutex
	members  []*Conversation
	player   player
	recorder *Recorder
	closed   bool

	// What follows is of the tick under way.
	sum   [maxFrame]int32 // of all members and what plays
	mixed [maxFrame]int16
	extra [maxFrame]int16
}

// ErrRoomClosed says that nobody can join any more.
var ErrRoomClosed = errors.New("the room is closed")

// errElsewhere says that a conversation is in another room.
var errElsewhere = errors.New("the conversation is in another room")

// NewRoom returns an empty room.
func NewRoom() *Room {
	r := &Room{}
	r.player.lock = &r.mu
	return r
}

// Join lets a conversation take part. A leg that has none gets one by [NewConversation]. Joining twice is no error;
// being in two rooms is.
func (r *Room) Join(c *Conversation) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrRoomClosed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.room == r:
		return nil
	case c.room != nil:
		return errElsewhere
	}
	c.room, c.silenced, c.duck = r, false, 1
	c.frames = new(frames)
	c.frames.at(c.rate())
	r.members = append(r.members, c)
	return nil
}

// Leave lets a conversation go on by itself. When it has returned, the room does not touch it.
func (r *Room) Leave(c *Conversation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leave(c)
}

func (r *Room) leave(c *Conversation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.room != r {
		return
	}
	c.room, c.duck, c.frames = nil, 1, nil
	r.members = slices.DeleteFunc(r.members, func(o *Conversation) bool { return o == c })
}

// Mute says whether the others in the room do not hear a member. Its own recorder, streams and callee still do.
func (r *Room) Mute(c *Conversation, muted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.room == r {
		c.silenced = muted
	}
}

// Members returns how many conversations take part.
func (r *Room) Members() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.members)
}

// Play plays a sound to everybody in the room. What still plays there is stopped.
func (r *Room) Play(s Sound) *Playback { return r.PlayWith(s, PlayOptions{}) }

// PlayWith plays a sound to everybody in the room; of the options To has no meaning.
func (r *Room) PlayWith(s Sound, o PlayOptions) *Playback {
	r.mu.Lock()
	rate := r.rate()
	r.mu.Unlock()
	p := prepare(s, o, rate)
	p.to = ToCaller
	r.mu.Lock()
	defer r.mu.Unlock()
	r.player.add(p, o.Beside)
	if r.closed {
		p.stop()
	}
	return p
}

// Stop stops what plays in the room.
func (r *Room) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.player.stop()
}

// Record begins to record everybody, in one channel; nil ends that. It returns the recorder it had.
func (r *Room) Record(rec *Recorder) *Recorder {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.recorder
	r.recorder = rec
	return before
}

// Close makes everybody leave.
func (r *Room) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.player.stop()
	for _, c := range slices.Clone(r.members) {
		r.leave(c)
	}
	r.recorder = nil
}

// rate is that of the member who needs most.
func (r *Room) rate() int {
	for _, c := range r.members {
		c.mu.Lock()
		rate := c.rate()
		c.mu.Unlock()
		if rate > Rate {
			return rate
		}
	}
	return Rate
}

// Tick moves the room and everybody in it on by one frame.
func (r *Room) Tick() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	rate := r.rate()
	n := rate / framesPerSecond
	sum, mixed, extra := r.sum[:n], Frame(r.mixed[:n]), Frame(r.extra[:n])
	clear(sum)
	for _, c := range r.members {
		c.mu.Lock()
		c.listen(rate)
		c.shared, c.both = !c.silenced, c.callee != nil
		if c.shared {
			accumulate(sum, c.frames.said)
			if c.both {
				accumulate(sum, c.frames.answer)
			}
		}
		c.mu.Unlock()
	}
	clear(mixed)
	if r.player.mix(mixed, nil, extra) != 0 {
		accumulate(sum, mixed)
	}
	for _, c := range r.members {
		c.mu.Lock()
		c.without(mixed, sum)
		c.speak(mixed)
		c.mu.Unlock()
	}
	if r.recorder != nil {
		for i, v := range sum {
			mixed[i] = clip(v)
		}
		clear(extra)
		r.recorder.write(mixed, extra)
	}
}

func accumulate(sum []int32, f Frame) {
	for i, v := range f {
		sum[i] += int32(v)
	}
}

// without fills dst with what the others in the room say.
func (c *Conversation) without(dst Frame, sum []int32) {
	f := c.frames
	switch {
	case !c.shared:
		for i, v := range sum {
			dst[i] = clip(v)
		}
	case c.both:
		for i, v := range sum {
			dst[i] = clip(v - int32(f.said[i]) - int32(f.answer[i]))
		}
	default:
		for i, v := range sum {
			dst[i] = clip(v - int32(f.said[i]))
		}
	}
}
