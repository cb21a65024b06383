package sip

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"sync"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/pcmo"
)

// hearingLength is how far a server may be behind with what it hears, in frames: a second. Then the oldest frame is
// dropped, and counted.
const hearingLength = 50

// hearing is what is heard, until it is sent.
type hearing struct {
	listen pcmo.ListenMode
	wake   chan struct{} // holds one when there is something to send

	mu       sync.Mutex
	frames   [hearingLength]heard
	first, n int
	dropped  uint64
}

// heard is a frame; its length tells its rate.
type heard struct {
	samples [media.WideRate / framesPerSecond]int16
	n       int
}

const framesPerSecond = 50

func newHearing(listen pcmo.ListenMode) *hearing {
	return &hearing{listen: listen, wake: make(chan struct{}, 1)}
}

// hear takes a frame of each party.
func (q *hearing) hear(caller, callee media.Frame) {
	q.mu.Lock()
	if q.n == hearingLength {
		q.first = (q.first + 1) % hearingLength
		q.n--
		q.dropped++
	}
	h := &q.frames[(q.first+q.n)%hearingLength]
	q.n++
	switch q.listen {
	case pcmo.ListenCallee:
		h.n = copy(h.samples[:], callee)
	case pcmo.ListenBoth:
		h.n = copy(h.samples[:], caller)
		media.Add(h.samples[:h.n], callee)
	default:
		h.n = copy(h.samples[:], caller)
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take moves the oldest frame to h.
func (q *hearing) take(h *heard) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n == 0 {
		return false
	}
	*h = q.frames[q.first]
	q.first = (q.first + 1) % hearingLength
	q.n--
	return true
}

// forget drops what waits.
func (q *hearing) forget() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.n = 0
}

// lost returns how many frames were dropped.
func (q *hearing) lost() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// encoder makes frames of PCM, 16 bit, little endian, of what is heard: 20 ms at the stream's rate, whatever the rate
// of the conversation is.
type encoder struct {
	rate      int
	from      int
	resampler *audio.Resampler
	samples   []int16
	data      []byte
}

// encode returns a frame, valid until the next one.
func (e *encoder) encode(f media.Frame) []byte {
	n := e.rate / framesPerSecond
	if f.Rate() != e.from { // somebody came or left who speaks wideband
		e.from, e.samples = f.Rate(), e.samples[:0]
		e.resampler = audio.NewResampler(e.from, e.rate)
	}
	e.samples = e.resampler.Append(e.samples, f)
	// The filter keeps 3 ms of the first frame back. They come as silence, once, so that no frame waits for the next.
	e.data = e.data[:0]
	for range n - len(e.samples) {
		e.data = append(e.data, 0, 0)
	}
	take := e.samples[:min(n, len(e.samples))]
	for _, v := range take {
		e.data = binary.LittleEndian.AppendUint16(e.data, uint16(v))
	}
	e.samples = e.samples[:copy(e.samples, e.samples[len(take):])]
	return e.data
}

// send sends what is heard, and what there is to tell, until the stream ends; then it says goodbye.
func (s *stream) send() {
	var h heard
	var err error
	e := encoder{rate: s.req.SampleRate}
	for err == nil && s.life.Err() == nil {
		select {
		case note := <-s.notes:
			err = s.socket.Write(true, note)
			continue
		default:
		}
		if s.hearing.take(&h) {
			err = s.socket.Write(false, e.encode(h.samples[:h.n]))
			continue
		}
		select {
		case note := <-s.notes:
			err = s.socket.Write(true, note)
		case <-s.hearing.wake:
		case <-s.life.Done():
		}
	}
	if errors.Is(err, errStuck) {
		s.close(1011, err.Error(), true)
	}
	if err != nil {
		s.socket.Hurry() // whoever reads finds out why
		<-s.life.Done()
	}
	s.goodbye()
}

// goodbye tells what is left to tell and closes the socket.
func (s *stream) goodbye() {
	if s.req.Events {
		last, _ := json.Marshal(struct {
			Event  string `json:"event"`
			Code   int    `json:"code"`
			Reason string `json:"reason"`
		}{"stop", s.end.code, s.end.reason})
		for more := true; more; {
			select {
			case note := <-s.notes:
				more = s.socket.Write(true, note) == nil
			default:
				_ = s.socket.Write(true, last)
				more = false
			}
		}
	}
	s.socket.Close(s.end.code, s.end.reason)
}
