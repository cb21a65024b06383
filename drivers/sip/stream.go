package sip

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// stream is a media WebSocket (protocol page section 4), or what does its work for a script in this process: the
// platform's end of it. The server hears the call, in frames of 20 ms, and what it says goes to the caller.
//
// The call's clock only touches the hearing and the voice, which never wait. One goroutine sends what the hearing holds, one
// takes what the server sends, and one more runs while there is something to decode.
type stream struct {
	line    *line
	req     call.StreamRequest
	socket  socket
	hearing *hearing
	voice   *voice
	notes   chan []byte // text frames for the server
	paused  atomic.Bool // the server hears nothing

	life   context.Context
	cancel context.CancelFunc
	leave  []func() // out of the conversation
	ending sync.Once
	end    closed // valid when life has ended
	over   chan struct{}

	mu     sync.Mutex
	faults map[string]bool // what was complained about already
	calm   func()          // no longer gives way to the caller; nil while it does not
}

// maxNotes is how many text frames may wait for a server; maxFaults how many kinds of mistakes are told.
const (
	maxNotes  = 64
	maxFaults = 20
)

// greeting is the first frame (DESIGN: the media WebSocket).
type greeting struct {
	Event       string `json:"event"`
	Call        string `json:"call"`
	From        string `json:"from"`
	To          string `json:"to"`
	Rate        int    `json:"rate"`
	Channels    int    `json:"channels"`
	ExtraParams string `json:"extra_params"`
}

// Stream opens a media WebSocket: to the app's own stream callback, or to a server.
func (l *line) Stream(ctx context.Context, req call.StreamRequest) (call.OpenStream, error) {
	if req.URL == l.call.StreamURL {
		req.Events = true // the app's own script knows what they are
		s, err := l.openStream(ctx, req, func(life context.Context) (socket, error) { return l.callback(life), nil })
		return handedOver(s, err)
	}
	s, err := l.openStream(ctx, req, func(context.Context) (socket, error) { return l.driver.connect(ctx, req.URL) })
	return handedOver(s, err)
}

// StreamHere implements call.Streamer.
func (l *line) StreamHere(ctx context.Context, req call.StreamRequest) (call.Stream, call.OpenStream, error) {
	p := l.newPipe()
	s, err := l.openStream(ctx, req, func(context.Context) (socket, error) { return p, nil })
	if err != nil {
		return nil, nil, err
	}
	return appEnd{p}, s, nil
}

// handedOver is a stream as the performer has it: without one, nil.
func handedOver(s *stream, err error) (call.OpenStream, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// openStream opens a stream over a socket, and says first whose it is.
func (l *line) openStream(ctx context.Context, req call.StreamRequest, connect func(life context.Context) (socket, error)) (*stream, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &stream{
		line: l, req: req, hearing: newHearing(req.Listen), notes: make(chan []byte, maxNotes), life: life, cancel: cancel,
		over: make(chan struct{}), faults: map[string]bool{},
	}
	var err error
	if s.socket, err = connect(life); err != nil {
		cancel()
		if gone := ended(ctx); gone != nil {
			return nil, gone
		}
		return nil, err
	}
	first, err := json.Marshal(greeting{"start", l.call.ID, l.call.From, l.call.To, req.SampleRate, 1, req.ExtraParams})
	if err == nil {
		err = s.socket.Write(true, first)
	}
	if err != nil {
		cancel()
		s.socket.Close(1011, "the first frame could not be sent")
		l.driver.work.Go(func() { // who reads closes it
			for err := error(nil); err == nil; {
				_, _, err = s.socket.Read()
			}
		})
		return nil, fmt.Errorf("the stream's first frame could not be sent: %w", err)
	}
	s.voice = newVoice(s, l.talk.Rate())
	if p, ok := s.socket.(*pipe); ok {
		p.voice.Store(s.voice)
	}
	l.streams.add(s)
	s.leave = []func(){l.talk.AddTap(s), l.talk.AddSource(s.voice), func() { l.streams.remove(s) }}
	l.driver.work.Go(s.send)
	l.driver.work.Go(s.receive)
	return s, nil
}

// Tap implements media.Tap: it never waits.
func (s *stream) Tap(caller, callee media.Frame) {
	if !s.paused.Load() {
		s.hearing.hear(caller, callee)
	}
}

// Wait returns when the stream has ended.
func (s *stream) Wait(ctx context.Context) error {
	select {
	case <-s.over:
		return ended(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close implements call.OpenStream.
func (s *stream) Close(code int, reason string) error {
	s.close(code, reason, true)
	return nil
}

// close ends the stream, once, and waits for nobody: the goodbye is said by the sender.
func (s *stream) close(code int, reason string, report bool) {
	s.ending.Do(func() {
		for _, leave := range s.leave {
			leave()
		}
		s.end = closed{code, reason}
		s.cancel()
		s.giveWay(false)
		s.socket.Hurry()
		if n := s.hearing.lost(); n > 0 {
			s.line.observe(call.Step{Err: fmt.Errorf("stream: the server was too slow: %v of sound never reached it", time.Duration(n)*media.FrameTime)})
		}
		if report {
			s.req.Ended(code, reason)
		}
		close(s.over)
	})
}

// lost ends the stream because the server is gone.
func (s *stream) lost(err error) {
	var end *closed
	if !errors.As(err, &end) {
		end = &closed{1006, "the connection broke off"}
	}
	s.close(end.code, end.reason, true)
}

// tell sends a text frame of piopiyd's own to a server that has asked for such.
func (s *stream) tell(event any) {
	if !s.req.Events {
		return
	}
	text, err := json.Marshal(event)
	if err != nil {
		return
	}
	select {
	case s.notes <- text:
	default: // it reads nothing
	}
}

// pressed tells the server of a key of the caller.
func (s *stream) pressed(digit byte) {
	s.tell(struct {
		Event string `json:"event"`
		Digit string `json:"digit"`
	}{"dtmf", string(digit)})
}

// complain tells what is wrong with the server's frames: the server itself, and, once, whoever reads the timeline.
func (s *stream) complain(text string) {
	s.tell(struct {
		Event   string `json:"event"`
		Message string `json:"message"`
	}{"error", text})
	s.mu.Lock()
	known := s.faults[text] || len(s.faults) >= maxFaults
	if !known {
		s.faults[text] = true
	}
	s.mu.Unlock()
	if known || s.life.Err() != nil {
		return
	}
	s.line.observe(call.Step{Err: errors.New("stream: " + text)})
}

// streams are those of a line that are open.
type streams struct {
	mu   sync.Mutex
	list []*stream
}

func (l *streams) add(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, s)
}

func (l *streams) remove(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = slices.DeleteFunc(l.list, func(o *stream) bool { return o == s })
}

func (l *streams) all() []*stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}

// pressed tells all servers of a key of the caller.
func (l *streams) pressed(digit byte) {
	for _, s := range l.all() {
		s.pressed(digit)
	}
}

// close ends all.
func (l *streams) close(code int, reason string) {
	for _, s := range l.all() {
		s.close(code, reason, false)
	}
}
