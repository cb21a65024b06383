package sip

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/pcmo"
)

const (
	// streamQueue is how far a server may be behind with what it hears, in frames: a second. Then the oldest is
	// dropped.
	streamQueue = 50
	// streamAhead is how much a server may say ahead of time, in samples: a minute.
	streamAhead = 60 * media.Rate
	// stuck is how long a server may take nothing before it is given up.
	stuck = 5 * time.Second
)

// stream is a media WebSocket (protocol page section 4): the platform's end of it. What the app's server says goes
// to the caller; what it hears are frames of 20 ms.
//
// A paused stream sends nothing until it is resumed; what it says is still heard.
type stream struct {
	line   *line
	req    call.StreamRequest
	socket socket
	queue  *media.Queue

	frames  chan media.Frame
	paused  atomic.Bool
	dropped atomic.Uint64
	leave   []func() // out of the conversation
	cancel  context.CancelFunc
	ending  sync.Once
	over    chan struct{}
	faults  map[string]bool // what was complained about already; owned by the reader
}

// socket is one end of a media WebSocket.
type socket interface {
	// Read returns the next frame. When the other end has closed the socket the error is a *closed.
	Read() (text bool, data []byte, err error)
	// Write sends a frame, and gives up after some time.
	Write(text bool, data []byte) error
	Close(code int, reason string)
}

// closed is the error of a socket that was closed (RFC 6455 section 7.4).
type closed struct {
	code   int
	reason string
}

func (e *closed) Error() string { return fmt.Sprintf("closed with %d %s", e.code, e.reason) }

// Stream opens a media WebSocket: to the app's own stream callback, or to a server.
func (l *line) Stream(ctx context.Context, req call.StreamRequest) (call.OpenStream, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &stream{
		line: l, req: req, queue: media.NewQueue(media.Rate, streamAhead), frames: make(chan media.Frame, streamQueue), cancel: cancel,
		over: make(chan struct{}), faults: map[string]bool{},
	}
	var err error
	if req.URL == l.call.StreamURL {
		s.socket = l.callback(life)
	} else if s.socket, err = l.driver.connect(ctx, req.URL); err != nil {
		cancel()
		if gone := ended(ctx); gone != nil {
			return nil, gone
		}
		return nil, err
	}
	greeting, err := json.Marshal(map[string]any{
		"event": "start", "call": l.call.ID, "from": l.call.From, "to": l.call.To, "rate": req.SampleRate, "channels": 1,
		"extra_params": req.ExtraParams,
	})
	if err == nil {
		err = s.socket.Write(true, greeting)
	}
	if err != nil {
		cancel()
		s.socket.Close(1011, "the first frame could not be sent")
		return nil, fmt.Errorf("the stream's first frame: %w", err)
	}
	l.streams = append(l.streams, s)
	s.leave = []func(){l.talk.AddTap(s), l.talk.AddSource(s.queue)}
	l.work.Go(func() { s.send(life) })
	l.work.Go(s.receive)
	return s, nil
}

// Tap implements media.Tap: it never waits.
func (s *stream) Tap(caller, callee media.Frame) {
	if s.paused.Load() {
		return
	}
	f := slices.Clone(caller)
	switch s.req.Listen {
	case pcmo.ListenCallee:
		copy(f, callee)
	case pcmo.ListenBoth:
		media.Add(f, callee)
	}
	for {
		select {
		case s.frames <- f:
			return
		default:
		}
		select {
		case <-s.frames:
			s.dropped.Add(1)
		default:
		}
	}
}

