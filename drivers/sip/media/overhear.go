package media

import "slices"

// overhearing is somebody who hears a party before everybody else does. What is not f belongs to the session's receiver.
type overhearing struct {
	f       func(Frame)
	codec   Codec
	decoder Decoder
	samples []int16 // not heard yet
}

// Overhear lets f hear what the party sends as it arrives: frames of 20 ms at the rate of the codec, 20 to 120 ms before
// [Session.ReadFrame] has them in order. What is late, lost or comes twice is heard so. It is for who must be quick and
// need not be right.
//
// f runs on the goroutine that receives, which it must not keep waiting, and does not keep the frame. It may be running
// still when stop has returned.
func (s *Session) Overhear(f func(Frame)) (stop func()) {
	o := &overhearing{f: f}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := append(slices.Clone(s.overhearers()), o)
	s.early.Store(&list)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if left := slices.DeleteFunc(slices.Clone(s.overhearers()), func(other *overhearing) bool { return other == o }); len(left) > 0 {
			s.early.Store(&left)
		} else {
			s.early.Store(nil)
		}
	}
}

func (s *Session) overhearers() []*overhearing {
	if list := s.early.Load(); list != nil {
		return *list
	}
	return nil
}

// overhear lets a packet of sound be heard. By the receiver.
func (s *Session) overhear(p Packet) {
	list := s.overhearers()
	if len(list) == 0 {
		return
	}
	codec := s.Format().Codec
	if codec.span(p.Payload) > maxSpan {
		return
	}
	for _, o := range list {
		o.hear(codec, p.Payload)
	}
}

func (o *overhearing) hear(codec Codec, payload []byte) {
	if o.decoder == nil || o.codec != codec {
		o.codec, o.decoder, o.samples = codec, codec.NewDecoder(), o.samples[:0]
	}
	o.samples = o.decoder.Decode(o.samples, payload)
	frame, rest := codec.SampleRate()/framesPerSecond, o.samples
	for ; len(rest) >= frame; rest = rest[frame:] {
		o.f(rest[:frame])
	}
	o.samples = o.samples[:copy(o.samples, rest)]
}
