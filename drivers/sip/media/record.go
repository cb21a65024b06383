package media

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Channels say how a recording keeps the two sides of a conversation.
type Channels int

const (
	// Mixed keeps both sides in one channel.
	Mixed Channels = 1
	// Separate keeps the caller on the left and what the caller hears on the right.
	Separate Channels = 2
)

// RecorderOptions set up a Recorder.
type RecorderOptions struct {
	// Channels is 1 or 2 (default: Mixed).
	Channels Channels
	// Rate is the file's, in Hz: [Rate] or [WideRate] (default: Rate). Sound of another rate is resampled.
	Rate int
	// MaxLength ends the recording by itself; 0 does not.
	MaxLength time.Duration
}

const (
	// recordQueue is how far the disk may be behind, in frames: 2 s.
	recordQueue = 100
	// writeFrames is how many frames are written at a time: few writes are cheaper, and 200 ms are little to lose.
	writeFrames = 10
	// flushFrames is how often a recording's header is brought up to date, in frames: every 5 s.
	flushFrames = 250
)

// Recorder writes a conversation to a WAV file, on a goroutine of its own: when the disk is slow sound is lost and
// counted, silence takes its place, and the call does not notice. All methods may be called at any time.
type Recorder struct {
	file *os.File
	opts RecorderOptions
	wake chan struct{} // holds one when the goroutine has something to do
	done chan struct{}
	max  int // frames; 0 is no bound

	mu      sync.Mutex
	pending []recorded
	samples []int16 // of pending, two frames each
	closing bool
	paused  bool
	taken   int // frames
	frames  int // written
	lost    int
	err     error
}

// recorded is a moment: a frame of each side, or sound that was lost.
type recorded struct {
	samples int // of each side; 0 is lost
}

// NewRecorder begins a recording in a new file.
func NewRecorder(path string, o RecorderOptions) (*Recorder, error) {
	if o.Channels != Separate {
		o.Channels = Mixed
	}
	if o.Rate != WideRate {
		o.Rate = Rate
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	wav, err := NewWAVWriter(file, o.Rate, int(o.Channels))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("recording: %w", err), file.Close())
	}
	r := &Recorder{file: file, opts: o, wake: make(chan struct{}, 1), done: make(chan struct{})}
	if o.MaxLength > 0 {
		r.max = max(1, int(o.MaxLength/FrameTime))
	}
	go r.run(wav)
	return r, nil
}

// write takes a frame of each side.
func (r *Recorder) write(caller, heard Frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing || r.paused {
		return
	}
	r.taken++
	if len(r.pending) < recordQueue {
		r.samples = append(append(r.samples, caller...), heard...)
		r.pending = append(r.pending, recorded{len(caller)})
	} else {
		r.lost++
		if n := len(r.pending); n < 100*recordQueue {
			r.pending = append(r.pending, recorded{})
		}
	}
	if r.max > 0 && r.taken >= r.max {
		r.closing = true
	}
	if r.closing || len(r.pending) >= writeFrames {
		r.signal()
	}
}

func (r *Recorder) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run writes until the recording is closed.
func (r *Recorder) run(wav *WAVWriter) {
	defer close(r.done)
	layout := layout{opts: r.opts}
	var moments []recorded
	var samples, out []int16
	written, flushed := 0, 0
	var err error
	for closing := false; !closing; {
		<-r.wake
		r.mu.Lock()
		moments, r.pending = r.pending, moments[:0]
		samples, r.samples = r.samples, samples[:0]
		closing = r.closing
		r.mu.Unlock()
		if len(moments) > 0 && err == nil {
			out = layout.lay(out[:0], moments, samples)
			err = wav.Write(out)
			if written += len(moments); written-flushed >= flushFrames && err == nil {
				flushed = written
				err = wav.Flush()
			}
		}
		r.mu.Lock()
		r.frames, r.err = written, err
		r.mu.Unlock()
		if cap(samples) > 2*recordQueue*maxFrame {
			samples = nil
		}
	}
	err = errors.Join(err, wav.Flush(), r.file.Close())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closing, r.err = true, err
}

// layout makes what is written of what was heard.
type layout struct {
	opts  RecorderOptions
	rates [2]converter
	sides [2][maxFrame]int16
}

func (l *layout) lay(dst []int16, moments []recorded, samples []int16) []int16 {
	n := l.opts.Rate / framesPerSecond
	for _, m := range moments {
		for i := range l.sides {
			side := Frame(l.sides[i][:n])
			if m.samples == 0 {
				clear(side)
				continue
			}
			l.rates[i].convert(side, Frame(samples[:m.samples]))
			samples = samples[m.samples:]
		}
		left, right := Frame(l.sides[0][:n]), Frame(l.sides[1][:n])
		if l.opts.Channels == Mixed {
			Add(left, right)
			dst = append(dst, left...)
			continue
		}
		for i := range left {
			dst = append(dst, left[i], right[i])
		}
	}
	return dst
}

// Pause stops to record; Resume goes on. Nothing marks the pause in the file, and it does not count as length.
func (r *Recorder) Pause() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paused = true
}

// Resume goes on after Pause.
func (r *Recorder) Resume() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paused = false
}

// Paused reports whether the recording is paused.
func (r *Recorder) Paused() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.paused
}

// Length returns how much has been recorded; after the end, how much the file holds.
func (r *Recorder) Length() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		return time.Duration(r.taken) * FrameTime
	}
	return time.Duration(r.frames) * FrameTime
}

// Lost returns how much was lost because the disk was too slow.
func (r *Recorder) Lost() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Duration(r.lost) * FrameTime
}

// Path returns the file's name.
func (r *Recorder) Path() string { return r.file.Name() }

// Done is closed when the file is complete: after Close, or when the recording has reached its greatest length.
func (r *Recorder) Done() <-chan struct{} { return r.done }

// Close ends the recording and returns what went wrong with it. It may be called again.
func (r *Recorder) Close() error {
	r.mu.Lock()
	r.closing = true
	r.mu.Unlock()
	r.signal()
	<-r.done
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}
