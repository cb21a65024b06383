package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/piopiy/piopiyd/call"
)

// Read returns what there is to tell, then the next frame at its time.
func (s *stream) Read(ctx context.Context) (text bool, data []byte, err error) {
	for {
		now := s.clock.Now()
		s.mu.Lock()
		switch {
		case len(s.notices) > 0:
			data, s.notices = s.notices[0], s.notices[1:]
			s.mu.Unlock()
			return true, data, nil
		case s.isClosed:
			s.mu.Unlock()
			return false, nil, io.EOF
		case !s.paused && !s.next.After(now):
			s.next = now.Add(frameTime) // frames that nobody read are lost
			s.mu.Unlock()
			return false, s.line.heard(s.req, now.Add(-frameTime)), nil
		}
		g := s.clock.newGate()
		s.reader = g
		wait, paused := s.next.Sub(now), s.paused
		s.mu.Unlock()
		if err := s.rest(ctx, g, wait, paused); err != nil {
			return false, nil, err
		}
	}
}

// rest lets the reader wait for a frame, for something to be told, for the end of the stream, or of ctx.
func (s *stream) rest(ctx context.Context, g *gate, d time.Duration, paused bool) error {
	if !paused {
		defer s.clock.AfterFunc(d, g.open).Stop()
	}
	defer s.clock.AfterCancel(ctx, g.open)()
	g.wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reader = nil
	if ctx.Err() != nil && !s.isClosed {
		return context.Cause(ctx)
	}
	return nil
}

// tell sends the app a text frame, where it has asked for such. The caller is at work.
func (s *stream) tell(event any) {
	text, err := json.Marshal(event)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.req.Events || err != nil || s.isClosed || len(s.notices) >= maxNotices {
		return
	}
	s.notices = append(s.notices, text)
	s.wake()
}

// wake lets the reader look again. It needs s.mu.
func (s *stream) wake() {
	if s.reader != nil {
		s.reader.open()
	}
}

// pressed tells the app of a key, and reports whether it has asked for that.
func (s *stream) pressed(key byte) bool {
	s.tell(struct {
		Event string `json:"event"`
		Digit string `json:"digit"`
	}{"dtmf", string(key)})
	return s.req.Events
}

func (s *stream) pause(paused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused = paused
	s.wake()
}

var errStreamClosed = errors.New("the stream is closed")

// message is a text frame of the app: what the platform understands, and marks (protocol page section 4.4).
type message struct {
	Action string `json:"action"`
	Type   string `json:"type"`
	Name   string `json:"name"`
	Data   struct {
		AudioDataType string `json:"audioDataType"`
		SampleRate    int    `json:"sampleRate"`
		AudioData     []byte `json:"audioData"`
	} `json:"data"`
}

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
		s.play(samplesLength(len(data), s.req.SampleRate))
		return nil
	}
	data = bytes.TrimSpace(data)
	if len(data) > 0 && data[0] == '[' {
		s.line.add(Entry{Kind: StreamSent, Text: clip(string(data))})
		if err := s.req.Perform(data); err != nil && !errors.Is(err, call.ErrOver) {
			s.line.add(Entry{Kind: Problem, Error: "stream: " + err.Error()})
		}
		return nil
	}
	var m message
	if json.Unmarshal(data, &m) == nil {
		switch m.Type {
		case "streamAudio":
			s.play(m.length())
			return nil
		case "mark":
			s.mark(m.Name)
			return nil
		}
	}
	s.line.add(Entry{Kind: StreamSent, Text: clip(string(data))})
	switch m.Action {
	case "break":
		s.clear()
	case "pause", "resume":
		s.pause(m.Action == "pause")
	case "stop":
		s.close(1000, "stopped by the app", true)
	}
	return nil
}
