package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/call"
)

// frameTime is the length of one audio frame.
const frameTime = 20 * time.Millisecond

// stream is a virtual media WebSocket: the call.Stream that the app's stream callback gets, or that a script has asked
// for. It has a text frame with the call's data, and then a frame of PCM every 20 ms of virtual time: a voice while the
// caller says something, else silence. Keys and marks come back as the call engine tells them. What the app plays takes
// its time; other frames are noted, a PCMO array is performed, and {"action":"stop"} closes the stream.
//
// Whoever reads is at work, except while he is in Read.
type stream struct {
	line  *line
	clock *Clock
	req   call.StreamRequest
	begun time.Time
	quiet func() // says that nothing is streamed any more

	mu       sync.Mutex
	served   bool     // the app is done with the stream
	notices  [][]byte // text frames for the app
	next     time.Time
	paused   bool
	isClosed bool
	waiter   *gate
	reader   *gate // where the app waits for a frame
	finished *gate // where the end of the call waits for served
	voice    voice
	audio    int // bytes of audio and text frames written
	texts    int
}

// maxNotices is how many text frames wait for the app; more are lost.
const maxNotices = 64

// Stream opens a media stream: to a server of Options.Connect, or else to the app's stream callback. When the app has
// none, somebody else's server is at its end.
func (l *line) Stream(ctx context.Context, req call.StreamRequest) (call.OpenStream, error) {
	own := req.URL == l.call.StreamURL
	req.Events = req.Events || own // the app's own script knows what they are
	serve := func(ctx context.Context, s call.Stream) error { return l.handler.Stream(ctx, l.call, s) }
	if connect := l.driver.opts.Connect; connect != nil && !own {
		if err := ended(ctx); err != nil {
			return nil, err
		}
		server, err := connect(ctx, req.URL)
		if err != nil {
			return nil, err
		}
		if server != nil {
			serve = server
		}
	}
	s, err := l.openStream(ctx, req)
	if err != nil {
		return nil, err
	}
	l.clock.Begin()
	go s.serve(l.ctx, serve)
	return s, nil
}

// StreamHere implements call.Streamer.
func (l *line) StreamHere(ctx context.Context, req call.StreamRequest) (call.Stream, call.OpenStream, error) {
	s, err := l.openStream(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	s.served = true // nobody is called
	return s, s, nil
}

func (l *line) openStream(ctx context.Context, req call.StreamRequest) (*stream, error) {
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
	s := &stream{line: l, clock: l.clock, req: req, begun: now, next: now.Add(frameTime), notices: [][]byte{greeting}}
	l.mu.Lock()
	l.streams = append(l.streams, s)
	l.mu.Unlock()
	s.quiet = l.busy()
	l.add(Entry{Kind: StreamOpened, To: req.URL, Status: string(req.Listen), SampleRate: req.SampleRate})
	return s, nil
}

// serve hands the stream to the app and closes it when the app is done.
func (s *stream) serve(ctx context.Context, app func(context.Context, call.Stream) error) {
	defer s.clock.End()
	err := app(ctx, s)
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
	s.hush()
	s.quiet()
	s.line.add(Entry{Kind: StreamClosed, Length: s.clock.Now().Sub(s.begun), Code: code, Cause: reason, AudioBytes: s.audio, TextFrames: s.texts})
	if report {
		s.req.Ended(code, reason)
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
