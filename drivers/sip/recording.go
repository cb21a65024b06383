package sip

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// tapes are the recordings of a call. Several may follow each other.
type tapes struct {
	mu      sync.Mutex
	current *media.Recorder
	begun   int
	over    bool
	done    []call.Recording
}

var (
	errNoFolder     = errors.New("nothing can be recorded: no folder for recordings is set")
	errNotRecording = errors.New("nothing is recorded now")
)

// Record begins to record the conversation, as WAV whatever format was asked for. Files are named by the call: ID.wav, then ID-2.wav and so on.
func (l *line) Record(ctx context.Context, o call.RecordOptions) error {
	if err := ended(ctx); err != nil {
		return err
	}
	t := &l.tapes
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.over:
		return call.ErrOver
	case t.current != nil:
		return nil
	}
	dir := l.driver.opts.RecordingsDir
	if dir == "" {
		return errNoFolder
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	channels := media.Mixed
	if o.Channels == "dual" || o.Channels == "" && l.driver.opts.SeparateChannels {
		channels = media.Separate
	}
	t.begun++
	name := l.call.ID
	if t.begun > 1 {
		name = fmt.Sprintf("%s-%d", name, t.begun)
	}
	r, err := media.NewRecorder(filepath.Join(dir, name+".wav"), media.RecorderOptions{Channels: channels, Rate: l.talk.Rate()})
	if err != nil {
		return err
	}
	t.current = r
	l.talk.Record(r)
	return nil
}

// ControlRecording implements call.Controls.
func (l *line) ControlRecording(ctx context.Context, c call.RecordingCommand) error {
	if !l.hasAnswered() {
		return errNotAnswered
	}
	if c == call.RecordingStart {
		return l.Record(ctx, call.RecordOptions{})
	}
	t := &l.tapes
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == nil {
		return fmt.Errorf("%s: %w", c, errNotRecording)
	}
	switch c {
	case call.RecordingStop:
		l.finishRecording()
	case call.RecordingPause:
		t.current.Pause()
	case call.RecordingResume:
		t.current.Resume()
	default:
		return fmt.Errorf("%q is no command for a recording: start, stop, pause and resume are", string(c))
	}
	return nil
}

// finishRecording ends the recording that is under way; tapes.mu is held.
func (l *line) finishRecording() {
	t := &l.tapes
	r := t.current
	if r == nil {
		return
	}
	t.current = nil
	l.talk.Record(nil)
	if err := r.Close(); err != nil {
		l.driver.log.Error("a recording is not whole", "call", l.call.ID, "file", r.Path(), "error", err)
	} else {
		l.driver.log.Info("a call was recorded", "call", l.call.ID, "file", r.Path(), "length", r.Length(), "lost", r.Lost())
	}
	made := call.Recording{File: filepath.Base(r.Path()), Duration: r.Length()}
	if url := l.driver.opts.RecordingURL; url != nil {
		made.URL = url(made.File)
	}
	t.done = append(t.done, made)
}

// Recordings implements call.RecordingLister.
func (l *line) Recordings() []call.Recording {
	l.tapes.mu.Lock()
	defer l.tapes.mu.Unlock()
	return slices.Clone(l.tapes.done)
}

// finishRecordings ends the last recording and returns all of them.
func (l *line) finishRecordings() []call.Recording {
	t := &l.tapes
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	l.finishRecording()
	return t.done
}
