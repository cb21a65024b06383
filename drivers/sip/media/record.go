package media

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
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

const (
	// recordQueue is how far the disk may be behind: 2 s.
	recordQueue = 100
	// flushFrames is how often a recording's header is brought up to date: every 5 s.
	flushFrames = 250
)

// Recorder writes a conversation to a WAV file, on a goroutine of its own: when the disk is slow sound is lost and
// counted, and the call does not notice.
type Recorder struct {
	file     *os.File
	wav      *WAVWriter
	channels Channels
	queue    chan [2]Frame
	done     chan struct{}
	err      error

	lost   atomic.Uint64 // frames that did not fit
	frames atomic.Uint64
}

// NewRecorder begins a recording in a new file.
func NewRecorder(path string, channels Channels) (*Recorder, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	wav, err := NewWAVWriter(file, int(channels))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("recording: %w", err), file.Close())
	}
	r := &Recorder{file: file, wav: wav, channels: channels, queue: make(chan [2]Frame, recordQueue), done: make(chan struct{})}
	go r.run()
	return r, nil
}

// write queues a frame of each side. It is called by one goroutine at a time, and not after Close.
func (r *Recorder) write(caller, heard *Frame) {
	select {
	case r.queue <- [2]Frame{*caller, *heard}:
	default:
		r.lost.Add(1)
	}
}

func (r *Recorder) run() {
	defer close(r.done)
	samples := make([]int16, 0, 2*FrameSamples)
	for pair := range r.queue {
		samples = r.lay(samples[:0], &pair)
		r.put(samples)
	}
	r.err = errors.Join(r.err, r.wav.Flush(), r.file.Close())
}

func (r *Recorder) lay(dst []int16, pair *[2]Frame) []int16 {
	if r.channels == Mixed {
		Add(&pair[0], &pair[1])
		return append(dst, pair[0][:]...)
	}
	for i := range pair[0] {
		dst = append(dst, pair[0][i], pair[1][i])
	}
	return dst
}

func (r *Recorder) put(samples []int16) {
	if r.err != nil {
		return
	}
	r.err = r.wav.Write(samples)
	if r.frames.Add(1)%flushFrames == 0 && r.err == nil {
		r.err = r.wav.Flush()
	}
}

// Length returns how much has been written.
func (r *Recorder) Length() time.Duration { return time.Duration(r.frames.Load()) * FrameTime }

// Lost returns how much was lost because the disk was too slow.
func (r *Recorder) Lost() time.Duration { return time.Duration(r.lost.Load()) * FrameTime }

// Path returns the file's name.
func (r *Recorder) Path() string { return r.file.Name() }

// Close ends the recording and returns what went wrong with it. The conversation must have let go of it.
func (r *Recorder) Close() error {
	close(r.queue)
	<-r.done
	return r.err
}