// send sends what is heard.
func (s *stream) send(ctx context.Context) {
	var resampler *media.Resampler
	var samples []int16
	rate := 0
	data := make([]byte, 0, s.req.SampleRate/50*2+64)
	for {
		select {
		case f := <-s.frames:
			if f.Rate() != rate { // somebody came or left who speaks wideband
				rate = f.Rate()
				resampler = media.NewResampler(rate, s.req.SampleRate)
			}
			samples = resampler.Append(samples, f)
			// The resampler may give a sample more or less; frames are of 20 ms.
			n := s.req.SampleRate / 50
			if len(samples) < n {
				continue
			}
			data = data[:0]
			for _, v := range samples[:n] {
				data = binary.LittleEndian.AppendUint16(data, uint16(v))
			}
			samples = samples[:copy(samples, samples[n:])]
			if err := s.socket.Write(false, data); err != nil {
				s.close(1006, "the server takes nothing: "+err.Error(), true)
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// receive takes what the server says.
func (s *stream) receive() {
	for {
		text, data, err := s.socket.Read()
		if err != nil {
			end := &closed{code: 1006, reason: err.Error()}
			errors.As(err, &end)
			s.close(end.code, end.reason, true)
			return
		}
		if !text {
			s.say(data, s.req.SampleRate)
			continue
		}
		if s.take(data) {
			s.close(1000, "stopped by the app", true)
			return
		}
	}
}

// message is a text frame of the server: sound, or a command.
type message struct {
	Action string `json:"action"`
	Type   string `json:"type"`
	Data   struct {
		AudioDataType string `json:"audioDataType"`
		SampleRate    int    `json:"sampleRate"`
		AudioData     string `json:"audioData"`
	} `json:"data"`
}

// take performs a text frame, and reports whether it ends the stream.
func (s *stream) take(data []byte) (stop bool) {
	if first := firstByte(data); first == '[' {
		s.complain("actions sent over the stream are not performed yet")
		return false
	}
	var m message
	if err := json.Unmarshal(data, &m); err != nil {
		s.complain("a text frame that is no JSON object")
		return false
	}
	switch {
	case m.Action == "pause":
		s.paused.Store(true)
	case m.Action == "resume":
		s.paused.Store(false)
	case m.Action == "break":
		s.queue.Clear()
	case m.Action == "stop":
		return true
	case m.Type == "streamAudio":
		s.play(m)
	default:
		s.complain("a text frame that is neither streamAudio nor pause, resume, break or stop")
	}
	return false
}

func firstByte(data []byte) byte {
	for _, b := range data {
		if b != ' ' && b != '\t' && b != '\r' && b != '\n' {
			return b
		}
	}
	return 0
}

// play queues a piece of sound.
func (s *stream) play(m message) {
	data, err := base64.StdEncoding.DecodeString(m.Data.AudioData)
	if err != nil {
		s.complain("streamAudio: audioData is no base64")
		return
	}
	switch m.Data.AudioDataType {
	case "raw":
		if m.Data.SampleRate != 8000 && m.Data.SampleRate != 16000 {
			s.complain("streamAudio: sampleRate is neither 8000 nor 16000")
			return
		}
		s.say(data, m.Data.SampleRate)
	case "wav":
		samples, err := media.DecodeWAV(data)
		if err != nil {
			s.complain("streamAudio: " + err.Error())
			return
		}
		s.put(samples)
	default:
		s.complain("streamAudio: audioDataType " + clipText(m.Data.AudioDataType) + " cannot be played: raw and wav can")
	}
}

func clipText(text string) string {
	if len(text) > 20 {
		text = text[:20]
	}
	return fmt.Sprintf("%q", text)
}

// say queues raw sound: PCM, 16 bit, little endian.
func (s *stream) say(data []byte, rate int) {
	samples := make([]int16, len(data)/2)
	for i := range samples {
		samples[i] = int16(binary.LittleEndian.Uint16(data[2*i:]))
	}
	s.put(media.Resample(samples, rate, media.Rate))
}

func (s *stream) put(samples []int16) {
	if s.queue.Write(samples) > 0 {
		s.complain("more than a minute of sound waits to be heard: the rest is dropped")
	}
}

// complain tells once of what is wrong with the server's frames.
func (s *stream) complain(text string) {
	if s.faults[text] || len(s.faults) > 20 {
		return
	}
	s.faults[text] = true
	s.line.observe(call.Step{Err: errors.New("stream: " + text)})
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

// close ends the stream, once.
func (s *stream) close(code int, reason string, report bool) {
	s.ending.Do(func() {
		for _, leave := range s.leave {
			leave()
		}
		s.cancel()
		s.socket.Close(code, reason)
		if n := s.dropped.Load(); n > 0 {
			s.line.driver.log.Warn("a stream's server was too slow", "call", s.line.call.ID, "dropped", time.Duration(n)*media.FrameTime)
		}
		if report {
			s.req.Ended(code, reason)
		}
		close(s.over)
	})
}
