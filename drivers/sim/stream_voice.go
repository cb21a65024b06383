package sim

import (
	"time"

	"github.com/piopiy/piopiyd/audio"
)

// voice is what the app plays into a stream, as long as it takes. Guarded by stream.mu.
type voice struct {
	total time.Duration // played or waiting to be
	until time.Time     // when all of it has been heard
	since time.Time     // when the caller began to hear what plays now; zero while nothing does
	end   interface{ Stop() bool }
	marks []voiceMark
}

type voiceMark struct {
	name  string
	at    time.Duration // in all that is played
	timer interface{ Stop() bool }
}

// left is how long what was played goes on.
func (v *voice) left(now time.Time) time.Duration { return max(0, v.until.Sub(now)) }

// lull is a gap in the sound that nobody notices.
const lull = 100 * time.Millisecond

func samplesLength(octets, rate int) time.Duration {
	return time.Duration(octets/2) * time.Second / time.Duration(rate)
}

// length is how long the sound of a streamAudio message takes; that of MP3 and Ogg is not looked at.
func (m *message) length() time.Duration {
	switch m.Data.AudioDataType {
	case "raw":
		if m.Data.SampleRate > 0 {
			return samplesLength(len(m.Data.AudioData), m.Data.SampleRate)
		}
	case "wav":
		if samples, rate, err := audio.DecodeWAV(m.Data.AudioData, time.Hour); err == nil {
			return samplesLength(2*len(samples), rate)
		}
	}
	return 0
}

// play lets the caller hear sound after what plays already.
func (s *stream) play(length time.Duration) {
	if length <= 0 {
		return
	}
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	v := &s.voice
	if v.since.IsZero() {
		v.since = now
		s.line.add(Entry{Kind: StreamPlays})
		v.end = s.clock.AfterFunc(length+lull, s.ran)
	}
	if v.until.Before(now) {
		v.until = now
	}
	v.until = v.until.Add(length)
	v.total += length
}

// ran looks whether all that was played has been heard.
func (s *stream) ran() {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	v := &s.voice
	if v.since.IsZero() {
		return
	}
	if quiet := v.until.Add(lull); quiet.After(now) {
		v.end = s.clock.AfterFunc(quiet.Sub(now), s.ran)
		return
	}
	s.silent("")
}

// silent notes what the caller has heard without a gap. It needs s.mu.
func (s *stream) silent(status string) {
	v := &s.voice
	if v.since.IsZero() {
		return
	}
	v.end.Stop()
	s.line.add(Entry{Kind: StreamHeard, Length: v.until.Sub(v.since), Status: status})
	v.since = time.Time{}
}

// Played returns how much of what the app plays the caller has heard.
func (s *stream) Played() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.voice.total - s.voice.left(s.clock.Now())
}

// mark tells the app when all that was played before has been heard.
func (s *stream) mark(name string) {
	now := s.clock.Now()
	s.mu.Lock()
	m := voiceMark{name: name, at: s.voice.total}
	m.timer = s.clock.AfterFunc(s.voice.left(now), func() { s.reached(m.at) })
	s.voice.marks = append(s.voice.marks, m)
	s.mu.Unlock()
}

// reached tells of the marks up to a place in what is played.
func (s *stream) reached(at time.Duration) {
	for {
		s.mu.Lock()
		if len(s.voice.marks) == 0 || s.voice.marks[0].at > at {
			s.mu.Unlock()
			return
		}
		name := s.voice.marks[0].name
		s.voice.marks = s.voice.marks[1:]
		s.mu.Unlock()
		s.tell(struct {
			Event string `json:"event"`
			Name  string `json:"name"`
			Heard int64  `json:"played_ms"`
		}{"played", name, s.Played().Milliseconds()})
	}
}

// clear throws away what was not heard yet, and tells the app which marks are gone.
func (s *stream) clear() {
	gone := s.drop("cleared")
	s.tell(struct {
		Event string   `json:"event"`
		Heard int64    `json:"played_ms"`
		Marks []string `json:"marks"`
	}{"cleared", s.Played().Milliseconds(), gone})
}

// hush ends with the stream what is heard of it.
func (s *stream) hush() { s.drop("closed") }

func (s *stream) drop(status string) (marks []string) {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	v := &s.voice
	left := v.left(now)
	v.total -= left
	if left > 0 {
		v.until = now
	} else {
		status = ""
	}
	s.silent(status)
	marks = []string{}
	for _, m := range v.marks {
		m.timer.Stop()
		marks = append(marks, m.name)
	}
	v.marks = nil
	return marks
}
