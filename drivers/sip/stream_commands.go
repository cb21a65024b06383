package sip

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// message is a text frame of the server that is an object: sound, a mark or a command (protocol page section 4.4;
// marks are piopiyd's own).
type message struct {
	Action string `json:"action"`
	Off    bool   `json:"off"`
	Type   string `json:"type"`
	Name   string `json:"name"`
	// An array of actions may come wrapped.
	PCMO     json.RawMessage `json:"pcmo"`
	Pipeline json.RawMessage `json:"pipeline"`
	Data     struct {
		AudioDataType string      `json:"audioDataType"`
		SampleRate    json.Number `json:"sampleRate"` // the SDKs send a number; some people a text
		AudioData     string      `json:"audioData"`
	} `json:"data"`
}

// receive takes what the server sends until the stream ends, and then until the socket is closed.
func (s *stream) receive() {
	var m meter
	for {
		text, data, err := s.socket.Read()
		if err != nil {
			s.lost(err)
			return
		}
		switch {
		case s.life.Err() != nil: // goodbye was said
		case !text:
			s.voice.add(piece{kind: rawSound, rate: s.req.SampleRate, data: data})
		case s.take(data):
			s.close(1000, "stopped by the app", true)
		}
		m.wait(s.life, len(data))
	}
}

// take performs a text frame, and reports whether it ends the stream.
func (s *stream) take(data []byte) (stop bool) {
	switch firstByte(data) {
	case '[':
		s.perform(data)
		return false
	case '{':
	default:
		s.complain("a text frame that is no JSON object and no array: " + excerpt(data))
		return false
	}
	var m message
	if err := json.Unmarshal(data, &m); err != nil {
		s.complain("a text frame cannot be read: " + err.Error())
		return false
	}
	switch {
	case m.Action == "pause":
		s.paused.Store(true)
		s.hearing.forget()
	case m.Action == "resume":
		s.paused.Store(false)
	case m.Action == "break":
		s.cleared(s.voice.clear())
	case m.Action == "give_way":
		s.giveWay(!m.Off)
	case m.Action == "stop":
		return true
	case m.Type == "streamAudio":
		s.play(m)
	case m.Type == "mark":
		s.mark(m.Name)
	case len(m.PCMO) > 0 || len(m.Pipeline) > 0:
		s.perform(data)
	case m.Action != "":
		s.complain(fmt.Sprintf("action %s is not known: pause, resume, break, give_way and stop are, and arrays of actions", excerpt([]byte(m.Action))))
	default:
		s.complain("a text frame that is neither streamAudio, mark, pause, resume, break, give_way or stop nor an array of actions: " + excerpt(data))
	}
	return false
}

// perform lets actions take the place of what is performed.
func (s *stream) perform(document []byte) {
	if err := s.req.Perform(document); err != nil {
		s.complain("the actions it sent cannot be performed: " + err.Error())
	}
}

// play hands a piece of sound to the voice.
func (s *stream) play(m message) {
	p := piece{kind: sound(m.Data.AudioDataType), data: []byte(m.Data.AudioData), base64: true}
	switch p.kind {
	case rawSound:
		rate, err := m.Data.SampleRate.Float64()
		if err != nil || rate != 8000 && rate != 16000 {
			s.complain(fmt.Sprintf("streamAudio: data.sampleRate is %q: raw sound has 8000 or 16000", excerptOf(m.Data.SampleRate.String())))
			return
		}
		p.rate = int(rate)
	case wavSound, mp3Sound, oggSound:
	default:
		s.complain(fmt.Sprintf("streamAudio: data.audioDataType is %s: raw, wav, mp3 and ogg are known", excerpt([]byte(m.Data.AudioDataType))))
		return
	}
	s.voice.add(p)
}

// mark asks to be told when what was sent before it has been played.
func (s *stream) mark(name string) {
	switch {
	case !s.req.Events:
		s.complain("a mark is not answered: the stream action did not ask for events")
	case len(name) > maxMarkName:
		s.complain(fmt.Sprintf("mark: a name of %d octets: %d are taken", len(name), maxMarkName))
	default:
		s.voice.add(piece{kind: markSound, mark: name})
	}
}

// maxMarkName bounds the name of a mark, in octets.
const maxMarkName = 256

// played tells that what was sent before a mark has been played; heard is how much of the server's sound the caller
// has heard since the stream began.
func (s *stream) played(name string, heard time.Duration) {
	s.tell(struct {
		Event string `json:"event"`
		Name  string `json:"name"`
		Heard int64  `json:"played_ms"`
	}{"played", name, heard.Milliseconds()})
}

// cleared tells what break has thrown away.
func (s *stream) cleared(heard time.Duration, marks []string) {
	s.tell(struct {
		Event string   `json:"event"`
		Heard int64    `json:"played_ms"`
		Marks []string `json:"marks"`
	}{"cleared", heard.Milliseconds(), append([]string{}, marks...)})
}

func firstByte(data []byte) byte {
	for _, b := range data {
		if b != ' ' && b != '\t' && b != '\r' && b != '\n' {
			return b
		}
	}
	return 0
}

// excerpt is the beginning of what a server sent, for people.
func excerpt(data []byte) string { return fmt.Sprintf("%q", excerptOf(string(data))) }

func excerptOf(text string) string {
	const length = 40
	if len(text) <= length {
		return text
	}
	text = text[:length]
	for len(text) > 0 && !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text + "…"
}

// meter bounds what one server may send in a second: many times what a call can need, and little for a machine.
type meter struct {
	began            time.Time
	messages, octets int
}

const (
	maxMessages = 5_000
	maxOctets   = 32 << 20
)

// wait counts a message, and rests until the second is over when it was one too many.
func (m *meter) wait(ctx context.Context, octets int) {
	now := time.Now()
	if now.Sub(m.began) >= time.Second {
		*m = meter{began: now}
	}
	m.messages++
	m.octets += octets
	if m.messages < maxMessages && m.octets < maxOctets {
		return
	}
	timer := time.NewTimer(time.Until(m.began.Add(time.Second)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
