package audio

import (
	"fmt"
	"math"
	"time"
)

// EndpointerOptions say what an [Endpointer] takes for an utterance.
type EndpointerOptions struct {
	// Rate is that of the sound, in Hz: 8000, 16000, 24000 or 48000.
	Rate int
	// Onset is how much voice begins an utterance (default 100 ms): clicks are shorter.
	Onset time.Duration
	// Silence is how much silence ends it (default 800 ms).
	Silence time.Duration
	// Lead is how much sound before the first voice belongs to it (default 200 ms): soft consonants.
	Lead time.Duration
	// MaxLength ends it in any case (default 30 s).
	MaxLength time.Duration
}

// Activity is what a frame has changed.
type Activity int

// What [Endpointer.Push] reports.
const (
	// Unchanged is neither of the others.
	Unchanged Activity = iota
	// Began says that an utterance has begun; see [Endpointer.Start].
	Began
	// Ended says that it has ended with silence; see [Endpointer.End].
	Ended
	// Cut says that it was ended by MaxLength.
	Cut
)

// String implements fmt.Stringer.
func (a Activity) String() string {
	return [...]string{"unchanged", "began", "ended", "cut"}[max(0, min(int(a), 3))]
}

// frameTime is the length of a frame.
const frameTime = 20 * time.Millisecond

// What is voice, in dB relative to full scale.
const (
	// rise and fall are how far above the floor voice begins and ends to be heard.
	rise, fall = 9, 6
	// leastVoice is what is silence on any line.
	leastVoice = -50
	// firstFloor bounds the floor while little was heard: who speaks at once is no noise.
	firstFloor = -45
	// lastFloor bounds the floor later: louder is no noise.
	lastFloor = -20
	// click is how many frames of voice in a row it takes to interrupt the silence that ends an utterance.
	click = 3
	// The floor is the quietest frame of the last spans, each of so many frames: longer than people speak without
	// the shortest gap, short enough to follow a noise that begins.
	spans, spanFrames = 10, 15
)

// Endpointer tells where utterances begin and end in a call's sound, by its energy over a floor that follows the
// noise of the line. It looks at nothing but the frames that it is given: the same frames give the same answers.
type Endpointer struct {
	onset, silence, lead, longest int // frames
	samples                       int // per frame

	frames int // seen
	floor  [spans]float64
	loud   bool // the last frame was voice

	score      int // voice so far, towards onset
	firstVoice int // the frame in which it began
	inside     bool
	start, end int
	run, quiet int // frames of voice, of silence in a row
	lastVoice  int
}

// NewEndpointer returns an Endpointer. An error names the option that is wrong.
func NewEndpointer(o EndpointerOptions) (*Endpointer, error) {
	if o.Rate != 8000 && o.Rate != 16000 && o.Rate != 24000 && o.Rate != 48000 {
		return nil, fmt.Errorf("an Endpointer's Rate of %d Hz: 8000, 16000, 24000 and 48000 are possible", o.Rate)
	}
	e := &Endpointer{samples: o.Rate / 50, firstVoice: -1}
	for _, f := range []struct {
		name   string
		value  time.Duration
		other  time.Duration
		frames *int
	}{
		{"Onset", o.Onset, 100 * time.Millisecond, &e.onset}, {"Silence", o.Silence, 800 * time.Millisecond, &e.silence},
		{"Lead", o.Lead, 200 * time.Millisecond, &e.lead}, {"MaxLength", o.MaxLength, 30 * time.Second, &e.longest},
	} {
		if f.value < 0 {
			return nil, fmt.Errorf("an Endpointer's %s of %v is below 0", f.name, f.value)
		}
		if f.value == 0 {
			f.value = f.other
		}
		*f.frames = max(1, int((f.value+frameTime/2)/frameTime))
	}
	for i := range e.floor {
		e.floor[i] = math.Inf(1)
	}
	return e, nil
}

// FrameSamples is the number of samples in 20 ms.
func (e *Endpointer) FrameSamples() int { return e.samples }

// Push takes the next 20 ms: 160 samples at 8000 Hz, 320 at 16000. A frame of another length is an error.
func (e *Endpointer) Push(frame []int16) (Activity, error) {
	if len(frame) != e.samples {
		return Unchanged, fmt.Errorf("a frame of %d samples, %d are 20 ms", len(frame), e.samples)
	}
	at := e.frames
	e.frames++
	voice := e.voice(at, level(frame))
	if !e.inside {
		return e.before(at, voice), nil
	}
	return e.within(at, voice), nil
}

// Start is where the utterance begins, or the last one began, from the first frame on; Lead is part of it.
func (e *Endpointer) Start() time.Duration { return time.Duration(e.start) * frameTime }

// End is where the last utterance ended: after its last voice, before the silence.
func (e *Endpointer) End() time.Duration { return time.Duration(e.end) * frameTime }

// Speaking says whether an utterance is under way.
func (e *Endpointer) Speaking() bool { return e.inside }

func (e *Endpointer) before(at int, voice bool) Activity {
	if voice {
		if e.score == 0 {
			e.firstVoice = at
		}
		e.score++
	} else {
		e.score = max(0, e.score-1)
	}
	if e.score < e.onset {
		return Unchanged
	}
	e.inside, e.score, e.quiet, e.run = true, 0, 0, click
	e.start, e.lastVoice = max(e.end, e.firstVoice-e.lead, 0), at
	return Began
}

func (e *Endpointer) within(at int, voice bool) Activity {
	e.quiet++
	if voice {
		e.run++
		if e.run >= click {
			e.quiet, e.lastVoice = 0, at
		}
	} else {
		e.run = 0
	}
	switch {
	case e.quiet >= e.silence:
		e.inside, e.end = false, e.lastVoice+1
		return Ended
	case at+1-e.start >= e.longest:
		e.inside, e.end = false, at+1
		return Cut
	}
	return Unchanged
}

// voice judges a frame by its level and lets the floor follow.
func (e *Endpointer) voice(at int, level float64) bool {
	span := at / spanFrames % spans
	if at%spanFrames == 0 {
		e.floor[span] = math.Inf(1)
	}
	e.floor[span] = min(e.floor[span], level)
	floor := e.floor[0]
	for _, f := range e.floor[1:] {
		floor = min(floor, f)
	}
	bound := float64(lastFloor)
	if at < 2*spanFrames {
		bound = firstFloor
	}
	margin := float64(rise)
	if e.loud {
		margin = fall
	}
	e.loud = level > max(leastVoice, min(floor, bound)+margin)
	return e.loud
}

// level is a frame's energy, in dB relative to a full-scale square wave. A constant offset of the line is no sound.
func level(frame []int16) float64 {
	var sum, squares float64
	for _, s := range frame {
		v := float64(s)
		sum += v
		squares += v * v
	}
	n := float64(len(frame))
	power := max(squares/n-(sum/n)*(sum/n), 1e-3)
	return 10 * math.Log10(power/(32768*32768))
}
