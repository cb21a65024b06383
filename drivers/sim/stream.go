package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/call"
)

// frameTime is the length of one audio frame.
const frameTime = 20 * time.Millisecond

// stream is a virtual media WebSocket: the call.Stream that the app's stream callback gets. It plays a caller
// who says nothing, a frame of silence every 20 ms of virtual time, after a text frame with the call's data.
// What the app sends is counted and noted; a PCMO array is performed, and {"action":"stop"} closes the stream.
//
// Whoever reads is at work, except while he is in Read.
type stream struct {
	line    *line
	clock   *Clock
	silence []byte
	begun   time.Time

	mu       sync.Mutex
	served   bool // the app is done with the stream
	greeting []byte
	next     time.Time
	isClosed bool
	ended    func(code int, reason string)
	perform  func(document []byte) error
	quiet    func() // says that nothing is streamed any more
	waiter   *gate
	reader   *gate // where the app waits for a frame
	finished *gate // where the end of the call waits for served
	audio    int   // bytes of audio and text frames written
	texts    int
}

// Stream opens a media stream. When the app has no stream callback, somebody else's server is at its end.
func (l *line) Stream(ctx context.Context, req call.StreamRequest) (call.OpenStream, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	greeting, err := json.Marshal(map[string]any{
		"event": "start", "call": l.call.ID, "from": l.call.From, "to": l.call.To, "rate": req.SampleRate, "channels": 1,
		"extra_params": req.ExtraParams,
	})
	if err != nil {
		return nil, fmt.Errorf("the stream's first frame: %w", err)
	}
	now := l.clock.Now()
	s := &stream{
		line: l, clock: l.clock, silence: make([]byte, req.SampleRate/50*2), begun: now, next: now,
		greeting: greeting, ended: req.Ended, perform: req.Perform,
	}
	l.mu.Lock()
	l.streams = append(l.streams, s)
	l.mu.Unlock()
	s.quiet = l.busy()
	l.add(Entry{Kind: StreamOpened, To: req.URL, Status: string(req.Listen), SampleRate: req.SampleRate})
	l.clock.Begin()
	go s.serve(l.ctx)
	return s, nil
}

// serve hands the stream to the app and closes it when the app is done.
func (s *stream) serve(ctx context.Context) {
	defer s.clock.End()
	err := s.line.handler.Stream(ctx, s.line.call, s)
	s.mu.Lock()
	s.served = true
	finished := s.finished
	s.mu.Unlock()
	if finished != nil {
		defer finished.open()
	}
	switch {
	case ended(ctx) != nil:
		s.close(1000, "the call ended", false)
	case isNoCallback(err):
		s.clock.AfterFunc(s.line.driver.opts.StreamFor, func() { s.close(1000, "the simulated server closed", true) })
	case err != nil:
		s.line.add(Entry{Kind: Problem, Error: "the stream callback failed: " + err.Error()})
		s.close(1011, "the stream callback failed", true)
	default:
		s.close(1000, "", true)
	}
}

// Read returns the greeting, then silence.
func (s *stream) Read(ctx context.Context) (text bool, data []byte, err error) {
	s.mu.Lock()
	greeting := s.greeting
	s.greeting = nil
	closed := s.isClosed
	s.mu.Unlock()
	if closed {
		return false, nil, io.EOF
	}
	if greeting != nil {
		return true, greeting, nil
	}
	now := s.clock.Now()
	s.mu.Lock()
	s.next = s.next.Add(frameTime)
	if s.next.Before(now) {
		s.next = now // frames that nobody read are lost
	}
	wait := s.next.Sub(now)
	s.mu.Unlock()
	if err := s.rest(ctx, wait); err != nil {
		return false, nil, err
	}
	return false, s.silence, nil
}

// rest lets the reader wait for a frame, for the end of the stream, or of ctx.
func (s *stream) rest(ctx context.Context, d time.Duration) error {
	g := s.clock.newGate()
	s.mu.Lock()
	if s.isClosed {
		s.mu.Unlock()
		return io.EOF
	}
	s.reader = g
	s.mu.Unlock()
	t := s.clock.AfterFunc(d, g.open)
	undo := s.clock.AfterCancel(ctx, g.open)
	g.wait()
	undo()
	t.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reader = nil
	switch {
	case s.isClosed:
		return io.EOF
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return nil
}

var errStreamClosed = errors.New("the stream is closed")

// Write takes what the app sends.
func (s *stream) Write(_ context.Context, text bool, data []byte) error {
	s.mu.Lock()
	if s.isClosed {
		s.mu.Unlock()
		return errStreamClosed
	}
	if text {
		s.texts++
	} else {
		s.audio += len(data)
	}
	s.mu.Unlock()
	if !text {
		return nil
	}
	s.line.add(Entry{Kind: StreamSent, Text: clip(string(data))})
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && trimmed[0] == '[' {
		if err := s.perform(trimmed); err != nil && !errors.Is(err, call.ErrOver) {
			s.line.add(Entry{Kind: Problem, Error: "stream: " + err.Error()})
		}
		return nil
	}
	var command struct {
		Action string `json:"action"`
	}
	if json.Unmarshal(data, &command) == nil && command.Action == "stop" {
		s.close(1000, "stopped by the app", true)
	}
	return nil
}

// Close ends the stream from the app's side.
func (s *stream) Close(code int, reason string) error {
	s.close(code, reason, true)
	return nil
}

// Wait returns when the stream has ended.
func (s *stream) Wait(ctx context.Context) error {
	s.line.mail.wait(0)
	if err := ended(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	if s.isClosed {
		s.mu.Unlock()
		return nil
	}
	g := s.clock.newGate()
	s.waiter = g
	s.mu.Unlock()
	return s.line.rest(ctx, g)
}

func (s *stream) close(code int, reason string, report bool) {
	s.mu.Lock()
	if s.isClosed {
		s.mu.Unlock()
		return
	}
	s.isClosed = true
	waiter, reader := s.waiter, s.reader
	s.mu.Unlock()
	s.clock.Begin()
	defer s.clock.End()
	s.quiet()
	s.line.add(Entry{Kind: StreamClosed, Length: s.clock.Now().Sub(s.begun), Code: code, Cause: reason, AudioBytes: s.audio, TextFrames: s.texts})
	if report {
		s.ended(code, reason)
	}
	if reader != nil {
		reader.open()
	}
	if waiter != nil {
		waiter.open()
	}
}

// closeStreams ends with the call what is still open.
func (l *line) closeStreams() {
	l.mu.Lock()
	streams := l.streams
	l.streams = nil
	l.mu.Unlock()
	for _, s := range streams {
		s.close(1000, "the call ended", false)
		s.line.awaitServed(s)
	}
}

// awaitServed gives the app time to be done with a closed stream.
func (l *line) awaitServed(s *stream) {
	s.mu.Lock()
	if s.served {
		s.mu.Unlock()
		return
	}
	g := l.clock.newGate()
	s.finished = g
	s.mu.Unlock()
	t := l.clock.AfterFunc(callbackLimit, func() {
		l.add(Entry{Kind: Problem, Error: "the stream callback was still at work a minute after the call"})
		g.open()
	})
	g.wait()
	t.Stop()
}
